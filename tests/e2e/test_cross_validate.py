"""Every fold of a row in one command, stopped in the middle and begun again."""

import os
import signal
import subprocess
import sys

import pytest
from filelock import FileLock

from mlee_sb.demo import make_demo_release
from mlee_sb.evaluation.results import find_stages
from mlee_sb.experiment import arguments as experiment_command
from mlee_sb.experiment import cross_validate, train

from .conftest import of_tones, stage_of

FLAGS = ["--max_epochs", "6", "--patience", "6", "--speeds", "1.0"]
FOLDS = ("1", "2")
LONG_ENOUGH = 300  # seconds for a process to end that was told to


def command(held, tones, results, *flags):
    words = ["recipes/cross_validate.py", str(held.hparams / "mlee.yaml"), "--folds", *FOLDS, "--jobs", "2", *FLAGS]
    return [sys.executable, *words, *of_tones(tones, results), *flags]


def stages_in(results, folds=FOLDS):
    return [results / "tones" / stage_of("mlee", fold, max_epochs=6, patience=6, speeds=[1.0]) for fold in folds]


@pytest.fixture
def undisturbed(tones, tmp_path):
    """Predictions of the folds, each trained by recipes/train.py on one thread (see tests/conftest.py)."""
    results = tmp_path / "undisturbed"
    for fold in FOLDS:
        assert train.main(["hparams/mlee.yaml", "--fold", fold, *of_tones(tones, results), *FLAGS]) == 0
    return [stage.predictions.read_bytes() for stage in find_stages(results)]


def nobody_trains(stages):
    for stage in stages:
        with FileLock(stage / "save/.lock", timeout=LONG_ENOUGH):  # whoever trains holds it
            pass


@pytest.mark.real  # the campaign kills sweeps, too
def test_ctrl_c_stops_everything_and_the_same_command_goes_on(tones, tmp_path, undisturbed, held):
    results = tmp_path / "results"
    words, stages = command(held, tones, results), stages_in(results)
    process = held.start(words, start_new_session=True)
    held.wait_for_an_epoch(process, *stages)
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does: every process of the command gets it
    status = process.wait(timeout=LONG_ENOUGH)
    nobody_trains(stages)
    complained = held.complained.read_text()
    assert status == 130, complained
    assert complained.strip() == "stopped; the same command goes on from the last finished epoch"
    assert not any((stage / "predictions.csv").exists() for stage in stages)

    held.let_go()
    done = subprocess.run(words, capture_output=True, text=True, env=held.environment)
    assert done.returncode == 0 and "2 of 2 folds" in done.stdout, done.stderr
    for stage in find_stages(results):
        assert (stage.folder / "train_log.txt").read_text().count("epoch: 1 -") == 1, "it began anew instead of going on"
    assert [stage.predictions.read_bytes() for stage in find_stages(results)] == undisturbed


def test_a_killed_command_leaves_no_training_behind(tones, tmp_path, held):
    (stage,) = stages_in(tmp_path, folds=["1"])
    words = command(held, tones, tmp_path, "--folds", "1", "--jobs", "1")
    process = held.start(words)
    held.wait_for_an_epoch(process, stage)
    process.kill()
    process.wait()
    assert any((stage / "save").glob("CKPT*")) and not (stage / "predictions.csv").exists()
    nobody_trains([stage])


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--fold", "1"], "unknown flag --fold: did you mean --folds"),
        (["--folds", "0"], "unknown fold '0'"),
        (["--jobs", "0"], "must be 1 or more"),
        (["--lr", "0"], "must be above 0"),
    ],
)
def test_a_wrong_word_is_answered_before_training(tones, tmp_path, capsys, flags, said):
    assert cross_validate.main(["hparams/mlee.yaml", *of_tones(tones, tmp_path), *flags]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.rglob("save"))


def test_without_a_data_folder_the_plan_is_that_of_the_demo_and_says_so(tmp_path, monkeypatch, capsys):
    make_demo_release(tmp_path / "release", utterances_per_speaker=4, scripted_per_speaker=1)
    monkeypatch.setattr(experiment_command, "make_demo_release", lambda folder: tmp_path / "release")
    flags = ["--results", str(tmp_path / "results"), "--device", "cpu", "--dry-run"]
    assert cross_validate.main(["hparams/mlee.yaml", "--emotions", "neu", "sad", *flags]) == 0
    said = capsys.readouterr().out
    assert "DEMO: no --data_folder was given" in said and "10 encoders and 0 heads" in said


def test_torchrun_is_refused_where_every_process_would_train_everything(tones, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert cross_validate.main(["hparams/mlee.yaml", *of_tones(tones, tmp_path)]) == 2
    assert "started by torchrun" in capsys.readouterr().err
