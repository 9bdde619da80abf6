"""The report with figure 3, and what is left of it where an encoder has no attention."""

import json
import shlex

import pandas as pd
import pytest
from bundles import small_existence, write_bundle, write_speech
from evaluation.fabricated import EMOTIONS, HASH, fabricate

from mlee_sb.cli.app import main
from mlee_sb.errors import InputError, NoAttention
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
        assert "There is no attention of dominant_hard to show" in text and "There is no attention of mlee to show" in text
    assert "<audio" not in path.read_text() and 'id="table3"' in path.read_text()


def test_where_nobody_disagreed_figure_3_says_how_to_name_an_utterance(results, tmp_path, monkeypatch):
    monkeypatch.setattr("mlee_sb.experiment.make_report.chosen_utterances", lambda cells, shown: [])
    page = make_report(results, data_folder=tmp_path, manifests=tmp_path, **QUICK).read_text()
    assert "The listeners disagreed about no utterance" in page and "--utterance" in page


def test_a_recording_that_is_missing_is_still_refused(results, classifier, tmp_path):
    (tmp_path / "speech.wav").unlink()
    with pytest.raises(InputError, match="speech.wav: no such file"):
        make_report(results, data_folder=tmp_path, manifests=tmp_path, **QUICK)


def test_a_row_without_attention_leaves_the_others_in_figure_3(results, classifier, tmp_path, monkeypatch):
    from_hparams, looks = reporting.EmotionClassifier.from_hparams, type(classifier).attention_file

    def which(folder):
        monkeypatch.setattr(type(classifier), "attention_file", nothing if "dominant_hard" in folder.parts else looks)
        return from_hparams(folder)

    def nothing(*_):
        raise NoAttention("it has none")

    monkeypatch.setattr(reporting.EmotionClassifier, "from_hparams", which)
    page = make_report(results, data_folder=tmp_path, manifests=tmp_path, **QUICK).read_text()
    assert page.count("<audio") == 3 and "There is no attention of dominant_hard to show: it has none." in page
    assert "the weights of: soft, MLEE." in page


def test_a_wrong_utterance_is_refused_before_anything_is_evaluated(results, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(reporting, "evaluate", lambda *_, **__: pytest.fail("evaluated"))
    assert main(["report", str(results), "--utterance", "s2_000", "--data_folder", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "unknown test utterance 's2_000': did you mean 's2_00'? (one of: s2_00, s2_01" in said and "and 42 more" in said
    assert main(["report", str(results), "--utterance", "s2_00"]) == 2
    assert "add --data_folder" in capsys.readouterr().err


def test_the_page_has_the_command_that_makes_it_again(results, tmp_path):
    words = ["report", str(results), "--output", str(tmp_path / "a report"), "--resamples", "50", "--undo_class_weights"]
    assert main(words) == 0
    command = json.loads((tmp_path / "a report/report.json").read_text())["made"]["command"]
    assert sorted(shlex.split(command)) == sorted(["mlee", *words])
