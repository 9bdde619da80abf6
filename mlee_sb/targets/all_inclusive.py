"""The all-inclusive rule: every utterance and every vote counts (Chou et al. 2024), learnt as in EMO-SUPERB (Wu et al. 2024)."""

from mlee_sb.labels import all_inclusive_targets, effective_class_weights
from mlee_sb.targets.base import ALL, Setting
from mlee_sb.targets.hard import HardTarget


class AllInclusiveTarget(HardTarget):
    """Smoothed proportions of the votes of all utterances, agreed or not, learnt with a softmax cross entropy that weighs whole utterances.

    The rule is that of H.-C. Chou, L. Goncalves, S.-G. Leem, A. N. Salman, C.-C. Lee and C. Busso, "Minority views matter: evaluating
    speech emotion classifiers with human subjective annotations by an all-inclusive aggregation rule", IEEE Transactions on Affective
    Computing 16(1), online 2024. Only its abstract was read here. Loss, class weights, smoothing and the strict threshold 1 / K are those
    of the code and the label files of H. Wu et al., "Open-Emotion: a reproducible EMO-SUPERB for speech emotion recognition systems",
    SLT 2024 (repository EMOsuperb/EMO-SUPERB-submission). An utterance without a vote for a target emotion has no label, and is left out.

    An emotion is present if it has more than 1 / K of the votes, or of the model's posterior (`mlee_sb.labels.present_at_chance`).
    """

    name, one_train_set, class_weights_shift = "all_inclusive", ALL, False
    settings = {"label_smoothing": Setting(float, least=0, below=0.5)}  # from 0.5 on, the emotion of a vote might get less than the others

    def labels(self, dominant, votes, settings):
        return all_inclusive_targets(votes, settings["label_smoothing"])

    def class_weights(self, labels, dominant, settings):
        return effective_class_weights(labels, settings["emotions"])

    def loss(self, logits, labels, class_weights):
        """Return the softmax cross entropy, times the mean of the class weights over the label, [batch] in nats.

        Equation 2 has a weight for each emotion inside of the sum. Here one weight is outside of it: no label is shifted to rare emotions.
        """
        return self.weight(labels, class_weights) * super().loss(logits, labels, class_weights.new_ones(class_weights.shape))
