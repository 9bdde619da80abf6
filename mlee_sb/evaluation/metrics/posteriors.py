"""Scores of posteriors: how far to trust them, over the utterances that have a dominant target emotion."""

import numpy as np

from mlee_sb.evaluation.metrics.decisions import has_dominant
from mlee_sb.evaluation.metrics.weighted import mean, ratio
from mlee_sb.evaluation.predictions import Predictions

BINS = 10  # of confidence, of equal width, in the expected calibration error
SMALLEST = 1e-12  # probability in a logarithm


def nll(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the negative log likelihood of the dominant emotion, in nats."""
    tested, truth = _one_hot(predictions)
    likelihood = (predictions.posterior[tested] * truth).sum(axis=1)
    return mean(-np.log(likelihood.clip(SMALLEST)), weights[:, tested])


def brier(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the Brier score: the squared distance from the posterior to the dominant emotion's one-hot vector, 0 to 2."""
    tested, truth = _one_hot(predictions)
    return mean(np.square(predictions.posterior[tested] - truth).sum(axis=1), weights[:, tested])


def calibration(predictions: Predictions, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the reliability by bins of confidence: summed weights, confidences and hits, each [r, BINS].

    Confidence is the largest value of the posterior. A hit is an utterance whose decision is right.
    """
    tested = has_dominant(predictions)
    posterior = predictions.posterior[tested]
    confidence = posterior.max(axis=1)
    hit = posterior.argmax(axis=1) == predictions.dominant[tested]
    member = np.eye(BINS)[np.minimum((confidence * BINS).astype(int), BINS - 1)]  # [n, BINS]
    w = weights[:, tested]
    return w @ member, w @ (member * confidence[:, None]), w @ (member * hit[:, None])


def expected_calibration_error(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the mean distance between confidence and accuracy over the bins, weighted by their utterances (Guo et al. 2017)."""
    count, confidence, hits = calibration(predictions, weights)
    return ratio(np.abs(confidence - hits).sum(axis=1), count.sum(axis=1))


def _one_hot(predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    tested = has_dominant(predictions)
    return tested, np.eye(len(predictions.emotions))[predictions.dominant[tested]]
