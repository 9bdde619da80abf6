"""A pass of training over some utterances with the paper's encoder: ours, and what a student writes. Prints ms an utterance.

python benchmarks/training_step.py reference|ours_fp32|ours_bf16 [UTTERANCES] [DATA_FOLDER] [--device cuda]
"""

import argparse
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import corpus
import torch
from hyperpyyaml import load_hyperpyyaml
from measure import ROOT
from reference.model import ReferenceEncoder
from torch import Tensor, nn

from mlee_sb.models.dense_classifier import DenseClassifier
from mlee_sb.models.device import upload
from mlee_sb.models.encoders.cnn_blstm_attention import PaperEncoder
from mlee_sb.models.waveforms import pad
from mlee_sb.training.data import Batch, UtteranceSampler
from mlee_sb.training.memory import keep_freed_memory

BATCH, EMOTIONS, LR, MAX_GRAD_NORM = 16, 4, 5e-4, 5.0
SIZE = 256  # of an embedding, of ours and of the reference


def built(part: str):
    """What a file in hparams/parts/ describes."""
    return load_hyperpyyaml(f"part: !include:{ROOT}/hparams/parts/{part}.yaml")["part"]


def our_encoder() -> PaperEncoder:
    """The encoder of mlee_sb, with statistics that fit noise."""
    encoder = built("paper_encoder")
    encoder.normalizer.mean.fill_(0.5)
    encoder.normalizer.std.fill_(1.3)
    return encoder


def our_head(embedding_size: int, n_emotions: int = EMOTIONS) -> DenseClassifier:
    """The classifier of mlee_sb."""
    return built("classifier")(embedding_size=embedding_size, n_emotions=n_emotions)


def batches_of(waveforms: list[Tensor], numbers: Iterable[list[int]]) -> Iterator[Batch]:
    """Batches of waveforms by their numbers, with any labels."""
    labels = torch.eye(EMOTIONS)[torch.randint(EMOTIONS, (len(waveforms),), generator=torch.Generator().manual_seed(0))]
    for batch in numbers:
        yield Batch(*pad([waveforms[i] for i in batch]), labels[batch], torch.tensor(batch))


def adam(parameters: Iterable[nn.Parameter], lr: float, is_ours: bool) -> torch.optim.Adam:
    """As hparams/parts/adam.yaml has it, or as a student takes it."""
    return torch.optim.Adam(parameters, lr=lr, fused=is_ours or None)


def step(model: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """What follows the loss."""
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), MAX_GRAD_NORM)
    optimizer.step()


def epoch(encoder: nn.Module, batches: Iterable[Batch], bf16: bool = False, device: str = "cpu") -> float:
    """One pass with forward, loss, backward and Adam; seconds."""
    model = nn.ModuleList([encoder, our_head(SIZE)]).to(device).train()
    optimizer = adam(model.parameters(), LR, is_ours=isinstance(encoder, PaperEncoder))
    start = time.perf_counter()
    for batch in batches:
        with torch.autocast(device.split(":")[0], torch.bfloat16, enabled=bf16):
            logits = model[1](encoder(upload(batch.inputs, device), batch.lengths))
        step(model, optimizer, nn.functional.cross_entropy(logits.float(), upload(batch.labels, device)))
    if device != "cpu":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def main(which: str, n: int, data_folder: Path | None, device: str) -> None:
    """Print ms an utterance of the second pass; the first warms up."""
    torch.manual_seed(0)
    found = corpus.waveforms(corpus.lengths(n, data_folder))
    if which == "reference":
        encoder: nn.Module = ReferenceEncoder(torch.full((400,), 0.5), torch.full((400,), 1.3))
        order = torch.randperm(n, generator=torch.Generator().manual_seed(0)).split(BATCH)
        numbers = [batch.tolist() for batch in order]
    else:
        keep_freed_memory()
        encoder = our_encoder()
        numbers = list(UtteranceSampler([len(w) / corpus.RATE for w in found], BATCH, seed=1))
    epoch(encoder, batches_of(found, numbers[:2]), which.endswith("bf16"), device)
    print(1000 * epoch(encoder, batches_of(found, numbers), which.endswith("bf16"), device) / n)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", choices=("reference", "ours_fp32", "ours_bf16"))
    parser.add_argument("n", type=int, nargs="?", default=192)
    parser.add_argument("data_folder", type=Path, nargs="?")
    parser.add_argument("--device", default="cpu")
    main(**vars(parser.parse_args()))
