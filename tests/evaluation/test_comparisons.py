"""Rows are called better as often as they may be by chance, and where they are truly better by what the report promises."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlee_sb.evaluation.comparisons import FOLDS, SPEAKERS, Difference, Scored, compare, holm, jackknife_error

from .simulated import CELLS, CREMA_D, IEMOCAP, Corpus, claims, draw, scored, sure

real = partial(pytest.param, marks=pytest.mark.real)  # simulations of ten seconds and more
CORPORA = 1000  # the standard error of a share of 5 % is .7 %; `simulated.py` has larger runs


@pytest.mark.parametrize("trade", [0.0, 0.1], ids=["models alike", "recalls traded"])
@pytest.mark.parametrize("corpus", [IEMOCAP, Corpus(30, 30), real(Corpus(52, 52)), real(CREMA_D)], ids=["10", "30", "52", "52 of CREMA-D"])
def test_without_a_gain_a_claim_is_called_sure_in_at_most_6_percent_of_corpora(corpus, trade):
    found = sure(claims(corpus, CORPORA, seed=2, trade=trade))
    assert found.shape == (CORPORA, 8)
    assert found.any(axis=1).mean() <= 0.06


FEW_FOLDS = {
    "12 in 2": (Corpus(12, 2), 300),
    "30 in 3": (Corpus(30, 3), 300),
    "52 in 4": (Corpus(52, 4), 300),
    "10 in 5": (Corpus(10, 5, training=0.25), 300),
    "52 in 10": (Corpus(52, 10, training=0.25), CORPORA),
}


@pytest.mark.parametrize(("corpus", "corpora"), FEW_FOLDS.values(), ids=FEW_FOLDS)
def test_where_a_fold_has_several_speakers_a_claim_is_called_sure_in_at_most_6_percent_of_corpora(corpus, corpora):
    """Taken for as many units as speakers, 12 in 2 folds called a claim sure in 20 % of corpora, 52 in 2 in 39 %."""
    found = claims(corpus, corpora, seed=6)
    assert sure(found).any(axis=1).mean() <= 0.06
    assert np.mean([claim["p"] < 0.05 for comparisons in found for claim in comparisons]) <= 0.06, "a single one, not corrected"


def test_a_true_gain_of_ten_points_is_found_in_nine_of_ten_corpora_of_iemocaps_size():
    found = sure(claims(IEMOCAP, 200, seed=0, gain=0.1))
    assert found.mean(axis=0).min() >= 0.9, "each of the eight claims"


def test_a_gain_as_large_as_the_one_that_is_called_detectable_is_found_as_often_as_it_says():
    """Ten units with normal differences, a Bonferroni level: the mean of ten is better by the gain to be found."""
    gain = Difference(0.0, 0.1 / np.sqrt(10), 9, SPEAKERS).detectable(0.05 / 8, power=0.9)
    units = np.random.default_rng(0).normal(gain, 0.1, (20_000, 10))
    p = stats.ttest_1samp(units, 0, axis=1).pvalue
    assert (p < 0.05 / 8).mean() == pytest.approx(0.9, abs=0.01)


def test_where_a_fold_has_several_speakers_the_luck_of_its_model_is_not_taken_for_theirs():
    """Ten speakers in five folds: taken for ten units, they call a claim sure in 9 % of such corpora, with folds in 1 %."""
    rng, corpus, units = np.random.default_rng(3), Corpus(folds=5), {"speakers alone": 10, "folds too": 5}
    found = {name: [] for name in units}
    for _ in range(CORPORA):
        drawn = draw(corpus, rng)
        for name, n in units.items():
            found[name].append([claim for claim in compare(scored(*drawn, n), "ua", 0.95) if claim["declared"]])
    errors = {name: sure(of).any(axis=1).mean() for name, of in found.items()}
    assert errors["speakers alone"] > 0.07 and errors["folds too"] <= 0.06


def test_an_emotion_of_three_speakers_among_52_makes_no_claim_sure():
    """Taken for 52, they had p below .05 / 8 in 4 % of such corpora, instead of .6 %."""
    found = claims(Corpus(52, 52, (1099, 45, 608, 289), rare=3), 300, seed=5)
    assert {claim["df"] for comparisons in found for claim in comparisons} == {2}
    assert sure(found).any(axis=1).mean() <= 0.06


def alike(value: float, without, units: str = SPEAKERS) -> Scored:
    return Scored(value, {units: np.array(without)}, {units: len(without) - 1})


def test_t_and_its_interval_are_those_of_the_differences_of_speakers():
    """For a mean of equally large speakers, the jackknife is the t test of their differences."""
    rng = np.random.default_rng(1)
    one, other = rng.normal(0.1, 0.1, 12), rng.normal(0, 0.1, 12)
    cells = [alike(x.mean(), [np.delete(x, i).mean() for i in range(12)]) for x in (one, other)]
    found, known = Difference.between(*cells), stats.ttest_rel(one, other)
    assert found.p == pytest.approx(known.pvalue) and found.error == pytest.approx((one - other).std(ddof=1) / np.sqrt(12))
    estimate, interval = found.estimate(0.95), known.confidence_interval(0.95)
    assert [estimate.low, estimate.high] == pytest.approx([interval.low, interval.high])


@given(st.floats(-0.5, 0.5), st.floats(0.001, 0.3), st.integers(1, 60), st.sampled_from([0.9, 0.95, 0.99]))
def test_an_interval_leaves_zero_out_just_where_p_is_below_its_level(value, error, df, confidence):
    found = Difference(value, error, df, SPEAKERS)
    if abs(found.p - (1 - confidence)) > 1e-6:
        estimate = found.estimate(confidence)
        assert (found.p < 1 - confidence) == (estimate.low > 0 or estimate.high < 0)


def test_p_has_no_floor():
    assert Difference(0.1, 0.01, 9, SPEAKERS).p < 1e-5


def test_a_difference_that_is_only_rounding_is_none():
    cells = [alike(0.3, [0.3] * 5), alike(0.1 + 0.2, [0.1 + 0.2] * 4 + [0.3])]
    found = Difference.between(*cells)
    assert found.value != 0 and found.p == 1


def test_an_emotion_that_one_speaker_alone_has_leaves_the_difference_without_a_test():
    found = Difference.between(alike(0.6, [0.6, 0.5, np.nan]), alike(0.5, [0.4, 0.5, np.nan]))
    assert found.value == pytest.approx(0.1) and found.p is None and found.detectable(0.05) is None
    estimate = found.estimate(0.95)
    assert (estimate.value, estimate.low, estimate.high) == (found.value, None, None)


@pytest.mark.parametrize(
    ("speakers", "folds", "units"), [([0.1, 0.1, 0.2, 0.2], [0.0, 0.3], FOLDS), ([0.0, 0, 0.3, 0.3], [0.1, 0.2], SPEAKERS)]
)
def test_the_larger_standard_error_counts_and_always_the_fewest_degrees_of_freedom(speakers, folds, units):
    """Which one is larger is chance, and would give the folds' test the degrees of freedom of speakers just where it is too small."""
    speakers, folds = np.array(speakers), np.array(folds)
    one = Scored(0.15, {SPEAKERS: speakers, FOLDS: folds}, {SPEAKERS: 3, FOLDS: 1})
    other = Scored(0.0, {SPEAKERS: np.zeros(4), FOLDS: np.zeros(2)}, {SPEAKERS: 3, FOLDS: 1})
    found = Difference.between(one, other)
    assert (found.units, found.df) == (units, 1)
    assert found.error == max(jackknife_error(folds), jackknife_error(speakers))


