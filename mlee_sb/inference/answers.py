"""What a model says of one stretch of speech, for people: an emotion or none, and how sure."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Protocol

import numpy as np
from scipy.special import expit
from torch import Tensor

from mlee_sb.calibration import Calibration, percent_of
from mlee_sb.errors import InputError, choose
from mlee_sb.inference.speech import GATES
from mlee_sb.models.emotion_model import not_finite
from mlee_sb.targets.outputs import Output

COVERAGE = 0.9
MIN_SPEECH = 0.1  # share of a recording that must be speech
NO_SPEECH, NOTHING_EXCLUDED, UNSURE = "no speech", "no emotion can be ruled out", "not confident enough"


class Answers(Protocol):
    """What the classifier asks of a model, however it is run: by torch, by onnxruntime, by SpeechBrain."""

    emotions: list[str]
    output: Output
    calibration: Calibration | None
    sample_rate: int
    min_samples: int

    def logits(self, waveforms: Tensor, n_samples: Tensor) -> tuple[Tensor, Tensor | None]:
        """Waveforms [batch, samples], samples of each [batch] -> logits [batch, K], and logits of existence or None."""

    def log_probabilities(self, logits: Tensor) -> Tensor:
        """Logits [batch, K] -> log posteriors, or log probabilities of existence."""


@dataclass(frozen=True)
class Prediction:
    """What a model says of one recording, or of one window of it.

    Attributes
    ----------
    dominant : code of the dominant emotion; None where the model abstains
    abstained : why, for a person; None where it does not
    confidence : calibrated probability that the most probable emotion is right; 0 without speech
    posterior : calibrated, by emotion, in the order of the model; None without speech, or for a model of existence alone
    presence : calibrated probability that each emotion is present; None without speech, or where the model does not know
    candidates : the emotions that are not ruled out: over many recordings the dominant one is among them in a share
        `coverage` or more; None where the model was not calibrated
    coverage : of `candidates`
    speech : share of the recording that is speech
    seconds : how long it is
    """

    dominant: str | None
    abstained: str | None
    confidence: float
    posterior: dict[str, float] | None
    presence: dict[str, float] | None
    candidates: tuple[str, ...] | None
    coverage: float
    speech: float
    seconds: float


@dataclass(frozen=True)
class Asked:
    """What is asked of a model besides its answer.

    Attributes
    ----------
    coverage : of the candidates, 0.01 to 0.99
    min_confidence : below it, the model abstains
    gate : what tells speech, a key of `GATES`
    """

    coverage: float = COVERAGE
    min_confidence: float = 0.0
    gate: str = "energy"

    def __post_init__(self):
        percent_of(self.coverage)
        choose(self.gate, GATES, "gate")
        if not (isinstance(self.min_confidence, Real) and 0 <= self.min_confidence <= 1):
            raise InputError(f"min_confidence is {self.min_confidence!r}, and must be from 0 to 1")


def without_speech(asked: Asked, speech: float, seconds: float) -> Prediction:
    """What is said of a recording in which nobody speaks: nothing."""
    return Prediction(None, NO_SPEECH, 0.0, None, None, None, asked.coverage, speech, seconds)


def predictions(
    model: Answers,
    logits: np.ndarray,
    presence: np.ndarray | None,
    asked: Asked,
    speech: Sequence[float],
    seconds: Sequence[float],
    where: Sequence[str],
) -> list[Prediction | InputError]:
    """What a model computed of n recordings, as predictions; an error in the place of an answer that is not finite, calibrated or not.

    Parameters
    ----------
    model : whose emotions and calibration they are
    logits, presence : [n, K], and logits of existence [n, K] or None
    asked : what is asked besides
    speech, seconds : of each [n]
    where : what each is called, in that error
    """
    logits, calibration = np.asarray(logits, dtype=float), model.calibration
    presence = None if presence is None else np.asarray(presence, dtype=float)
    with np.errstate(all="ignore"):  # what comes of NaN and infinity is told by name
        present = None if presence is None else calibrated_presence(calibration, presence)
        if not model.output.knows_existence:
            posterior = model.output.probabilities(logits) if calibration is None else calibration.posterior(logits)
            probabilities = confidence = posterior
        else:
            posterior, probabilities, confidence = None, model.output.probabilities(logits), present
        kept = None if calibration is None else calibration.candidates(probabilities, asked.coverage)
    computed = [values for values in (logits, presence, posterior, present) if values is not None]
    finite = np.isfinite(np.hstack(computed)).all(axis=-1)
    by_emotion = lambda values, i: None if values is None else dict(zip(model.emotions, values[i].tolist(), strict=True))  # noqa: E731
    found: list[Prediction | InputError] = []
    for i, best in enumerate(probabilities.argmax(axis=-1)):
        if not finite[i]:
            found.append(not_finite(where[i]))
            continue
        candidates = None if kept is None else tuple(np.array(model.emotions)[kept[i]].tolist())
        sure = float(confidence[i, best])
        why = _abstains(candidates, len(model.emotions), sure, asked)
        dominant = None if why else model.emotions[best]
        shown = by_emotion(posterior, i), by_emotion(present, i)
        found.append(Prediction(dominant, why, sure, *shown, candidates, asked.coverage, speech[i], seconds[i]))
    return found


def calibrated_presence(calibration: Calibration | None, logits: np.ndarray) -> np.ndarray:
    """Logits of existence [n, K] -> probability that each emotion is present [n, K]."""
    if calibration is None or calibration.presence is None:
        return expit(np.asarray(logits, dtype=float))
    return calibration.presence_of(logits)


def _abstains(candidates: tuple[str, ...] | None, n_emotions: int, confidence: float, asked: Asked) -> str | None:
    if candidates is not None and len(candidates) == n_emotions > 1:
        return NOTHING_EXCLUDED
    return UNSURE if confidence < asked.min_confidence else None
