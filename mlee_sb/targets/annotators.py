"""What targets share that learn each annotator by themselves, and not only the counts of the votes."""

import numpy as np

from mlee_sb.labels import softmax_class_weights
from mlee_sb.targets.base import MIN_VOTES, Setting, Target
from mlee_sb.targets.outputs import SOFTMAX


class AnnotatorTarget(Target):
    """The votes of each annotator, learnt with the softmax cross entropy of this annotator's own logits.

    [choice] The loss is a sum over the votes of an utterance, so that each vote counts the same. Who did not judge it adds nothing. An
    annotator with several labels for an utterance has one vote, and shares it among them. Votes for no target emotion are left out before.
    """

    output, needs_annotators, all_outputs = SOFTMAX, True, True
    settings = {MIN_VOTES: Setting(int, above=0)}

    def labels(self, dominant, votes, settings):
        """Return the votes as they are, [n, M, 3], and which utterances have any."""
        return votes, votes[..., 2].any(axis=1)

    def class_weights(self, labels, dominant, settings):
        """Return inverse frequencies [K] of the emotions among the votes."""
        emotions = settings["emotions"]
        mass = np.bincount(labels[..., 1].astype(int).ravel(), weights=labels[..., 2].ravel(), minlength=len(emotions))
        return softmax_class_weights(mass[None], emotions)

    def loss(self, logits, labels, class_weights):
        """Return the cross entropy of each annotator's logits to their own votes, summed over the votes, [batch] in nats.

        Parameters
        ----------
        logits : [batch, A, K], of each of A annotators
        labels : [batch, M, 3], votes as `mlee_sb.targets.Target.labels` describes them
        class_weights : [K]
        """
        annotators, emotions, shares = labels.unbind(dim=-1)  # [batch, M]
        of_voters = logits.log_softmax(dim=-1).take_along_dim(annotators.long().unsqueeze(-1), dim=1)  # [batch, M, K]
        of_votes = of_voters.take_along_dim(emotions.long().unsqueeze(-1), dim=2).squeeze(-1)  # [batch, M]
        return -(class_weights[emotions.long()] * shares * of_votes).sum(dim=-1)

    def weight(self, labels, class_weights):
        """Return the class weight of each utterance, summed over its votes."""
        return (class_weights[labels[..., 1].long()] * labels[..., 2]).sum(dim=-1)
