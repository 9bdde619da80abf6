"""Outputs: what the K numbers of a model mean, a posterior over the emotions (softmax) or a probability of existence for each (sigmoid)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, logsumexp, softmax

if TYPE_CHECKING:
    from torch import Tensor

DENSE = "dense"  # the kind of classifier of most targets (`mlee_sb.models.classifiers`): its only outputs are the K logits


CONCENTRATIONS = (0.01, 10_000.0)  # [choice] bounds of a total concentration: beyond them, the votes of a few listeners tell nothing


@dataclass(frozen=True)
class Output:
    """The last step of a model, from logits to probabilities.

    Attributes
    ----------
    name : its name in config.json, summary.json and predictions.csv
    answer : the name of its probabilities in golden.json
    tells : what a model with this output tells, in words for a person
    knows_existence : True if there is a probability of existence for each emotion, False if there is a posterior over the emotions
    knows_concentration : whether it is the mean of a Dirichlet distribution, and the logits also tell the concentration of that
    """

    name: str
    answer: str
    tells: str
    knows_existence: bool
    knows_concentration: bool = False

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

    def concentrations(self, logits: np.ndarray) -> np.ndarray | None:
        """Return the total concentration [n] of Dirichlet distributions from logits [n, K]; None where there are none."""
        return None


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


class Dirichlet(Softmax):
    """The mean of a Dirichlet distribution over the shares of the votes, whose concentrations are exp(logits).

    The mean is a posterior like any other: the softmax of the logits. The total concentration tells how narrow the distribution is.
    """

    def concentrations(self, logits: np.ndarray) -> np.ndarray:
        """Return the total concentrations [n], within `CONCENTRATIONS`: the sum of exp(logits).

        >>> DIRICHLET.concentrations(np.log([[2.0, 6.0]])).round(6).tolist()
        [8.0]
        """
        return np.exp(logsumexp(np.asarray(logits, dtype=float), axis=-1).clip(*np.log(CONCENTRATIONS)))

    def undo_in_concentrations(self, concentrations: np.ndarray, probabilities: np.ndarray, class_weights: np.ndarray) -> np.ndarray:
        """Return the total concentrations [n] of the votes themselves, of which each emotion's part is divided by its class weight.

        Parameters
        ----------
        concentrations : [n]
        probabilities, class_weights : as for `undo_class_weights`

        >>> DIRICHLET.undo_in_concentrations(np.array([8.0]), np.array([[0.5, 0.5]]), np.array([0.5, 2.0])).tolist()
        [10.0]
        """
        return concentrations * (probabilities / class_weights).sum(axis=1)


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
DIRICHLET = Dirichlet(
    "dirichlet",
    "posterior",
    "the dominant emotion, how much listeners would disagree about it, and how little can be told of that",
    knows_existence=False,
    knows_concentration=True,
)
OUTPUTS = {output.name: output for output in (SOFTMAX, SIGMOID, DIRICHLET)}
