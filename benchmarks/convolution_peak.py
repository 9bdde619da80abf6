"""How close a training step is to what the processor can do: the time that its multiplications take at this machine's best rate.

python benchmarks/convolution_peak.py floor|ours       prints ms an utterance of 4.5 s, batch 16, fp32
"""

import sys
import time

import corpus
import numpy as np
import torch
from measure import Result, by_turns, in_own_process
from reference.model import BINS, CHANNELS, KERNELS, STRIDES
from torch.nn import functional as F
from training_step import BATCH, batches_of, epoch, our_encoder

from mlee_sb.training.memory import keep_freed_memory

FRAMES, LSTM, TRIES, BATCHES = 447, 128, 20, 6
BACKWARD = 2  # times the forward multiplications; half of it in the first layer, below which no gradient is needed


def layers() -> list[tuple[int, int, int, int, tuple[int, int]]]:
    """For each convolution: frames and bins that come out of it, channels in and out, kernel (frequency, time)."""
    frames, bins, channels_in, found = FRAMES, BINS, 1, []
    for channels, kernel, stride in zip(CHANNELS, KERNELS, STRIDES, strict=True):
        frames, bins = -(-frames // stride[1]), -(-bins // stride[0])
        found.append((frames, bins, channels_in, channels, kernel))
        frames, bins, channels_in = frames // 2, bins // 2, channels
    return found


def operations() -> float:
    """Multiplications and additions of forward and backward, an utterance."""
    forward = [2 * f * b * i * o * k[0] * k[1] for f, b, i, o, k in layers()]
    frames, bins, _, channels, _ = layers()[-1]
    lstm = 2 * (frames // 2) * 2 * 4 * LSTM * (channels * (bins // 2) + LSTM)
    return forward[0] * (1 + BACKWARD / 2) + sum(forward[1:]) * (1 + BACKWARD) + lstm * (1 + BACKWARD)


@torch.no_grad()
def best_rate() -> float:
    """Operations a second of the second convolution alone, the fastest of some tries: two thirds of the step are its kind."""
    frames, bins, channels_in, channels, (frequency, time_) = layers()[1]
    x = torch.randn(BATCH, channels_in, frames + time_ - 1, bins + frequency - 1).to(memory_format=torch.channels_last)
    weight = torch.randn(channels, channels_in, time_, frequency).to(memory_format=torch.channels_last)
    best = np.inf
    for _ in range(TRIES):
        start = time.perf_counter()
        F.conv2d(x, weight)
        best = min(best, time.perf_counter() - start)
    return 2 * BATCH * frames * bins * channels_in * channels * frequency * time_ / best


def main(which: str) -> None:
    """Print ms an utterance."""
    keep_freed_memory()
    if which == "floor":
        print(1000 * operations() / best_rate())
        return
    waveforms = corpus.waveforms(np.full(BATCH * BATCHES, 4.5))
    numbers = [list(range(start, start + BATCH)) for start in range(0, len(waveforms), BATCH)]
    encoder = our_encoder()
    epoch(encoder, batches_of(waveforms, numbers[:2]))
    print(1000 * epoch(encoder, batches_of(waveforms, numbers)) / len(waveforms))


def measure(repeats: int, threads: int) -> Result:
    """Both, by turns."""
    candidates = {
        name: lambda w=which: in_own_process("convolution_peak.py", w, threads=threads)
        for name, which in {"floor: the operations at this machine's best rate": "floor", "ours, fp32, utterances of 4.5 s": "ours"}.items()
    }
    notes = [f"{operations() / 1e9:.2f} GFLOP an utterance, forward and backward; the ratio is the share of the peak"]
    return by_turns("a training step against the convolution peak", "ms an utterance", candidates, repeats, notes)


if __name__ == "__main__":
    main(sys.argv[1])
