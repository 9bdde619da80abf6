"""A small corpus of generated tones as a vote table: enough to turn the machine, nothing that could be learnt from."""

import csv
import os
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mlee_sb.experiment.train import main
from mlee_sb.stage_folder import row_name, variant_of

RATE = 16000
SPEAKERS, UTTERANCES = 6, 6


@pytest.fixture(scope="session")
def tones(tmp_path_factory):
    """Six speakers with six utterances each; `neu` is a low tone, `hap` a high one."""
    folder = tmp_path_factory.mktemp("release") / "tones"
    folder.mkdir()
    rng = np.random.default_rng(0)
    with open(folder / "votes.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["wav", "speaker", "votes_neu", "votes_hap", "votes_other"])
        for speaker in range(SPEAKERS):
            for i in range(UTTERANCES):
                happy = i % 2
                time = np.arange(int(RATE * rng.uniform(0.3, 0.9))) / RATE
                tone = 0.3 * np.sin(2 * np.pi * (300 + 100 * speaker + 1500 * happy) * time) + 0.05 * rng.standard_normal(len(time))
                soundfile.write(folder / f"s{speaker}_{i}.wav", tone, RATE)
                table.writerow([f"s{speaker}_{i}.wav", f"s{speaker}", 3 - 2 * happy - (i == 3), 2 * happy + (i == 2), int(i == 5)])
    return folder


def of_tones(tones, results):
    """The flags of a run on the tones."""
    return ["--device", "cpu", "--corpus", "vote_table", "--data_folder", str(tones), "--emotions", "neu", "hap", "--results", str(results)]


def command(tones, results, *flags, hparams="hparams/mlee_fusion.yaml"):
    """The words of one run on the tones."""
    return [hparams, "--fold", "1", *of_tones(tones, results), *flags]


HELD = """
import os, time
import torch
from mlee_sb.training.checkpoints import AtomicCheckpointer

saved = []
save_checkpoint = AtomicCheckpointer.save_checkpoint


def noted(*args, **kwargs):
    saved.append(save_checkpoint(*args, **kwargs))
    return saved[-1]


AtomicCheckpointer.save_checkpoint = noted


class Adam(torch.optim.Adam):
    \"\"\"Steps until a checkpoint was saved, and no further for as long as a file is there.\"\"\"

    def step(self, closure=None):
        while saved and os.path.exists(os.environ["HELD_BY"]):
            time.sleep(0.02)
        return super().step(closure)
"""


class Held:
    """Trainings that stop after their first epoch until they are let go: to interrupt them there, however fast or slow a machine is.

    `hparams` is a folder with such hparams, `environment` what their processes need; `said` and `complained` are the files into which
    the last one that was started writes.
    """

    def __init__(self, folder: Path):
        (folder / "held.py").write_text(HELD)
        self.hparams = shutil.copytree("hparams", folder / "hparams")
        part = self.hparams / "parts/adam.yaml"
        assert "torch.optim.Adam" in part.read_text()
        part.write_text(part.read_text().replace("torch.optim.Adam", "held.Adam"))
        self.file, self.said, self.complained = folder / "held", folder / "stdout.txt", folder / "stderr.txt"
        self.file.touch()
        self.started: list[subprocess.Popen] = []
        path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
        self.environment = {**os.environ, "PYTHONPATH": path, "HELD_BY": str(self.file)}

    def start(self, words: list[str], **options) -> subprocess.Popen:
        """Start a training. It writes into files: a pipe that nobody reads would hold it, too."""
        with open(self.said, "w") as said, open(self.complained, "w") as complained:
            self.started.append(subprocess.Popen(words, stdout=said, stderr=complained, env=self.environment, **options))
        return self.started[-1]

    def wait_for_an_epoch(self, process: subprocess.Popen, *stages: Path) -> None:
        """Wait until each of the stages has a checkpoint; fail if the process that trains them ends before."""
        while not all(any((stage / "save").glob("CKPT*")) for stage in stages):
            if process.poll() is not None:
                said = self.said.read_text() + self.complained.read_text()
                pytest.fail(f"ended with status {process.returncode} before each stage had a checkpoint:\n{said}")
            time.sleep(0.02)

    def let_go(self) -> None:
        self.file.unlink(missing_ok=True)

    def end(self) -> None:
        """Leave no training behind a test that failed."""
        for process in self.started:
            process.kill()
            process.wait()
        self.let_go()


@pytest.fixture
def held(tmp_path):
    (tmp_path / "held_back").mkdir()
    held = Held(tmp_path / "held_back")
    yield held
    held.end()


QUICK = ["--max_epochs", "2", "--mlee.max_epochs", "2", "--dominant.max_epochs", "2"]


OF_ENCODERS = {"mlee.max_epochs": 2, "dominant.max_epochs": 2}  # what `QUICK` says about the encoders of a fusion


def stage_of(row: str, fold: int = 1, **changed) -> Path:
    """Return the place of a stage below the results of a corpus, by the settings in which it differs from its hparams file."""
    return Path(row_name(row, variant_of(changed)), f"all/seed1/fold{fold}")


@pytest.fixture(scope="session")
def trained(tones, tmp_path_factory):
    """The results of a whole fusion run: the folder above the rows."""
    results = tmp_path_factory.mktemp("results")
    assert main(command(tones, results, *QUICK)) == 0
    return results / "tones"
