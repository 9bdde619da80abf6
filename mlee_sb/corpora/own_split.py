"""The names by which corpora call the sets of their own division: training, validation, and one test set or several."""

import re

from mlee_sb.corpora.manifest.columns import TEST, TRAIN, VALID
from mlee_sb.errors import InputError

NAMES = {
    **dict.fromkeys(("train", "training", "trn"), TRAIN),
    **dict.fromkeys(("valid", "validation", "val", "dev", "devel", "development"), VALID),
}
TEST_SET = re.compile(r"(?:test|testing|eval|evaluation)[ _-]*(?:set)?[ _-]*(?P<which>\w*)")


def is_own_split(name: str) -> bool:
    """Tell whether `name` is one that `own_split` returns."""
    return name in (TRAIN, VALID) or name.startswith(TEST)


def own_split(name: str) -> str:
    """Return ``train``, ``valid``, or the name of a test set, for the name that a corpus gives to one of its sets.

    Raises
    ------
    InputError
        if the name is none of these

    >>> own_split("Development"), own_split("Training"), own_split("test"), own_split("Test-2")
    ('valid', 'train', 'test', 'test2')
    """
    folded = " ".join(name.casefold().split())
    if folded in NAMES:
        return NAMES[folded]
    if found := TEST_SET.fullmatch(folded):
        return f"{TEST}{found['which']}"
    raise InputError(f"split {name!r}: give {TRAIN}, {VALID} (or dev) or {TEST}; one of several test sets has a name such as {TEST}1")
