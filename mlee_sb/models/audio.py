"""Read a recording as the models want it: mono, at their sample rate."""

import logging
from functools import cache
from pathlib import Path

import soundfile
import torch
import torchaudio
from torch import Tensor

from mlee_sb.errors import InputError

logger = logging.getLogger(__name__)


@cache
def resampler(from_rate: int, to_rate: int) -> torchaudio.transforms.Resample:
    """One resampler (its filter is worth keeping) for a pair of sample rates in Hz."""
    return torchaudio.transforms.Resample(from_rate, to_rate)


@cache
def _say_once(message: str) -> None:
    logger.info(message)


def load_waveform(path: str | Path, sample_rate: int) -> Tensor:
    """Read a wav, flac, ogg or mp3 file of any sample rate and number of channels.

    Channels are averaged and other sample rates resampled, which is logged once for each kind.

    Parameters
    ----------
    path : the file
    sample_rate : Hz wanted

    Returns
    -------
    Tensor
        waveform [samples], float32 in -1 to 1

    Raises
    ------
    InputError
        if the file is missing, unreadable, or holds no samples or values that are not finite
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file")
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)  # [samples, channels]
    except soundfile.SoundFileError as error:
        raise InputError(f"{path}: cannot be read as audio ({error}); wav, flac, ogg and mp3 can") from error
    waveform = torch.from_numpy(samples)
    if waveform.shape[0] == 0:
        raise InputError(f"{path}: no samples in it")
    if not waveform.isfinite().all():
        raise InputError(f"{path}: samples that are not finite (NaN or infinity); write it again without them")
    if waveform.shape[1] > 1:
        _say_once("recordings with several channels: the channels are averaged")
    waveform = waveform.mean(dim=1)
    if rate != sample_rate:
        _say_once(f"recordings at {rate} Hz: resampled to {sample_rate} Hz")
        waveform = resampler(rate, sample_rate)(waveform)
    return waveform


def pad(waveforms: list[Tensor]) -> tuple[Tensor, Tensor]:
    """A list of [samples] -> padded [batch, samples] and integer lengths [batch].

    >>> pad([torch.ones(1), torch.ones(2)])[0].tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    lengths = torch.tensor([waveform.shape[0] for waveform in waveforms])
    return torch.nn.utils.rnn.pad_sequence(waveforms, batch_first=True), lengths
