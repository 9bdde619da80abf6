"""The command of docs/clusters.md for several GPUs, as two processes on the CPU: it gives what one process gives."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pages import RECIPE, command_blocks, other_lines

from mlee_sb.evaluation.scores import read_predictions

from .conftest import OF_ENCODERS, QUICK, command, stage_of

STAGES = [*(stage_of(row, max_epochs=2) for row in ("mlee", "dominant_soft")), stage_of("mlee_fusion_soft", max_epochs=2, **OF_ENCODERS)]


@pytest.fixture(scope="module")
def launcher():
    """The words before the hparams file, of two processes."""
    (line,) = [line for line in other_lines() if line.startswith("torchrun ")]
    torchrun, *options, recipe = shlex.split(line.split(" hparams/")[0])
    assert (torchrun, recipe) == ("torchrun", "recipes/train.py") and "--nproc_per_node=2" in options
    elsewhere = {single.removeprefix(RECIPE) for lines in command_blocks() for single in lines}
    assert line.split(" recipes/")[1] in elsewhere, "what follows is run elsewhere"
    return [sys.executable, "-m", "torch.distributed.run", *options, recipe]


@pytest.fixture(scope="module")
def trained_by_two(launcher, tones, tmp_path_factory):
    """The results of a whole fusion run, and what was printed."""
    results = tmp_path_factory.mktemp("results_of_two")
    words = [*launcher, *command(tones, results, *QUICK)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return results / "tones", done.stdout


def figures(log: Path) -> list[float]:
    return [float(figure) for figure in re.findall(r"loss: (\S+)", log.read_text())]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.parts[0])
def test_two_processes_train_what_one_trains(trained_by_two, trained, stage):
    two, _ = trained_by_two
    assert len(figures(two / stage / "train_log.txt")) == 4  # training and validation, two epochs
    np.testing.assert_allclose(figures(two / stage / "train_log.txt"), figures(trained / stage / "train_log.txt"), rtol=1e-3)
    ours, theirs = (read_predictions(results / stage / "predictions.csv") for results in (two, trained))
    assert ours["ID"].tolist() == theirs["ID"].tolist()
    probabilities = [name for name in ours if name[:2] in ("p_", "e_")]
    np.testing.assert_allclose(ours[probabilities], theirs[probabilities], atol=2e-3)


def test_two_processes_leave_the_files_of_one_and_speak_once(trained_by_two, trained):
    two, said = trained_by_two
    for stage in STAGES:
        ours, theirs = (
            sorted(re.sub("CKPT[^/]*", "CKPT", str(path.relative_to(results / stage))) for path in (results / stage).rglob("*"))
            for results in (two, trained)
        )
        assert set(ours) == set(theirs)
    assert said.count("training on cpu and 1 more") == 3 and said.count("epoch   2") == 3
