"""The hard target: only the dominant emotion (equation 3)."""

from mlee_sb.labels import hard_targets, softmax_class_weights
from mlee_sb.targets.base import DOMINANT, Target
from mlee_sb.targets.outputs import SOFTMAX


class HardTarget(Target):
    """One-hot labels of the dominant emotion, learnt with the softmax cross entropy (equations 2 and 3)."""

    name, output, one_train_set = "hard", SOFTMAX, DOMINANT

    def labels(self, dominant, votes, settings):
        return hard_targets(dominant, settings["emotions"])

    def class_weights(self, labels, dominant, settings):
        return softmax_class_weights(labels, settings["emotions"])

    def loss(self, logits, labels, class_weights):
        """Return the softmax cross entropy with class weights, -sum_k w[k] t[k] log p[k], [batch] in nats (equation 2).

        A row of zeros in `labels` has a loss of 0.
        """
        return -(class_weights * labels * logits.log_softmax(dim=-1)).sum(dim=-1)

    def weight(self, labels, class_weights):
        """Return the class weight of the class of each utterance, as in the denominator of torch's ``CrossEntropyLoss(weight=...)``."""
        return (class_weights * labels).sum(dim=-1)
