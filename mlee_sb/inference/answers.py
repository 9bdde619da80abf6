"""What people ask of a model (`Asked`), and what they get (`Prediction`): an emotion or none, and how sure that is."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Real
from typing import Protocol

import numpy as np
from scipy.special import expit
from torch import Tensor

from mlee_sb.calibration import Calibration, percent_of
from mlee_sb.errors import InputError, choose
from mlee_sb.inference.speech_gate import GATES
from mlee_sb.labels import present_at_chance
from mlee_sb.models.emotion_model import not_finite
from mlee_sb.targets.outputs import Output
from mlee_sb.uncertainty import Uncertainty

MIN_SPEECH = 0.1  # share of a recording that must be speech
DEMO = "DEMO: the model was trained on generated speech, and its answers mean nothing"  # what people are told beside every answer of one
NO_SPEECH, NOTHING_EXCLUDED, UNSURE = "no speech", "no emotion can be ruled out", "not confident enough"
DISPUTED, UNTOLD = "listeners would disagree too much", "how listeners would vote cannot be told"  # above `Asked.max_uncertainty`


class AnyModel(Protocol):
    """What the classifier needs of a model, which torch, onnxruntime or SpeechBrain may run."""

    emotions: list[str]
    output: Output
    calibration: Calibration | None
    sample_rate: int
    min_samples: int
    demo: bool

    def logits(self, waveforms: Tensor, n_samples: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return logits [batch, K], and logits of existence [batch, K] or None, of waveforms [batch, samples] and their lengths [batch]."""

    def log_probabilities(self, logits: Tensor) -> Tensor:
        """Return log posteriors, or log probabilities of existence, [batch, K], computed from logits [batch, K]."""


