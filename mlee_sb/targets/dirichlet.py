"""The Dirichlet target: the votes of an utterance are drawn from a distribution that is itself not known for sure."""

import math

import numpy as np

from mlee_sb.labels import soft_targets
from mlee_sb.targets.outputs import CONCENTRATIONS, DIRICHLET
from mlee_sb.targets.soft import SoftTarget


class DirichletTarget(SoftTarget):
    """The numbers of the votes, learnt with their likelihood under a Dirichlet distribution of each utterance.

    The model gives each utterance a Dirichlet distribution over the shares of its votes (Wu, Zhang, Wu and Woodland, "Estimating the
    uncertainty in emotion class labels with utterance-specific Dirichlet priors", IEEE Transactions on Affective Computing, 2022). Its
    concentrations are a[k] = exp(z[k]) for logits z, so its mean is the softmax of the logits.

    [choice] The loss of that paper takes each vote for a draw of the shares themselves, near a corner of the simplex (so it is in the code
    of Wu, Zhang and Woodland, "Distribution-based emotion recognition in conversation", SLT 2022). It makes the concentration small where
    listeners disagree, so that what the model does not know cannot be told from their disagreement. Here listeners draw votes from
    the shares, and the shares are drawn from the Dirichlet distribution: the votes are Dirichlet-multinomial. Of the evidential form (Wu et
    al., "Handling ambiguity in emotion", ACL 2024) no formula could be looked up, so nothing is taken from it.

    [choice] Class weights do not weigh votes, because that would be no likelihood. They shift the logits: the concentrations of the votes
    are exp(z[k]) / w[k] (Menon et al., "Long-tail learning via logit adjustment", ICLR 2021). So the loss stays a likelihood, and the
    softmax of z is what a cross entropy with class weights has as its minimum: a posterior for emotions that are equally frequent.
    """

    name = "dirichlet"
    output = DIRICHLET
    settings = {"class_frequency": SoftTarget.settings["class_frequency"]}

    def labels(self, dominant, votes, settings):
        """Return the numbers of votes [n, K], and which utterances have any for a target emotion."""
        _, usable = soft_targets(votes, alpha=0)
        return np.asarray(votes, dtype=float), usable

    def loss(self, logits, labels, class_weights):
        """Return the negative log likelihood of the votes, one after the other, [batch] in nats.

        For v[k] of n votes, and concentrations a[k] of the votes with the sum a0, it is
        log G(a0 + n) - log G(a0) - sum_k (log G(a[k] + v[k]) - log G(a[k])), with the gamma function G. For one vote it is the cross
        entropy. It is computed in double precision: for a large a0 it is a small difference of large numbers.
        """
        shifted = logits.double() - class_weights.double().log()
        votes, total = labels.double(), labels.double().sum(dim=-1)
        a0 = shifted.logsumexp(dim=-1).clamp(*map(math.log, CONCENTRATIONS)).exp()  # the bounds leave the mean as it is
        a = a0.unsqueeze(-1) * shifted.softmax(dim=-1)
        return ((a0 + total).lgamma() - a0.lgamma() - ((a + votes).lgamma() - a.lgamma()).sum(dim=-1)).float()

    def weight(self, labels, class_weights):
        """Return ones [batch]: class weights do not make an utterance count more."""
        return labels.new_ones(len(labels))
