"""Calibration of a model on speakers that it did not hear: a temperature, curves of presence, and sets of emotions with a known coverage.

Only numpy and scipy. Training fits a calibration, inference applies it, and evaluation measures it on speakers that neither has seen.
"""

import math
from collections.abc import Sequence
from numbers import Real
from typing import Annotated, Literal

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_softmax, softmax

from mlee_sb.errors import InputError

TEMPERATURES = (0.05, 20.0)  # bounds of the search for the temperature
SLOPES = (1e-6, 50.0)  # bounds of the search for the slope of a presence curve
COVERAGES = 100  # thresholds are kept for 1 % to 99 %
VALIDATION, CROSS = "validation", "cross"  # methods: whose utterances a model is calibrated on
SPEAKERS = {  # method -> these speakers in words
    VALIDATION: "validation speaker(s)",
    CROSS: "training and validation speaker(s), each training speaker judged by a model that did not hear it (cross-conformal)",
}

# A config.json may hold only numbers that `fit` can return. With other numbers, finite logits may give NaN.
Temperature = Annotated[float, Field(ge=TEMPERATURES[0], le=TEMPERATURES[1], allow_inf_nan=False)]
Slope = Annotated[float, Field(ge=SLOPES[0], le=SLOPES[1], allow_inf_nan=False)]
Curve = tuple[Slope, Annotated[float, Field(allow_inf_nan=False)]]  # slope and intercept
Improbable = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Calibration:
    """The numbers that were fitted on speakers that a model did not hear.

    Attributes
    ----------
    temperature : logits are divided by it before the softmax (Guo et al. 2017); 1 for a model of existence
    presence : slope and intercept for each emotion: P(present) = sigmoid(slope * logit + intercept) (Platt 1999);
        None where the model does not know existence
    thresholds : for coverage 1 % to 99 %, the largest improbability (1 minus the probability) of an emotion in the set;
        None where there are too few utterances to promise this coverage
    n_utterances : utterances with a dominant emotion, from which the temperature and the thresholds were fitted
    n_speakers : the speakers of all utterances that it was fitted on
    method : ``"validation"``: on the validation speakers of the model; ``"cross"``: also on its training speakers, each judged by a model
        that was trained without them (cross-conformal prediction, Vovk 2015; Barber et al. 2021). Earlier versions had only the first
    """

    temperature: Temperature
    presence: list[Curve] | None
    thresholds: Annotated[list[Improbable | None], Field(min_length=COVERAGES - 1, max_length=COVERAGES - 1)]
    n_utterances: Annotated[int, Field(ge=0)]
    n_speakers: Annotated[int, Field(ge=0)]
    method: Literal["validation", "cross"] = VALIDATION

    @property
    def speakers(self) -> str:
        """The speakers that it was fitted on, in words after their number."""
        return SPEAKERS[self.method]

    def posterior(self, logits: np.ndarray) -> np.ndarray:
        """Return the calibrated posterior [n, K] for logits [n, K]."""
        return softmax(np.asarray(logits, dtype=float) / self.temperature, axis=-1)

    def presence_of(self, logits: np.ndarray) -> np.ndarray:
        """Return the calibrated probability that each emotion is present [n, K] for logits of existence [n, K]."""
        slopes, intercepts = np.array(self.presence).T
        return expit(np.asarray(logits, dtype=float) * slopes + intercepts)

    def candidates(self, probabilities: np.ndarray, coverage: float) -> np.ndarray:
        """Return which emotions stay possible, bool [n, K]: the most probable one, and all others that are probable enough.

        For speakers like those that it was fitted on, the dominant emotion should be among them in a share `coverage` or more
        of the utterances (split conformal prediction with least ambiguous sets, Sadinle et al. 2019; see `conformal_thresholds`).

        Parameters
        ----------
        probabilities : [n, K], as `dominance` returns them
        coverage : 0.01 to 0.99; it is rounded up to a whole percent

        Raises
        ------
        InputError
            if `coverage` is out of this range
        """
        probabilities = np.asarray(probabilities)
        threshold = self.thresholds[percent_of(coverage) - 1]
        best = probabilities == probabilities.max(axis=-1, keepdims=True)
        return best | (1 - probabilities <= (np.inf if threshold is None else threshold))


def percent_of(coverage: float) -> int:
    """Return a coverage as whole percents, rounded up.

    >>> percent_of(0.9), percent_of(0.901)
    (90, 91)
    """
    percent = math.ceil(round(coverage * 100, 6)) if isinstance(coverage, Real) and 0 < coverage < 1 else 0
    if not 1 <= percent < COVERAGES:
        raise InputError(f"coverage is {coverage!r}, and must be from 0.01 to 0.99")
    return percent


