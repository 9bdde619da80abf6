"""The test set in three thirds, by how much the listeners disagreed about each utterance."""

import numpy as np

THIRDS = ("agreed", "between", "disputed")


def thirds(entropy: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Return the third of each utterance, [n] (0 agreed, 1 between, 2 disputed), and the entropies that end the first two thirds.

    Utterances of equal entropy stay together. So with few annotators the thirds have different sizes, or are empty.

    >>> thirds(np.array([0.0, 0.0, 0.0, 0.9, 1.5, 1.5]))[0].tolist()
    [0, 0, 0, 1, 2, 2]
    """
    ends = tuple(float(end) for end in np.quantile(entropy, [1 / 3, 2 / 3], method="inverted_cdf"))
    return np.searchsorted(ends, entropy, side="left"), ends
