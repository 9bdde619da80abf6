"""Scores as functions of weights: one formula computes a score, and the same score over thousands of resamples at once.

Each function takes `Predictions` of n utterances and weights [r, n]: how often each utterance counts in each of r resamples. For
the score itself, the weights are one row of ones. It returns [r], or [r, K] with a value for each emotion. NaN stands where a
resample does not define the score. Over rows of ones the values are those of scikit-learn; the tests check that.

A mean over the emotions is over the emotions of the whole test set, in every resample. A resample that lacks an emotion has no
such mean (NaN). The mean over the other emotions would be another score: a model that always says `neu` would have UA 25 in most
resamples, and 33 in those without `hap`.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from mlee_sb.errors import choose
from mlee_sb.evaluation.predictions import Predictions
from mlee_sb.targets import SIGMOID, SOFTMAX, Output

PRESENT = 0.5  # a model says that an emotion exists from this probability on
BINS = 10  # of confidence, of equal width, in the expected calibration error
SMALLEST = 1e-12  # probability in a logarithm


def has_dominant(predictions: Predictions) -> np.ndarray:
    """Tell for each utterance whether it has a dominant target emotion, bool [n]."""
    return predictions.dominant >= 0


def has_votes(predictions: Predictions) -> np.ndarray:
    """Tell for each utterance whether anybody voted for a target emotion, bool [n]."""
    return predictions.votes[:, :-1].sum(axis=1) > 0


def _by_dominant(predictions: Predictions) -> np.ndarray:
    return predictions.dominant[:, None] == np.arange(len(predictions.emotions))


def _by_existence(predictions: Predictions) -> np.ndarray:
    return np.concatenate([predictions.exists, ~predictions.exists], axis=1)  # an AUC needs both


def _every(predictions: Predictions) -> np.ndarray:
    return np.ones(len(predictions), dtype=bool)


@dataclass(frozen=True)
class Score:
    """A score by name.

    Attributes
    ----------
    title : as tables print it
    meaning : what it tells, for somebody who does not know it
    of : (predictions, weights [r, n]) -> [r]
    higher_is_better : direction
    percent : whether people read it in percent
    needs : the output whose probabilities it scores; None where it scores decisions, which every output has
    counted : predictions -> bool [n], the utterances that it is about
    by_emotion : for a mean over the emotions, in which a rare one counts as much as a frequent one: predictions -> bool [n, m], the m
        groups of utterances that decide its terms; None for other scores
    widest : the largest difference that two models can have
    """

    title: str
    meaning: str
    of: Callable[[Predictions, np.ndarray], np.ndarray]
    higher_is_better: bool = True
    percent: bool = True
    needs: Output | None = None
    counted: Callable[[Predictions], np.ndarray] = has_dominant
    by_emotion: Callable[[Predictions], np.ndarray] | None = None
    widest: float = 1.0

    def defined_for(self, predictions: Predictions) -> bool:
        """Return whether a stage with these predictions has the score at all.

        A head has no score of existence: it repeats the existence of the encoder that it stands on.
        """
        return self.needs in (None, predictions.output)

    def groups(self, predictions: Predictions) -> np.ndarray:
        """Return the groups of utterances that decide the score, bool [n, m]: one, or those of `by_emotion` that are not empty."""
        if self.by_emotion is None:
            return self.counted(predictions)[:, None]
        groups = self.by_emotion(predictions)
        return groups[:, groups.any(axis=0)]

    def same_emotions(self, predictions: Predictions, parts: Sequence[np.ndarray]) -> bool:
        """Return whether the score is a mean over the same emotions in each of some parts (bool [n]) of the utterances as in all."""
        return self.by_emotion is None or all(self.groups(predictions)[rows].any(axis=0).all() for rows in parts)


def find_score(words: str, what: str = "score") -> str:
    """Return the name in `SCORES` of a score that a person calls by its name or its title, in small letters or large ones.

    Parameters
    ----------
    words : what the person wrote
    what : what the score is, as the error calls it

    Raises
    ------
    InputError
        if there is no such score; the message names the nearest one

    >>> find_score("UA"), find_score("macro-F1"), find_score("jensen_shannon")
    ('ua', 'macro_f1', 'jensen_shannon')
    """
    names = {_plain(called): name for name, score in SCORES.items() for called in (score.title, name)}
    return names[_plain(words)] if _plain(words) in names else choose(words, SCORES, what)


def _plain(words: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")


def confusion(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return confusion matrices [r, K, K], truth by decision, over the utterances with a dominant target emotion.

    The decision is the most probable emotion (equations 1 and 7; the first in label order on a tie).
    """
    k = len(predictions.emotions)
    tested = predictions.dominant >= 0
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
    return _mean_over_emotions(recalls, predictions, weights)


