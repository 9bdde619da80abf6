"""Whether what a model says of its own certainty holds, on test utterances."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from mlee_sb.calibration import Calibration
from mlee_sb.errors import InputError
from mlee_sb.evaluation.calibrated_scores import calibrated_scores, read_calibration
from mlee_sb.evaluation.evaluate import evaluate
from mlee_sb.evaluation.predictions import Predictions, read_predictions
from mlee_sb.evaluation.report import tables
from mlee_sb.evaluation.scores import score_folder
from mlee_sb.files import write_json

from .fabricated import cell, fabricate, predictions

THRESHOLDS = [percent / 100 for percent in range(1, 100)]


def calibration(temperature=1.0, presence=None, thresholds=None):
    return Calibration(temperature, presence, thresholds or THRESHOLDS, 10, 2)


@pytest.fixture
def found():
    return Predictions.of(predictions("mlee_fusion_soft", "all", 1, 1))


def test_coverage_is_how_often_the_truth_is_among_the_candidates(found):
    tested = found.dominant >= 0
    p, truth = found.posterior[tested], found.dominant[tested]
    kept = (1 - p <= 0.8) | (p == p.max(1, keepdims=True))
    scores = calibrated_scores([(found, calibration())])["coverage"]["0.8"]
    assert scores["share"] == pytest.approx(kept[np.arange(len(truth)), truth].mean())
    assert scores["mean_size"] == pytest.approx(kept.sum(1).mean())


def test_where_nothing_can_be_promised_every_emotion_is_a_candidate(found):
    scores = calibrated_scores([(found, calibration(thresholds=[None] * 99))])["coverage"]
    assert all(level == {"share": 1.0, "mean_size": 3.0} for level in scores.values()) and set(scores) == {"0.8", "0.9", "0.95"}


def test_the_temperature_is_applied_to_the_posterior(found):
    tested = found.dominant >= 0
    p = softmax(np.log(found.posterior[tested]) / 2, axis=1)
    expected = -np.log(p[np.arange(tested.sum()), found.dominant[tested]]).mean()
    assert calibrated_scores([(found, calibration(2.0))])["nll"] == pytest.approx(expected)


def test_presence_is_scored_by_emotion(found):
    p = found.existence
    scores = calibrated_scores([(found, calibration(presence=[(1.0, 0.0)] * 3))])
    assert list(scores["presence_brier"].values()) == pytest.approx(np.square(p - found.exists).mean(axis=0))
    assert "presence_brier" not in calibrated_scores([(found, calibration())])


def test_a_model_of_existence_has_no_posterior_to_score():
    scores = calibrated_scores([(Predictions.of(predictions("mlee", "all", 1, 1)), calibration(presence=[(1.0, 0.0)] * 3))])
    assert "nll" not in scores and "coverage" in scores


def test_it_stands_in_the_scores_of_a_stage_with_a_bundle(tmp_path):
    folder = fabricate(tmp_path, ["mlee_fusion_soft"], ["all"], folds=[1]) / "mlee_fusion_soft/all/seed1/fold1"
    assert "calibrated" not in score_folder(folder)
    (folder / "model").mkdir()
    write_json(
        folder / "model/config.json",
        {"calibration": {"temperature": 1, "presence": None, "thresholds": THRESHOLDS, "n_utterances": 1, "n_speakers": 1}},
    )
    assert score_folder(folder)["calibrated"]["coverage"]["0.9"]["share"] <= 1
    assert json.loads((folder / "model/scores.json").read_text()) == json.loads((folder / "scores.json").read_text())


def with_calibration(stage, method="validation", thresholds=THRESHOLDS):
    noted = {"temperature": 1, "presence": None, "thresholds": thresholds, "n_utterances": 1, "n_speakers": 1, "method": method}
    write_json(stage / "model/config.json", {"calibration": noted})


def test_coverage_is_told_fold_by_fold_and_which_folds_held_it(tmp_path):
    folder = fabricate(tmp_path, ["dominant_soft", "mlee"], ["all"], seeds=[1, 2])
    for row in ("dominant_soft", "mlee"):
        for seed in (1, 2):
            for fold, threshold in ((1, None), (2, 0.0), (3, 0.9)):  # every emotion, the most probable one alone, most emotions
                with_calibration(folder / f"{row}/all/seed{seed}/fold{fold}", "cross", [threshold] * 99)
    found = evaluate(folder, resamples=10)
    coverage = cell(found, "dominant_soft", "all")["coverage"]
    frames = {
        fold: [read_predictions(folder / f"dominant_soft/all/seed{seed}/fold{fold}/predictions.csv") for seed in (1, 2)]
        for fold in (1, 2, 3)
    }
    right, n = {}, {}
    for fold, of_seeds in frames.items():
        p = [Predictions.of(frame) for frame in of_seeds]
        truth, posterior = (np.concatenate([getattr(one, name) for one in p]) for name in ("dominant", "posterior"))
        posterior, truth = posterior[truth >= 0], truth[truth >= 0]
        of_truth, n[fold] = posterior[np.arange(len(truth)), truth], len(truth)
        right[fold] = {1: 1.0, 2: np.mean(posterior.argmax(1) == truth), 3: np.mean((of_truth >= 0.1) | (posterior.argmax(1) == truth))}[
            fold
        ]
    assert {one["fold"]: one["share"] for one in coverage["folds"]} == pytest.approx(right)
    assert {one["fold"]: one["n"] for one in coverage["folds"]} == n
    assert coverage["share"] == pytest.approx(sum(right[fold] * n[fold] for fold in n) / sum(n.values()))
    assert coverage["held"] == sum(share >= 0.9 for share in right.values()) and coverage["methods"] == ["cross"]
    row = next(row for row in tables.coverage(found).rows if row[1].text == "soft")
    shown = [f"{100 * right[fold]:.1f}" for fold in (1, 2, 3)]
    assert [entry.text for entry in row[6:]] == [
        min(shown, key=float),
        "100.0",
        f"{coverage['held']} of 3",
        ", ".join(f"{f}: {s}" for f, s in zip((1, 2, 3), shown, strict=True)),
    ]


def test_without_a_calibration_or_with_other_decisions_than_trained_there_is_no_coverage(tmp_path):
    folder = fabricate(tmp_path, ["dominant_soft"], ["all"])
    with_calibration(folder / "dominant_soft/all/seed1/fold1")
    found = evaluate(folder, resamples=10)
    assert cell(found, "dominant_soft", "all")["coverage"] == {} and "coverage" not in {table.key for table in tables.all_tables(found)}
    for fold in (2, 3):
        with_calibration(folder / f"dominant_soft/all/seed1/fold{fold}")
    assert "coverage" in {table.key for table in tables.all_tables(evaluate(folder, resamples=10))}
    assert cell(evaluate(folder, resamples=10, undo_class_weights=True), "dominant_soft", "all")["coverage"] == {}


@pytest.mark.parametrize("text", ["[]", "{", '{"calibration": {"temperature": 1}}'])
def test_a_damaged_calibration_is_told(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError, match=r"config.json: (its calibration is )?damaged"):
        read_calibration(tmp_path / "config.json")


def test_no_bundle_or_no_calibration_is_none(tmp_path):
    assert read_calibration(tmp_path / "config.json") is None
    write_json(tmp_path / "config.json", {"calibration": None})
    assert read_calibration(tmp_path / "config.json") is None


def test_a_set_without_a_tested_utterance_has_no_coverage():
    frame = predictions("mlee_fusion_soft", "all", 1, 1).assign(dominant="")
    scores = calibrated_scores([(Predictions.of(pd.DataFrame(frame)), calibration())])
    assert scores["coverage"] == {} and scores["nll"] is None
