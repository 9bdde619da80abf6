"""Label distribution learning: the Kullback-Leibler divergence from the model to the votes (Geng 2016)."""

from mlee_sb.targets.soft import SoftTarget


class KldTarget(SoftTarget):
    """Proportions of the votes, learnt with the Kullback-Leibler divergence KL(q || p) = sum_k q[k] log(q[k] / p[k]) of the model's p.

    X. Geng, "Label distribution learning", IEEE Transactions on Knowledge and Data Engineering 28(7), 2016.

    The gradient is that of the soft target with the same labels and class weights: the loss differs by what no model can change. So it
    is 0 for a perfect model, and tells how far a model is from one; and its row has labels without smoothing (`alpha` 0).

    [choice] With class weights w, the label is q[k] w[k] / s, and the divergence counts s times, with s = sum_k q[k] w[k].
    """

    name = "kld"

    def loss(self, logits, labels, class_weights):
        """Return the divergence of each utterance, [batch] in nats, 0 or more. A row of zeros in `labels` has a loss of 0."""
        weights = self.weight(labels, class_weights)
        balanced = class_weights * labels / weights.unsqueeze(-1).clamp(min=1e-30)  # 0 for a row of zeros
        return weights * self.divergence(balanced, logits.log_softmax(dim=-1))

    def divergence(self, q, log_p):
        """Return the divergence [batch] of log posteriors `log_p` from labels `q`, both [batch, K]. A share of 0 adds its limit, 0."""
        return (q.xlogy(q) - q * log_p).sum(dim=-1)
