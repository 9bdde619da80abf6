"""Does memory grow with the work? Peak of a process over what it held before, at one size and at ten times as much; lengths vary.

python benchmarks/memory.py training|classify UTTERANCES      prints MB
"""

import sys
import tempfile
from pathlib import Path

import corpus
from classification import write_bundle
from measure import Result, by_turns, in_own_process, peak_memory, status_of
from reading import dataset_of
from training_step import BATCH, epoch, our_encoder

from mlee_sb import EmotionClassifier
from mlee_sb.training.data import make_loader
from mlee_sb.training.memory import keep_freed_memory


def train(files: list[Path]) -> float:
    """An epoch over the files at the paper's three speeds."""
    keep_freed_memory()
    encoder = our_encoder()
    loader = make_loader(dataset_of(files, encoder), BATCH, 0, seed=1)
    epoch(encoder, [])  # the first optimizer imports much
    before = status_of("VmRSS")
    epoch(encoder, loader)
    return peak_memory() - before


def classify(files: list[Path]) -> float:
    """A folder through `predict_many`."""
    classifier = EmotionClassifier.from_hparams(write_bundle(files[0].parent / "model"))
    before = status_of("VmRSS")
    for _ in classifier.predict_many(files):
        pass
    return peak_memory() - before


def measure(n: int, repeats: int) -> list[Result]:
    """Both, for n and ten times n utterances."""
    return [
        by_turns(
            f"memory of {what} over what was held before",
            "MB",
            {f"{size} utterances": lambda w=what, s=size: in_own_process("memory.py", w, s) for size in (n, 10 * n)},
            repeats,
        )
        for what in ("training", "classify")
    ]


if __name__ == "__main__":
    what, n = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as temporary:
        print({"training": train, "classify": classify}[what](corpus.write_folder(Path(temporary), corpus.lengths(n))))