def test_of_two_rows_that_answer_alike_no_gain_to_be_found_is_told():
    found = Difference.between(alike(0.5, [0.4, 0.5, 0.6]), alike(0.5, [0.4, 0.5, 0.6]))
    assert (found.value, found.p, found.detectable(0.05)) == (0, 1, None)


def test_a_gain_of_more_than_a_hundred_points_is_none_that_could_be_found():
    assert Difference(0.0, 0.03, 1, FOLDS).detectable(0.05 / 8) is None and Difference(0.0, 0.03, 9, FOLDS).detectable(0.05 / 8) < 0.2


def cells(**of_rows: list[float]) -> dict:
    """Scores of rows with train set `all`, the same in WA and UA, from what they are without each speaker."""
    return {(row, "all"): dict.fromkeys(("wa", "ua"), alike(float(np.mean(x)), x)) for row, x in of_rows.items()}


NOISE = np.array([0.01, -0.01, 0.02, -0.02, 0.0, 0.0])


def test_mlee_rows_in_the_primary_score_are_the_claims_and_corrected_for_the_number_of_all_claims_and_no_other():
    rows = {"dominant_soft": NOISE * 0, "mlee": 0.1 + NOISE, "mlee_pretrain_soft": 0.01 + NOISE, "mlee_fusion_soft": 0.1 + NOISE}
    found = {(c["row"], c["score"]): c for c in compare(cells(**rows), "ua", 0.95)}
    assert {key for key, c in found.items() if c["declared"]} == {("mlee_pretrain_soft", "ua"), ("mlee_fusion_soft", "ua")}
    fusion, pretrain, mlee = (found[row, "ua"] for row in ("mlee_fusion_soft", "mlee_pretrain_soft", "mlee"))
    assert fusion["p_holm"] == pytest.approx(8 * fusion["p"]) and pretrain["p_holm"] == pytest.approx(min(1, 7 * pretrain["p"]))
    assert mlee["p"] == pytest.approx(fusion["p"]) and mlee["p_holm"] is None and mlee["detectable"] is None
    expected = Difference(0.0, fusion["error"], 5, SPEAKERS).detectable(0.05 / 8)
    assert fusion["detectable"] == pytest.approx(expected)
    assert {c["score"] for c in compare(cells(**rows), "wa", 0.95) if c["declared"]} == {"wa"}


