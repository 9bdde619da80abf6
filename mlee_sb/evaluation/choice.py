"""Which row to choose by the primary score, and how sure that is.

The row with the best score of many is partly the luckiest one. So the question is not by how much it leads, but which rows cannot be
told from it. A row can be told from the best one where a t test of their difference (`mlee_sb.evaluation.comparisons`) finds it worse at
(1 - confidence) / (k - 1), for k rows. If all these tests keep their level, the truly best row is told from the best one that is seen, and
so is lost, with a probability of at most 1 - confidence, however the best one was chosen: it would have to be found worse than one of
k - 1 rows, each at that level (Bonferroni; sets of this kind: Hsu 1996, "Multiple comparisons", chapter 4).
"""

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np

from mlee_sb.evaluation.cells import Cell
from mlee_sb.evaluation.comparisons import Difference, Key, Scored
from mlee_sb.evaluation.metrics import Score, number, ratio
from mlee_sb.evaluation.results import StageResult

BEST, ALIKE, WORSE, UNTESTED = "best", "alike", "worse", "untested"  # what is said of a row


def choose_row(scored: Mapping[Key, Scored], drawn: Mapping[Key, np.ndarray], score: Score, confidence: float) -> list[dict]:
    """Compare all cells with the best one.

    Parameters
    ----------
    scored : cell -> its score, and what the score is without each unit in turn; cells without this score are left out
    drawn : cell -> [1 + resamples], the score itself and that of each resample of the speakers, the same resamples for all cells
    score : the primary score
    confidence : of the intervals and of what is said, over all rows together

    Returns
    -------
    list
        a dictionary for each cell, the best one first: row, train_set; ``best_in``, the share of the resamples in which it is the best
        one (None where there are no resamples); ``behind``, by how much the best one is better, with its interval; ``said``: `BEST`,
        `ALIKE` (cannot be told from the best one), `WORSE` or `UNTESTED`
    """
    keys = [key for key in scored if not np.isnan(scored[key].value)]
    if not keys:
        return []
    sign = 1 if score.higher_is_better else -1
    keys.sort(key=lambda key: -sign * scored[key].value)  # stable: equal ones stay in their order
    best = keys[0]
    shares = best_in(sign * np.stack([drawn[key] for key in keys])[:, 1:])
    level = (1 - confidence) / max(len(keys) - 1, 1)
    return [
        {"row": key[0], "train_set": key[1], "best_in": number(share), **_behind(scored[best], scored[key], sign, level, key == best)}
        for key, share in zip(keys, shares, strict=True)
    ]


def best_in(values: np.ndarray) -> np.ndarray:
    """Return the share of resamples in which each row has the largest value. Equal ones share a resample.

    Parameters
    ----------
    values : [k, r] of k rows in r resamples; a resample that does not define the value of one of them is left out

    Returns
    -------
    np.ndarray
        [k]; NaN where there are no resamples

    >>> best_in(np.array([[0.5, 0.7, 0.6, np.nan], [0.4, 0.7, 0.9, 0.1]])).tolist()
    [0.5, 0.5]
    """
    values = values[:, ~np.isnan(values).any(axis=0)]
    if not values.shape[1]:
        return np.full(len(values), np.nan)
    first = values == values.max(axis=0)
    return ratio((first / first.sum(axis=0)).sum(axis=1), values.shape[1])


def _behind(best: Scored, other: Scored, sign: int, level: float, is_best: bool) -> dict:
    """Return by how much the best row is better than another one, with an interval at 1 - level, and what that says."""
    difference = Difference.between(best, other) if sign > 0 else Difference.between(other, best)
    if is_best:
        return {"behind": asdict(Difference(0.0).estimate(1 - level)), "said": BEST}
    said = UNTESTED if difference.p is None else WORSE if difference.p < level else ALIKE
    return {"behind": asdict(difference.estimate(1 - level)), "said": said}


def costs_of(cell: Cell, there: Mapping[str, StageResult]) -> dict:
    """Return what a model of a cell costs: ``seconds`` of training, and ``bytes`` of its weights, both in the mean over its stages.

    Parameters
    ----------
    cell : the cell
    there : the stages by key, among which those are whose encoders it froze; they count with their time. None stands for a cost that is
        not known of each stage
    """
    stages = cell.all_stages
    return {"seconds": _mean([_seconds(stage, there) for stage in stages]), "bytes": _mean([stage.files.weights_size for stage in stages])}


def _seconds(stage: StageResult, there: Mapping[str, StageResult]) -> float | None:
    below = [_seconds(there[key], there) if key in there else None for key in stage.required.values()]
    parts = [stage.summary.seconds or None, *below]
    return None if None in parts else sum(parts)


def _mean(values: list[float | None]) -> float | None:
    return None if None in values else float(np.mean(values))