@dataclass(frozen=True)
class Prediction:
    """What a model says of one recording, or of one window of it.

    Attributes
    ----------
    dominant : code of the dominant emotion; None if the model abstains
    abstained : the reason, as text for a person; None if the model does not abstain
    confidence : calibrated probability that the most probable emotion is right, 0 to 1; 0 without speech
    posterior : calibrated posterior by emotion, in the order of the model; None without speech, or if the model only knows existence
    presence : calibrated probability by emotion that it is present; None without speech, or if the model does not know existence
    candidates : codes of the emotions that are not ruled out. Over many recordings, the dominant emotion is among them in a share
        `coverage` of the recordings or more. None without speech, or if the model was not calibrated
    coverage : the share that was asked for, 0.01 to 0.99
    speech : share of the recording that is speech, 0 to 1
    seconds : length of the recording
    demo : whether the model was trained on the demo release, so that this answer means nothing
    above_chance : codes of the emotions with more than 1 / K of the posterior of K emotions, by which the all-inclusive rule decides
        (`mlee_sb.labels.present_at_chance`). It is the posterior before calibration, as in the scores of a model: calibration turns it
        into the probability to be the dominant one. None without speech, or if the model only knows existence
    uncertainty : how much listeners would disagree, and how little the model can tell of it, in bits; None without speech, or if the model
        does not know it (its output is not `dirichlet`). It is not calibrated: a temperature is fitted to dominant emotions, not to votes
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
    demo: bool = False
    above_chance: tuple[str, ...] | None = None
    uncertainty: Uncertainty | None = None


@dataclass(frozen=True)
class Asked:
    """What a person asks of a model besides its answer.

    Attributes
    ----------
    coverage : how often the dominant emotion should be among the candidates, 0.01 to 0.99
    min_confidence : the model abstains if it is less confident than this, 0 to 1
    max_uncertainty : the model abstains if its total uncertainty is larger than this many bits, 0 or more (K emotions have log2 K at most);
        None for no limit. Only a model that knows its uncertainty takes it
    gate : what tells speech from silence: ``"energy"`` or ``"silero"`` (`mlee_sb.inference.speech_gate.GATES`)

    Raises
    ------
    InputError
        if one of them is out of its range
    """

    coverage: float = 0.9
    min_confidence: float = 0.0
    max_uncertainty: float | None = None
    gate: str = "energy"

    def __post_init__(self):
        percent_of(self.coverage)
        choose(self.gate, GATES, "gate")
        if not (isinstance(self.min_confidence, Real) and 0 <= self.min_confidence <= 1):
            raise InputError(f"min_confidence is {self.min_confidence!r}, and must be from 0 to 1")
        if self.max_uncertainty is not None and not (isinstance(self.max_uncertainty, Real) and 0 <= self.max_uncertainty < np.inf):
            raise InputError(f"max_uncertainty is {self.max_uncertainty!r}, and must be a number of bits, 0 or more")

    @classmethod
    def of(cls, method: Callable, options: Mapping[str, object]) -> "Asked":
        """Make an `Asked` of the keyword arguments that a person gave to a method that ends in ``**asked``.

        Parameters
        ----------
        method : the method; an error offers its own arguments, too
        options : the keyword arguments, by name

        Raises
        ------
        InputError
            if a name is unknown (the error offers the nearest one), or a value is out of its range
        """
        own = [name for name, one in inspect.signature(method).parameters.items() if one.kind is not one.VAR_KEYWORD]
        for name in options:
            choose(name, [*own, *(field.name for field in fields(cls))], "argument")
        return cls(**options)


def prediction_without_speech(model: AnyModel, asked: Asked, speech: float, seconds: float) -> Prediction:
    """Return the prediction of a recording without speech: the model abstains."""
    return Prediction(None, NO_SPEECH, 0.0, None, None, None, asked.coverage, speech, seconds, model.demo)


def make_predictions(
    model: AnyModel,
    logits: np.ndarray,
    presence: np.ndarray | None,
    asked: Asked,
    speech: Sequence[float],
    seconds: Sequence[float],
    names: Sequence[str],
) -> list[Prediction | InputError]:
    """Make the predictions of n recordings from what a model computed of them.

    What is not finite, before or after calibration, gives an error in the place of the prediction.

    Parameters
    ----------
    model : has the emotions and the calibration, and says whether it is a demo
    logits : [n, K]
    presence : logits of existence [n, K], or None if the model does not know existence
    asked : what is asked besides the answer
    speech : [n], the share of each recording that is speech
    seconds : [n], the length of each recording
    names : [n], what an error calls each recording
    """
    logits, calibration = np.asarray(logits, dtype=float), model.calibration
    presence = None if presence is None else np.asarray(presence, dtype=float)
    with np.errstate(all="ignore"):  # NaN and infinity are found below, by the name of the recording
        present = None if presence is None else calibrated_presence(calibration, presence)
        above = None if model.output.knows_existence else present_at_chance(model.output.probabilities(logits))
        if not model.output.knows_existence:
            posterior = model.output.probabilities(logits) if calibration is None else calibration.posterior(logits)
            probabilities = confidence = posterior
        else:
            posterior, probabilities, confidence = None, model.output.probabilities(logits), present
        kept = None if calibration is None else calibration.candidates(probabilities, asked.coverage)
    computed = [values for values in (logits, presence, posterior, present) if values is not None]
    finite = np.isfinite(np.hstack(computed)).all(axis=-1)
    uncertain = _uncertainties(model.output, logits)
    found: list[Prediction | InputError] = []
    for i, best in enumerate(probabilities.argmax(axis=-1)):
        if not finite[i]:
            found.append(not_finite(names[i]))
            continue
        candidates = None if kept is None else _codes(model.emotions, kept[i])
        sure = float(confidence[i, best])
        why = _why_abstain(candidates, len(model.emotions), sure, uncertain[i], asked)
        dominant = None if why else model.emotions[best]
        shown = (None if values is None else dict(zip(model.emotions, values[i].tolist(), strict=True)) for values in (posterior, present))
        above_chance = None if above is None else _codes(model.emotions, above[i])
        of_recording = (speech[i], seconds[i], model.demo, above_chance, uncertain[i])
        found.append(Prediction(dominant, why, sure, *shown, candidates, asked.coverage, *of_recording))
    return found


def _codes(emotions: Sequence[str], which: np.ndarray) -> tuple[str, ...]:
    return tuple(np.array(emotions)[which].tolist())


def calibrated_presence(calibration: Calibration | None, logits: np.ndarray) -> np.ndarray:
    """Return the probability [n, K] that each emotion is present, from logits of existence [n, K]; calibrated if possible."""
    if calibration is None or calibration.presence is None:
        return expit(np.asarray(logits, dtype=float))
    return calibration.presence_of(logits)


def _uncertainties(output: Output, logits: np.ndarray) -> list[Uncertainty | None]:
    """Return the uncertainty of each of n answers, from logits [n, K]; None where the output does not tell it."""
    if not output.knows_concentration:
        return [None] * len(logits)
    with np.errstate(all="ignore"):  # what is not finite gives an error in the place of a prediction
        distributions = zip(output.probabilities(logits), output.concentrations(logits), strict=True)
        return [Uncertainty.of(mean, concentration) for mean, concentration in distributions]


def _why_abstain(
    candidates: tuple[str, ...] | None, n_emotions: int, confidence: float, uncertainty: Uncertainty | None, asked: Asked
) -> str | None:
    if candidates is not None and len(candidates) == n_emotions > 1:
        return NOTHING_EXCLUDED
    if confidence < asked.min_confidence:
        return UNSURE
    if asked.max_uncertainty is None or uncertainty is None or uncertainty.total <= asked.max_uncertainty:
        return None
    return DISPUTED if uncertainty.listeners >= uncertainty.model else UNTOLD
