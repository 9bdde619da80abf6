"""Score calibrated probabilities on test speakers: no calibration was fitted on them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from mlee_sb.calibration import Calibration
from mlee_sb.errors import InputError, reason_of
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
        raise InputError(f"{config}: its calibration is damaged ({reason_of(error)}): {AGAIN}") from error


def probabilities_of_candidates(predictions: Predictions, calibration: Calibration) -> np.ndarray:
    """Return the probabilities [n, K] from which `Calibration.candidates` chooses: of existence as they are, or a calibrated posterior."""
    if predictions.output.knows_existence:
        return predictions.posterior
    return calibration.posterior(np.log(np.maximum(predictions.posterior, TINY)))  # log posteriors are logits


def held_by_candidates(tested: Predictions, calibration: Calibration, level: float) -> np.ndarray:
    """Tell for each of n utterances whether its dominant emotion is a candidate, and how many candidates there are, [n, 2].

    Parameters
    ----------
    tested : predictions of utterances with a dominant emotion
    calibration : of the model
    level : the coverage that is wanted
    """
    kept = calibration.candidates(probabilities_of_candidates(tested, calibration), level)
    return np.column_stack([kept[np.arange(len(tested)), tested.dominant], kept.sum(axis=1)]).astype(float)


def calibrated_scores(folds: Sequence[tuple[Predictions, Calibration]]) -> dict:
    """Score calibrated probabilities over the test utterances of a fold, or of several folds of one row together.

    Parameters
    ----------
    folds : predictions of each fold, and the calibration of its model

    Returns
    -------
    dict
        method: how they were calibrated (see `Calibration`)
        coverage: for each of `LEVELS`, the share of utterances whose dominant emotion is among the candidates, and the mean number of
        candidates; of several folds also the share in the worst one and in the best one
        nll and ece of the calibrated posterior, for a model that has one
        presence_brier: by emotion, the mean squared distance between the calibrated probability that it is present and whether it is
    """
    tested = [(predictions.take(predictions.dominant >= 0), calibration) for predictions, calibration in folds]
    posteriors = [probabilities_of_candidates(predictions, calibration) for predictions, calibration in tested]
    whole = replace(Predictions.joined([predictions for predictions, _ in tested]), posterior=np.concatenate(posteriors))
    found: dict = {"method": " ".join(sorted({calibration.method for _, calibration in folds}))}
    if not whole.output.knows_existence:
        once = np.ones((1, len(whole)))
        found |= {name: number(score(whole, once)[0]) for name, score in (("nll", nll), ("ece", expected_calibration_error))}
    found["coverage"] = {
        f"{level:g}": _coverage([held_by_candidates(*of_fold, level) for of_fold in tested]) for level in (LEVELS if len(whole) else ())
    }
    errors = [_presence_errors(predictions, calibration) for predictions, calibration in folds]
    if all(of_fold is not None for of_fold in errors):
        found["presence_brier"] = dict(zip(whole.emotions, np.concatenate(errors).mean(axis=0).tolist(), strict=True))
    return found


def _coverage(folds: Sequence[np.ndarray]) -> dict:
    share, size = np.concatenate(folds).mean(axis=0).tolist()
    of_folds = [float(held[:, 0].mean()) for held in folds if len(held)]
    return {"share": share, "mean_size": size, **({"worst_fold": min(of_folds), "best_fold": max(of_folds)} if len(folds) > 1 else {})}


def _presence_errors(predictions: Predictions, calibration: Calibration) -> np.ndarray | None:
    """Return squared distances [n, K] of calibrated presence to existence; None where the model does not know existence."""
    if predictions.existence is None or calibration.presence is None:
        return None
    p = np.clip(predictions.existence, TINY, 1 - TINY)
    return np.square(calibration.presence_of(np.log(p / (1 - p))) - predictions.exists)
