"""Scores of sets of emotions: several emotions at once may be heard, and said to be heard.

An emotion is heard where its share of the votes for target emotions is above chance (`mlee_sb.labels.present_at_chance`: above 1 / K).
A posterior says it where its probability is above chance, too; a model of existence says it from a probability of `PRESENT` on. So are
the sets of Chou et al. 2024 and of EMO-SUPERB (Wu et al. 2024), whose code averages macro-F1 over batches: here it is over the whole
test set. An utterance without a vote for a target emotion is left out. A set may be empty: of four equal shares, none is above chance.
"""

import numpy as np

from mlee_sb.evaluation.metrics.distributions import has_votes, vote_shares
from mlee_sb.evaluation.metrics.existence import PRESENT
from mlee_sb.evaluation.metrics.weighted import f1_of, mean, mean_over_emotions, ratio
from mlee_sb.evaluation.predictions import Predictions
from mlee_sb.labels import present_at_chance


def by_heard(predictions: Predictions) -> np.ndarray:
    """Return the utterances in which each emotion is heard, bool [n, K]."""
    heard = np.zeros(predictions.posterior.shape, dtype=bool)
    heard[has_votes(predictions)] = _sets(predictions)[1]
    return heard


def sets_macro_f1(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the mean over the emotions of 2 TP / (2 TP + FP + FN), over the emotions that are heard in any utterance of `predictions`."""
    return mean_over_emotions(_f1s, predictions, weights)


def sets_micro_f1(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return 2 TP / (2 TP + FP + FN), each counted over all emotions and utterances together."""
    voted, heard, said = _sets(predictions)
    both, either = (heard & said).sum(axis=1), heard.sum(axis=1) + said.sum(axis=1)
    w = weights[:, voted]
    return ratio(2 * (w @ both), w @ either)


def hamming_loss(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the share of the K n answers (heard or not) that are wrong."""
    voted, heard, said = _sets(predictions)
    return mean((heard != said).mean(axis=1), weights[:, voted])


def subset_accuracy(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the share of utterances whose set is right as a whole."""
    voted, heard, said = _sets(predictions)
    return mean((heard == said).all(axis=1), weights[:, voted])


def ranking_precision(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the label ranking average precision (Schapire and Singer 2000; Tsoumakas et al. 2010), above 0 to 1.

    For each heard emotion of an utterance: of the emotions that are as probable as it or more, which share is heard? The score is the
    mean over the heard emotions of an utterance, then over utterances. It needs no threshold for what the model says. Utterances in
    which all emotions are heard, or none, count 1, as in scikit-learn: there, no order is wrong.
    """
    voted, heard, _ = _sets(predictions)
    p = predictions.posterior[voted]
    before = p[:, None, :] >= p[:, :, None]  # [m, K, K]: is the second emotion as probable as the first?
    precision = (before & heard[:, None, :]).sum(axis=2) / before.sum(axis=2)
    n_heard = heard.sum(axis=1)
    ordered = (n_heard > 0) & (n_heard < heard.shape[1])
    return mean(np.where(ordered, (precision * heard).sum(axis=1) / n_heard.clip(1), 1.0), weights[:, voted])


def _sets(predictions: Predictions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which utterances have a vote, bool [n], and of these m the emotions that are heard and those that are said, bool [m, K]."""
    voted, q = vote_shares(predictions)
    p = predictions.posterior[voted]
    return voted, present_at_chance(q), p >= PRESENT if predictions.output.knows_existence else present_at_chance(p)


def _f1s(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    voted, heard, said = _sets(predictions)
    return f1_of(heard, said, weights[:, voted])
