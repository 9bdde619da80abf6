"""Does memory grow with the work? Peak of a process over what it held before, at one size and at ten times as much; lengths vary.

python benchmarks/memory.py training|fixed|classify UTTERANCES      prints MB
"""

import sys
import tempfile
from pathlib import Path

import corpus
import pandas as pd
import torch
from classification import write_bundle
from measure import Result, by_turns, in_own_process, peak_memory, status_of
from reading import dataset_of
from torch import Tensor, nn
from training_step import BATCH, EMOTIONS, epoch, our_encoder

from mlee_sb import EmotionClassifier
from mlee_sb.models.encoders.base import Encoder
from mlee_sb.models.waveforms import seconds_of
from mlee_sb.training.data import FixedDataset, make_loader
from mlee_sb.training.fixed_parts import FixedPart
from mlee_sb.training.fixed_values import keep, kept
from mlee_sb.training.memory import keep_freed_memory
from mlee_sb.training.stage import Data

LAYERS, STATISTICS = 7, 1024  # of whisper-base: the mean and deviation of 512 values in each of its layers
OF_A_SPEAKER = 20  # utterances


class Statistics(Encoder):
    """Values as large as those of a pretrained encoder, at no cost; what learns is a layer on them."""

    sample_rate, min_samples, embedding_size = corpus.RATE, corpus.RATE // 10, EMOTIONS

    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(STATISTICS, EMOTIONS)

    def fixed(self, waveforms: Tensor, n_samples: Tensor) -> tuple[Tensor, Tensor]:
        return waveforms.std(1).view(-1, 1, 1).repeat(1, LAYERS, STATISTICS), torch.full((len(waveforms),), LAYERS)

    def learned(self, fixed: Tensor, lengths: Tensor) -> Tensor:
        return self.dense(fixed.mean(1))


def train(files: list[Path]) -> float:
    """An epoch over the files at the paper's three speeds."""
    keep_freed_memory()
    encoder = our_encoder()
    loader = make_loader(dataset_of(files, encoder), BATCH, 0, seed=1)
    epoch(encoder, [])  # the first optimizer imports much
    before = status_of("VmRSS")
    epoch(encoder, loader)
    return peak_memory() - before


def train_on_fixed(files: list[Path]) -> float:
    """Two epochs over values that are kept at the paper's three speeds."""
    keep_freed_memory()
    encoder, folder = Statistics(), files[0].parent
    rows = [(path.stem, path.name, str(number // OF_A_SPEAKER), seconds_of(path)) for number, path in enumerate(files)]
    frame = pd.DataFrame(rows, columns=["ID", "wav", "speaker", "duration"])
    part = FixedPart(folder / "fixed", "key", encoder, encoder.fixed, of_corpus=True)
    data = Data(folder, {"hash": ""}, folder)
    optimizer = torch.optim.Adam(encoder.dense.parameters())
    keep([part], [(frame, corpus.SPEEDS)], data, "cpu", say=lambda line: None)
    Path("/proc/self/clear_refs").write_text("5")  # what was held at most while they were computed is forgotten
    before = status_of("VmRSS")
    values = kept([part], frame, data, corpus.SPEEDS, frame["ID"].tolist())
    loader = make_loader(FixedDataset(values, torch.eye(EMOTIONS)[torch.arange(len(files)) % EMOTIONS], []), BATCH, 0, seed=1)
    for _ in range(2):
        for batch in loader:
            nn.functional.cross_entropy(encoder.learned(batch.inputs, batch.lengths), batch.labels).backward()
            optimizer.step()
            optimizer.zero_grad()
    return peak_memory() - before


def classify(files: list[Path]) -> float:
    """A folder through `predict_many`."""
    classifier = EmotionClassifier.from_hparams(write_bundle(files[0].parent / "model"))
    before = status_of("VmRSS")
    for _ in classifier.predict_many(files):
        pass
    return peak_memory() - before


MEASURED = {"training": train, "fixed": train_on_fixed, "classify": classify}


def measure(n: int, repeats: int) -> list[Result]:
    """All three, for n and ten times n utterances."""
    return [
        by_turns(
            f"memory of {what} over what was held before",
            "MB",
            {f"{size} utterances": lambda w=what, s=size: in_own_process("memory.py", w, s) for size in (n, 10 * n)},
            repeats,
        )
        for what in MEASURED
    ]


if __name__ == "__main__":
    what, n = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as temporary:
        print(MEASURED[what](corpus.write_folder(Path(temporary), corpus.lengths(n))))
