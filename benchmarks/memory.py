"""Does memory grow with the work? Peak of a process over what it held before, at one size and at ten times as much.

python benchmarks/memory.py training|classify UTTERANCES      prints MB
"""

import sys
import tempfile
from pathlib import Path

import corpus
import pandas as pd
import torch
from classification import write_bundle
from measure import Result, by_turns, in_own_process, peak_memory, status_of
from torch import nn
from training_step import BATCH, EMOTIONS, LR, our_encoder

from mlee_sb import EmotionClassifier
from mlee_sb.models.classifier import DenseClassifier
from mlee_sb.training.data import WaveformDataset, make_loader
from mlee_sb.training.memory import keep_freed_memory

SECONDS = 3.0


def train(files: list[Path]) -> float:
    """An epoch over the files at the paper's three speeds."""
    keep_freed_memory()
    frame = pd.DataFrame({"ID": [path.stem for path in files], "wav": [path.name for path in files], "duration": SECONDS})
    encoder, head = our_encoder(), DenseClassifier(256, EMOTIONS)
    data = WaveformDataset(frame, files[0].parent, encoder, torch.rand(len(files), EMOTIONS), (0.9, 1.0, 1.1))
    optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=LR)
    before = status_of("VmRSS")
    for batch in make_loader(data, BATCH, 0, seed=1):
        optimizer.zero_grad()
        nn.functional.cross_entropy(head(encoder(batch.inputs, batch.lengths)), batch.targets).backward()
        optimizer.step()
    return peak_memory() - before


def classify(files: list[Path]) -> float:
    """A folder through `predict_many`."""
    classifier = EmotionClassifier.from_hparams(write_bundle(files[0].parent / "model"))
    before = status_of("VmRSS")
    for _ in classifier.predict_many(files):
        pass
    return peak_memory() - before


def measure(n: int) -> list[Result]:
    """Both, for n and ten times n utterances."""
    return [
        by_turns(
            f"memory of {what} over what was held before",
            "MB",
            {f"{size} utterances of 3 s": lambda w=what, s=size: in_own_process("memory.py", w, s) for size in (n, 10 * n)},
            repeats=1,
        )
        for what in ("training", "classify")
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        print({"training": train, "classify": classify}[sys.argv[1]](corpus.write_folder(Path(temporary), int(sys.argv[2]))))