def fit(
    logits: np.ndarray, dominant: Sequence[int], speakers: Sequence[str], exists: np.ndarray | None = None, method: str = VALIDATION
) -> Calibration:
    """Calibrate a model on utterances of speakers that it did not hear.

    Parameters
    ----------
    logits : [n, K]
    dominant : [n], index of the dominant emotion; -1 where it is not a target emotion
    speakers : [n]
    exists : [n, K], which emotions exist, for a model of existence; None for a model of the dominant emotion
    method : whose utterances they are (see `Calibration`)

    Returns
    -------
    Calibration
        with `presence` for a model of existence
    """
    logits, dominant = np.asarray(logits, dtype=float), np.asarray(dominant, dtype=int)
    known = dominant >= 0
    if exists is None:
        temperature, presence = fit_temperature(logits[known], dominant[known]), None
        probabilities = softmax(logits[known] / temperature, axis=-1)
    else:
        temperature, presence = 1.0, [fit_presence(column, truth) for column, truth in zip(logits.T, np.asarray(exists).T, strict=True)]
        probabilities = expit(logits[known])  # equation 7 compares these as they are
    improbable = 1 - probabilities[np.arange(known.sum()), dominant[known]]
    thresholds = conformal_thresholds(improbable, np.asarray(speakers)[known])
    return Calibration(temperature, presence, thresholds, int(known.sum()), len(set(speakers)), method)


def fit_temperature(logits: np.ndarray, dominant: np.ndarray) -> float:
    """Return the temperature that makes the dominant emotions most likely (Guo et al. 2017); 1 without any utterance.

    Parameters
    ----------
    logits : [n, K]
    dominant : [n], indices

    >>> logits = np.array([[4.0, 0.0]] * 4)
    >>> round(fit_temperature(logits, np.array([0, 0, 0, 1])), 2)  # right in three of four: sigmoid(4 / T) = 3/4
    3.64
    """
    if len(logits) == 0:
        return 1.0

    def loss(log_temperature: float) -> float:
        return -log_softmax(logits / np.exp(log_temperature), axis=-1)[np.arange(len(logits)), dominant].mean()

    found = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded", options={"xatol": 1e-6}).x
    return float(np.exp(found).clip(*TEMPERATURES))  # exp rounds


def fit_presence(logits: np.ndarray, exists: np.ndarray) -> tuple[float, float]:
    """Return slope (above 0) and intercept of the probability that an emotion is present (Platt 1999).

    The targets are those of Platt: a little above 0 and a little below 1. So an emotion does not become certain because it is
    present in all of a few utterances, or in none of them.

    Parameters
    ----------
    logits : [n]
    exists : [n], 0 or 1
    """
    positive = int(np.sum(exists))
    negative = len(logits) - positive
    targets = np.where(np.asarray(exists) > 0, (positive + 1) / (positive + 2), 1 / (negative + 2))
    if positive == 0 or negative == 0:  # a slope cannot be learnt: return the share of the emotion for every logit
        return SLOPES[0], float(np.log(targets[0] / (1 - targets[0]))) if len(targets) else 0.0

    def loss(parameters: np.ndarray) -> float:
        z = np.exp(parameters[0]) * logits + parameters[1]
        return float((np.logaddexp(0, z) - targets * z).mean())

    bounds = [np.log(SLOPES), (None, None)]
    slope, intercept = minimize(loss, np.zeros(2), method="L-BFGS-B", bounds=bounds).x
    return float(np.exp(slope).clip(*SLOPES)), float(intercept)  # exp rounds


def conformal_thresholds(improbable: np.ndarray, speakers: Sequence[str]) -> list[float | None]:
    """Return how improbable the dominant emotion may be, for coverage 1 % to 99 %; None where no threshold can promise it.

    With one speaker, it is the ceil((n + 1) * coverage)-th smallest value (split conformal prediction). But utterances of one
    speaker are similar, so this value is often too small for other speakers. With several speakers, the level is therefore raised:
    for each speaker, thresholds are learnt without this speaker, and together they must cover the wanted share of all utterances.

    Parameters
    ----------
    improbable : [n], 1 minus the probability that the model gave to the dominant emotion
    speakers : [n]

    >>> conformal_thresholds(np.linspace(0.1, 0.9, 9), ["a"] * 9)[89]  # the ninth of nine
    0.9
    """
    improbable, speakers = np.asarray(improbable, dtype=float), np.asarray(speakers)
    percents, ordered = np.arange(1, COVERAGES), np.sort(improbable)
    held = _held_without_their_speaker(improbable, speakers) if len(set(speakers.tolist())) > 1 else percents / 100
    found = []
    for percent in percents:
        enough = percents[(percents >= percent) & (held >= percent / 100)]
        threshold = _smallest_that_covers(ordered, int(enough[0]) if len(enough) else COVERAGES - 1)
        found.append(threshold if np.isfinite(threshold) else None)
    return found


def _held_without_their_speaker(improbable: np.ndarray, speakers: np.ndarray) -> np.ndarray:
    """Return, for each percent, the share of utterances that are within the threshold of the other speakers, [COVERAGES - 1]."""
    held = np.zeros(COVERAGES - 1)
    for speaker in set(speakers.tolist()):
        own = speakers == speaker
        others = np.sort(improbable[~own])
        thresholds = np.array([_smallest_that_covers(others, percent) for percent in range(1, COVERAGES)])
        held += (improbable[own] <= thresholds[:, None]).sum(axis=1)
    return held / len(improbable)


def _smallest_that_covers(ordered: np.ndarray, percent: int) -> float:
    place = math.ceil(round((len(ordered) + 1) * percent / 100, 9))
    return float(ordered[place - 1]) if place <= len(ordered) else np.inf
