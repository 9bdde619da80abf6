"""Scores as functions of weights: one formula computes a score, and the same score over thousands of resamples at once.

Each function takes `Predictions` of n utterances and weights [r, n]: how often each utterance counts in each of r resamples. For
the score itself, the weights are one row of ones. It returns [r], or [r, K] with a value for each emotion. NaN stands where a
resample does not define the score. Over rows of ones the values are those of scikit-learn and scipy; the tests check that.

A mean over the emotions is over the emotions of the whole test set, in every resample. A resample that lacks an emotion has no
such mean (NaN). The mean over the other emotions would be another score: a model that always says `neu` would have UA 25 in most
resamples, and 33 in those without `hap`.
"""

from mlee_sb.evaluation.metrics.decisions import (
    accuracy_of,
    confusion,
    macro_f1,
    macro_f1_of,
    recalls,
    recalls_of,
    risk_coverage,
    top_2,
    ua,
    ua_of,
    wa,
)
from mlee_sb.evaluation.metrics.distributions import (
    cosine,
    cross_entropy,
    disagreement_correlation,
    entropy_correlation,
    jensen_shannon,
    kullback_leibler,
)
from mlee_sb.evaluation.metrics.existence import PRESENT, existence_auc, existence_average_precision, existence_f1
from mlee_sb.evaluation.metrics.posteriors import brier, calibration, expected_calibration_error, nll
from mlee_sb.evaluation.metrics.registry import (
    DECISIONS,
    DISTRIBUTIONS,
    EXISTENCE,
    POSTERIORS,
    SCORES,
    SELECTIVE,
    SETS,
    THEMES,
    find_score,
    scores_of,
)
from mlee_sb.evaluation.metrics.score import Score
from mlee_sb.evaluation.metrics.sets import hamming_loss, ranking_precision, sets_macro_f1, sets_micro_f1, subset_accuracy
from mlee_sb.evaluation.metrics.weighted import f1_of, mean_of_defined, number, ratio

__all__ = [
    "DECISIONS",
    "DISTRIBUTIONS",
    "EXISTENCE",
    "POSTERIORS",
    "PRESENT",
    "SCORES",
    "SELECTIVE",
    "SETS",
    "THEMES",
    "Score",
    "accuracy_of",
    "brier",
    "calibration",
    "confusion",
    "cosine",
    "cross_entropy",
    "disagreement_correlation",
    "entropy_correlation",
    "existence_auc",
    "existence_average_precision",
    "existence_f1",
    "expected_calibration_error",
    "f1_of",
    "find_score",
    "hamming_loss",
    "jensen_shannon",
    "kullback_leibler",
    "macro_f1",
    "macro_f1_of",
    "mean_of_defined",
    "nll",
    "number",
    "ranking_precision",
    "ratio",
    "recalls",
    "recalls_of",
    "risk_coverage",
    "scores_of",
    "sets_macro_f1",
    "sets_micro_f1",
    "subset_accuracy",
    "top_2",
    "ua",
    "ua_of",
    "wa",
]
