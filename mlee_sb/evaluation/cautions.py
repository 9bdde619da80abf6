"""What a reader must know before trusting an interval: how many speakers, folds and speakers of each emotion there are.

The figures come from 2,000 simulated corpora of each kind, in which the truth is known (tests/evaluation/simulated.py). 95 %
intervals of UA held it in 87 % of corpora with four speakers, 91 % with five, 93 to 94 % with six to nine, 94 % with ten. Where one
emotion came from only one of 10 or 52 speakers they held it in 38 to 60 %, with two in 74 to 84 %, three 86 to 90 %, four 89 to 94 %.

Intervals are over speakers. The speakers of a fold share a trained model, so intervals count only in part how models differ from one
training to another. Of 1,000 corpora each (10 to 52 speakers), they held the truth in 77 to 93 % with two folds, 85 to 91 % with
three, 87 to 92 % with four, 87 to 93 % with five, 90 to 96 % with six to ten.
"""

from collections.abc import Sequence

import numpy as np

from mlee_sb.corpora.manifest import UNKNOWN_SPEAKERS, is_stand_in
from mlee_sb.evaluation.predictions import Predictions

LEAST_SPEAKERS, ENOUGH_SPEAKERS = 5, 10  # [choice] for an interval at all, and for one without a caution
ENOUGH_FOLDS = 6  # [choice] of several speakers each, for intervals without a caution
ENOUGH_OF_AN_EMOTION = 5  # [choice] speakers, for intervals of UA without a caution


def why_no_intervals(n_speakers: int, n_folds: int) -> str:
    """Return why the report has no intervals and no tests; "" where it has them.

    >>> why_no_intervals(2, 2)
    'No intervals and no tests: 2 test speakers are too few to tell how others would be recognised (5 are needed). Train more folds.'
    """
    few = f"{n_speakers} test speaker{'s are' if n_speakers > 1 else ' is'} too few to tell how others would be recognised"
    if n_speakers < LEAST_SPEAKERS:
        return f"No intervals and no tests: {few} ({LEAST_SPEAKERS} are needed). Train more folds."
    if n_folds == 1:
        return "No intervals and no tests: a single fold does not tell how models differ from one training to another. Train more folds."
    return ""


def cautions(utterances: Predictions, n_folds: int) -> list[str]:
    """Return why scores may be too good, or intervals too narrow: a sentence or two for each reason."""
    n_speakers = len(np.unique(utterances.speakers))
    unknown = sum(map(is_stand_in, utterances.speakers))
    said = [f"{unknown} of {len(utterances)} test utterances are of unknown speakers. {UNKNOWN_SPEAKERS}"] * bool(unknown)
    if why_no_intervals(n_speakers, n_folds):
        return said
    if n_speakers < ENOUGH_SPEAKERS:
        said.append(f"{n_speakers} test speakers are few: of simulated 95% intervals of 5 to 9 speakers, 91 to 94% held the truth.")
    if n_folds < min(ENOUGH_FOLDS, n_speakers):
        said.append(
            f"{n_folds} folds are few to tell how models differ from one training to another, and intervals over speakers count that only "
            "in part: of simulated 95% intervals of 2 to 5 folds, 77 to 93% held the truth. Tests count it in full, and find only large "
            "gains."
        )
    for k, emotion in enumerate(utterances.emotions):
        n = len(np.unique(utterances.speakers[utterances.dominant == k]))
        if 0 < n < ENOUGH_OF_AN_EMOTION:
            said.append(
                f"{emotion} is dominant in utterances of {n} test speaker{'s' if n > 1 else ''} only, and UA and macro-F1 depend on them. "
                "With one or two such speakers these scores have no interval; with three or four, the interval is too narrow."
            )
    return said


def folds_without(utterances: Predictions, fold_of: np.ndarray, folds: Sequence[int]) -> dict[str, list[int]]:
    """Return the folds that test no utterance in which an emotion is dominant, by emotion; only emotions that some fold lacks.

    Parameters
    ----------
    fold_of : [n], the fold that tests each utterance
    """
    found = {
        emotion: [int(fold) for fold in folds if not ((utterances.dominant == k) & (fold_of == fold)).any()]
        for k, emotion in enumerate(utterances.emotions)
    }
    return {emotion: lacking for emotion, lacking in found.items() if lacking}
