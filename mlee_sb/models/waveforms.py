"""Recordings as the models need them: mono, at their sample rate, as a whole or in blocks."""

import logging
import math
from collections.abc import Iterator
from functools import lru_cache
from numbers import Integral

import torch
import torchaudio
from torch import Tensor

from mlee_sb.audio.bytes_of import Source
from mlee_sb.audio.bytes_of import named as named  # those who read waveforms name, ask and read from one place
from mlee_sb.audio.channels import only
from mlee_sb.audio.faults import why_no_sound
from mlee_sb.audio.rates import steps, why_not_resampled
from mlee_sb.audio.reading import heard, opened
from mlee_sb.audio.reading import n_channels as n_channels
from mlee_sb.audio.reading import seconds_of as seconds_of
from mlee_sb.errors import InputError
from mlee_sb.models.device import upload
from mlee_sb.models.masking import valid_frames

logger = logging.getLogger(__name__)

RESAMPLED_SECONDS = 0.5  # length of a block that is resampled; a live answer comes later by this time
KEPT_FILTERS = 8  # pairs of rates
KEPT_MESSAGES = 4096  # that are not said again
QUIETEST_DB = -90  # RMS that utterances may be brought to: one step of 16-bit samples
SILENCE = 1e-30  # RMS below that of any recording: keeps a division finite
CONTEXT = 8  # zero crossings of the resampling filter that a block has as context on each side (the filter has 6)


@lru_cache(KEPT_FILTERS)
def resampler(from_rate: int, to_rate: int) -> torchaudio.transforms.Resample:
    """Return the resampler for a pair of sample rates in Hz. It is kept, because its filter takes time to compute."""
    return torchaudio.transforms.Resample(from_rate, to_rate)


@lru_cache(KEPT_MESSAGES)
def say_once(message: str, level: int = logging.INFO) -> None:
    """Say something in the log, unless it was said before: a recording is read many times."""
    logger.log(level, message)


class BlockResampler:
    """Resamples audio that arrives in pieces. The result is that of the whole audio, except for rounding if it is longer than a block.

    It works in blocks of `RESAMPLED_SECONDS`, whatever the lengths of the pieces.

    Parameters
    ----------
    from_rate, to_rate : Hz

    Raises
    ------
    InputError
        if one is not a sample rate, or if their common factor is too small
    """

    def __init__(self, from_rate: int, to_rate: int):
        if not isinstance(from_rate, Integral) or from_rate < 1:
            raise InputError(f"sample_rate {from_rate!r}: give a whole number of Hz, for example 16000")
        self.from_rate, self.to_rate = from_rate, to_rate
        if wrong := why_not_resampled(from_rate, to_rate):
            raise InputError(wrong)
        self.old, self.new = steps(from_rate, to_rate)  # `old` samples become `new` samples
        self.block = self.old * max(1, round(RESAMPLED_SECONDS * from_rate / self.old))
        self.context = self.old * math.ceil(CONTEXT / min(self.old, self.new))
        self.left = 0  # samples of `waiting` that are already resampled
        self.waiting = torch.zeros(0)

    def feed(self, samples: Tensor) -> Tensor:
        """Take samples [n], and return the resampled ones that can be computed now."""
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
        """Return the remaining resampled samples at the end of the audio."""
        if self.old == self.new or len(self.waiting) == self.left:
            return torch.zeros(0)
        rest = resampler(self.from_rate, self.to_rate)(self.waiting)[self._out(self.left) :]
        self.waiting, self.left = torch.zeros(0), 0
        return rest

    def _out(self, samples: int) -> int:
        return samples * self.new // self.old


def check_sound(samples: Tensor, where: str) -> None:
    """Refuse samples that no recording has, in any channel, before anything is computed from them.

    Raises
    ------
    InputError
        if a sample is not finite or far beyond full scale (`mlee_sb.audio.faults.LOUDEST`); the message begins with `where`
    """
    if samples.numel() and (wrong := why_no_sound(float(torch.stack(samples.aminmax()).abs().max()))):
        raise InputError(f"{where}: {wrong}")


def to_mono(samples: Tensor) -> Tensor:
    """Return the mean of the channels [samples] for samples [samples, channels] or [samples]."""
    return samples if samples.dim() == 1 else samples.mean(dim=1)


