"""A classifier on a frozen encoder: embeddings computed once, and encoding in every epoch.

python benchmarks/frozen.py plain|ours       prints the seconds that one utterance takes to be encoded
"""

import logging
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import corpus
import torch
from measure import Result, in_own_process, seconds
from reference.model import ReferenceEncoder
from torch import nn
from training_step import BATCH, EMOTIONS, MAX_GRAD_NORM, SIZE, adam, batches_of, our_encoder, our_head

from mlee_sb.models.encoders.frozen import FrozenEncoders
from mlee_sb.training.brains import HardTargetBrain
from mlee_sb.training.checkpoints import AtomicCheckpointer, EarlyStopping
from mlee_sb.training.data import FixedDataset, UtteranceSampler, make_loader
from mlee_sb.training.epoch_log import EpochLog
from mlee_sb.training.memory import keep_freed_memory

ENCODED = 96  # utterances that are encoded to learn what one costs
LR, VALID = 5e-5, 10  # of a frozen stage; one utterance in ten is there for validation


@torch.no_grad()
def seconds_to_encode(encoder: nn.Module, waveforms: list[torch.Tensor], numbers: list[list[int]]) -> float:
    """Seconds an utterance."""
    encoder.eval()
    start = time.perf_counter()
    for batch in batches_of(waveforms, numbers):
        encoder(batch.inputs, batch.lengths)
    return (time.perf_counter() - start) / sum(map(len, numbers))


def seconds_to_train_the_head(n: int, epochs: int) -> float:
    """Training on n embeddings as a frozen stage does it: its Brain, with validation and a checkpoint in every epoch."""
    logging.getLogger("speechbrain").setLevel(logging.WARNING)
    torch.manual_seed(0)
    head, counter = our_head(SIZE), EarlyStopping(epochs, patience=epochs)
    train, valid = (
        make_loader(FixedDataset(torch.randn(size, SIZE), torch.eye(EMOTIONS)[torch.randint(EMOTIONS, (size,))], []), BATCH, 0, seed)
        for size, seed in ((n, 1), (n // VALID, None))
    )
    with tempfile.TemporaryDirectory() as folder:
        brain = HardTargetBrain(
            encoder=FrozenEncoders([our_encoder()]),
            classifier=head,
            class_weights=torch.ones(EMOTIONS),
            settings={"loss_mean": "plain", "embedding_dropout": 0.0, "lr": LR},
            epochs=counter,
            start=time.monotonic(),
            say=lambda line: None,
            log=EpochLog(Path(folder, "train_log.txt")),
            opt_class=partial(adam, lr=LR, is_ours=True),
            checkpointer=AtomicCheckpointer(folder, {"classifier": head, "epochs": counter}),
            run_opts={"device": "cpu", "max_grad_norm": MAX_GRAD_NORM},
        )
        return seconds(lambda: brain.fit(counter, train, valid, progressbar=False))


def main(which: str) -> None:
    """Print the seconds that one utterance takes to be encoded."""
    waveforms = corpus.waveforms(corpus.lengths(ENCODED))
    if which == "plain":
        encoder: nn.Module = ReferenceEncoder(torch.full((400,), 0.5), torch.full((400,), 1.3))
        numbers = [batch.tolist() for batch in torch.randperm(ENCODED, generator=torch.Generator().manual_seed(0)).split(BATCH)]
    else:
        keep_freed_memory()
        encoder, numbers = our_encoder(), list(UtteranceSampler([len(w) / corpus.RATE for w in waveforms], BATCH))
    seconds_to_encode(encoder, waveforms, numbers[:2])
    print(seconds_to_encode(encoder, waveforms, numbers))


def measure(repeats: int, threads: int, n: int, epochs: int) -> Result:
    """Total seconds of a frozen stage with one encoder; what would take an hour is computed from what one utterance costs."""
    names = ("the plain version, encoding in every epoch", "our encoder, encoding in every epoch", "ours: embeddings once")
    values: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(repeats):
        plain, ours = (in_own_process("frozen.py", which, threads=threads) for which in ("plain", "ours"))
        head = seconds_to_train_the_head(n, epochs)
        for name, total in zip(names, (plain * n * epochs + head, ours * n * epochs + head, ours * n + head), strict=True):
            values[name].append(total)
    notes = [f"{n} embeddings, {epochs} epochs; encoding is computed from {ENCODED} utterances, training the head is measured"]
    return Result("frozen stage", "s", values, notes)


if __name__ == "__main__":
    main(sys.argv[1])
