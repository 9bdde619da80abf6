"""How much of the batches is padding: ours, and shuffled ones. Frames of 10 ms."""

from pathlib import Path

import corpus
import numpy as np
import torch
from measure import Result

from mlee_sb.training.data import LengthBucketSampler

BATCH, SPEEDS, EPOCHS = 16, (0.9, 1.0, 1.1), 3


def share_of_padding(batches: list[list[int]], lengths: np.ndarray) -> float:
    """Padded frames over all frames, in percent."""
    longest = sum(max(lengths[batch]) * len(batch) for batch in batches)
    return 100 * (1 - sum(lengths[batch].sum() for batch in batches) / longest)


def measure(n: int, data_folder: Path | None) -> Result:
    """Over some epochs of n utterances at the paper's three speeds."""
    seconds = corpus.lengths(n, data_folder)
    lengths = np.concatenate([seconds / speed for speed in SPEEDS])
    sampler = LengthBucketSampler(lengths.tolist(), BATCH, seed=1)
    ours, shuffled = [], []
    for epoch in range(EPOCHS):
        sampler.set_epoch(epoch)
        ours.append(share_of_padding(list(sampler), lengths))
        order = torch.randperm(len(lengths), generator=torch.Generator().manual_seed(epoch)).split(BATCH)
        shuffled.append(share_of_padding([batch.tolist() for batch in order], lengths))
    return Result(
        "padding", "% of frames", {"shuffled batches": shuffled, "ours": ours}, [f"{len(seconds)} utterances at {len(SPEEDS)} speeds"]
    )
