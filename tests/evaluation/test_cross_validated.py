"""The scores of a row over all folds together, which stand on the card of a final model."""

import numpy as np
import pytest

from mlee_sb.evaluation.cross_validated import cross_validated
from mlee_sb.evaluation.evaluate import evaluate
from mlee_sb.evaluation.results import find_stages
from mlee_sb.files import write_json

from .fabricated import fabricate


def calibrated(results, folds):
    """The folder of results of one row, and those of its calibrated stages."""
    place = fabricate(results, ["mlee_fusion_soft"], ["all"], folds=folds)
    stages = [stage.predictions.parent for stage in find_stages(place)]
    noted = {"temperature": 1, "presence": [[1, 0]] * 3, "thresholds": [0.5] * 99, "n_utterances": 1, "n_speakers": 1}
    for stage in stages:
        write_json(stage / "model/config.json", {"calibration": noted})
    return place, stages


def test_its_intervals_are_those_of_the_report(tmp_path):
    place, stages = calibrated(tmp_path, folds=[1, 2, 3])
    found, (cell,) = cross_validated(place, stages), evaluate(place)["cells"]
    for name in ("wa", "ua"):
        assert found["intervals"][name] == pytest.approx(cell["pooled"][name]) and found["intervals"][name]["low"] < found[name]
    assert found["confidence"] == 0.95


def test_the_mean_over_the_emotions_of_existence_auc_has_an_interval(tmp_path):
    found = cross_validated(*calibrated(tmp_path, folds=[1, 2, 3]))
    mean = found["intervals"]["existence_auc"]
    assert mean["value"] == pytest.approx(np.mean([by_emotion["auc"] for by_emotion in found["existence"].values()]))
    assert mean["low"] < mean["value"] < mean["high"]


def test_few_speakers_have_no_intervals(tmp_path):
    found = cross_validated(*calibrated(tmp_path, folds=[1, 2]))  # four speakers
    assert found["intervals"]["ua"] == {"value": pytest.approx(found["ua"]), "low": None, "high": None}
