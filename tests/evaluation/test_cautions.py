"""Where folds, speakers or the speakers of an emotion are few, intervals and tests are left out or doubted, and the reason is said."""

import pandas as pd
import pytest

from mlee_sb.evaluation.evaluate import evaluate

from .fabricated import EMOTIONS, cell, fabricate, rare, rewrite

QUICK = {"resamples": 200}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return evaluate(fabricate(tmp_path_factory.mktemp("results")), **QUICK)


def test_what_hangs_on_an_emotion_of_one_or_two_speakers_has_no_interval_and_says_why(tmp_path):
    folder = fabricate(tmp_path, rows=["dominant_hard", "mlee_fusion_hard"], train_sets=["dominant"], folds=(1, 2, 3, 4))
    rewrite(folder, lambda frame: rare(frame, ("s2",)))
    found = evaluate(folder, **QUICK)
    scores = cell(found, "mlee_fusion_hard", "dominant")
    for estimate in (scores["pooled"]["ua"], scores["pooled"]["macro_f1"], scores["recall"]["sad"]):
        assert estimate["value"] is not None and estimate["low"] is None
    assert scores["pooled"]["wa"]["low"] is not None and scores["recall"]["hap"]["low"] is not None
    tests = {c["score"]: c["p"] for c in found["comparisons"]}
    assert tests["ua"] is None and tests["wa"] is not None
    assert any(words.startswith("sad is dominant in utterances of 1 test speaker only") for words in found["cautions"])


def test_folds_that_lack_an_emotion_are_named(tmp_path, found):
    folder = fabricate(tmp_path, rows=["mlee"], train_sets=["all"], folds=(1, 2, 3))
    rewrite(folder, lambda frame: rare(frame, ("s4", "s5")))
    assert evaluate(folder, **QUICK)["folds_without"] == {"sad": [1, 3]} and found["folds_without"] == {}


@pytest.mark.parametrize(("folds", "why"), [((1,), "2 test speakers are too few"), ((1, 2), "4 test speakers are too few")])
def test_too_few_speakers_have_scores_without_intervals_or_tests_and_the_reason(tmp_path, folds, why):
    found = evaluate(fabricate(tmp_path, folds=folds), **QUICK)
    assert why in found["why_no_intervals"] and "Train more folds" in found["why_no_intervals"] and found["cautions"] == []
    ua = cell(found, "mlee_fusion_soft", "all")["pooled"]["ua"]
    assert ua["value"] > 0 and ua["low"] is ua["high"] is None
    for comparison in found["comparisons"]:
        assert comparison["difference"]["value"] is not None
        assert {comparison[name] for name in ("p", "p_holm", "detectable", "error", "df", "units")} == {None}


def test_one_speaker_is_scored(tmp_path):
    folder = fabricate(tmp_path, folds=(1,))
    rewrite(folder, lambda frame: frame.assign(speaker="anna"))
    assert "1 test speaker is too few" in evaluate(folder, **QUICK)["why_no_intervals"]


def test_a_single_fold_has_neither_intervals_nor_tests_however_many_speakers_it_has(tmp_path):
    folder = fabricate(tmp_path, rows=["dominant_soft", "mlee_fusion_soft"], train_sets=["all"], folds=(1,), seeds=(1, 2))
    rewrite(folder, lambda frame: frame.assign(speaker=[f"s{i % 12}" for i in range(len(frame))]))
    found = evaluate(folder, **QUICK)
    assert "a single fold does not tell how models differ" in found["why_no_intervals"] and found["cautions"] == []
    assert all(scores["pooled"]["wa"]["low"] is None for scores in found["cells"])
    assert {(c["p"], c["p_holm"], c["difference"]["low"]) for c in found["comparisons"]} == {(None, None, None)}


def test_few_speakers_and_few_folds_are_cautions(found, tmp_path):
    assert found["why_no_intervals"] == "" and len(found["cautions"]) == 2
    assert "6 test speakers are few" in found["cautions"][0] and "3 folds are few" in found["cautions"][1]
    folder = fabricate(tmp_path, rows=["mlee"], folds=range(1, 7))
    assert evaluate(folder, **QUICK)["cautions"] == []


def test_few_folds_of_a_speaker_each_are_few_speakers_and_nothing_else(tmp_path):
    folder = fabricate(tmp_path, rows=["mlee"], folds=range(1, 6))
    rewrite(folder, lambda frame: frame.assign(speaker=frame["speaker"].iloc[0]))
    (caution,) = evaluate(folder, **QUICK)["cautions"]
    assert "5 test speakers are few" in caution


def constant(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(**{f"p_{emotion}": float(emotion == "neu") for emotion in EMOTIONS})


def test_a_mean_over_folds_of_which_one_lacks_an_emotion_has_no_interval_where_it_is_a_mean_over_emotions(tmp_path):
    """A model that answers one emotion for everything has UA 33.3; where a fold lacks an emotion, 50 stands there."""
    folder = fabricate(tmp_path, rows=["dominant_hard"], folds=range(1, 6))
    rewrite(folder, lambda frame: constant(rare(frame, ("s2", "s3"))))
    means = cell(evaluate(folder, **QUICK), "dominant_hard", "dominant")["mean_over_folds"]
    assert means["ua"]["value"] == pytest.approx((1 / 3 + 4 / 2) / 5)
    for name in ("ua", "macro_f1"):
        assert means[name]["value"] is not None and means[name]["low"] is means[name]["high"] is None
    assert means["wa"]["low"] is not None


def test_a_mean_over_folds_that_all_have_every_emotion_has_an_interval(tmp_path):
    folder = fabricate(tmp_path, rows=["dominant_hard"], folds=range(1, 6))
    rewrite(folder, lambda frame: constant(rare(frame, tuple(frame["speaker"]))))
    ua = cell(evaluate(folder, **QUICK), "dominant_hard", "dominant")["mean_over_folds"]["ua"]
    assert (ua["value"], ua["low"], ua["high"]) == pytest.approx([1 / 3] * 3)


def test_existence_that_a_fold_lacks_leaves_its_mean_over_folds_without_an_interval(tmp_path):
    def without_sad_in_fold_1(frame):
        return frame.assign(exist_sad=0, votes_sad=0) if frame["speaker"].iloc[0] == "s2" else frame

    folder = fabricate(tmp_path, rows=["mlee"], train_sets=["all"], folds=range(1, 6))
    before = cell(evaluate(folder, **QUICK), "mlee", "all")["mean_over_folds"]["existence_auc"]
    rewrite(folder, without_sad_in_fold_1)
    after = cell(evaluate(folder, **QUICK), "mlee", "all")["mean_over_folds"]["existence_auc"]
    assert before["low"] is not None and after["value"] is not None and after["low"] is None
