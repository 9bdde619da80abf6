"""The report with figure 3, and what is left of it where an encoder has no attention."""

import json

import pandas as pd
import pytest
from bundles import small_existence, write_bundle, write_speech
from evaluation.fabricated import EMOTIONS, HASH, fabricate

from mlee_sb.cli.app import main
from mlee_sb.errors import InputError
from mlee_sb.evaluation.predictions import read_predictions
from mlee_sb.evaluation.results import find_stages
from mlee_sb.experiment import make_report as reporting
from mlee_sb.experiment.make_report import make_report
from mlee_sb.inference.classifier import EmotionClassifier
from mlee_sb.models.encoders.base import Encoder

QUICK = {"resamples": 50}
FOLD = {"fold": 1, "train": ["a"], "valid": ["b"], "test": ["c"]}
RULES = {"min_votes": 1}
PROTOCOL = {"corpus": "crema_d", "demo": False, "emotions": EMOTIONS, "rules": RULES, "folds": [FOLD], "counts": {}, "hash": HASH}


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Results of the rows of figure 3 with the recordings of their utterances."""
    folder = fabricate(tmp_path / "results", rows=["dominant_hard", "dominant_soft", "mlee"], train_sets=["all"])
    ids = pd.concat(read_predictions(stage.predictions) for stage in find_stages(folder))["ID"].unique()
    write_speech(tmp_path / "speech.wav")
    (tmp_path / "protocol.json").write_text(json.dumps(PROTOCOL))
    monkeypatch.setattr(reporting, "read_utterances", lambda manifests: pd.DataFrame({"ID": ids, "wav": "speech.wav"}))
    return folder


@pytest.fixture
def classifier(tmp_path, monkeypatch):
    """The model that every stage has."""
    one = EmotionClassifier.from_hparams(write_bundle(tmp_path / "bundle", small_existence()))
    monkeypatch.setattr(reporting.EmotionClassifier, "from_hparams", lambda folder: one)
    return one


def test_the_score_of_the_claims_is_chosen_by_a_flag(results, capsys):
    assert main(["report", str(results), "--primary", "wa", "--resamples", "50"]) == 0
    assert json.loads((results / "report/report.json").read_text())["primary"] == "wa"
    assert "about WA" in (results / "report/report.md").read_text()
    assert main(["report", str(results), "--primary", "f1"]) == 2
    assert "unknown primary score 'f1'" in capsys.readouterr().err


def test_figure_3_shows_an_utterance_of_each_emotion(results, classifier, tmp_path):
    page = make_report(results, data_folder=tmp_path, manifests=tmp_path, **QUICK).read_text()
    assert page.count("<audio") == 3


def test_an_encoder_without_attention_leaves_figure_3_out_and_the_report_whole(results, classifier, tmp_path, monkeypatch):
    monkeypatch.setattr(type(classifier.model.encoders[0]), "attention", Encoder.attention)
    path = make_report(results, data_folder=tmp_path, manifests=tmp_path, **QUICK)
    for name in ("report.html", "report.md"):
        text = (path.parent / name).read_text().replace("\\", "")
        assert "There is no figure 3 for these encoders." in text and "no attention to show" in text and "dominant_hard" in text
    assert "<audio" not in path.read_text() and 'id="table3"' in path.read_text()


def test_a_recording_that_is_missing_is_still_refused(results, classifier, tmp_path):
    (tmp_path / "speech.wav").unlink()
    with pytest.raises(InputError, match="speech.wav: no such file"):
        make_report(results, data_folder=tmp_path, manifests=tmp_path, **QUICK)
