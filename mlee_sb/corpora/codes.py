"""Codes of emotions: what stands in the names of columns, on the command line and in reports."""

import unicodedata

from mlee_sb.corpora.base import OTHER
from mlee_sb.corpora.manifest.identities import folded
from mlee_sb.errors import InputError

NAMES_OF_OTHER = ("other", OTHER)
LONGEST = 64  # characters of a code [choice]: it becomes a part of paths
LETTERS, DIGITS, MARKS = "L", "N", "M"  # Unicode's categories; many scripts write vowels as marks


def code_of(text: str) -> str:
    """Return the code that a text stands for, in composed letters.

    >>> code_of("Other"), code_of("traurig"), code_of("glu\\u0308cklich") == "gl\\u00fccklich"
    ('oth', 'traurig', True)
    """
    return OTHER if folded(text) in NAMES_OF_OTHER else unicodedata.normalize("NFC", text)


def is_code(text: str) -> bool:
    """Tell whether a text can be a code: letters and digits of any script, _ and -, and a letter or digit first.

    >>> is_code("hap"), is_code("生气"), is_code("very sad"), is_code("_x")
    (True, True, False, False)
    """
    kinds = [unicodedata.category(character)[0] for character in text]
    rest = all(kind in (LETTERS, DIGITS, MARKS) or character in "_-" for kind, character in zip(kinds, text, strict=True))
    return 0 < len(kinds) <= LONGEST and kinds[0] in (LETTERS, DIGITS) and rest


def refuse_what_is_no_code(code: str, where: str, remedy: str = "") -> None:
    """Raise an InputError that begins with `where` and ends with `remedy`, if `code` cannot be a code."""
    if not is_code(code):
        rule = f"letters and digits of any script, _ and - only, at most {LONGEST}, and a letter or digit first"
        raise InputError(f"{where}: {code!r:.80} cannot be a code: {rule}{remedy}")
