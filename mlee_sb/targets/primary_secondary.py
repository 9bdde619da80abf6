"""The primary and secondary target: the dominant emotion, and as a second task all emotions that any listener heard."""

import numpy as np

from mlee_sb.labels import hard_targets
from mlee_sb.targets.base import Setting
from mlee_sb.targets.existence import ExistenceTarget
from mlee_sb.targets.hard import HardTarget


class PrimarySecondaryTarget(HardTarget):
    """The dominant emotion (equation 3), and beside it which emotions are present (equation 5), learnt together on a shared layer.

    Lotfian and Busso 2018, "Predicting categorical emotions by jointly learning primary and secondary emotions through multitask learning",
    Interspeech. In their corpus each listener names a primary emotion and any number of secondary ones, and the paper itself could not be
    read here. [choice] Here the votes are all that listeners say: the primary emotion is the dominant one, and the secondary task is the
    one of the existence target, without class weights. The loss of an utterance is the softmax cross entropy of its dominant emotion
    plus `secondary_weight` times its binary cross entropies, summed over the emotions. An utterance without a dominant emotion teaches
    the second task only.
    """

    name, one_train_set = "primary_secondary", ""
    classifier, all_outputs = "multitask", True
    settings = {**ExistenceTarget.settings, "secondary_weight": Setting(float, above=0)}

    def labels(self, dominant, votes, settings):
        """Make the labels [n, 3, K]: what the log probability of dominant, of present and of absent counts for each emotion."""
        primary, _ = hard_targets(dominant, settings["emotions"])
        present, usable = ExistenceTarget().labels(dominant, votes, settings)
        weight = settings["secondary_weight"]
        return np.stack([primary, weight * present, weight * (1 - present)], axis=1), usable

    def class_weights(self, labels, dominant, settings):
        """Return the class weights of the dominant emotion [K]. The second task has none."""
        return super().class_weights(labels[:, 0], dominant, settings)

    def loss(self, logits, labels, class_weights):
        """Return the loss of both tasks, [batch] in nats, for logits [batch, 2, K] and labels [batch, 3, K]."""
        from torch.nn.functional import logsigmoid  # only the loss needs torch

        primary = super().loss(logits[:, 0], labels[:, 0], class_weights)
        secondary = labels[:, 1] * logsigmoid(logits[:, 1]) + labels[:, 2] * logsigmoid(-logits[:, 1])
        return primary - secondary.sum(dim=-1)

    def weight(self, labels, class_weights):
        """Return the weight of both tasks in each utterance: its class weight (0 without a dominant emotion), and `secondary_weight`."""
        return super().weight(labels[:, 0], class_weights) + (labels[:, 1] + labels[:, 2]).mean(dim=-1)
