"""Scores against the whole distribution of the votes, also of utterances without a dominant emotion.

q is the share of the votes of each target emotion, among the votes for target emotions. Votes for other categories are left out, and
with them utterances that have no other votes: a posterior over the target emotions cannot tell of them. p is the posterior.
"""

import numpy as np

from mlee_sb.evaluation.metrics.posteriors import SMALLEST
from mlee_sb.evaluation.metrics.weighted import correlation, mean, ranks
from mlee_sb.evaluation.predictions import Predictions
from mlee_sb.labels import vote_entropy


def has_votes(predictions: Predictions) -> np.ndarray:
    """Tell for each utterance whether anybody voted for a target emotion, bool [n]."""
    return predictions.votes[:, :-1].sum(axis=1) > 0


def vote_shares(predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Return which utterances have a vote for a target emotion, bool [n], and q of these m utterances, [m, K]."""
    voted = has_votes(predictions)
    votes = predictions.votes[voted, :-1]
    return voted, votes / votes.sum(axis=1, keepdims=True)


def kullback_leibler(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the Kullback-Leibler divergence of the posterior from the votes, sum q ln(q / p), in nats; 0 where they are equal.

    It is the cross entropy less the entropy of the votes, which no model changes: two models differ in both scores by the same amount.
    """
    voted, q = vote_shares(predictions)
    p = predictions.posterior[voted].clip(SMALLEST)
    return mean((q * np.log(np.where(q > 0, q, 1) / np.where(q > 0, p, 1))).sum(axis=1), weights[:, voted])


def cross_entropy(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the cross entropy of the posterior with the votes, - sum q ln p, in nats."""
    voted, q = vote_shares(predictions)
    return mean(-(q * np.log(predictions.posterior[voted].clip(SMALLEST))).sum(axis=1), weights[:, voted])


def jensen_shannon(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the Jensen-Shannon divergence from the posterior to the proportions of the votes, in bits, 0 to 1 (Lin 1991)."""
    voted, q = vote_shares(predictions)
    p = predictions.posterior[voted]
    middle = (p + q) / 2
    divergence = (_p_log_ratio(p, middle) + _p_log_ratio(q, middle)) / 2
    return mean(divergence, weights[:, voted])


def cosine(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the cosine of the angle between posterior and votes, p q / (|p| |q|), 0 (nothing in common) to 1 (the same)."""
    voted, q = vote_shares(predictions)
    p = predictions.posterior[voted]
    return mean((p * q).sum(axis=1) / (np.linalg.norm(p, axis=1) * np.linalg.norm(q, axis=1)), weights[:, voted])


def entropy_correlation(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return Spearman's rank correlation of the entropy of the posterior with that of the votes, over utterances, -1 to 1.

    [choice] Ranks, not values (Pearson): class weights and the temperature of a softmax change how large entropies are, and hardly their
    order. And a few listeners can have few entropies only. NaN where one of the two entropies is the same for all utterances.
    """
    return _with_entropy_of_votes(vote_entropy(predictions.posterior), predictions, weights)


def disagreement_correlation(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the same for what the model tells of the listeners alone (`Predictions.disagreement`), and not of what it does not know."""
    return _with_entropy_of_votes(predictions.disagreement, predictions, weights)


def _with_entropy_of_votes(values: np.ndarray, predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    voted = has_votes(predictions)
    w = weights[:, voted]
    return correlation(*(ranks(of[voted], w) for of in (values, vote_entropy(predictions.votes[:, :-1]))), w)


def _p_log_ratio(p: np.ndarray, middle: np.ndarray) -> np.ndarray:
    return (p * np.log2(np.where(p > 0, p, 1) / np.where(p > 0, middle, 1))).sum(axis=1)
