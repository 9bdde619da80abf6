"""Without a corpus, the DEMO release takes its place, and everything says so."""

import json

import pytest

from mlee_sb.cli.app import main as mlee
from mlee_sb.demo import make_demo_release
from mlee_sb.experiment import arguments as command
from mlee_sb.experiment import demo_run, train


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return make_demo_release(tmp_path_factory.mktemp("demo") / "release", utterances_per_speaker=6, scripted_per_speaker=1)


@pytest.fixture(autouse=True)
def small_release(release, monkeypatch):
    """The small release in the place of the one that is made otherwise."""
    for module in (command, demo_run):
        monkeypatch.setattr(module, "DEMO_FOLDER", release)
    monkeypatch.setattr(command, "make_demo_release", lambda folder: folder)


def test_without_a_data_folder_a_stage_is_trained_on_the_demo_release_and_says_demo(tmp_path, capsys):
    flags = ["--emotions", "neu", "sad", "--max_epochs", "1", "--speeds", "1.0", "--device", "cpu", "--results", str(tmp_path / "results")]
    assert train.main(["hparams/mlee.yaml", "--fold", "3", *flags]) == 0
    said = capsys.readouterr().out
    assert "DEMO: no --data_folder was given" in said and "DEMO: generated speech and simulated annotators" in said
    (stage,) = tmp_path.glob("results/demo/mlee*/all/seed1/fold3")
    assert json.loads((stage / "scores.json").read_text())["demo"] is True
    assert json.loads((stage / "model/config.json").read_text())["demo"] is True
    assert {line.split(",")[1] for line in (stage / "predictions.csv").read_text().splitlines()[1:]} == {"Ses02F"}


def test_the_main_command_works_before_and_after_the_demo(tmp_path, monkeypatch, capsys):
    """In a folder that is no checkout, with the results folders that each has where none is given."""
    one_epoch = {"max_epochs": 1, "speeds": [1.0]}
    monkeypatch.setattr(demo_run, "SHORT", {**one_epoch, "mlee": one_epoch, "dominant": one_epoch, "device": "cpu"})
    monkeypatch.chdir(tmp_path)
    main_commands = (["cross-validate", "mlee_fusion", "--folds", "3"], ["table3", "--folds", "3"])
    plans = []
    for _ in range(2):
        for words in main_commands:
            assert mlee([*words, "--device", "cpu", "--dry-run", "--json"]) == 0
            plans.append(capsys.readouterr().out)
        assert mlee(["demo"]) == 0
        said = capsys.readouterr().out
        assert "DEMO: generated speech, a short training" in said and "Ses02F" in said.splitlines()[-2]
    assert plans[:2] == plans[2:], "the demo left something where the main command trains"
    assert {place.name for place in tmp_path.iterdir()} == {"results", "results_demo"}
