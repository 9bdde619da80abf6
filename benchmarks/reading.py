"""Does a worker that reads ahead pay? An epoch over files with and without one, and reading alone. Prints ms an utterance.

python benchmarks/reading.py alone|0|1 FILES       0, 1: workers, in bf16, where computing takes the least time
"""

import sys
import tempfile
from pathlib import Path

import corpus
import pandas as pd
import torch
from measure import Result, by_turns, in_own_process, seconds
from training_step import BATCH, EMOTIONS, epoch, our_encoder

from mlee_sb.models.encoders.base import Encoder
from mlee_sb.training.data import WaveformDataset, make_loader
from mlee_sb.training.memory import keep_freed_memory


def dataset_of(files: list[Path], encoder: Encoder) -> WaveformDataset:
    """Recordings at the paper's three speeds, with any labels."""
    frame = pd.DataFrame({"ID": [path.stem for path in files], "wav": [path.name for path in files], "duration": 0.0})  # for no sorting
    return WaveformDataset(frame, files[0].parent, encoder, torch.rand(len(files), EMOTIONS), corpus.SPEEDS)


def main(which: str, n: int) -> None:
    """Print ms an utterance of the second epoch; the first warms up."""
    keep_freed_memory()
    encoder = our_encoder()
    with tempfile.TemporaryDirectory() as temporary:
        data = dataset_of(corpus.write_folder(Path(temporary), [3.0] * n), encoder)
        if which == "alone":
            took = [seconds(lambda: [None for _ in make_loader(data, BATCH, 0, seed=1)]) for _ in range(2)]
        else:
            took = [epoch(encoder, make_loader(data, BATCH, int(which), seed=1), bf16=True) for _ in range(2)]
    print(1000 * took[-1] / len(data))


def measure(repeats: int, threads: int, n: int) -> Result:
    """All three, by turns."""
    candidates = {
        name: lambda w=which: in_own_process("reading.py", w, n, threads=threads)
        for name, which in {"training in bf16, no worker": 0, "with one worker that reads ahead": 1, "reading alone": "alone"}.items()
    }
    return by_turns(f"an epoch over {n} files of 3 s at three speeds", "ms an utterance", candidates, repeats)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
