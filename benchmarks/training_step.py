"""A pass of training over some utterances with the paper's encoder: ours, and what a student writes. Prints ms an utterance.

python benchmarks/training_step.py reference|ours_fp32|ours_bf16 [UTTERANCES] [DATA_FOLDER]
"""

import sys
import time
from pathlib import Path

import corpus
import torch
from reference.model import ReferenceEncoder
from torch import nn

from mlee_sb.models.audio import pad
from mlee_sb.models.classifier import DenseClassifier
from mlee_sb.models.encoder import CnnBlstmAttention
from mlee_sb.models.features import LogPowerSpectrogram
from mlee_sb.models.normalization import ZNorm
from mlee_sb.models.pipeline import UtteranceEncoder
from mlee_sb.training.data import UtteranceSampler
from mlee_sb.training.memory import keep_freed_memory

BATCH, EMOTIONS, LR = 16, 4, 5e-4


def our_encoder() -> UtteranceEncoder:
    """The encoder of mlee_sb, with statistics that fit noise."""
    encoder = UtteranceEncoder(LogPowerSpectrogram(), ZNorm(), CnnBlstmAttention())
    encoder.normalizer.mean.fill_(0.5)
    encoder.normalizer.std.fill_(1.3)
    return encoder


def epoch(encoder: nn.Module, batches: list[list[int]], waveforms: list[torch.Tensor], bf16: bool) -> float:
    """One pass with forward, loss, backward and Adam; seconds."""
    head = DenseClassifier(256, EMOTIONS)
    optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=LR)
    targets = torch.randint(0, EMOTIONS, (len(waveforms),), generator=torch.Generator().manual_seed(0))
    encoder.train()
    start = time.perf_counter()
    for batch in batches:
        padded, n_samples = pad([waveforms[i] for i in batch])
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = head(encoder(padded, n_samples))
        loss = nn.functional.cross_entropy(logits.float(), targets[batch])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(encoder.parameters(), 5.0)
        optimizer.step()
    return time.perf_counter() - start


def main(which: str, n: int = 192, data_folder: str | None = None) -> None:
    """Print ms an utterance of the second pass; the first warms up."""
    torch.manual_seed(0)
    found = corpus.waveforms(corpus.lengths(n, Path(data_folder) if data_folder else None))
    if which == "reference":
        encoder: nn.Module = ReferenceEncoder(torch.full((400,), 0.5), torch.full((400,), 1.3))
        order = torch.randperm(n, generator=torch.Generator().manual_seed(0)).split(BATCH)
        batches = [batch.tolist() for batch in order]
    else:
        keep_freed_memory()
        encoder = our_encoder()
        batches = list(UtteranceSampler([len(w) / corpus.RATE for w in found], BATCH, seed=1))
    epoch(encoder, batches[:2], found, which.endswith("bf16"))
    print(1000 * epoch(encoder, batches, found, which.endswith("bf16")) / n)


if __name__ == "__main__":
    main(sys.argv[1], *(int(word) if word.isdigit() else word for word in sys.argv[2:]))
