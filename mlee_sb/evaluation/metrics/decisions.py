"""Scores of decisions: which emotion is dominant, over the utterances that have a dominant target emotion."""

import numpy as np

from mlee_sb.evaluation.metrics.weighted import mean, mean_of_defined, mean_over_emotions, ratio, ties
from mlee_sb.evaluation.predictions import Predictions


def has_dominant(predictions: Predictions) -> np.ndarray:
    """Tell for each utterance whether it has a dominant target emotion, bool [n]."""
    return predictions.dominant >= 0


def by_dominant(predictions: Predictions) -> np.ndarray:
    """Return the utterances of each dominant emotion, bool [n, K]."""
    return predictions.dominant[:, None] == np.arange(len(predictions.emotions))


def confusion(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return confusion matrices [r, K, K], truth by decision, over the utterances with a dominant target emotion.

    The decision is the most probable emotion (equations 1 and 7; the first in label order on a tie).
    """
    k = len(predictions.emotions)
    tested = has_dominant(predictions)
    cell = predictions.dominant[tested] * k + predictions.posterior[tested].argmax(axis=1)
    return (weights[:, tested] @ np.eye(k * k)[cell]).reshape(-1, k, k)


def recalls(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the share of each emotion's utterances that are right, [r, K]; NaN for an emotion without an utterance."""
    return recalls_of(confusion(predictions, weights))


def wa(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the weighted accuracy: the share of all utterances with a dominant target emotion that are right."""
    return accuracy_of(confusion(predictions, weights))


def ua(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the unweighted accuracy: the mean of the recalls, over the emotions that are dominant in any utterance of `predictions`."""
    return mean_over_emotions(recalls, predictions, weights)


def macro_f1(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the mean of 2 TP / (2 TP + FP + FN), over the emotions that are dominant in any utterance of `predictions`."""
    return mean_over_emotions(lambda p, w: _f1s_of(confusion(p, w)), predictions, weights)


def accuracy_of(table: np.ndarray) -> np.ndarray:
    """Return the accuracy [r] from confusion matrices [r, K, decisions]."""
    return ratio(np.trace(table, axis1=-2, axis2=-1), table.sum(axis=(-2, -1)))


def recalls_of(table: np.ndarray) -> np.ndarray:
    """Return the recalls [r, K] from confusion matrices [r, K, decisions]."""
    return ratio(np.diagonal(table, axis1=-2, axis2=-1), table.sum(axis=-1))


def ua_of(table: np.ndarray) -> np.ndarray:
    """Return the unweighted accuracy [r] from confusion matrices [r, K, decisions], over the emotions that any of the matrices has."""
    return mean_of_defined(recalls_of(table))


def macro_f1_of(table: np.ndarray) -> np.ndarray:
    """Return macro-F1 [r] from confusion matrices [r, K, decisions], over the emotions that any of the matrices has."""
    return mean_of_defined(_f1s_of(table))


def top_2(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the share of utterances whose dominant emotion is one of the two most probable ones (the first in label order on a tie)."""
    tested = has_dominant(predictions)
    first_two = np.argsort(-predictions.posterior[tested], axis=1, kind="stable")[:, :2]
    return mean((first_two == predictions.dominant[tested, None]).any(axis=1), weights[:, tested])


def risk_coverage(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the area under the risk-coverage curve, 0..1 (Geifman, Uziel and El-Yaniv, ICLR 2019).

    A model that may refuse to answer answers where it is surest. Its risk is the share of its answers that are wrong. Each utterance
    is once the least sure one that is answered; the area is the mean of the n risks. Utterances of equal confidence are answered
    together, so their order does not count. Confidence is the largest probability: of the posterior, or of existence where the model
    knows only that.
    """
    tested = has_dominant(predictions)
    posterior = predictions.posterior[tested]
    confidence, wrong = posterior.max(axis=1), posterior.argmax(axis=1) != predictions.dominant[tested]
    order = np.argsort(-confidence, kind="stable")
    w = weights[:, tested][:, order]
    _, last = ties(confidence[order])
    risk = ratio((w * wrong[order]).cumsum(axis=1), w.cumsum(axis=1))[:, last]
    return ratio(np.where(w > 0, w * risk, 0.0).sum(axis=1), w.sum(axis=1))


def _f1s_of(table: np.ndarray) -> np.ndarray:
    """Return F1 of each emotion [r, K] from confusion matrices [r, K, decisions]; decisions after the first K name no target emotion."""
    right = np.diagonal(table, axis1=-2, axis2=-1)  # [r, K]
    truths, decisions = table.sum(axis=-1), table.sum(axis=-2)[..., : right.shape[-1]]
    return np.where(truths > 0, ratio(2 * right, truths + decisions), np.nan)