def read_blocks(
    source: Source, sample_rate: int, *, start: float | None = None, end: float | None = None, channel: int | None = None
) -> Iterator[Tensor]:
    """Read a recording of any format, length, sample rate and number of channels, or a piece of it, block by block.

    Channels with sound are averaged (`mlee_sb.audio.channels.mix_of`), other sample rates are resampled, and a header that is wrong is
    not believed. Each is logged once.

    Parameters
    ----------
    source : the path of a file, or a file that is open for reading bytes
    sample_rate : sample rate of the result in Hz
    start, end : seconds of a piece of the recording; it is cut at the recording's own rate. None for its begin and its end
    channel : the number of one channel, from 1; None for those with sound

    Yields
    ------
    Tensor
        [samples], float32 in -1 to 1; about `BLOCK_SECONDS` or less

    Raises
    ------
    InputError
        if the file is missing, unreadable or cut off, or if it has no samples, no such piece or channel, or samples that no recording has
    """
    with opened(source) as recording:
        first, last = recording.frames_of(start, end)
        if wrong := why_not_resampled(recording.sample_rate, sample_rate):
            raise InputError(f"{recording.name}: {wrong}")
        resampling = BlockResampler(recording.sample_rate, sample_rate)
        mix = heard(recording, source, channel)
        for message in (*recording.remarks, mix.remark):
            if message:
                say_once(f"{recording.name}: {message}", logging.WARNING)
        if len(mix.channels) > 1:
            say_once("recordings with several channels: the channels are averaged")
        if recording.sample_rate != sample_rate:
            say_once(f"recordings at {recording.sample_rate} Hz: resampled to {sample_rate} Hz")
        for block in recording.blocks(first, last):
            yield resampling.feed(to_mono(torch.from_numpy(only(mix, block))))
        yield resampling.finish()
    if first == last:
        raise InputError(f"{recording.name}: no samples in the file: give another recording")


def load_waveform(
    source: Source, sample_rate: int, *, start: float | None = None, end: float | None = None, channel: int | None = None
) -> Tensor:
    """Read a recording, or a piece of it. Return its waveform [samples], float32 in -1 to 1. See `read_blocks` for all else."""
    return torch.cat(list(read_blocks(source, sample_rate, start=start, end=end, channel=channel)))


def check_level(level_db: float | None) -> None:
    """Refuse a level that no encoder should bring utterances to (`at_level`). None stands for no level.

    Raises
    ------
    InputError
        if it is no number from `QUIETEST_DB` to 0
    """
    if level_db is not None and not (type(level_db) in (int, float) and QUIETEST_DB <= level_db <= 0):
        raise InputError(f"level_db {level_db!r}: it must be a number from {QUIETEST_DB} to 0 dB of full scale, or null")


def at_level(waveforms: Tensor, n_samples: Tensor, level_db: float) -> Tensor:
    """Return waveforms [batch, samples] of which each utterance has the same level. An utterance of digital silence stays as it is.

    The level is the RMS over an utterance's own samples, without its padding, so it is the same alone and in a batch. Samples may get
    beyond full scale: nothing is clipped.

    Parameters
    ----------
    waveforms : [batch, samples], padded at the end
    n_samples : [batch], integers: samples of each utterance without its padding
    level_db : RMS in dB of full scale (a sine of amplitude 1 has -3 dB)

    >>> at_level(torch.tensor([[0.5, -0.5, 0.0], [0.0, 0.0, 0.0]]), torch.tensor([2, 3]), level_db=0)
    tensor([[ 1., -1.,  0.],
            [ 0.,  0.,  0.]])
    """
    own = valid_frames(n_samples, waveforms.shape[1], waveforms.device)
    energy = (waveforms.double().square() * own).sum(dim=1)  # double: the order of a sum in single precision depends on the padding
    rms = (energy / upload(n_samples, waveforms.device)).sqrt()
    gain = torch.where(rms > 0, 10 ** (level_db / 20) / rms.clamp(min=SILENCE), 1.0)
    return waveforms * gain.to(waveforms.dtype).unsqueeze(1)


def pad(waveforms: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Return waveforms [samples] as one padded tensor [batch, samples], and their integer lengths [batch].

    >>> pad([torch.ones(1), torch.ones(2)])[0].tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    lengths = torch.tensor([waveform.shape[0] for waveform in waveforms])
    return torch.nn.utils.rnn.pad_sequence(waveforms, batch_first=True), lengths
