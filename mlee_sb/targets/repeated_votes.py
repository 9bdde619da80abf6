"""Votes as repeated examples of a hard target (Sheng et al. 2008)."""

from mlee_sb.labels import vote_targets
from mlee_sb.targets.hard import HardTarget


class RepeatedVotesTarget(HardTarget):
    """Each vote is an example of its emotion, learnt with the softmax cross entropy (equation 2). The mean is over votes.

    V. S. Sheng, F. Provost and P. G. Ipeirotis, "Get another label? Improving data quality and data mining using multiple, noisy labelers",
    KDD 2008; compared with soft labels by A. N. Uma et al., "Learning from disagreement: a survey", JAIR 72, 2021.

    With as many votes for target emotions in all utterances, it is the soft target with `alpha` 0. Otherwise an utterance with more of them
    counts more, in the mean and in the frequency of a class.
    """

    name, one_train_set = "repeated_votes", ""

    def labels(self, dominant, votes, settings):
        return vote_targets(votes)

    def examples(self, labels):
        """Return the number of votes of each utterance, [batch]."""
        return labels.sum(dim=-1)
