"""Read a recording as the models want it: mono, at their sample rate, as a whole or in blocks."""

import logging
import math
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from numbers import Integral
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import torch
import torchaudio
from torch import Tensor

from mlee_sb.errors import InputError
from mlee_sb.wav import why_cut_off, why_no_sound

logger = logging.getLogger(__name__)

STANDARD_INPUT = "standard input"
BLOCK_SECONDS = 10  # of a recording that is held at once
RESAMPLED_SECONDS = 0.5  # that are resampled at once, and that a live answer is late by
LARGEST_FILTER = 5e7  # coefficients: rates without a common factor would take gigabytes
WANTED = "give floats in -1 to 1, as a tensor, an array or lists (a file is for predict, classify_file or timeline)"
CONTEXT = 8  # zero crossings of the resampling filter on either side that a block is given (the filter has 6)


@cache
def resampler(from_rate: int, to_rate: int) -> torchaudio.transforms.Resample:
    """One resampler (its filter is worth keeping) for a pair of sample rates in Hz."""
    return torchaudio.transforms.Resample(from_rate, to_rate)


@cache
def _say_once(message: str) -> None:
    logger.info(message)


class BlockResampler:
    """Resample audio that comes bit by bit, to the samples that it would have as a whole (up to rounding beyond a block).

    It works in blocks of `RESAMPLED_SECONDS`, however the audio is cut when it is fed.

    Parameters
    ----------
    from_rate, to_rate : Hz

    Raises
    ------
    InputError
        if one is no sample rate, or the two have too small a common factor
    """

    def __init__(self, from_rate: int, to_rate: int):
        if not isinstance(from_rate, Integral) or from_rate < 1:
            raise InputError(f"sample_rate {from_rate!r}: give a whole number of Hz, for example 16000")
        self.from_rate, self.to_rate = from_rate, to_rate
        common = math.gcd(from_rate, to_rate)
        self.old, self.new = from_rate // common, to_rate // common  # so many samples in give so many out
        if self.old * self.new > LARGEST_FILTER:
            raise InputError(f"{from_rate} Hz cannot be resampled to {to_rate} Hz in reasonable memory: convert it to {to_rate} Hz first")
        self.block = self.old * max(1, round(RESAMPLED_SECONDS * common))
        self.context = self.old * math.ceil(CONTEXT / min(self.old, self.new))
        self.left = 0  # samples of `waiting` that were resampled before
        self.waiting = torch.zeros(0)

    def feed(self, samples: Tensor) -> Tensor:
        """Samples [n] -> as many resampled ones as can be known yet."""
        if self.old == self.new:
            return samples
        self.waiting = torch.cat([self.waiting, samples])
        done = []
        while len(self.waiting) >= self.left + self.block + self.context:
            part = resampler(self.from_rate, self.to_rate)(self.waiting[: self.left + self.block + self.context])
            done.append(part[self._out(self.left) : self._out(self.left + self.block)])
            start = self.left + self.block - self.context
            self.waiting, self.left = self.waiting[start:], self.context
        return torch.cat(done) if done else torch.zeros(0)

    def finish(self) -> Tensor:
        """The rest, at the end of the audio."""
        if self.old == self.new or len(self.waiting) == self.left:
            return torch.zeros(0)
        rest = resampler(self.from_rate, self.to_rate)(self.waiting)[self._out(self.left) :]
        self.waiting, self.left = torch.zeros(0), 0
        return rest

    def _out(self, samples: int) -> int:
        return samples * self.new // self.old


def as_samples(given, where: str) -> Tensor:
    """Samples as a person has them -> a tensor of float32 of the same shape, without gradients.

    Parameters
    ----------
    given : a tensor, an array, or (nested) lists of numbers; floats, full scale is 1
    where : what they are called in an error

    Raises
    ------
    InputError
        if they are nothing of these, rows of different lengths, integers (which would be taken for very loud samples), or such as no
        recording has (`check_sound`)
    """
    samples = given.detach() if isinstance(given, Tensor) else _of_numpy(given, where)
    if not samples.is_floating_point():
        raise InputError(f"{where}: samples of kind {samples.dtype}: {WANTED}")
    samples = samples.float()
    check_sound(samples, where)
    return samples


def _of_numpy(given, where: str) -> Tensor:
    try:
        array = np.asarray(given)
    except (ValueError, TypeError, RuntimeError) as error:  # of numpy, or of tensors in a list
        raise InputError(f"{where}: a {type(given).__name__} that is no array ({error}): {WANTED}, in rows of one length") from error
    if array.dtype.kind != "f":
        raise InputError(f"{where}: a {type(given).__name__} of {array.dtype}: {WANTED}")
    with np.errstate(over="ignore"):  # what is infinite as float32 is far beyond full scale
        return torch.from_numpy(np.array(array, dtype=np.float32))  # a copy: whoever records may use theirs again


