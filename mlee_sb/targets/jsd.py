"""Label distribution learning with the Jensen-Shannon divergence between the model and the votes (Lin 1991)."""

import math

from mlee_sb.targets.kld import KldTarget


class JsdTarget(KldTarget):
    """Proportions of the votes, learnt with the Jensen-Shannon divergence (KL(q || m) + KL(p || m)) / 2, m = (p + q) / 2.

    J. Lin, "Divergence measures based on the Shannon entropy", IEEE Transactions on Information Theory 37(1), 1991; as a loss that strange
    labels disturb less: E. Englesson and H. Azizpour, "Generalized Jensen-Shannon divergence loss for learning with noisy labels", NeurIPS
    2021.

    It is log 2 at most, where KL(q || p) has no limit. So one utterance cannot outweigh many; and the gradient fades where the model is
    sure of something else than the votes. Class weights are those of `KldTarget`.
    """

    name = "jsd"

    def divergence(self, q, log_p):
        """Return the divergence [batch] of log posteriors `log_p` from labels `q`, both [batch, K]: 0 to log 2."""
        log_m = q.log().logaddexp(log_p) - math.log(2)  # never -inf, also where q is 0 and p is too small for a number
        to_q = q.xlogy(q) - q * log_m
        to_p = log_p.exp() * (log_p - log_m)
        return (to_q + to_p).sum(dim=-1) / 2
