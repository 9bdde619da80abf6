"""The parser of the command lines: argparse with errors that help."""

import argparse
import difflib
import sys
from typing import NoReturn

from mlee_sb.errors import InputError


class Parser(argparse.ArgumentParser):
    """A parser that takes no abbreviated flags, and names the nearest right flag for a misspelt one.

    Its errors are `InputError`: the command prints them and ends with status 2.

    >>> parser = Parser()
    >>> _ = parser.add_argument("--min_votes", type=int)
    >>> parser.parse_args(["--min_vots", "2"])
    Traceback (most recent call last):
        ...
    mlee_sb.errors.InputError: unknown flag --min_vots: did you mean --min_votes?
    """

    def __init__(self, **keywords):
        super().__init__(allow_abbrev=False, **keywords)
        self.elsewhere: dict[str, str] = {}  # flag that this command line does not have -> why, for a person

    def parse_args(self, args=None, namespace=None):
        """Parse as argparse does, but report a misspelt flag first: argparse would only report what is missing because of it."""
        known = [flag for action in self._actions for flag in action.option_strings]
        args = sys.argv[1:] if args is None else list(args)
        for argument in args[: args.index("--")] if "--" in args else args:
            flag = argument.split("=")[0]
            if flag.startswith("--") and flag not in known:
                if flag in self.elsewhere:
                    raise InputError(f"{flag}: {self.elsewhere[flag]}")
                nearest = difflib.get_close_matches(flag, known, n=1, cutoff=0.5)
                hint = f"did you mean {nearest[0]}?" if nearest else f"one of: {', '.join(known)}"
                raise InputError(f"unknown flag {flag}: {hint}")
        return super().parse_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}\n{self.format_usage().rstrip()}")
