"""How many of the frames that the convolutions compute belong to no utterance: padding, or what lies between utterances of a row."""

from collections.abc import Iterable
from pathlib import Path

import corpus
import numpy as np
import torch
from convolution_peak import layers
from measure import Result
from reference.model import SHIFT, WINDOW
from training_step import BATCH, built

from mlee_sb.models.encoders.cnn_blstm_attention import CnnLayer
from mlee_sb.models.packed_frames import in_rows
from mlee_sb.training.data import UtteranceSampler


def computed_and_valid(cnn: Iterable[CnnLayer], frames: list[int]) -> tuple[float, float, float]:
    """Frames that convolutions compute for a batch padded to its longest, for one in rows, and for the utterances alone.

    Those of a layer count by its operations.
    """
    padded = rows = valid = 0.0
    for layer, (_, bins, channels_in, channels, kernel) in zip(cnn, layers(), strict=True):
        weight = bins * channels_in * channels * kernel[0] * kernel[1]
        made = in_rows(torch.empty(sum(frames), 1, 1), frames, layer.time, (0, 0), layer.time_stride)
        rows += weight * made.shape[0] * ((made.shape[1] - sum(layer.time) - 1) // layer.time_stride + 1)
        frames = [-(-n // layer.time_stride) for n in frames]
        padded += weight * max(frames) * len(frames)
        valid += weight * sum(frames)
        frames = [n // layer.pool for n in frames]
    return padded, rows, valid


def measure(n: int, data_folder: Path | None) -> Result:
    """Over an epoch of n utterances at the paper's three speeds, in the batches that training draws: at random."""
    seconds = corpus.lengths(n, data_folder)
    frames = np.concatenate([1 + (seconds / speed * corpus.RATE - WINDOW) // SHIFT for speed in corpus.SPEEDS]).astype(int)
    cnn = built("paper_encoder").network.cnn
    batches = [computed_and_valid(cnn, frames[batch].tolist()) for batch in UtteranceSampler(frames.tolist(), BATCH, seed=1)]
    padded, rows, valid = np.sum(batches, axis=0)
    shares = {"padded to the longest": [100 * (1 - valid / padded)], "ours": [100 * (1 - valid / rows)]}
    return Result(
        "padding of shuffled batches", "% of the frames that are computed", shares, [f"{n} utterances at {len(corpus.SPEEDS)} speeds"]
    )
