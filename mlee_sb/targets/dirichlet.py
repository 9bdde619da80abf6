"""The Dirichlet target: the votes of an utterance are drawn from a distribution that is itself not known for sure."""

import math

import numpy as np

from mlee_sb.labels import soft_targets
from mlee_sb.targets.base import Setting
from mlee_sb.targets.outputs import CONCENTRATIONS, DIRICHLET
from mlee_sb.targets.soft import SoftTarget

LIKELIHOOD, DENSITY = "likelihood", "density"  # the two losses
LEAST = 1e-300  # of a concentration: log G has no value at 0, which is what is left of the smaller of two logits 745 apart
SMOOTHING = 1e-6  # share of each emotion that a vote is not for, in the loss `DENSITY` (published code): at a corner it may be infinite


class DirichletTarget(SoftTarget):
    """The numbers of the votes, learnt with a Dirichlet distribution of each utterance.

    The model gives each utterance a Dirichlet distribution over the shares of its votes (Wu, Zhang, Wu and Woodland, "Estimating the
    uncertainty in emotion class labels with utterance-specific Dirichlet priors", IEEE Transactions on Affective Computing, 2022). Its
    concentrations are a[k] = exp(z[k]) for logits z, so its mean is the softmax of the logits. `dirichlet_loss` says what is learnt:

    - ``"likelihood"`` [choice]: listeners draw votes from the shares, and the shares are drawn from the Dirichlet distribution. The loss is
      the negative log likelihood of the votes, which are Dirichlet-multinomial.
    - ``"density"``: each vote is a draw of the shares themselves, next to a corner of the simplex, and the loss is the negative log density
      there. So it is in the code that was published for Wu, Zhang and Woodland, "Distribution-based emotion recognition in conversation"
      (SLT 2022), with `dirichlet_kl` 20. It makes the total concentration small where listeners disagree. So with it, what the
      model cannot tell is not to be told from their disagreement.

    `dirichlet_kl` times the Kullback-Leibler divergence of the mean from the shares of the votes is added.

    [choice] Class weights do not weigh votes, because that would be no likelihood. They shift the logits: the concentrations of the votes
    are exp(z[k]) / w[k] (Menon et al., "Long-tail learning via logit adjustment", ICLR 2021). So the loss stays a likelihood, and the
    softmax of z is what a cross entropy with class weights has as its minimum: a posterior for emotions that are equally frequent.
    """

    name = "dirichlet"
    output = DIRICHLET
    settings = {
        "class_frequency": SoftTarget.settings["class_frequency"],
        "dirichlet_loss": Setting(str, choices=(LIKELIHOOD, DENSITY)),
        "dirichlet_kl": Setting(float, least=0),
    }

    def labels(self, dominant, votes, settings):
        """Make the labels [n, 3, K]: the votes for each of the two losses (0 for the one that is not wanted), and the weighted shares."""
        shares, usable = soft_targets(votes, alpha=0)
        of_losses = [votes * (settings["dirichlet_loss"] == loss) for loss in (LIKELIHOOD, DENSITY)]
        return np.stack([*of_losses, settings["dirichlet_kl"] * shares], axis=1), usable

    def class_weights(self, labels, dominant, settings):
        """Return inverse class frequencies [K], as those of the soft target: of the votes, or of the dominant emotions."""
        return super().class_weights(labels[:, :2].sum(axis=1), dominant, settings)

    def loss(self, logits, labels, class_weights):
        """Return the loss of each utterance, [batch] in nats, for logits [batch, K] and labels [batch, 3, K].

        With v[k] of n votes, and concentrations a[k] of the votes with the sum a0, the likelihood of the votes, one after the other, costs
        log G(a0 + n) - log G(a0) - sum_k (log G(a[k] + v[k]) - log G(a[k])), with the gamma function G; one vote costs its cross
        entropy. A density at shares y costs sum_k (log G(a[k]) - (a[k] - 1) log y[k]) - log G(a0). It is computed in double precision:
        for a large a0 it is a small difference of large numbers.
        """
        shifted = logits.double() - class_weights.double().log()
        a0 = shifted.logsumexp(dim=-1).clamp(*map(math.log, CONCENTRATIONS)).exp()  # the bounds leave the mean as it is
        log_mean = shifted.log_softmax(dim=-1)
        a = (a0.unsqueeze(-1) * log_mean.exp()).clamp(min=LEAST)
        votes, points, shares = labels.double().unbind(dim=1)
        likelihood = (a0 + votes.sum(dim=-1)).lgamma() - a0.lgamma() - ((a + votes).lgamma() - a.lgamma()).sum(dim=-1)
        others = points.sum(dim=-1, keepdim=True) - points  # of the other corners
        near, far = math.log1p(-(labels.shape[-1] - 1) * SMOOTHING), math.log(SMOOTHING)
        density = points.sum(dim=-1) * (a.lgamma().sum(dim=-1) - a0.lgamma()) - ((a - 1) * (near * points + far * others)).sum(dim=-1)
        weight = shares.sum(dim=-1)
        divergence = (shares.xlogy(shares) - shares * log_mean).sum(dim=-1) - weight.xlogy(weight)
        return (likelihood + density + divergence).float()

    def weight(self, labels, class_weights):
        """Return ones [batch]: class weights do not make an utterance count more."""
        return labels.new_ones(len(labels))
