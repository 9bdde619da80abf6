"""What a person gets to read when what they typed, or what lies on their disk, cannot be used."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Something given from outside cannot be used. The message names the file, the value and the remedy."""


class NoAttention(InputError):
    """An encoder has no attention weights, so there is nothing to show of where it looks."""


class NeedsCode(InputError):
    """A model cannot be built from its config.json alone: only code that comes with it could."""


def choose(value: str, options: Iterable[str], what: str) -> str:
    """Return `value` if it is one of `options`; otherwise raise an error that names the nearest one.

    Parameters
    ----------
    value : what was given
    options : what may be given
    what : the word for it in the message, for example ``"target"``

    Raises
    ------
    InputError
        if `value` is not among `options`

    >>> choose("soft", ["hard", "soft"], "target")
    'soft'
    >>> choose("sfot", ["hard", "soft"], "target")
    Traceback (most recent call last):
        ...
    mlee_sb.errors.InputError: unknown target 'sfot': did you mean 'soft'? (one of: hard, soft)
    """
    options = [str(option) for option in options]
    if value in options:
        return value
    nearest = [] if str(value).isdigit() else difflib.get_close_matches(str(value), options, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    raise InputError(f"unknown {what} {value!r}: {hint}(one of: {', '.join(options)})")
