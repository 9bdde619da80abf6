"""Whether what a model says of its own certainty holds, on test utterances."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from mlee_sb.calibration import Calibration
from mlee_sb.errors import InputError
from mlee_sb.evaluation.calibrated_scores import calibrated_scores, read_calibration
from mlee_sb.evaluation.predictions import Predictions
from mlee_sb.evaluation.scores import score_folder
from mlee_sb.files import write_json

from .fabricated import fabricate, predictions

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
    scores = calibrated_scores(found, calibration())["coverage"]["0.8"]
    assert scores["share"] == pytest.approx(kept[np.arange(len(truth)), truth].mean())
    assert scores["mean_size"] == pytest.approx(kept.sum(1).mean())


def test_where_nothing_can_be_promised_every_emotion_is_a_candidate(found):
    scores = calibrated_scores(found, calibration(thresholds=[None] * 99))["coverage"]
    assert all(level == {"share": 1.0, "mean_size": 3.0} for level in scores.values()) and set(scores) == {"0.8", "0.9", "0.95"}


def test_the_temperature_is_applied_to_the_posterior(found):
    tested = found.dominant >= 0
    p = softmax(np.log(found.posterior[tested]) / 2, axis=1)
    expected = -np.log(p[np.arange(tested.sum()), found.dominant[tested]]).mean()
    assert calibrated_scores(found, calibration(2.0))["nll"] == pytest.approx(expected)


def test_presence_is_scored_by_emotion(found):
    p = found.existence
    scores = calibrated_scores(found, calibration(presence=[(1.0, 0.0)] * 3))
    assert list(scores["presence_brier"].values()) == pytest.approx(np.square(p - found.exists).mean(axis=0))
    assert "presence_brier" not in calibrated_scores(found, calibration())


def test_a_model_of_existence_has_no_posterior_to_score():
    scores = calibrated_scores(Predictions.of(predictions("mlee", "all", 1, 1)), calibration(presence=[(1.0, 0.0)] * 3))
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
    scores = calibrated_scores(Predictions.of(pd.DataFrame(frame)), calibration())
    assert scores["coverage"] == {} and scores["nll"] is None
