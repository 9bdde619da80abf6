"""What all scores are made of: means, ranks and ratios over weighted utterances, the same for a score and for its resamples."""

from collections.abc import Callable

import numpy as np

from mlee_sb.evaluation.predictions import Predictions


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Return above / below; NaN where `below` is 0."""
    above, below = np.broadcast_arrays(np.asarray(above, dtype=float), np.asarray(below, dtype=float))
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


def mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the weighted mean [r] of values [n], for weights [r, n]."""
    return ratio(weights @ values, weights.sum(axis=1))


def mean_of_defined(values: np.ndarray, defined: np.ndarray | None = None) -> np.ndarray:
    """Return the mean of the values of some emotions, the same emotions in every resample.

    Parameters
    ----------
    values : [r, K], NaN where a resample does not define the value of an emotion
    defined : bool [K], the emotions to take; by default those that any resample defines

    Returns
    -------
    np.ndarray
        [r], NaN in a resample that does not define one of the emotions

    >>> mean_of_defined(np.array([[1.0, 0.0, np.nan], [1.0, np.nan, np.nan]])).tolist()
    [0.5, nan]
    """
    defined = ~np.isnan(values).all(axis=0) if defined is None else defined
    return ratio(values[:, defined].sum(axis=1), defined.sum())


def mean_over_emotions(score: Callable, predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the mean [r] of a score by emotion, over the emotions for which the whole of `predictions` defines it."""
    whole = score(predictions, np.ones((1, len(predictions))))[0]
    return mean_of_defined(score(predictions, weights), ~np.isnan(whole))


def f1_of(truth: np.ndarray, said: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return F1 from binary decisions [n], or from shares of decisions in 0..1; NaN where the truth is never positive.

    Truth and decisions may also be [n, K]. Then F1 is [r, K], and otherwise [r].
    """
    truth, said = truth.astype(float), said.astype(float)
    present = weights @ truth
    return np.where(present > 0, ratio(2 * (weights @ (truth * said)), present + weights @ said), np.nan)


def ties(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each place of a sorted array the first and the last place with the same value.

    >>> [places.tolist() for places in ties(np.array([1, 1, 2]))]
    [[0, 0, 2], [1, 1, 2]]
    """
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    group = np.searchsorted(starts, np.arange(len(ordered)), side="right") - 1
    ends = np.concatenate([starts[1:], [len(ordered)]]) - 1
    return starts[group], ends[group]


def below(weights: np.ndarray) -> np.ndarray:
    """Return the summed weights before each place of sorted utterances, [r, n + 1]; the last are those of all."""
    return np.concatenate([np.zeros((len(weights), 1)), weights.cumsum(axis=1)], axis=1)


def ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the ranks [r, n] of values [n] from 0 up, where an utterance stands as often as its weight says. Equal values share a rank.

    >>> ranks(np.array([5.0, 3.0, 3.0]), np.ones((1, 3))).tolist()
    [[2.5, 1.0, 1.0]]
    """
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    of_group = np.add.reduceat(weights[:, np.argsort(values, kind="stable")], sizes.cumsum() - sizes, axis=1)  # [r, groups]
    return (of_group.cumsum(axis=1) - of_group / 2)[:, group]


def correlation(one: np.ndarray, other: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return Pearson's correlation [r] of two values of each utterance, [r, n]; NaN where one of them is always the same."""
    one, other = (values - ratio((weights * values).sum(axis=1), weights.sum(axis=1))[:, None] for values in (one, other))
    weighted = weights * one
    both, first = (np.einsum("rn,rn->r", weighted, values) for values in (other, one))
    second = np.einsum("rn,rn,rn->r", weights, other, other)
    return ratio(both, np.sqrt(first * second))


def number(value: float) -> float | None:
    """Return a score as JSON holds it: None for NaN.

    >>> number(np.float64(0.5)), number(np.nan)
    (0.5, None)
    """
    return None if np.isnan(value) else float(value)
