"""Scores of existence: which emotions are present by the rules of the labels, over all utterances; an emotion each, [r, K]."""

from collections.abc import Callable

import numpy as np

from mlee_sb.evaluation.metrics.weighted import below, f1_of, ratio, ties
from mlee_sb.evaluation.predictions import Predictions

PRESENT = 0.5  # a model says that an emotion exists from this probability on


def every(predictions: Predictions) -> np.ndarray:
    """Return that each utterance counts, bool [n]."""
    return np.ones(len(predictions), dtype=bool)


def by_existence(predictions: Predictions) -> np.ndarray:
    """Return the utterances in which each emotion exists, and those in which it does not, bool [n, 2 K]: an AUC needs both."""
    return np.concatenate([predictions.exists, ~predictions.exists], axis=1)


def existence_auc(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the area under the ROC curve of each emotion's existence, [r, K], over all utterances. A tie counts half."""
    return _each(predictions, weights, _auc)


def existence_average_precision(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the average precision of each emotion's existence, [r, K], over all utterances."""
    return _each(predictions, weights, _average_precision)


def existence_f1(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return F1 of the decision that an emotion exists (a probability of 0.5 or more), [r, K], over all utterances."""
    return f1_of(predictions.exists, predictions.existence >= PRESENT, weights)


def _each(predictions: Predictions, weights: np.ndarray, score: Callable) -> np.ndarray:
    columns = zip(predictions.exists.T, predictions.existence.T, strict=True)
    return np.stack([score(truth, probability, weights) for truth, probability in columns], axis=1)


def _auc(truth: np.ndarray, probability: np.ndarray, weights: np.ndarray) -> np.ndarray:
    order = np.argsort(probability, kind="stable")
    w, truth = weights[:, order], truth[order]
    positive, negative = w * truth, w * ~truth
    before = below(negative)
    first, last = ties(probability[order])
    ranked = (positive * (before[:, first] + before[:, last + 1]) / 2).sum(axis=1)
    return ratio(ranked, positive.sum(axis=1) * negative.sum(axis=1))


def _average_precision(truth: np.ndarray, probability: np.ndarray, weights: np.ndarray) -> np.ndarray:
    order = np.argsort(-probability, kind="stable")
    w, truth = weights[:, order], truth[order]
    _, last = ties(probability[order])
    precision = ratio((w * truth).cumsum(axis=1), w.cumsum(axis=1))[:, last]
    found = w * truth
    return ratio(np.where(found > 0, found * precision, 0.0).sum(axis=1), found.sum(axis=1))
