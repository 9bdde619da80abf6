"""How sure a score is: intervals by bootstrap over speakers, with the same resamples for every row.

The utterances of a speaker are not independent. So speakers are drawn, each with all utterances. With ten speakers the plain
percentile interval is too narrow. `interval` widens it to that of the t distribution (Hesterberg 2015, "What teachers should know
about the bootstrap", expanded percentile interval). Whether two rows differ is another question, with a test of its own:
`mlee_sb.evaluation.comparisons`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

RESAMPLES = 2000
CONFIDENCE = 0.95
UNDEFINED_AT_MOST = 0.07  # [choice] share of resamples; an emotion of two speakers is lacking in 8 to 14 % of them, of three in 5 %


@dataclass(frozen=True)
class Resamples:
    """Draws of speakers with replacement: how often each speaker is in each resample.

    Attributes
    ----------
    speakers : [s], sorted
    counts : [r, s]; the first row is all ones, the speakers themselves
    """

    speakers: np.ndarray
    counts: np.ndarray

    @classmethod
    def draw(cls, speakers: Sequence[str], resamples: int = RESAMPLES, seed: int = 0) -> "Resamples":
        """Draw as many speakers as there are, `resamples` times. With 0 resamples, `counts` has the first row only."""
        speakers = np.unique(np.asarray(speakers, dtype=str))
        rng = np.random.default_rng(seed)
        drawn = rng.multinomial(len(speakers), np.full(len(speakers), 1 / len(speakers)), size=resamples)
        return cls(speakers, np.concatenate([np.ones((1, len(speakers)), dtype=int), drawn]))

    def weights(self, speakers: np.ndarray) -> np.ndarray:
        """Return how often each utterance counts, [r, n], from the speaker of each utterance [n]."""
        return self.counts[:, np.searchsorted(self.speakers, speakers)].astype(float)


@dataclass(frozen=True)
class Estimate:
    """A value with its interval. None stands where the score is not defined, or where its interval could not be trusted."""

    value: float | None
    low: float | None = None
    high: float | None = None


def interval(values: np.ndarray, n_speakers: int, confidence: float = CONFIDENCE) -> Estimate:
    """Return the estimate of a score from its value and its resamples.

    Parameters
    ----------
    values : [1 + resamples], the first is the score itself; NaN where a resample does not define it
    n_speakers : the number of speakers from which was drawn
    confidence : of the interval

    Returns
    -------
    Estimate
        from the resamples that define the score, as if the others had been drawn again. There is no interval where more than
        `UNDEFINED_AT_MOST` of them do not define it: then too few speakers decide the score
    """
    value, drawn = values[0], values[1:][~np.isnan(values[1:])]
    if np.isnan(value) or len(drawn) <= (1 - UNDEFINED_AT_MOST) * (len(values) - 1):
        return Estimate(None if np.isnan(value) else float(value))
    widening = np.sqrt(n_speakers / (n_speakers - 1))  # a bootstrap spread has n where the unbiased one has n - 1
    tail = stats.norm.cdf(widening * stats.t.ppf((1 - confidence) / 2, n_speakers - 1))
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Estimate(float(value), float(low), float(high))
