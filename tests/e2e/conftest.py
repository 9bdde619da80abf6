"""A small corpus of generated tones as a vote table: enough to turn the machine, nothing that could be learnt from."""

import csv

import numpy as np
import pytest
import soundfile

from mlee_sb.experiment.train import main

RATE = 16000
SPEAKERS, UTTERANCES = 6, 6


@pytest.fixture(scope="session")
def tones(tmp_path_factory):
    """Six speakers with six utterances each; `neu` is a low tone, `hap` a high one."""
    folder = tmp_path_factory.mktemp("tones")
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


QUICK = ["--max_epochs", "2", "--mlee.max_epochs", "2", "--dominant.max_epochs", "2"]


@pytest.fixture(scope="session")
def trained(tones, tmp_path_factory):
    """The results of a whole fusion run: the folder above the rows."""
    results = tmp_path_factory.mktemp("results")
    assert main(command(tones, results, *QUICK)) == 0
    return results / "vote_table"
