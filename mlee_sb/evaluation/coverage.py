"""How often candidates hold the dominant emotion, fold by fold: a coverage that holds over all folds need not hold in each of them."""

import numpy as np

from mlee_sb.evaluation.calibrated_scores import held_by_candidates, read_calibration
from mlee_sb.evaluation.cells import Cell
from mlee_sb.evaluation.metrics import number

WANTED = 0.9  # the coverage that is shown for each fold


def coverage_by_fold(cell: Cell, fold_of: np.ndarray) -> dict:
    """Return the coverage of the candidates at `WANTED`, over all folds and in each one. A fold is pooled over its seeds.

    Parameters
    ----------
    cell : the cell
    fold_of : [n], the fold that tests each utterance

    Returns
    -------
    dict
        wanted; methods (of `Calibration`, sorted); share and mean_size over all folds; folds: fold, n, share of each one with a tested
        utterance; held: the number of folds with the wanted share or more. {} where a stage has no calibration, or nothing is tested
    """
    held: dict[int, list[np.ndarray]] = {}  # fold -> of each seed, whether the dominant emotion is a candidate, and how many there are
    methods = set()
    for seed, folds in cell.stages.items():
        predictions = cell.predictions[seed]
        for fold, stage in folds.items():
            calibration = read_calibration(stage.files.config)
            if calibration is None:
                return {}
            methods.add(calibration.method)
            held.setdefault(fold, []).append(
                held_by_candidates(predictions.take((fold_of == fold) & (predictions.dominant >= 0)), calibration, WANTED)
            )
    by_fold = {fold: np.concatenate(of_seeds) for fold, of_seeds in held.items()}
    whole = np.concatenate(list(by_fold.values()))
    if not len(whole):
        return {}
    share, size = whole.mean(axis=0)
    shares = [{"fold": fold, "n": len(rows), "share": float(rows[:, 0].mean())} for fold, rows in by_fold.items() if len(rows)]
    return {
        "wanted": WANTED,
        "methods": sorted(methods),
        "share": number(share),
        "mean_size": number(size),
        "folds": shares,
        "held": sum(fold["share"] >= WANTED for fold in shares),
    }
