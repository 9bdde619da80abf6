"""Errors for people: something that they typed, or a file on their disk, cannot be used."""

import difflib
from collections.abc import Iterable

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # wide forms of the first four, too
MOST_NAMED = 30  # options that an error lists
LONGEST_REASON = 200  # characters of what a library says, and of a word that is not known


class InputError(ValueError):
    """An input cannot be used. The message names the file, the value and the remedy."""


class NoAttention(InputError):
    """An encoder has no attention weights, so nobody can see where it looks."""


class NeedsCode(InputError):
    """A model cannot be built from its config.json alone. It needs code that is not installed."""


def printable(text: object) -> str:
    r"""Return the text of a stranger (the name of a file, an emotion) on one line, as a terminal can show it.

    What cannot be printed is written as an escape: a byte that is no UTF-8, the end of a line, what would command the terminal.

    >>> print(printable("M\udcfcller\x1b[2J.wav"))
    M\xfcller\x1b[2J.wav
    """
    return "".join(one if one.isprintable() else _escaped(one) for one in str(text))


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # how Python writes a byte of a file name that is no UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def printable_lines(text: object) -> str:
    """Return a text of several lines as a terminal can show it, each line as `printable` does."""
    return "\n".join(printable(line) for line in str(text).split("\n"))


def in_a_cell(value: object) -> object:
    """Return a value for a cell of CSV that people open in a spreadsheet: a text of a stranger must not run there as a formula.

    Such a text gets an apostrophe before it, which tells a spreadsheet that it is text. Numbers stay numbers, below 0 too.

    >>> in_a_cell("=1+1"), in_a_cell("neu"), in_a_cell(-0.5)
    ("'=1+1", 'neu', -0.5)
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def error_line(error: Exception | str) -> str:
    """Return what a person is told of an error on stderr; a message may have several lines."""
    return printable_lines(f"error: {error}")


def reason_of(error: Exception) -> str:
    r"""Return the first line of what an error of a library says, or its name: some say nothing, as that of an empty checkpoint.

    >>> reason_of(ValueError("no zip file\n  in line 3")), reason_of(EOFError())
    ('no zip file', 'EOFError')
    """
    lines = str(error).splitlines()
    return next((line.strip()[:LONGEST_REASON] for line in lines if line.strip()), type(error).__name__)


def choose(value: str, options: Iterable[str], what: str) -> str:
    """Return `value` if it is one of `options`; otherwise raise an error that names the nearest one, and what there is.

    Parameters
    ----------
    value : what was given
    options : what may be given
    what : what the value is, as the message calls it, for example ``"target"``

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
    more = f", ... and {len(options) - MOST_NAMED} more" if len(options) > MOST_NAMED else ""
    raise InputError(f"unknown {what} {value!r:.{LONGEST_REASON}}: {hint}(one of: {', '.join(options[:MOST_NAMED])}{more})")
