"""How far what a model says of its own certainty holds on test speakers: after calibration on those of the validation set."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from mlee_sb.calibration import Calibration
from mlee_sb.errors import InputError
from mlee_sb.evaluation.metrics import expected_calibration_error, nll
from mlee_sb.evaluation.predictions import Predictions

LEVELS = (0.8, 0.9, 0.95)  # of coverage
TINY = 1e-12  # a probability that predictions.csv rounds to 0 or 1


def read_calibration(bundle: Path) -> Calibration | None:
    """The calibration in config.json of a bundle; None where there is no bundle or no calibration.

    Raises
    ------
    InputError
        if it is damaged
    """
    path = bundle / "config.json"
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8")).get("calibration")
        return None if found is None else TypeAdapter(Calibration).validate_python(found)
    except (ValueError, AttributeError, ValidationError) as error:
        raise InputError(f"{path}: its calibration is damaged ({str(error).splitlines()[0]}): train the stage again") from error


def calibrated_scores(predictions: Predictions, calibration: Calibration) -> dict:
    """Scores of calibrated probabilities, over test utterances.

    Returns
    -------
    dict
        coverage: for each of `LEVELS`, the share of utterances whose dominant emotion is among the candidates, and how many these
        are on average; nll and ece of the calibrated posterior, for a model that has one; presence_brier by emotion, the mean
        squared distance of the calibrated probability that it is present to whether it is
    """
    tested = predictions.take(predictions.dominant >= 0)
    posterior = predictions.posterior
    found: dict = {}
    if not predictions.is_existence:
        posterior = calibration.posterior(np.log(np.maximum(posterior, TINY)))  # log posteriors are logits
        with_it = replace(tested, posterior=posterior[predictions.dominant >= 0])
        once = np.ones((1, len(tested)))
        found |= {name: _or_none(score(with_it, once)[0]) for name, score in (("nll", nll), ("ece", expected_calibration_error))}
    found["coverage"] = _coverage(posterior[predictions.dominant >= 0], tested.dominant, calibration)
    if predictions.existence is not None and calibration.presence is not None:
        p = np.clip(predictions.existence, TINY, 1 - TINY)
        present = calibration.presence_of(np.log(p / (1 - p)))
        brier = np.square(present - predictions.exists).mean(axis=0)
        found["presence_brier"] = dict(zip(predictions.emotions, brier.tolist(), strict=True))
    return found


def _coverage(probabilities: np.ndarray, dominant: np.ndarray, calibration: Calibration) -> dict:
    found = {}
    for level in LEVELS if len(dominant) else ():
        kept = calibration.candidates(probabilities, level)
        found[f"{level:g}"] = {"share": float(kept[np.arange(len(dominant)), dominant].mean()), "mean_size": float(kept.sum(axis=1).mean())}
    return found


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
