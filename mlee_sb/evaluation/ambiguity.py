"""How much the listeners disagreed about an utterance, and the test set in three thirds by that."""

import numpy as np

THIRDS = ("agreed", "between", "disputed")


def vote_entropy(votes: np.ndarray) -> np.ndarray:
    """Return the entropy of the votes of each utterance, in bits: 0 where all agree.

    Parameters
    ----------
    votes : [n, K + 1]; the last column is for everything that is not a target emotion, and counts as one answer

    >>> vote_entropy(np.array([[3, 0, 0], [1, 1, 0], [1, 0, 1]])).tolist()
    [0.0, 1.0, 1.0]
    """
    p = np.sort(votes / votes.sum(axis=1, keepdims=True).clip(1))  # sorted, so that 2 : 1 and 1 : 2 are equal to the last digit
    return np.abs((p * np.log2(np.where(p > 0, p, 1))).sum(axis=1))


def thirds(entropy: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Return the third of each utterance, [n] (0 agreed, 1 between, 2 disputed), and the entropies that end the first two thirds.

    Utterances of equal entropy stay together. So with few annotators the thirds have different sizes, or are empty.

    >>> thirds(np.array([0.0, 0.0, 0.0, 0.9, 1.5, 1.5]))[0].tolist()
    [0, 0, 0, 1, 2, 2]
    """
    ends = tuple(float(end) for end in np.quantile(entropy, [1 / 3, 2 / 3], method="inverted_cdf"))
    return np.searchsorted(ends, entropy, side="left"), ends
