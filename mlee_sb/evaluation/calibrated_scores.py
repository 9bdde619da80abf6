"""Score calibrated probabilities on test speakers: no calibration was fitted on them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from mlee_sb.calibration import Calibration
from mlee_sb.errors import InputError
from mlee_sb.evaluation.metrics import expected_calibration_error, nll, number
from mlee_sb.evaluation.predictions import Predictions
from mlee_sb.files import read_json
from mlee_sb.stage_folder import AGAIN

LEVELS = (0.8, 0.9, 0.95)  # of coverage
TINY = 1e-12  # a probability that predictions.csv rounds to 0 or 1


def read_calibration(config: Path) -> Calibration | None:
    """Read the calibration in the config.json of a bundle. Return None where there is no file or no calibration in it.

    Raises
    ------
    InputError
        if it is damaged
    """
    if not config.is_file():
        return None
    try:
        found = read_json(config, AGAIN).get("calibration")
        return None if found is None else TypeAdapter(Calibration).validate_python(found)
    except ValidationError as error:
        raise InputError(f"{config}: its calibration is damaged ({str(error).splitlines()[0]}): {AGAIN}") from error


def probabilities_of_candidates(predictions: Predictions, calibration: Calibration) -> np.ndarray:
    """Return the probabilities [n, K] from which `Calibration.candidates` chooses: of existence as they are, or a calibrated posterior."""
    if predictions.output.knows_existence:
        return predictions.posterior
    return calibration.posterior(np.log(np.maximum(predictions.posterior, TINY)))  # log posteriors are logits


def calibrated_scores(predictions: Predictions, calibration: Calibration) -> dict:
    """Score calibrated probabilities over test utterances.

    Returns
    -------
    dict
        method: how it was calibrated (see `Calibration`)
        coverage: for each of `LEVELS`, the share of utterances whose dominant emotion is among the candidates, and the mean number of
        candidates
        nll and ece of the calibrated posterior, for a model that has one
        presence_brier: by emotion, the mean squared distance between the calibrated probability that it is present and whether it is
    """
    tested = predictions.take(predictions.dominant >= 0)
    posterior = probabilities_of_candidates(tested, calibration)
    found: dict = {"method": calibration.method}
    if not predictions.output.knows_existence:
        with_it = replace(tested, posterior=posterior)
        once = np.ones((1, len(tested)))
        found |= {name: number(score(with_it, once)[0]) for name, score in (("nll", nll), ("ece", expected_calibration_error))}
    found["coverage"] = _coverage(posterior, tested.dominant, calibration)
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
