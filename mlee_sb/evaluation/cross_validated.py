"""The scores of a row over all folds together: what is known of a final model, which was trained with the same settings."""

from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from mlee_sb.errors import InputError
from mlee_sb.evaluation.bootstrap import CONFIDENCE, Resamples, interval
from mlee_sb.evaluation.calibrated_scores import calibrated_scores, read_calibration
from mlee_sb.evaluation.cautions import why_no_intervals
from mlee_sb.evaluation.cells import read_cells
from mlee_sb.evaluation.metrics import SCORES
from mlee_sb.evaluation.predictions import Predictions, read_predictions
from mlee_sb.evaluation.results import find_stages
from mlee_sb.evaluation.scores import scores

WITH_INTERVAL = ("wa", "ua")  # of `SCORES`
MEAN_EXISTENCE = "existence_auc"  # the same, for a row that knows existence


def cross_validated(results: Path, only: Collection[Path]) -> dict:
    """Score one row over the test utterances of all its folds. Each speaker was tested by a model that did not hear it.

    Parameters
    ----------
    results : the folder of results
    only : the folders of the stages of the row, one for each fold, of one seed

    Returns
    -------
    dict
        folds, n_speakers; what `mlee_sb.evaluation.scores.scores` returns; intervals: for each of some scores, its value, low and high,
        by bootstrap over the speakers; confidence: of the intervals; calibrated: what `calibrated_scores` returns

    Raises
    ------
    InputError
        if the stages are no folds of one row and one seed, or one is not calibrated
    """
    cells = read_cells(find_stages(results, only)).cells
    if len(cells) > 1 or len(cells[0].stages) > 1:
        raise InputError(f"{results}: scores over all folds are those of one row and one seed")
    (folds,) = cells[0].stages.values()
    frames = [read_predictions(stage.predictions) for stage in folds.values()]
    whole = pd.concat(frames, ignore_index=True)
    predictions = list(map(Predictions.of, frames))
    calibrations = [read_calibration(stage.files.config) for stage in folds.values()]
    if None in calibrations:
        raise InputError(f"{results}: a stage has no calibration: train it again")
    return {
        "folds": len(folds),
        "n_speakers": len(np.unique(whole["speaker"])),
        **scores(whole),
        "intervals": _intervals(Predictions.joined(predictions), len(folds)),
        "confidence": CONFIDENCE,
        "calibrated": calibrated_scores(list(zip(predictions, calibrations, strict=True))),
    }


def _intervals(whole: Predictions, n_folds: int) -> dict[str, dict]:
    """Return a score and its interval by the name of the score, from the test utterances of all folds; no interval of few speakers."""
    names = WITH_INTERVAL if whole.existence is None else (*WITH_INTERVAL, MEAN_EXISTENCE)
    too_few = why_no_intervals(len(np.unique(whole.speakers)), n_folds)
    draws = Resamples.draw(whole.speakers, **({"resamples": 0} if too_few else {}))
    weights = draws.weights(whole.speakers)
    return {name: asdict(interval(SCORES[name].of(whole, weights), len(draws.speakers))) for name in names}
