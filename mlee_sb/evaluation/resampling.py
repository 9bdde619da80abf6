"""How sure a score is: bootstrap over speakers, paired differences on the same resamples, Holm's correction.

Utterances of a speaker are not independent, so speakers are drawn, each with all of their utterances. With ten
speakers the plain percentile interval is too narrow; `interval` widens it to the t distribution's (Hesterberg 2015,
"What teachers should know about the bootstrap", expanded percentile interval).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mlee_sb.errors import InputError

RESAMPLES = 2000
CONFIDENCE = 0.95


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
        """Draw `resamples` times as many speakers as there are.

        Raises
        ------
        InputError
            with fewer than two speakers: one tells nothing about others
        """
        speakers = np.unique(np.asarray(speakers, dtype=str))
        if len(speakers) < 2:
            raise InputError(f"an interval needs two speakers or more, and the predictions have {len(speakers)}: train more folds")
        rng = np.random.default_rng(seed)
        drawn = rng.multinomial(len(speakers), np.full(len(speakers), 1 / len(speakers)), size=resamples)
        return cls(speakers, np.concatenate([np.ones((1, len(speakers)), dtype=int), drawn]))

    def weights(self, speakers: np.ndarray) -> np.ndarray:
        """How often each utterance counts, [r, n], from the speaker of each utterance [n]."""
        return self.counts[:, np.searchsorted(self.speakers, speakers)].astype(float)


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; None where the score is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None


def interval(values: np.ndarray, n_speakers: int, confidence: float = CONFIDENCE) -> Estimate:
    """The estimate of a score from its value and its resamples.

    Parameters
    ----------
    values : [1 + resamples], the first is the score itself; NaN where a resample does not define it
    n_speakers : speakers that were drawn from
    confidence : of the interval
    """
    value, drawn = values[0], values[1:][~np.isnan(values[1:])]
    if np.isnan(value) or not len(drawn):
        return Estimate(None if np.isnan(value) else float(value))
    tail = stats.norm.cdf(_widening(n_speakers) * stats.t.ppf((1 - confidence) / 2, n_speakers - 1))
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Estimate(float(value), float(low), float(high))


def p_value(values: np.ndarray, n_speakers: int) -> float:
    """Two-sided p of a difference being zero: the level at which its `interval` begins to touch zero.

    Parameters
    ----------
    values : [1 + resamples], the first is the difference itself
    n_speakers : speakers that were drawn from
    """
    drawn = values[1:][~np.isnan(values[1:])]
    below = ((drawn < 0).sum() + 0.5 * (drawn == 0).sum() + 0.5) / (len(drawn) + 1)  # half a resample more on either side: never 0 or 1
    t = stats.norm.ppf(min(below, 1 - below)) / _widening(n_speakers)
    return float(min(1.0, 2 * stats.t.cdf(t, n_speakers - 1)))


def holm(p_values: Sequence[float]) -> list[float]:
    """p values corrected for their number (Holm 1979), in the order given.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    corrected = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return corrected[np.argsort(order, kind="stable")].tolist()


def _widening(n_speakers: int) -> float:
    """A bootstrap spread has n where the unbiased one has n - 1."""
    return np.sqrt(n_speakers / (n_speakers - 1))
