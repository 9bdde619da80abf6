"""A classifier on a frozen encoder: embeddings computed once, and encoding in every epoch.

python benchmarks/frozen.py plain|ours       prints the seconds that one utterance takes to be encoded
"""

import sys
import time

import corpus
import torch
from measure import Result, in_own_process
from reference.model import ReferenceEncoder
from torch import nn
from training_step import our_encoder

from mlee_sb.models.audio import pad
from mlee_sb.models.classifier import DenseClassifier
from mlee_sb.training.data import EmbeddingDataset, UtteranceSampler, make_loader
from mlee_sb.training.memory import keep_freed_memory

BATCH = 16
ENCODED = 96  # utterances that are encoded to learn what one costs


@torch.no_grad()
def seconds_to_encode(encoder: nn.Module, waveforms: list[torch.Tensor], batches: list[list[int]]) -> float:
    """Seconds an utterance."""
    encoder.eval()
    start = time.perf_counter()
    for batch in batches:
        encoder(*pad([waveforms[i] for i in batch]))
    return (time.perf_counter() - start) / sum(map(len, batches))


def seconds_to_train_the_head(n: int, epochs: int) -> float:
    """Training on n embeddings, as a frozen stage does it."""
    head = DenseClassifier(512, 4)
    optimizer = torch.optim.Adam(head.parameters(), lr=5e-5)
    data = EmbeddingDataset(torch.randn(n, 512), torch.eye(4)[torch.randint(0, 4, (n,))], [str(i) for i in range(n)])
    loader = make_loader(data, BATCH, 0, seed=1)
    start = time.perf_counter()
    for _ in range(epochs):
        for batch in loader:
            loss = nn.functional.cross_entropy(head(batch.inputs), batch.targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return time.perf_counter() - start


def main(which: str) -> None:
    """Print the seconds that one utterance takes to be encoded."""
    waveforms = corpus.waveforms(corpus.lengths(ENCODED))
    if which == "plain":
        encoder: nn.Module = ReferenceEncoder(torch.full((400,), 0.5), torch.full((400,), 1.3))
        batches = [batch.tolist() for batch in torch.randperm(ENCODED, generator=torch.Generator().manual_seed(0)).split(BATCH)]
    else:
        keep_freed_memory()
        encoder, batches = our_encoder(), list(UtteranceSampler([len(w) / corpus.RATE for w in waveforms], BATCH))
    seconds_to_encode(encoder, waveforms, batches[:2])
    print(seconds_to_encode(encoder, waveforms, batches))


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
