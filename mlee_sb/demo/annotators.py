"""Simulated listeners: each perceives the mixture with a bias of their own and with noise, and votes. One hears anger nearly everywhere.

They also rate valence, activation and dominance, and the speakers report on themselves, as in IEMOCAP.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mlee_sb.corpora.base import OTHER
from mlee_sb.demo.emotions import EMOTIONS

EVALUATORS = ("E1", "E2", "E3", "E4", "E5", "E6")
EVALUATORS_PER_UTTERANCE = 3
RATERS_PER_UTTERANCE = 2
"""How many of the evaluators also give dimensions (in IEMOCAP two, not always those who gave categories)."""

NO_AGREEMENT = "xxx"
MAJORITY = 2
"""So many of the three votes make an emotion dominant, if no other emotion has as many."""

HEARD_AT_ALL = 0.02
"""Every emotion is heard at least with this share of the mixture, also an absent one: the logarithm of its strength stays finite."""

BIAS = 0.35
"""Standard deviation, over evaluators, of their bias to each emotion (natural log of the strength)."""

STYLES = {"E4": {"ang": 4.0}}
"""What is added to the bias of an evaluator whose ear is unlike those of the others: E4 hears anger in most utterances. So a model of each
annotator has something to find that is known to be there."""

NOISE = 1.0
"""Standard deviation, over utterances, of the strength that an evaluator perceives (natural log)."""

SELF_NOISE = 0.4
"""The same for speakers who report on themselves: they know what they meant."""

SECOND_LABEL = 0.12
"""A second emotion gets a vote, too, if its strength is this close to that of the first (natural log)."""

DIMENSIONS = {
    "neu": (3.0, 2.5, 2.8),
    "hap": (4.3, 3.2, 3.0),
    "sad": (1.8, 2.0, 2.2),
    "ang": (1.6, 4.2, 4.2),
    "exc": (4.4, 4.0, 3.4),
    "fru": (2.0, 3.2, 3.2),
    "sur": (3.3, 3.8, 2.8),
    OTHER: (2.8, 2.8, 2.8),
}
"""Valence, activation, dominance (1 to 5) of each emotion."""

RATING_NOISE = 0.5
"""Standard deviation of a rating before it is rounded."""

COMMENTS = ("curious", "polite", "hesitant; a little bored", "thankful", "teasing (friendly)", "relieved")
"""Comments beside "Other": free text with punctuation."""


@dataclass(frozen=True)
class Vote:
    """A line of categories: the annotator, the codes that they heard (strongest first), and a comment if one of these is `OTHER`."""

    annotator: str
    codes: tuple[str, ...]
    comment: str = ""


@dataclass(frozen=True)
class Rating:
    """A line of dimensions, each 1 to 5."""

    annotator: str
    valence: int
    activation: int
    dominance: int


@dataclass(frozen=True)
class Judgement:
    """Everything said about an utterance: votes of the evaluators, the speaker's own, ratings, and the dominant code."""

    votes: tuple[Vote, ...]
    self_report: Vote
    ratings: tuple[Rating, ...]
    dominant: str


def draw_biases(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw the bias of each evaluator to each emotion, and add their style."""
    biases = {evaluator: rng.normal(0, BIAS, len(EMOTIONS)) for evaluator in EVALUATORS}
    for evaluator, style in STYLES.items():
        biases[evaluator] += [style.get(code, 0.0) for code in EMOTIONS]
    return biases


def judge(
    rng: np.random.Generator, mixture: Mapping[str, float], evaluators: tuple[str, ...], biases: Mapping[str, np.ndarray], speaker_sex: str
) -> Judgement:
    """Let `evaluators` and the speaker (a woman "F" or a man "M") judge an utterance."""
    votes = tuple(_vote(rng, evaluator, mixture, biases[evaluator], NOISE) for evaluator in evaluators)
    self_report = _vote(rng, f"{speaker_sex}1", mixture, np.zeros(len(EMOTIONS)), SELF_NOISE)
    raters = (*evaluators[-RATERS_PER_UTTERANCE:], self_report.annotator)
    return Judgement(votes, self_report, tuple(_rate(rng, rater, mixture) for rater in raters), dominant(votes))


def dominant(votes: tuple[Vote, ...]) -> str:
    """Return the code that most evaluators, and at least two, voted for; ``xxx`` if there is none.

    >>> dominant((Vote("E1", ("neu",)), Vote("E2", ("neu", "fru")), Vote("E4", ("sad",))))
    'neu'
    >>> dominant((Vote("E1", ("neu", "fru")), Vote("E2", ("neu", "fru")), Vote("E4", ("sad",))))
    'xxx'
    """
    codes = [code for vote in votes for code in vote.codes]
    counts = {code: codes.count(code) for code in codes}
    most = max(counts.values())
    winners = [code for code, count in counts.items() if count == most]
    return winners[0] if most >= MAJORITY and len(winners) == 1 else NO_AGREEMENT


def _vote(rng: np.random.Generator, annotator: str, mixture: Mapping[str, float], bias: np.ndarray, noise: float) -> Vote:
    strength = np.log(np.maximum([mixture[code] for code in EMOTIONS], HEARD_AT_ALL)) + bias + rng.normal(0, noise, len(EMOTIONS))
    order = np.argsort(-strength, kind="stable")
    codes = tuple(EMOTIONS[i] for i in order if strength[i] >= strength[order[0]] - SECOND_LABEL)
    comment = COMMENTS[rng.integers(len(COMMENTS))]  # always drawn, so that no vote changes what is drawn after it
    return Vote(annotator, codes, comment if OTHER in codes else "")


def _rate(rng: np.random.Generator, annotator: str, mixture: Mapping[str, float]) -> Rating:
    mean = sum(share * np.array(DIMENSIONS[code]) for code, share in mixture.items())
    return Rating(annotator, *(int(value) for value in np.rint(mean + rng.normal(0, RATING_NOISE, 3)).clip(1, 5)))
