"""The soft target: the smoothed proportions of the votes (equation 4)."""

from mlee_sb.labels import hard_targets, soft_targets, softmax_class_weights
from mlee_sb.targets.base import Setting
from mlee_sb.targets.hard import HardTarget

OF_TARGETS, OF_DOMINANT = "targets", "dominant"  # where the frequency of a class is counted


class SoftTarget(HardTarget):
    """Smoothed proportions of the votes, learnt with the loss of the hard target (equations 2 and 4).

    In a weighted mean, an utterance counts as much as the mean of the class weights over its label.
    """

    name, one_train_set = "soft", ""
    settings = {"alpha": Setting(float, least=0), "class_frequency": Setting(str, choices=(OF_TARGETS, OF_DOMINANT))}

    def labels(self, dominant, votes, settings):
        return soft_targets(votes, settings["alpha"])

    def class_weights(self, labels, dominant, settings):
        """Return inverse class frequencies [K]. `class_frequency` says whether the labels' mass or the dominant emotions are counted."""
        if settings["class_frequency"] == OF_DOMINANT:
            labels, _ = hard_targets(dominant, settings["emotions"])
        return softmax_class_weights(labels, settings["emotions"])
