"""A pass of training over some utterances with the paper's encoder: ours, and what a student writes. Prints ms an utterance.

python benchmarks/training_step.py reference|ours_fp32|ours_bf16 [UTTERANCES] [DATA_FOLDER]
"""

import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import corpus
import torch
from reference.model import ReferenceEncoder
from torch import Tensor, nn

from mlee_sb.models.audio import pad
from mlee_sb.models.classifier import DenseClassifier
from mlee_sb.models.encoder import CnnBlstmAttention
from mlee_sb.models.features import LogPowerSpectrogram
from mlee_sb.models.normalization import ZNorm
from mlee_sb.models.pipeline import UtteranceEncoder
from mlee_sb.training.data import Batch, UtteranceSampler
from mlee_sb.training.memory import keep_freed_memory

BATCH, EMOTIONS, LR, MAX_GRAD_NORM = 16, 4, 5e-4, 5.0


def our_encoder() -> UtteranceEncoder:
    """The encoder of mlee_sb, with statistics that fit noise."""
    encoder = UtteranceEncoder(LogPowerSpectrogram(), ZNorm(), CnnBlstmAttention())
    encoder.normalizer.mean.fill_(0.5)
    encoder.normalizer.std.fill_(1.3)
    return encoder


def batches_of(waveforms: list[Tensor], numbers: Iterable[list[int]]) -> Iterator[Batch]:
    """Batches of waveforms by their numbers, with any targets."""
    targets = torch.eye(EMOTIONS)[torch.randint(EMOTIONS, (len(waveforms),), generator=torch.Generator().manual_seed(0))]
    for batch in numbers:
        yield Batch(*pad([waveforms[i] for i in batch]), targets[batch], torch.tensor(batch))


def epoch(encoder: nn.Module, batches: Iterable[Batch], bf16: bool = False) -> float:
    """One pass with forward, loss, backward and Adam; seconds."""
    head = DenseClassifier(256, EMOTIONS)
    optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=LR)
    encoder.train()
    start = time.perf_counter()
    for batch in batches:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = head(encoder(batch.inputs, batch.lengths))
        loss = nn.functional.cross_entropy(logits.float(), batch.targets)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(encoder.parameters(), MAX_GRAD_NORM)
        optimizer.step()
    return time.perf_counter() - start


def main(which: str, n: int = 192, data_folder: str | None = None) -> None:
    """Print ms an utterance of the second pass; the first warms up."""
    torch.manual_seed(0)
    found = corpus.waveforms(corpus.lengths(n, Path(data_folder) if data_folder else None))
    if which == "reference":
        encoder: nn.Module = ReferenceEncoder(torch.full((400,), 0.5), torch.full((400,), 1.3))
        order = torch.randperm(n, generator=torch.Generator().manual_seed(0)).split(BATCH)
        numbers = [batch.tolist() for batch in order]
    else:
        keep_freed_memory()
        encoder = our_encoder()
        numbers = list(UtteranceSampler([len(w) / corpus.RATE for w in found], BATCH, seed=1))
    epoch(encoder, batches_of(found, numbers[:2]), which.endswith("bf16"))
    print(1000 * epoch(encoder, batches_of(found, numbers), which.endswith("bf16")) / n)


if __name__ == "__main__":
    main(sys.argv[1], *(int(word) if word.isdigit() else word for word in sys.argv[2:]))
