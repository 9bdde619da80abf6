"""How unsure a Dirichlet distribution over the shares of votes is, in bits, and which part of that is the listeners' and which the model's.

A model with the output `dirichlet` says of an utterance: a listener hears emotion k with probability p[k], and p itself is not known for
sure, but follows a Dirichlet distribution with mean m and concentration a0. So one more vote is unsure for two reasons: listeners
disagree (the entropy of p), and the model cannot tell p from such speech (its distribution is wide, because a0 is small). The two parts
add up to the entropy of the mean (Malinin and Gales, "Predictive uncertainty estimation via prior networks", NeurIPS 2018).

The model's part is learnt from training speech. It does not warn of speech that is unlike it: no part of the loss asks for that, and far
from what a network has seen, its logits, and with them a0, grow rather than shrink.

Only numpy and scipy.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, entr

TINY = 1e-300  # keeps a division finite where the mean has no entropy: there, every concentration says the same


@dataclass(frozen=True)
class Uncertainty:
    """How unsure a model is of one more vote on an utterance, in bits: 0 is certain, log2 K the most.

    Attributes
    ----------
    listeners : how much the listeners would disagree: the expected entropy of their votes
    model : how little the model can tell of the shares of the votes: the mutual information of a vote and its distribution
    total : both together: the entropy of the mean
    """

    listeners: float
    model: float
    total: float

    @classmethod
    def of(cls, mean: np.ndarray, concentration: float) -> "Uncertainty":
        """Make the uncertainty of one Dirichlet distribution.

        Parameters
        ----------
        mean : [K], sum 1
        concentration : its total concentration, above 0

        >>> Uncertainty.of(np.array([0.5, 0.5]), 2.0).total  # all shares of the votes are equally likely
        1.0
        """
        listeners, total = float(expected_entropy(mean, concentration)), float(entropy(mean))
        return cls(listeners, max(total - listeners, 0.0), total)


def entropy(shares: np.ndarray) -> np.ndarray:
    """Return the entropy of distributions [..., K] in bits: -sum_k p[k] log2 p[k], [...].

    >>> entropy(np.array([[0.5, 0.5], [1.0, 0.0]])).tolist()
    [1.0, 0.0]
    """
    return entr(shares).sum(axis=-1) / np.log(2)


def expected_entropy(means: np.ndarray, concentrations: np.ndarray) -> np.ndarray:
    """Return how much listeners would disagree: the mean entropy of the distributions that a Dirichlet distribution holds possible.

    With a[k] = a0 m[k] and the digamma function psi, it is sum_k m[k] (psi(a0 + 1) - psi(a[k] + 1)) / ln 2 bits (Malinin and Gales
    2018, appendix).

    Parameters
    ----------
    means : m, [..., K], each with the sum 1
    concentrations : a0, [...], above 0

    Returns
    -------
    np.ndarray
        [...] bits, from 0 to the entropy of the mean

    >>> round(float(expected_entropy(np.array([0.5, 0.5]), 2.0) * np.log(2)), 6)  # uniform on 0 to 1: the integral of the entropy is 1/2
    0.5
    """
    total = np.asarray(concentrations, dtype=float)[..., None]
    return (means * (digamma(total + 1) - digamma(total * means + 1))).sum(axis=-1) / np.log(2)


def mutual_information(means: np.ndarray, concentrations: np.ndarray) -> np.ndarray:
    """Return how little a model can tell of the shares of the votes: the entropy of the mean, less the `expected_entropy`; [...] bits.

    It is the mutual information of one more vote and the shares that it is drawn from, 0 or more: how much that vote would tell of them.
    Parameters are those of `expected_entropy`.
    """
    return np.maximum(entropy(means) - expected_entropy(means, concentrations), 0.0)


def concentration_together(means: np.ndarray, concentrations: np.ndarray) -> np.ndarray:
    """Return the concentration of the one Dirichlet distribution that stands for several, which count equally: of models of other seeds.

    Its mean is their mean. Its concentration is chosen so that the expected sum_k p[k]^2 is that of all of them together. So models that
    contradict one another make one that knows little.

    Parameters
    ----------
    means : [s, n, K], of s distributions for each of n utterances
    concentrations : [s, n]

    Returns
    -------
    np.ndarray
        [n]

    >>> concentration_together(np.array([[[0.9, 0.1]], [[0.1, 0.9]]]), np.array([[100.0], [100.0]])).round(2).tolist()
    [0.55]
    """
    squares = np.square(means).sum(axis=-1)  # [s, n]
    expected = ((concentrations * squares + 1) / (concentrations + 1)).mean(axis=0)  # [n], of sum_k p[k]^2
    of_mean = np.square(np.mean(means, axis=0)).sum(axis=-1)
    return np.maximum(1 - expected, TINY) / np.maximum(expected - of_mean, TINY)
