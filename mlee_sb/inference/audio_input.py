"""Read and check what people give a classifier: one utterance, as a file or as samples, or samples and their lengths as a batch."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from mlee_sb.errors import InputError
from mlee_sb.inference.samples import (
    MOST_CHANNELS,
    SAMPLES,
    Numbers,
    as_channels,
    as_samples,
    as_waveform,
    is_list_of_recordings,
    is_number,
    is_samples,
    mixed,
    rough_seconds,
)
from mlee_sb.models.waveforms import n_channels, named, pad, read_blocks, seconds_of

LONGEST_SECONDS = 120  # of one utterance: the memory for it grows with its length
WAVEFORMS = "waveforms"  # what an error calls samples that come without a file name

AudioFile = str | Path | BinaryIO


def is_file(audio: object) -> bool:
    """Tell whether something is the path of a file, or a file that is open."""
    return isinstance(audio, str | Path) or hasattr(audio, "read")


@dataclass(frozen=True)
class Sound:
    """A recording as somebody gives it: a file, or samples in memory, and which channel or piece of it is meant.

    Attributes
    ----------
    audio : a file, as for `mlee_sb.models.waveforms.read_blocks`, or samples, as for `mlee_sb.inference.samples.as_waveform`
    sample_rate : Hz of samples; None for a file, which tells its own
    channel : the number of the one channel that is heard, from 1; None for the mix of those with sound
    start, end : seconds of a piece of a file; None for its beginning and its end
    number : in a list of recordings, for errors about samples, which have no name
    """

    audio: AudioFile | Numbers
    sample_rate: int | None = None
    channel: int | None = None
    start: float | None = None
    end: float | None = None
    number: int | None = None

    @classmethod
    def of(cls, audio: "AudioFile | Numbers | Sound", sample_rate: int | None = None, channel: int | None = None) -> "Sound":
        """Make a `Sound` of what a person gives; one that is given stays as it is."""
        return audio if isinstance(audio, Sound) else cls(audio, sample_rate, channel)

    @property
    def name(self) -> str:
        """What an error calls it: the name of its file, or ``samples``, with the number in a list."""
        if not is_samples(self.audio):
            return named(self.audio)
        return SAMPLES if self.number is None else f"{SAMPLES}[{self.number}]"

    def each_channel(self) -> list["Sound"]:
        """Return one `Sound` for each channel, such as those of two people on the telephone.

        Raises
        ------
        InputError
            if the recording cannot be read
        """
        n = as_channels(self.audio, self.name)[0].shape[1] if is_samples(self.audio) else n_channels(self.audio)
        return [replace(self, channel=channel) for channel in range(1, n + 1)]

    def rough_seconds(self) -> float:
        """Return about how long it is, in seconds, before it is read; 0 where that is not known."""
        if is_samples(self.audio):
            return rough_seconds(self.audio, self.sample_rate)
        whole = seconds_of(self.audio) if self.end is None else self.end
        return max(0.0, whole - (self.start or 0))

    def blocks(self, model_rate: int) -> Iterator[Tensor]:
        """Yield the recording, of any length, in parts [n], mono, at the model's sample rate.

        Raises
        ------
        InputError
            as `mlee_sb.models.waveforms.read_blocks` or `mlee_sb.inference.samples.as_waveform`; if a file is given a sample rate,
            samples a piece, or there is no such channel or piece
        """
        piece = {"start": self.start, "end": self.end}
        if not is_samples(self.audio):
            if self.sample_rate is not None and is_file(self.audio):
                raise InputError(f"{self.name}: sample_rate {self.sample_rate!r} is for samples; a file tells its own: leave it out")
            yield from read_blocks(self.audio, model_rate, channel=self.channel, **piece)
            return
        if any(value is not None for value in piece.values()):
            raise InputError(f"{self.name}: start and end are for files: cut the samples")
        yield as_waveform(self.audio, self.sample_rate, model_rate, self.name, self.channel)


def sounds_of(audio: Iterable, sample_rate: int | None, channel: int | None) -> Iterator[Sound]:
    """Return many recordings, each as a `Sound`.

    Parameters
    ----------
    audio : files, samples or `Sound`s, in anything that can be iterated over; an array [batch, n] is one of samples [n]
    sample_rate : Hz of those that are samples
    channel : the channel of those that are no `Sound`s

    Raises
    ------
    InputError
        if it is one recording, or nothing that can be iterated over
    """
    if is_file(audio) or isinstance(audio, bytes):
        raise InputError(f"{Sound(audio).name}: this is one file or folder: give a list of files, or call predict")
    if is_number(audio):
        raise InputError(f"a {type(audio).__name__}: give a list of files or of samples")
    if is_samples(audio) and is_number(next(iter(audio), None)):
        raise InputError(f"{SAMPLES}: these are of one recording: give a list of recordings, or call predict")
    if not isinstance(audio, Iterable):
        raise InputError(f"a {type(audio).__name__}: give a list of files or of samples")
    given = (Sound.of(one, sample_rate if is_samples(one) else None, channel) for one in audio)
    return (replace(sound, number=number) for number, sound in enumerate(given))


def load_utterance(sound: Sound, model_rate: int, min_samples: int) -> Tensor:
    """Read one utterance.

    Parameters
    ----------
    sound : the utterance
    model_rate : Hz of the waveform to return
    min_samples : the shortest waveform that the model takes

    Returns
    -------
    Tensor
        waveform [samples], mono, float32, full scale is 1

    Raises
    ------
    InputError
        as `Sound.blocks`, or if the utterance is longer than `LONGEST_SECONDS` or too short for the model
    """
    _check_not_too_long(sound, sound.rough_seconds())  # a file by its header, before it is read
    waveform = torch.cat(list(sound.blocks(model_rate)))
    _check_not_too_long(sound, len(waveform) / model_rate)  # audio from a pipe has no header to ask
    check_not_too_short(sound, len(waveform), model_rate, min_samples)
    return waveform


def check_not_too_short(sound: Sound, n_samples: int, sample_rate: int, min_samples: int) -> None:
    """Raise an InputError that names `sound` if its `n_samples` are fewer than the `min_samples` that the model needs."""
    if n_samples < min_samples:
        milliseconds, least = (1000 * n / sample_rate for n in (n_samples, min_samples))
        raise InputError(f"{sound.name}: {milliseconds:.0f} ms long; the model needs {least:.0f} ms or more")


def _check_not_too_long(sound: Sound, seconds: float) -> None:
    if seconds > LONGEST_SECONDS:
        raise InputError(
            f"{sound.name}: {seconds:.0f} s long, but an utterance may have {LONGEST_SECONDS} s at most: use timeline (`mlee timeline`)"
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
    if is_list_of_recordings(wavs):
        return _list_as_batch(wavs, wav_lens)
    waveforms = as_samples(wavs, WAVEFORMS)
    shape = list(waveforms.shape)
    if waveforms.dim() not in (1, 2) or waveforms.numel() == 0:
        raise InputError(f"{WAVEFORMS} of shape {shape}: give [batch, samples] or [samples]")
    if len(shape) == 2 and shape[1] <= MOST_CHANNELS:
        remedy = f"{shape[1]} channels in columns? One recording is for predict"
        raise InputError(f"{WAVEFORMS} of shape {shape}: give [batch, samples] or [samples]; {remedy}")
    waveforms = torch.atleast_2d(waveforms)
    return waveforms, _as_lengths(wav_lens, *waveforms.shape)


def _list_as_batch(wavs: list, wav_lens: Numbers | None) -> tuple[Tensor, Tensor]:
    """Return a list of recordings as a batch: each is mixed to one channel, and the shorter ones are padded."""
    rows = [mixed(as_channels(one, f"{WAVEFORMS}[{number}]")[0], WAVEFORMS) for number, one in enumerate(wavs)]
    for number, row in enumerate(rows):
        if len(row) == 0:
            raise InputError(f"{WAVEFORMS}[{number}]: no samples: give another recording")
    waveforms, lengths = pad(rows)
    if wav_lens is None:
        return waveforms, lengths
    if len(set(lengths.tolist())) > 1:
        raise InputError(f"wav_lens beside {WAVEFORMS} of several lengths: these are their lengths: leave wav_lens out")
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
