"""Folds of a corpus whose sessions have two speakers: leave one speaker out, and decide who validates."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from mlee_sb.corpora.base import Fold
from mlee_sb.errors import InputError

PARTNER = "partner"
Validation = Literal["partner", "next"]
WHO_VALIDATES = (
    "[choice] who validates: the other speaker of the test speaker's session, or the next speaker (the partner trains then); with "
    "--group session the next session validates"
)


def partner_folds(speakers: Sequence[str], session_of: Callable[[str], str], validation: Validation, data_folder: Path) -> list[Fold]:
    """Leave one speaker out in each fold, in the order of `speakers`.

    Parameters
    ----------
    speakers : all that have usable utterances
    session_of : the session of a speaker
    validation : who validates [choice]: the partner in the session, or the next speaker
    data_folder : for the error

    Raises
    ------
    InputError
        if a speaker has no partner to validate
    """
    folds = []
    for number, test in enumerate(speakers, start=1):
        if validation == PARTNER:
            valid = tuple(speaker for speaker in speakers if speaker != test and session_of(speaker) == session_of(test))
        else:
            valid = (speakers[number % len(speakers)],)
        if not valid:
            raise InputError(
                f"{data_folder}: {test} is the only speaker of {session_of(test)} with usable utterances, so nobody is left to validate "
                "on: give --validation next to take the next speaker"
            )
        held_out = {test, *valid}
        folds.append(Fold(number, tuple(s for s in speakers if s not in held_out), valid, (test,)))
    return folds
