"""Outputs: what the K numbers of a model mean, a posterior over the emotions (softmax) or a probability of existence for each (sigmoid)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, softmax

if TYPE_CHECKING:
    from torch import Tensor

DENSE = "dense"  # the kind of classifier of most targets (`mlee_sb.models.classifiers`): its only outputs are the K logits


@dataclass(frozen=True)
class Output:
    """The last step of a model, from logits to probabilities.

    Attributes
    ----------
    name : its name in config.json, summary.json and predictions.csv
    answer : the name of its probabilities in golden.json
    tells : what a model with this output tells, in words for a person
    knows_existence : True if there is a probability of existence for each emotion, False if there is a posterior over the emotions
    """

    name: str
    answer: str
    tells: str
    knows_existence: bool

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Return probabilities [n, K] from logits [n, K]. The decision is the emotion with the largest one (equations 1 and 7)."""
        raise NotImplementedError

    def log_probabilities(self, logits: Tensor) -> Tensor:
        """Return log probabilities [batch, K] from logits [batch, K]."""
        raise NotImplementedError

    def undo_class_weights(self, probabilities: np.ndarray, class_weights: np.ndarray) -> np.ndarray:
        """Return the probabilities [n, K] that a model trained without class weights would give.

        A weighted cross entropy is smallest if the probabilities are those of the unweighted cross entropy, times the weights. So
        the weights can be divided out after training.

        Parameters
        ----------
        probabilities : [n, K]
        class_weights : of the loss: [K] for a posterior, [K, 2] (absent, present) for existence
        """
        raise NotImplementedError


class Softmax(Output):
    """A posterior over the emotions: one of them is dominant (equation 1)."""

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Return the posterior [n, K].

        >>> SOFTMAX.probabilities(np.array([[0.0, 0.0]])).tolist()
        [[0.5, 0.5]]
        """
        return softmax(logits, axis=-1)

    def log_probabilities(self, logits: Tensor) -> Tensor:
        return logits.log_softmax(-1)

    def undo_class_weights(self, probabilities: np.ndarray, class_weights: np.ndarray) -> np.ndarray:
        """Return the posterior for the class frequencies of the training set (equation 2 without weights).

        >>> SOFTMAX.undo_class_weights(np.array([[0.5, 0.5]]), np.array([0.5, 1.5])).tolist()
        [[0.75, 0.25]]
        """
        unweighted = probabilities / class_weights
        return unweighted / unweighted.sum(axis=1, keepdims=True)


class Sigmoid(Output):
    """A probability for each emotion that it exists (equation 7)."""

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Return the probability of each emotion's existence [n, K].

        >>> SIGMOID.probabilities(np.array([[0.0, 0.0]])).tolist()
        [[0.5, 0.5]]
        """
        return expit(logits)

    def log_probabilities(self, logits: Tensor) -> Tensor:
        from torch.nn.functional import logsigmoid

        return logsigmoid(logits)

    def undo_class_weights(self, probabilities: np.ndarray, class_weights: np.ndarray) -> np.ndarray:
        """Return the probabilities of existence for the frequencies in the training set (equation 6 without weights).

        >>> SIGMOID.undo_class_weights(np.array([[0.5]]), np.array([[0.5, 1.5]])).tolist()
        [[0.25]]
        """
        present, absent = probabilities / class_weights[:, 1], (1 - probabilities) / class_weights[:, 0]
        return present / (present + absent)


SOFTMAX = Softmax("softmax", "posterior", "the dominant emotion", knows_existence=False)
SIGMOID = Sigmoid("sigmoid", "existence", "which emotions are present", knows_existence=True)
OUTPUTS = {output.name: output for output in (SOFTMAX, SIGMOID)}
