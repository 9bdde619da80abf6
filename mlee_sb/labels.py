"""Targets from votes, and their class weights (Ando et al. 2019, equations 3 to 6, and other papers); how much votes disagree."""

from collections.abc import Sequence

import numpy as np

from mlee_sb.errors import InputError

ROUNDING = 1e-6  # float32 is more exact than this, and different shares of up to 10,000 votes are further apart


def hard_targets(dominant: Sequence[str], emotions: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return one-hot targets of the dominant emotion (equation 3): 1 for this emotion, 0 for all others.

    Parameters
    ----------
    dominant : code of the dominant emotion of each of n utterances, ``""`` where there is none
    emotions : the K target emotions

    Returns
    -------
    targets : float64 [n, K]; a row of zeros where the utterance cannot be used
    usable : bool [n]; False where the dominant emotion is empty or not a target emotion

    >>> targets, usable = hard_targets(["hap", "exc"], ["neu", "hap"])
    >>> targets.tolist(), usable.tolist()
    ([[0.0, 1.0], [0.0, 0.0]], [True, False])
    """
    targets = (np.asarray(dominant, dtype=object).reshape(-1, 1) == np.asarray(list(emotions), dtype=object)).astype(np.float64)
    return targets, targets.any(axis=1)


def soft_targets(votes: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Return smoothed proportions of the votes (equation 4): q[k] = (alpha + v[k]) / (alpha K + sum over k' of v[k']).

    Parameters
    ----------
    votes : [n, K], the votes v[k] of each utterance
    alpha : smoothing, 0 or more (paper: 0.75)

    Returns
    -------
    targets : float64 [n, K], rows summing to 1; a row of zeros where the utterance cannot be used
    usable : bool [n]; False where no one voted for a target emotion

    >>> soft_targets(np.array([[3, 0, 0, 0]]), alpha=0.75)[0].tolist()
    [[0.625, 0.125, 0.125, 0.125]]
    """
    votes = _checked(votes)
    if not alpha >= 0:
        raise InputError(f"alpha is {alpha!r}, and must be 0 or more (paper: 0.75)")
    total = votes.sum(axis=1)
    usable = total > 0
    denominators = np.where(usable, alpha * votes.shape[1] + total, 1.0)
    return np.where(usable[:, None], (alpha + votes) / denominators[:, None], 0.0), usable


def existence_targets(votes: np.ndarray, min_votes: int, full_votes: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return which emotions are present (equation 5): 1 where at least `min_votes` votes say so, else 0. Every utterance can be used.

    Parameters
    ----------
    votes : [n, K]
    min_votes : 1 in the paper
    full_votes : [choice] an emotion with fewer votes is present in part: its target is votes / full_votes. With 1, as in the paper, it is 1

    Returns
    -------
    targets : float64 [n, K], 0 or 1; 0 to 1 with `full_votes` above 1
    usable : bool [n], all True

    >>> existence_targets(np.array([[2, 1], [0, 0]]), min_votes=1)[0].tolist()
    [[1.0, 1.0], [0.0, 0.0]]
    >>> existence_targets(np.array([[7, 1]]), min_votes=1, full_votes=5)[0].tolist()
    [[1.0, 0.2]]
    """
    votes = _checked(votes)
    if min_votes < 1:
        raise InputError(f"min_votes is {min_votes!r}, and must be 1 or more (paper: 1)")
    if full_votes < 1:
        raise InputError(f"full_votes is {full_votes!r}, and must be 1 or more (paper: 1)")
    return np.where(votes >= min_votes, np.minimum(votes / full_votes, 1.0), 0.0), np.ones(len(votes), dtype=bool)


def all_inclusive_targets(votes: np.ndarray, smoothing: float) -> tuple[np.ndarray, np.ndarray]:
    """Return proportions of the votes with label smoothing: each vote gives 1 - smoothing to its emotion, and the rest to all others.

    So q[k] = (1 - K e) v[k] / (sum over k' of v[k']) + e with e = smoothing / (K - 1). A share of exactly 1 / K stays what it is. Unlike in
    equation 4, the number of votes plays no part. The published label files of EMO-SUPERB (Wu et al. 2024) hold these values for a
    smoothing of 0.05.

    Parameters
    ----------
    votes : [n, K]
    smoothing : 0 or more, below 0.5

    Returns
    -------
    targets : float64 [n, K], rows summing to 1; a row of zeros where the utterance cannot be used
    usable : bool [n]; False where no one voted for a target emotion

    >>> all_inclusive_targets(np.array([[4, 0, 0, 0, 0, 6]]), smoothing=0.05)[0].round(3).tolist()
    [[0.386, 0.01, 0.01, 0.01, 0.01, 0.574]]
    """
    shares, usable = soft_targets(votes, alpha=0)
    k = shares.shape[1]
    others = smoothing / (k - 1) if k > 1 else 0.0
    return np.where(usable[:, None], (1 - k * others) * shares + others, 0.0), usable


def vote_targets(votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the votes themselves: how many examples of each emotion an utterance stands for (repeated labels; Sheng et al. 2008).

    Parameters
    ----------
    votes : [n, K]

    Returns
    -------
    targets : float64 [n, K]
    usable : bool [n]; False where no one voted for a target emotion

    >>> vote_targets(np.array([[2, 1], [0, 0]]))[1].tolist()
    [True, False]
    """
    votes = _checked(votes)
    return votes, votes.any(axis=1)


def present_at_chance(distribution: np.ndarray) -> np.ndarray:
    """Return which emotions have more than the share 1 / K that chance would give each of K emotions.

    So the code of EMO-SUPERB (Wu et al. 2024) decides by the all-inclusive rule (Chou et al. 2024). It is strict: with equal shares, no
    emotion is present. It serves for the proportions of votes and for the posterior of a model.

    Parameters
    ----------
    distribution : [..., K], rows summing to 1; a row of zeros has no emotion

    Returns
    -------
    np.ndarray
        bool [..., K]

    >>> present_at_chance(np.array([[0.5, 0.3, 0.2, 0.0], [0.25, 0.25, 0.25, 0.25]])).tolist()
    [[True, True, False, False], [False, False, False, False]]
    """
    distribution = np.asarray(distribution)
    return distribution > 1 / distribution.shape[-1] + ROUNDING


def softmax_class_weights(targets: np.ndarray, emotions: Sequence[str] | None = None) -> np.ndarray:
    """Return inverse class frequencies for the softmax losses (equation 2): N / (K n[k]), with n[k] of N the mass of class k.

    [choice] All weights have one common factor: every class has the same weight in the sum, and an example weighs 1 on average.

    Parameters
    ----------
    targets : [n, K], hard or soft; the frequency of a class is the mass of its targets
    emotions : names for the error

    Returns
    -------
    np.ndarray
        [K]

    Raises
    ------
    InputError
        if an emotion has no example

    >>> softmax_class_weights(np.array([[1, 0], [1, 0], [1, 0], [0, 1]])).round(3).tolist()
    [0.667, 2.0]
    """
    mass = np.asarray(targets, dtype=np.float64).sum(axis=0)
    _refuse_empty(mass, emotions, "no training example of")
    return mass.sum() / (len(mass) * mass)


def effective_class_weights(targets: np.ndarray, emotions: Sequence[str] | None = None) -> np.ndarray:
    """Return inverse effective numbers of examples (Cui et al. 2019): 1 / (1 - b^n[k]), with b = (N - 1) / N, of N utterances.

    n[k] is the number of utterances in which emotion k is present by the all-inclusive rule (`present_at_chance`), and the weights have a
    mean of 1: both as in the code of EMO-SUPERB (Wu et al. 2024).

    Parameters
    ----------
    targets : [N, K], rows summing to 1
    emotions : names for the error

    Returns
    -------
    np.ndarray
        [K]

    Raises
    ------
    InputError
        if an emotion is present in no utterance

    >>> effective_class_weights(np.array([[1, 0], [1, 0], [0.9, 0.1], [0, 1]])).round(3).tolist()
    [0.604, 1.396]
    """
    n = present_at_chance(targets).sum(axis=0)
    _refuse_empty(n, emotions, f"no training example with more than one vote in {len(n)} for")
    weights = 1 / (1 - (1 - 1 / len(targets)) ** n)
    return weights / weights.mean()


def existence_class_weights(targets: np.ndarray, emotions: Sequence[str] | None = None) -> np.ndarray:
    """Return inverse frequencies of absent and present for each emotion (equation 6): N / (2 n), for N utterances.

    n is the sum of the targets for present, and N minus this sum for absent. Where all targets are 0 or 1, it is a number of utterances.

    [choice] The whole table has one common factor: present and absent have the same weight in the sum for every emotion, also a rare one.

    Parameters
    ----------
    targets : [N, K], from 0 to 1
    emotions : names for the error

    Returns
    -------
    np.ndarray
        [K, 2], columns absent and present

    Raises
    ------
    InputError
        if all targets of an emotion are 0, or all are 1

    >>> existence_class_weights(np.array([[1], [0], [0], [0]])).round(3).tolist()
    [[0.667, 2.0]]
    """
    targets = np.asarray(targets, dtype=np.float64)
    present = targets.sum(axis=0)
    absent = len(targets) - present
    _refuse_empty(present, emotions, "no training example with")
    _refuse_empty(absent, emotions, "no training example without")
    return len(targets) / (2 * np.stack([absent, present], axis=1))


def vote_entropy(votes: np.ndarray) -> np.ndarray:
    """Return the entropy of the votes of each utterance, in bits: 0 where all agree.

    Parameters
    ----------
    votes : [n, C]; each column is one answer. Where the last one is for everything that is not a target emotion, that counts as one answer

    >>> vote_entropy(np.array([[3, 0, 0], [1, 1, 0], [1, 0, 1]])).tolist()
    [0.0, 1.0, 1.0]
    """
    p = np.sort(votes / votes.sum(axis=1, keepdims=True).clip(1))  # sorted, so that 2 : 1 and 1 : 2 are equal to the last digit
    return np.abs((p * np.log2(np.where(p > 0, p, 1))).sum(axis=1))


def _refuse_empty(mass: np.ndarray, emotions: Sequence[str] | None, words: str) -> None:
    for k in np.flatnonzero(mass <= 0):
        name = emotions[k] if emotions is not None else f"emotion number {k}"
        raise InputError(f"{words} {name!r} in this training set: leave it out of --emotions, or choose another --fold")


def _checked(votes: np.ndarray) -> np.ndarray:
    votes = np.asarray(votes)
    if votes.ndim != 2:
        raise InputError(f"votes must be a table [n, K], and have {votes.ndim} dimension(s)")
    if not np.all(np.isfinite(votes.astype(np.float64))) or (votes < 0).any() or (votes != np.round(votes)).any():
        raise InputError("votes must be whole numbers from 0 up")
    return votes.astype(np.float64)
