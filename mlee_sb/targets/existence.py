"""The existence target: which emotions are present, one binary decision for each (equation 5)."""

from mlee_sb.labels import existence_class_weights, existence_targets
from mlee_sb.targets.base import Setting, Target
from mlee_sb.targets.outputs import SIGMOID


class ExistenceTarget(Target):
    """Labels that tell which emotions have at least `min_votes` votes, learnt with binary cross entropies (equations 5 and 6).

    [choice] With `full_votes` above 1, labels are between 0 and 1 for emotions that few listeners heard. Equation 5 has 1.
    """

    name, output = "existence", SIGMOID
    settings = {"full_votes": Setting(int, above=0)}

    def labels(self, dominant, votes, settings):
        return existence_targets(votes, settings["min_votes"], settings["full_votes"])

    def class_weights(self, labels, dominant, settings):
        return existence_class_weights(labels, settings["emotions"])

    def loss(self, logits, labels, class_weights):
        """Return the binary cross entropy of each emotion, summed over the emotions, [batch] in nats (equation 6)."""
        from torch.nn.functional import logsigmoid  # only the loss needs torch

        present = class_weights[:, 1] * labels * logsigmoid(logits)
        absent = class_weights[:, 0] * (1 - labels) * logsigmoid(-logits)
        return -(present + absent).sum(dim=-1)

    def weight(self, labels, class_weights):
        """Return the mean weight of each utterance over its emotions. It is a mean, so that the loss stays a sum over the emotions."""
        return (class_weights[:, 1] * labels + class_weights[:, 0] * (1 - labels)).mean(dim=-1)
