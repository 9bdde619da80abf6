"""The names by which corpora call the sets of their own division: training, validation, and one test set or several."""

import re

from mlee_sb.corpora.manifest.columns import SPLITS
from mlee_sb.errors import InputError

TRAIN, VALID, TEST = SPLITS
NAMES = {
    **dict.fromkeys(("train", "training", "trn"), TRAIN),
    **dict.fromkeys(("valid", "validation", "val", "dev", "devel", "development"), VALID),
}
TEST_SET = re.compile(r"(?:test|testing|eval|evaluation)[ _-]*(?:set)?[ _-]*(?P<which>\w*)")


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
    raise InputError(
        f"split {name!r}: it must be {TRAIN}, {VALID} (or dev), {TEST}, or a name such as {TEST}1 for one of several test sets"
    )