@pytest.mark.parametrize("left", [("mlee_pretrain_soft",), ("mlee_fusion_soft", "mlee_pretrain_soft")], ids=["one", "both"])
def test_rows_that_are_left_out_make_no_p_smaller(left):
    rows = {"dominant_soft": NOISE * 0, "mlee_pretrain_soft": 0.01 + NOISE, "mlee_fusion_soft": 0.02 + NOISE}
    whole = {c["row"]: c["p_holm"] for c in compare(cells(**rows), "ua", 0.95) if c["declared"]}
    part = {
        c["row"]: c["p_holm"]
        for c in compare(cells(**{r: x for r, x in rows.items() if r not in whole or r in left}), "ua", 0.95)
        if c["declared"]
    }
    assert set(part) == set(left) and all(part[row] >= whole[row] for row in left)


def test_any_score_can_be_the_one_of_the_claims_and_a_gain_may_be_as_large_as_that_score_can_be():
    """Differences of several nats, with an error of one nat: in a score of 0 to 1 no such gain could be."""
    wide = {"dominant_soft": 50 * NOISE, "mlee_fusion_soft": 3 + 100 * NOISE[::-1]}
    of_rows = {(row, "all"): {"nll": alike(float(np.mean(x)), x), "brier": alike(float(np.mean(x)), x)} for row, x in wide.items()}
    found = {name: {c["score"]: c for c in compare(of_rows, name, 0.95)} for name in ("nll", "brier")}
    assert {name: c["declared"] for name, c in found["nll"].items()} == {"nll": True, "brier": False}
    assert found["nll"]["nll"]["detectable"] > 2 and found["brier"]["brier"]["detectable"] is None


def test_cells_are_compared_in_the_scores_that_both_of_them_have():
    one, other = {"ua": alike(0.5, [0.4, 0.6]), "nll": alike(0.5, [0.4, 0.6])}, {"ua": alike(0.4, [0.4, 0.4])}
    found = compare({("mlee_fusion_soft", "all"): one, ("dominant_soft", "all"): other}, "nll", 0.95)
    assert [c["score"] for c in found] == ["ua"] and not found[0]["declared"]


def test_without_a_primary_score_nothing_is_declared():
    found = compare(cells(dominant_soft=NOISE * 0, mlee_fusion_soft=0.1 + NOISE), None, 0.95)
    assert {(c["declared"], c["p_holm"], c["detectable"]) for c in found} == {(False, None, None)} and all(c["p"] < 0.05 for c in found)


def test_a_claim_that_cannot_be_tested_counts_among_those_that_are_corrected_for():
    rows = cells(dominant_soft=NOISE * 0, mlee_pretrain_soft=0.1 + NOISE, mlee_fusion_soft=[*NOISE[:-1], np.nan])
    fusion, pretrain = (
        {c["row"]: c for c in compare(rows, "ua", 0.95) if c["score"] == "ua"}[f"mlee_{x}_soft"] for x in ("fusion", "pretrain")
    )
    assert fusion["p_holm"] is None and pretrain["p_holm"] == pytest.approx(8 * pretrain["p"])


def test_all_rows_of_the_paper_make_eight_claims():
    found = compare({key: dict.fromkeys(("wa", "ua"), alike(0.5, [0.5, 0.4, 0.6])) for key in CELLS}, "ua", 0.95)
    assert sum(c["declared"] for c in found) == 8
    assert {c["baseline"] for c in found if c["declared"] and c["row"].endswith("hard")} == {"dominant_hard"}


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_keeps_the_order_and_never_makes_a_p_smaller(p):
    corrected = holm(p)
    assert all(a <= b <= 1 for a, b in zip(p, corrected, strict=True))
    assert np.all(np.diff(np.array(corrected)[np.argsort(p, kind="stable")]) >= 0)
    if p:
        assert min(corrected) == pytest.approx(min(1, len(p) * min(p)))