def check_sound(samples: Tensor, where: str) -> None:
    """Refuse samples that no recording has, of all channels, before anything is computed from them.

    Raises
    ------
    InputError
        if one is not finite or far beyond full scale (`mlee_sb.wav.LOUDEST`); it begins with `where` and names a remedy
    """
    if samples.numel() and (wrong := why_no_sound(float(torch.stack(samples.aminmax()).abs().max()))):
        raise InputError(f"{where}: {wrong}")


def to_mono(samples: Tensor) -> Tensor:
    """[samples, channels] or [samples] -> [samples], the mean of the channels."""
    return samples if samples.dim() == 1 else samples.mean(dim=1)


def read_blocks(source: str | Path | BinaryIO, sample_rate: int) -> Iterator[Tensor]:
    """Read a wav, flac, ogg or mp3 file of any length, sample rate and number of channels, block by block.

    Channels are averaged and other sample rates resampled, which is logged once for each kind.

    Parameters
    ----------
    source : a file, or what is open for reading bytes
    sample_rate : Hz wanted

    Yields
    ------
    Tensor
        [samples], float32 in -1 to 1, of about `BLOCK_SECONDS` or less

    Raises
    ------
    InputError
        if the file is missing, unreadable, cut off, or holds no samples or such as no recording has (`check_sound`)
    """
    path = named(source)
    if isinstance(source, str | Path):
        _check_file(Path(path))
    elif not hasattr(source, "read"):
        raise InputError(f"{type(source).__name__}: give a file; samples are for classify_batch or stream")
    n = 0
    try:
        with soundfile.SoundFile(source) as file:
            if file.channels > 1:
                _say_once("recordings with several channels: the channels are averaged")
            if file.samplerate != sample_rate:
                _say_once(f"recordings at {file.samplerate} Hz: resampled to {sample_rate} Hz")
            resampling = BlockResampler(file.samplerate, sample_rate)
            while len(samples := file.read(BLOCK_SECONDS * file.samplerate, dtype="float32", always_2d=True)):
                n += len(samples)
                check_sound(torch.from_numpy(samples), path)
                yield resampling.feed(to_mono(torch.from_numpy(samples)))
            yield resampling.finish()
    except soundfile.SoundFileError as error:
        raise InputError(f"{path}: cannot be read as audio ({error}); wav, flac, ogg and mp3 can") from error
    if n == 0:
        raise InputError(f"{path}: no samples in it")


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"{path}: " + ("a folder: give the files in it" if path.is_dir() else "no such file"))
    with suppress(OSError):  # what cannot be opened at all is said where it is read
        if cut_off := why_cut_off(path):
            raise InputError(f"{path}: {cut_off}")


def named(source: str | Path | BinaryIO) -> str:
    """What a person calls it: a path, also that of an opened file.

    >>> import io, sys
    >>> named(Path("a.wav")), named(io.BytesIO())
    ('a.wav', 'unnamed audio')
    """
    if isinstance(source, str | Path):
        return str(source)
    name = getattr(source, "name", None)  # a number where a file was opened by its descriptor, as standard input is
    if name in (0, "<stdin>"):
        return STANDARD_INPUT
    return os.fsdecode(name) if isinstance(name, str | bytes) and name else "unnamed audio"


def seconds_of(source: str | Path | BinaryIO) -> float:
    """How long a recording is, by its header; 0 where that cannot be read, or only once."""
    if not isinstance(source, str | Path):
        return 0.0
    try:
        return soundfile.info(source).duration
    except (soundfile.SoundFileError, OSError):
        return 0.0


def load_waveform(source: str | Path | BinaryIO, sample_rate: int) -> Tensor:
    """Read a whole recording, as `read_blocks` does: waveform [samples], float32 in -1 to 1."""
    return torch.cat(list(read_blocks(source, sample_rate)))


def pad(waveforms: list[Tensor]) -> tuple[Tensor, Tensor]:
    """A list of [samples] -> padded [batch, samples] and integer lengths [batch].

    >>> pad([torch.ones(1), torch.ones(2)])[0].tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    lengths = torch.tensor([waveform.shape[0] for waveform in waveforms])
    return torch.nn.utils.rnn.pad_sequence(waveforms, batch_first=True), lengths
