"""Every fold of a row in one command, stopped in the middle and begun again."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from filelock import FileLock

from mlee_sb.corpora.demo import make_demo_release
from mlee_sb.evaluation.results import find_stages
from mlee_sb.experiment import command as experiment_command
from mlee_sb.experiment import cross_validate, train

from .conftest import of_tones

FLAGS = ["--max_epochs", "6", "--patience", "6", "--speeds", "1.0"]
FOLDS = ("1", "2")
COMMAND = [sys.executable, "recipes/cross_validate.py", "hparams/mlee.yaml", "--folds", *FOLDS, "--jobs", "2", *FLAGS]


@pytest.fixture
def undisturbed(tones, tmp_path):
    """Predictions of the folds, each trained by recipes/train.py on one thread."""
    threads, results = torch.get_num_threads(), tmp_path / "undisturbed"
    torch.set_num_threads(1)
    for fold in FOLDS:
        assert train.main(["hparams/mlee.yaml", "--fold", fold, *of_tones(tones, results), *FLAGS]) == 0
    torch.set_num_threads(threads)
    return [stage.predictions.read_bytes() for stage in find_stages(results)]


def wait_for_an_epoch(process, results):
    deadline = time.monotonic() + 200
    while not list(results.rglob("save/CKPT*")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)


def nobody_trains_below(results):
    locks = list(results.rglob(".lock"))
    assert locks
    for lock in locks:
        with FileLock(lock, timeout=10):  # whoever trains holds it
            pass


def test_ctrl_c_stops_everything_and_the_same_command_goes_on(tones, tmp_path, undisturbed):
    results = tmp_path / "results"
    command = [*COMMAND, *of_tones(tones, results)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, start_new_session=True, **pipes)
    wait_for_an_epoch(process, results)
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does: every process of the command gets it
    said, complained = process.communicate(timeout=100)
    assert process.returncode == 130
    assert complained.strip() == "stopped; the same command goes on from the last finished epoch"
    assert list(results.rglob("save/CKPT*")), "stopped too early to test anything"
    assert not list(results.rglob("predictions.csv")), "stopped too late to test anything"
    nobody_trains_below(results)

    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "2 of 2 folds" in done.stdout
    for stage in find_stages(results):
        assert (stage.folder / "train_log.txt").read_text().count("epoch: 1 -") == 1, "it began anew instead of going on"
    assert [stage.predictions.read_bytes() for stage in find_stages(results)] == undisturbed


def test_a_killed_command_leaves_no_training_behind(tones, tmp_path):
    endless = ["--folds", "1", "--jobs", "1", "--max_epochs", "9999", "--patience", "9999"]
    command = [*COMMAND, *of_tones(tones, tmp_path), *endless]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for_an_epoch(process, tmp_path)
    process.kill()
    process.wait()
    assert list(tmp_path.rglob("save/CKPT*"))
    nobody_trains_below(tmp_path)


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
    monkeypatch.setattr("mlee_sb.experiment.command.is_main", lambda: True)
    assert cross_validate.main(["hparams/mlee.yaml", *of_tones(tones, tmp_path)]) == 2
    assert "started by torchrun" in capsys.readouterr().err
