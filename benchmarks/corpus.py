"""Recordings of lengths as they are: those of a release, or log-normal ones around the paper's mean."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor

RATE = 16000
MEAN_SECONDS, SIGMA = 4.5, 0.6  # the paper's mean length; a spread like IEMOCAP's
SHORTEST, LONGEST = 0.5, 20.0
SPEEDS = (0.9, 1.0, 1.1)  # of the training copies


def lengths(n: int, data_folder: Path | None = None, seed: int = 0) -> np.ndarray:
    """Seconds of n utterances: drawn from the wav files below `data_folder`, or log-normal."""
    rng = np.random.default_rng(seed)
    if data_folder is None:
        return np.clip(rng.lognormal(np.log(MEAN_SECONDS) - SIGMA**2 / 2, SIGMA, n), SHORTEST, LONGEST)
    files = sorted(data_folder.rglob("*.wav"))
    return np.array([soundfile.info(files[i]).duration for i in rng.permutation(len(files))[:n]])


def waveforms(seconds: np.ndarray, seed: int = 0) -> list[Tensor]:
    """Noise of these lengths, [samples] each: convolutions take the same time for it as for speech."""
    generator = torch.Generator().manual_seed(seed)
    return [0.1 * torch.randn(round(s * RATE), generator=generator) for s in seconds]


def write_folder(folder: Path, seconds: Iterable[float]) -> list[Path]:
    """Wav files of noise, of these lengths."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, paths = np.random.default_rng(0), []
    for i, length in enumerate(seconds):
        paths.append(folder / f"{i:05d}.wav")
        soundfile.write(paths[-1], 0.1 * rng.standard_normal(round(length * RATE)).astype(np.float32), RATE, subtype="PCM_16")
    return paths
