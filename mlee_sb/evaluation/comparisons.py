"""Whether one row is better than another: a t test over speakers, corrected over the claims that are declared beforehand.

The standard error is that of the jackknife: the difference is computed again without each speaker in turn. In simulated corpora
(tests/evaluation/test_comparisons.py) t = difference / standard error keeps its level with 10, 30 and 52 speakers. It does so also
where some speakers have most utterances of an emotion, while the standard error of the bootstrap is too small there.
For two reasons speakers can tell less than their number suggests, and both are counted:

- The speakers of a fold are judged by the same trained model, and share its luck. The standard error is the larger one of the
  jackknife over speakers and the jackknife over folds. The degrees of freedom are always the smaller ones of the two: chance decides
  which standard error is larger, and that does not make the folds more.
- A mean over the emotions depends on the rarest one. Its degrees of freedom are one less than the units that have this emotion.

With two or three folds of several speakers the test keeps its level (it calls almost nothing sure) and finds almost nothing.
It is still given, with the gain that could have been found. A single fold has no test.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache

import numpy as np
from scipy import stats
from scipy.optimize import brentq
from scipy.special import stdtr, stdtrit

from mlee_sb.evaluation import paper
from mlee_sb.evaluation.bootstrap import Estimate
from mlee_sb.evaluation.declared import Pair
from mlee_sb.evaluation.metrics import SCORES

COMPARED = ("wa", "ua")  # the paper's scores, in which rows are compared with their baselines, whatever score is primary
SPEAKERS, FOLDS = "speakers", "folds"  # units of a test
POWER = 0.9  # [choice] how often the gain that is called detectable would be found
ROUNDING = 1e-12  # a smaller difference or standard error counts as zero

Key = tuple[str, str]  # row and train set


@dataclass(frozen=True)
class Scored:
    """A score of a cell, and what it is without each unit in turn.

    Attributes
    ----------
    value : the score; NaN where it is not defined
    without : units (`SPEAKERS` or `FOLDS`) -> [m], the score without each of the m units; empty where nothing is tested
    df : units -> degrees of freedom of a test over them
    """

    value: float
    without: Mapping[str, np.ndarray]
    df: Mapping[str, int]


@dataclass(frozen=True)
class Difference:
    """What one cell has more of a score than another: a value with its standard error, and the degrees of freedom of its t distribution.

    Whether more is better is a matter of the score (`Score.higher_is_better`). `error`, `df` and `units` are None where there is no test.
    `units` are those of the standard error; `df` are those of the fewest units.
    """

    value: float
    error: float | None = None
    df: int | None = None
    units: str | None = None

    @classmethod
    def between(cls, one: Scored, other: Scored) -> "Difference":
        """Return the difference of two cells with the same utterances.

        Its standard error is the largest one over all units, and its degrees of freedom are the fewest ones. There is no test where a
        score is not defined without one of the units, because only that unit has an emotion.
        """
        value = one.value - other.value
        errors = {units: jackknife_error(one.without[units] - other.without[units]) for units in one.without}
        if not errors or not np.isfinite([value, *errors.values()]).all():
            return cls(float(value))
        units = max(errors, key=errors.get)  # the first, speakers, where they are equal
        return cls(float(value), errors[units], min(one.df.values()), units)

    @property
    def p(self) -> float | None:
        """Two-sided p of the difference being zero."""
        if self.error is None:
            return None
        if abs(self.value) < ROUNDING:
            return 1.0
        return float(2 * stdtr(self.df, -abs(self.value) / max(self.error, ROUNDING)))

    def estimate(self, confidence: float) -> Estimate:
        """Return the value with the interval of the same t test: at 95 % it leaves zero out exactly where p is below .05."""
        if np.isnan(self.value):
            return Estimate(None)
        if self.error is None:
            return Estimate(self.value)
        margin = float(stdtrit(self.df, (1 + confidence) / 2)) * self.error
        return Estimate(self.value, self.value - margin, self.value + margin)

    def detectable(self, level: float, power: float = POWER, widest: float = 1.0) -> float | None:
        """Return the smallest true gain that a test at `level` finds with probability `power`, if its standard error is this one.

        The t statistic of a true gain g follows the noncentral t distribution with noncentrality g / error. The result is the g for
        which it exceeds the critical value with probability `power`. It is about (t at level / 2 + t at 1 - power) * error.
        Return None where there is no test, where two rows answer alike (a standard error of 0 tells nothing about other speakers),
        and where the gain would be larger than `widest`, the largest one that the score can have.
        """
        if self.error is None or self.error < ROUNDING:
            return None
        gain = self.error * _noncentrality(self.df, level, power)
        return gain if gain <= widest else None


def jackknife_error(without: np.ndarray) -> float:
    """Return the standard error of a statistic from its values without each unit in turn, [m] (Tukey 1958); NaN where one is not defined.

    >>> round(jackknife_error(np.array([2.0, 3.0, 4.0])), 3)  # the means of two of 5, 3 and 1 are 2, 3 and 4
    1.155
    """
    m = len(without)
    return float(np.sqrt((m - 1) / m * np.square(without - without.mean()).sum()))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values corrected for their number (Holm 1979), in the same order.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    corrected = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return corrected[np.argsort(order, kind="stable")].tolist()


def compare(
    scored: Mapping[Key, Mapping[str, Scored]],
    primary: str | None,
    confidence: float,
    pairs: Iterable[Pair] = paper.DECLARATION.pairs,
    claims: int = paper.DECLARATION.claims,
) -> list[dict]:
    """Compare cells with their baselines.

    Parameters
    ----------
    scored : cell -> name in `SCORES` -> the score. Two cells are compared in the scores that both of them have
    primary : the score that the claims are about; None where every comparison is exploratory
    confidence : of the intervals; a claim is tested at 1 - confidence, over all `claims` (Holm)
    pairs : which cells are compared, by the names of `scored`, and which of these comparisons are claims; by default those of the paper
    claims : how many claims were declared. One whose rows are missing, or that cannot be tested, counts as one with p = 1. So no p gets
        smaller when rows are left out

    Returns
    -------
    list
        a dictionary for each comparison: row, baseline, train_set, score, difference (row less baseline) with its interval, error, df,
        units and p, declared; p_holm and detectable for a declared claim. None stands for what was not tested
    """
    found, differences = [], []
    of_cell: dict[Key, list[Pair]] = {}
    for pair in pairs:
        of_cell.setdefault((pair.row, pair.train_set), []).append(pair)
    for pair in [pair for key in scored for pair in of_cell.get(key, ())]:
        scores, other = scored[pair.row, pair.train_set], scored.get((pair.baseline, pair.baseline_train_set), {})
        for name in [name for name in scores if name in other]:
            difference = Difference.between(scores[name], other[name])
            differences.append(difference)
            names = {"row": pair.row, "baseline": pair.baseline, "train_set": pair.train_set, "score": name}
            test = {"error": difference.error, "df": difference.df, "units": difference.units, "p": difference.p}
            claim = {"declared": pair.claimed and name == primary, "p_holm": None, "detectable": None}
            found.append({**names, "difference": asdict(difference.estimate(confidence)), **test, **claim})
    tested = [(c, d) for c, d in zip(found, differences, strict=True) if c["declared"] and c["p"] is not None]
    p_values = [claim["p"] for claim, _ in tested] + [1.0] * (claims - len(tested))
    for (claim, difference), corrected in zip(tested, holm(p_values), strict=False):
        claim |= {"p_holm": corrected, "detectable": difference.detectable((1 - confidence) / claims, widest=SCORES[primary].widest)}
    return found


@cache
def _noncentrality(df: int, level: float, power: float) -> float:
    """Return the noncentrality for which t exceeds the critical value of a two-sided test at `level` with probability `power`."""
    critical = stdtrit(df, 1 - level / 2)
    most = 4 * (critical + 4)  # the root lies near critical + 1.3, higher with few degrees of freedom
    return float(brentq(lambda noncentrality: stats.nct.sf(critical, df, noncentrality) - power, 0, most))
