"""What a stage would say without its class weights, from what it says with them.

Class weights make rare emotions count as much as frequent ones: good for UA, and where one emotion is most of a corpus
it costs WA, down to less than always saying that one. A weighted cross entropy is least where the probabilities are
those of the unweighted one times the weights, so they can be divided out after training.
"""

import numpy as np


def undo_softmax(posterior: np.ndarray, class_weights: np.ndarray) -> np.ndarray:
    """Posteriors [n, K] of a model trained with weights [K] (equation 2) -> those at the training set's own frequencies.

    >>> undo_softmax(np.array([[0.5, 0.5]]), np.array([0.5, 1.5])).tolist()
    [[0.75, 0.25]]
    """
    unweighted = posterior / class_weights
    return unweighted / unweighted.sum(axis=1, keepdims=True)


def undo_existence(probability: np.ndarray, class_weights: np.ndarray) -> np.ndarray:
    """Probabilities of existence [n, K] of a model trained with weights [K, 2] of absent and present (equation 6) -> the same.

    >>> undo_existence(np.array([[0.5]]), np.array([[0.5, 1.5]])).tolist()
    [[0.25]]
    """
    present, absent = probability / class_weights[:, 1], (1 - probability) / class_weights[:, 0]
    return present / (present + absent)
