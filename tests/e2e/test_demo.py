"""Without a corpus, the DEMO release takes its place, and everything says so."""

import json

from mlee_sb.demo import make_demo_release
from mlee_sb.experiment import arguments as command
from mlee_sb.experiment import train


def test_without_a_data_folder_a_stage_is_trained_on_the_demo_release_and_says_demo(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "DEMO_FOLDER", tmp_path / "release")
    make_demo_release(tmp_path / "release", utterances_per_speaker=6, scripted_per_speaker=1)
    monkeypatch.setattr(command, "make_demo_release", lambda folder: folder)  # the small one that stands there
    flags = ["--emotions", "neu", "sad", "--max_epochs", "1", "--speeds", "1.0", "--device", "cpu", "--results", str(tmp_path / "results")]
    assert train.main(["hparams/mlee.yaml", "--fold", "3", *flags]) == 0
    said = capsys.readouterr().out
    assert "DEMO: no --data_folder was given" in said and "DEMO: generated speech and simulated annotators" in said
    stage = tmp_path / "results/demo/mlee/all/seed1/fold3"
    assert json.loads((stage / "scores.json").read_text())["demo"] is True
    assert json.loads((stage / "model/config.json").read_text())["demo"] is True
    assert {line.split(",")[1] for line in (stage / "predictions.csv").read_text().splitlines()[1:]} == {"Ses02F"}