def macro_f1(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the mean of 2 TP / (2 TP + FP + FN), over the emotions that are dominant in any utterance of `predictions`."""
    return _mean_over_emotions(lambda p, w: _f1s_of(confusion(p, w)), predictions, weights)


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


def nll(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the negative log likelihood of the dominant emotion, in nats."""
    tested, truth = _one_hot(predictions)
    likelihood = (predictions.posterior[tested] * truth).sum(axis=1)
    return _mean(-np.log(likelihood.clip(SMALLEST)), weights[:, tested])


def brier(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the Brier score: the squared distance from the posterior to the dominant emotion's one-hot vector, 0 to 2."""
    tested, truth = _one_hot(predictions)
    return _mean(np.square(predictions.posterior[tested] - truth).sum(axis=1), weights[:, tested])


def jensen_shannon(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the Jensen-Shannon divergence from the posterior to the proportions of the votes, in bits, 0 to 1.

    It is the mean over every utterance with a vote for a target emotion, also over those without a dominant emotion.
    """
    votes, voted = predictions.votes[:, :-1], has_votes(predictions)
    q = votes[voted] / votes[voted].sum(axis=1, keepdims=True)
    p = predictions.posterior[voted]
    middle = (p + q) / 2
    divergence = (_p_log_ratio(p, middle) + _p_log_ratio(q, middle)) / 2
    return _mean(divergence, weights[:, voted])


def calibration(predictions: Predictions, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the reliability by bins of confidence: summed weights, confidences and hits, each [r, BINS].

    Confidence is the largest value of the posterior. A hit is an utterance whose decision is right.
    """
    tested = predictions.dominant >= 0
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


def existence_auc(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the area under the ROC curve of each emotion's existence, [r, K], over all utterances. A tie counts half."""
    return _each(predictions, weights, _auc)


def existence_average_precision(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the average precision of each emotion's existence, [r, K], over all utterances."""
    return _each(predictions, weights, _average_precision)


def existence_f1(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return F1 of the decision that an emotion exists (a probability of 0.5 or more), [r, K], over all utterances."""
    return _each(predictions, weights, lambda truth, p, w: f1_of(truth, p >= PRESENT, w))


def f1_of(truth: np.ndarray, said: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return F1 [r] of binary decisions [n], or of shares of decisions in 0..1; NaN where the truth is never positive."""
    present = weights @ truth.astype(float)
    return np.where(present > 0, ratio(2 * (weights @ (truth * said).astype(float)), present + weights @ said.astype(float)), np.nan)


def _auc(truth: np.ndarray, probability: np.ndarray, weights: np.ndarray) -> np.ndarray:
    order = np.argsort(probability, kind="stable")
    w, truth = weights[:, order], truth[order]
    positive, negative = w * truth, w * ~truth
    below = np.concatenate([np.zeros((len(w), 1)), negative.cumsum(axis=1)], axis=1)  # negatives before each place
    first, last = _ties(probability[order])
    ranked = (positive * (below[:, first] + below[:, last + 1]) / 2).sum(axis=1)
    return ratio(ranked, positive.sum(axis=1) * negative.sum(axis=1))


def _average_precision(truth: np.ndarray, probability: np.ndarray, weights: np.ndarray) -> np.ndarray:
    order = np.argsort(-probability, kind="stable")
    w, truth = weights[:, order], truth[order]
    _, last = _ties(probability[order])
    precision = ratio((w * truth).cumsum(axis=1), w.cumsum(axis=1))[:, last]
    found = w * truth
    return ratio(np.where(found > 0, found * precision, 0.0).sum(axis=1), found.sum(axis=1))


def _ties(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each place of a sorted array the first and the last place with the same value."""
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    group = np.searchsorted(starts, np.arange(len(ordered)), side="right") - 1
    ends = np.concatenate([starts[1:], [len(ordered)]]) - 1
    return starts[group], ends[group]


def _each(predictions: Predictions, weights: np.ndarray, score: Callable) -> np.ndarray:
    columns = zip(predictions.exists.T, predictions.existence.T, strict=True)
    return np.stack([score(truth, probability, weights) for truth, probability in columns], axis=1)


def _one_hot(predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    tested = predictions.dominant >= 0
    return tested, np.eye(len(predictions.emotions))[predictions.dominant[tested]]


def _p_log_ratio(p: np.ndarray, middle: np.ndarray) -> np.ndarray:
    return (p * np.log2(np.where(p > 0, p, 1) / np.where(p > 0, middle, 1))).sum(axis=1)


def _mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
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


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Return above / below; NaN where `below` is 0."""
    above, below = np.broadcast_arrays(np.asarray(above, dtype=float), np.asarray(below, dtype=float))
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


def number(value: float) -> float | None:
    """Return a score as JSON holds it: None for NaN.

    >>> number(np.float64(0.5)), number(np.nan)
    (0.5, None)
    """
    return None if np.isnan(value) else float(value)


def _f1s_of(table: np.ndarray) -> np.ndarray:
    """Return F1 of each emotion [r, K] from confusion matrices [r, K, decisions]; decisions after the first K name no target emotion."""
    right = np.diagonal(table, axis1=-2, axis2=-1)  # [r, K]
    truths, decisions = table.sum(axis=-1), table.sum(axis=-2)[..., : right.shape[-1]]
    return np.where(truths > 0, ratio(2 * right, truths + decisions), np.nan)


def _mean_over_emotions(score: Callable, predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the mean [r] of a score by emotion, over the emotions for which the whole of `predictions` defines it."""
    whole = score(predictions, np.ones((1, len(predictions))))[0]
    return mean_of_defined(score(predictions, weights), ~np.isnan(whole))


SCORES = {
    "wa": Score(
        "WA",
        "weighted accuracy: the share of the utterances that are decided rightly. A frequent emotion counts more than a rare one",
        wa,
    ),
    "ua": Score(
        "UA",
        "unweighted accuracy: the mean of the recalls of the emotions. A rare emotion counts as much as a frequent one",
        ua,
        by_emotion=_by_dominant,
    ),
    "macro_f1": Score(
        "macro-F1",
        "the mean over the emotions of F1, which is high where an emotion is both found and rarely said wrongly",
        macro_f1,
        by_emotion=_by_dominant,
    ),
    "nll": Score(
        "NLL (nats)",
        "negative log likelihood of the dominant emotion. 0 is perfect, equal posteriors of K emotions have ln K, and an answer that is "
        "wrong and certain costs most",
        nll,
        higher_is_better=False,
        percent=False,
        needs=SOFTMAX,
        widest=np.inf,
    ),
    "brier": Score(
        "Brier",
        "squared distance from the posterior to the right answer, 0 (perfect) to 2",
        brier,
        higher_is_better=False,
        percent=False,
        needs=SOFTMAX,
        widest=2.0,
    ),
    "jensen_shannon": Score(
        "JSD to the votes (bits)",
        "Jensen-Shannon divergence: how far the posterior is from the shares of the votes, 0 (the same) to 1 (nothing in common)",
        jensen_shannon,
        higher_is_better=False,
        percent=False,
        needs=SOFTMAX,
        counted=has_votes,
    ),
    "ece": Score(
        "ECE",
        f"expected calibration error: the mean distance between how sure the model is and how often it is right, over {BINS} bins, in %",
        expected_calibration_error,
        higher_is_better=False,
        needs=SOFTMAX,
    ),
    "existence_auc": Score(
        "existence AUC",
        "how often an utterance in which an emotion is present gets a higher probability of it than one in which it is not, mean over "
        "the emotions, in %. Guessing has 50",
        partial(_mean_over_emotions, existence_auc),
        needs=SIGMOID,
        counted=_every,
        by_emotion=_by_existence,
    ),
    "existence_ap": Score(
        "existence AP",
        "average precision of existence, mean over the emotions, in %. Guessing has the share of utterances with the emotion",
        partial(_mean_over_emotions, existence_average_precision),
        needs=SIGMOID,
        counted=_every,
        by_emotion=_by_existence,
    ),
    "existence_f1": Score(
        "existence F1",
        f"F1 of saying that an emotion is present from a probability of {PRESENT} on, mean over the emotions, in %",
        partial(_mean_over_emotions, existence_f1),
        needs=SIGMOID,
        counted=_every,
        by_emotion=_by_existence,
    ),
}
