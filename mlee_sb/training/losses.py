"""Loss of each utterance, and how much it weighs where the mean is taken over class weights.

The mean over utterances is what is minimised and what early stopping watches. [choice] The paper does not say which mean; `loss_mean`
in hparams/ chooses.
"""

from torch import Tensor
from torch.nn import functional as F


def softmax_cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Softmax cross entropy for hard and soft targets (equation 2), with class weights: -sum_k w[k] t[k] log p[k].

    Parameters
    ----------
    logits : [batch, K]
    targets : [batch, K], rows summing to 1 (rows of zeros cost nothing)
    weights : [K]

    Returns
    -------
    Tensor
        [batch], in nats
    """
    return -(weights * targets * logits.log_softmax(dim=-1)).sum(dim=-1)


def existence_cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Binary cross entropy of each emotion, summed over the emotions (equation 6), with a weight for absent and present.

    Parameters
    ----------
    logits : [batch, K]
    targets : [batch, K], 0 or 1
    weights : [K, 2], columns absent and present

    Returns
    -------
    Tensor
        [batch], in nats
    """
    present = weights[:, 1] * targets * F.logsigmoid(logits)
    absent = weights[:, 0] * (1 - targets) * F.logsigmoid(-logits)
    return -(present + absent).sum(dim=-1)


def softmax_weight(targets: Tensor, weights: Tensor) -> Tensor:
    """Return what each utterance weighs in a weighted mean of `softmax_cross_entropy`: [batch, K] and [K] -> [batch].

    As the denominator of torch's ``CrossEntropyLoss(weight=...)``: the class weight of its class, or the mean over a soft target.
    """
    return (weights * targets).sum(dim=-1)


def existence_weight(targets: Tensor, weights: Tensor) -> Tensor:
    """Return what each utterance weighs in a weighted mean of `existence_cross_entropy`: [batch, K] and [K, 2] -> [batch].

    The mean over the emotions of the weights of present and absent, so that the loss stays a sum over the emotions.
    """
    return (weights[:, 1] * targets + weights[:, 0] * (1 - targets)).mean(dim=-1)
