"""Read and check what people give a classifier: the file of one utterance, or samples and their lengths as arrays."""

from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from mlee_sb.errors import InputError
from mlee_sb.models.waveforms import as_samples, load_waveform, named, seconds_of

LONGEST_SECONDS = 120  # of one utterance: the memory for it grows with its length
WAVEFORMS = "waveforms"  # what an error calls samples that come without a file name

AudioFile = str | Path | BinaryIO
Numbers = Tensor | np.ndarray | list


def load_utterance(file: AudioFile, sample_rate: int, min_samples: int, start: float | None = None, end: float | None = None) -> Tensor:
    """Read the file of one utterance.

    Parameters
    ----------
    file : a wav, flac, ogg or mp3 file of any sample rate and number of channels, or such a file opened for reading bytes
    sample_rate : Hz of the waveform to return
    min_samples : the shortest waveform that the model takes
    start, end : seconds of a piece of it; None for its beginning and its end

    Returns
    -------
    Tensor
        waveform [samples], mono, float32, full scale is 1

    Raises
    ------
    InputError
        if the file cannot be read, is longer than `LONGEST_SECONDS`, is too short for the model, or has samples far beyond full scale
    """
    _check_not_too_long(file, seconds_of(file))  # by its header, before it is read
    waveform = load_waveform(file, sample_rate, start=start, end=end)
    _check_not_too_long(file, len(waveform) / sample_rate)  # audio from a pipe has no header to ask
    check_not_too_short(file, len(waveform), sample_rate, min_samples)
    return waveform


def check_not_too_short(file: AudioFile, n_samples: int, sample_rate: int, min_samples: int) -> None:
    """Raise an InputError that names `file` if its `n_samples` are fewer than the `min_samples` that the model needs."""
    if n_samples < min_samples:
        milliseconds, least = (1000 * n / sample_rate for n in (n_samples, min_samples))
        raise InputError(f"{named(file)}: {milliseconds:.0f} ms long; the model needs {least:.0f} ms or more")


def _check_not_too_long(file: AudioFile, seconds: float) -> None:
    if seconds > LONGEST_SECONDS:
        raise InputError(
            f"{named(file)}: {seconds:.0f} s long, but an utterance may have {LONGEST_SECONDS} s at most: use timeline (`mlee timeline`)"
        )


def as_batch(wavs: Numbers, wav_lens: Numbers | None) -> tuple[Tensor, Tensor]:
    """Check samples in memory and return them as a batch.

    Parameters
    ----------
    wavs, wav_lens : as for `EmotionClassifier.encode_batch`

    Returns
    -------
    waveforms : [batch, samples], float32
    n_samples : [batch], integers on the CPU

    Raises
    ------
    InputError
        if `wavs` or `wav_lens` has another shape or other values, or samples are not finite or far beyond full scale
    """
    waveforms = as_samples(wavs, WAVEFORMS)
    if waveforms.dim() not in (1, 2) or waveforms.numel() == 0:
        raise InputError(f"{WAVEFORMS} of shape {list(waveforms.shape)}: give [batch, samples] or [samples]")
    waveforms = torch.atleast_2d(waveforms)
    return waveforms, _as_lengths(wav_lens, *waveforms.shape)


def _as_lengths(wav_lens: Numbers | None, batch: int, longest: int) -> Tensor:
    """Return the samples of each waveform without padding, [batch], integers on the CPU."""
    if wav_lens is None:
        return torch.full((batch,), longest)
    with suppress(ValueError, TypeError, RuntimeError):  # torch has all of them for values that are not numbers
        lengths = torch.as_tensor(wav_lens).cpu()
        if lengths.is_floating_point():
            lengths = (lengths.double() * longest).round().long()
        if lengths.shape == (batch,) and int(lengths.min()) >= 1 and int(lengths.max()) <= longest:
            return lengths
    raise InputError(f"wav_lens {wav_lens!r:.200}: give one length for each of {batch} {WAVEFORMS}, up to {longest} samples")
