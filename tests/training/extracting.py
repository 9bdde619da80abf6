"""A small encoder with a fixed part, and a process that computes it: what test_fixed_values.py has two of, and what it kills.

python extracting.py FOLDER OWN OTHER [KILLED_AFTER]    logs what it reads in FOLDER/OWN; waits before it reads on until OTHER has read
"""

import os
import signal
import sys
import time
from pathlib import Path

import torch

from mlee_sb.corpora.manifest import read_fold, read_protocol
from mlee_sb.models.encoders.base import Encoder
from mlee_sb.training import data as data_module
from mlee_sb.training.fixed_parts import FixedPart
from mlee_sb.training.fixed_values import keep
from mlee_sb.training.stage import Data

PATIENCE = 30  # seconds


class Layers(Encoder):
    """Values that grow with time, or that have one size."""

    sample_rate, min_samples, embedding_size = 16000, 160, 4

    def __init__(self, pooled=False):
        super().__init__()
        self.settings, self.pooled = {}, pooled

    def fixed(self, waveforms, n_samples):
        frames = waveforms.unfold(-1, 160, 160).cumsum(-1)  # [batch, frames, 160]
        if not self.pooled:
            return frames, n_samples // 160
        sums = torch.stack([own[: n // 160].sum(0) for own, n in zip(frames, n_samples, strict=True)])
        return sums.unsqueeze(1).repeat(1, 7, 1), torch.full((len(sums),), 7)


def part_in(folder: Path, pooled=False) -> FixedPart:
    """The fixed part of a new encoder, with its values in a folder."""
    encoder = Layers(pooled)
    return FixedPart(folder / "upstream/key", "key", encoder, encoder.fixed, of_corpus=True)


def data_in(folder: Path) -> Data:
    """What `prepared` wrote there."""
    return Data(folder / "manifests", read_protocol(folder / "manifests"), folder / "release")


def wanted_of(data: Data, speeds=(1.0,)) -> list:
    """All rows of the corpus."""
    splits = read_fold(data.manifests, 1)
    return [(splits["train"], speeds), (splits["valid"], (1.0,)), (splits["test"], (1.0,))]


def main(folder: Path, own: Path, other: Path, killed_after: int = 0) -> None:
    """Compute all that is missing."""
    load, reads = data_module.load_waveform, []

    def logged(path, rate, **piece):
        with own.open("a") as log:
            log.write(f"{path.name}\n")
        end = time.monotonic() + PATIENCE
        while not reads and not other.exists() and time.monotonic() < end:
            time.sleep(0.01)
        reads.append(path)
        if len(reads) == killed_after:
            os.kill(os.getpid(), signal.SIGKILL)
        return load(path, rate, **piece)

    data_module.load_waveform = logged
    data = data_in(folder)
    keep([part_in(folder)], wanted_of(data), data, "cpu", print)


if __name__ == "__main__":
    place, *numbers = sys.argv[1:]
    main(Path(place), Path(place, numbers[0]), Path(place, numbers[1]), *map(int, numbers[2:]))
