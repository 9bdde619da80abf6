"""Samples in memory, in the forms that people have them: one rule for every door that takes them.

- One recording (`predict`, an item of `predict_many`, `timeline`, what a stream is fed) is [n], [channels, n] as torchaudio gives it, or
  [n, channels] as soundfile gives it. The shorter side is that of the channels. A square is refused: nobody can tell.
- A batch (`classify_batch`, `encode_batch`) is [batch, n], as for SpeechBrain: its first side is never that of channels. A list of
  recordings is a batch, too, and they may have different lengths.
- Samples are floats in -1 to 1. Integers are refused: an integer does not say what full scale is (24 bits come in an int32, a list has
  integers of any size), and a wrong guess would be answered as a recording that is up to 48 dB too quiet.
"""

import logging
from array import array
from collections.abc import Sequence
from numbers import Number, Real

import numpy as np
import torch
from torch import Tensor

from mlee_sb.audio.channels import chosen, loudness, mix_of
from mlee_sb.errors import InputError
from mlee_sb.models.waveforms import BlockResampler, check_sound, say_once, to_mono

MOST_CHANNELS = 8  # [choice] of a recording, those of 7.1. More are a batch, which must not be mixed into one recording
SAMPLES = "samples"  # what an error calls a recording that has no file
WANTED = "give floats in -1 to 1, as a tensor, an array or lists"
FLOATS = {
    "int16": "samples / 32768",
    "int32": "samples / 2147483648, where all 32 bits are used",
    "uint8": "(samples - 128.0) / 128",
}  # what makes floats of integers

Numbers = Tensor | np.ndarray | list


def is_samples(given: object) -> bool:
    """Tell whether something is samples in memory, and no file: lists, or what can be an array."""
    is_text = isinstance(given, str)  # also numpy's, which can be an array
    return isinstance(given, list | tuple | array | memoryview) or (hasattr(given, "__array__") and not is_text)


def is_number(given: object) -> bool:
    """Tell whether something is one sample: a number, or an array of one number without a side."""
    return isinstance(given, Number) or (is_samples(given) and getattr(given, "ndim", None) == 0)


def is_list_of_recordings(given: object) -> bool:
    """Tell whether something is a list, with an array or a list in it for each recording."""
    return isinstance(given, list | tuple) and any(is_samples(one) and not is_number(one) for one in given)


def as_samples(given: object, where: str) -> Tensor:
    """Return samples that a person gives as a tensor of float32 of the same shape, without gradients.

    Parameters
    ----------
    given : a tensor, an array, or (nested) lists of numbers; floats, full scale is 1
    where : the name of the samples in an error

    Raises
    ------
    InputError
        if they are of another kind, rows of different lengths, integers, or samples that no recording has
        (`mlee_sb.models.waveforms.check_sound`)
    """
    if isinstance(given, Tensor):
        if given.is_meta or given.layout is not torch.strided:
            raise InputError(f"{where}: a tensor on {given.device} with the layout {given.layout}: give a dense one, with values")
        kind, is_float, samples = str(given.dtype).removeprefix("torch."), given.is_floating_point(), given.detach()
    else:
        samples = _as_array(given, where)
        kind, is_float = str(samples.dtype), samples.dtype.kind == "f"
    if not is_float:
        remedy = f": of {kind} these are {FLOATS[kind]}" if kind in FLOATS else ""
        raise InputError(f"{where}: a {type(given).__name__} of {kind}: {WANTED}{remedy}")
    samples = samples.float() if isinstance(samples, Tensor) else _as_tensor(samples)
    check_sound(samples, where)
    return samples


def _as_array(given: object, where: str) -> np.ndarray:
    if not is_samples(given):
        raise InputError(f"{where}: a {type(given).__name__}: {WANTED}; a file is for predict, classify_file or timeline")
    try:
        return np.asarray(given)
    except (ValueError, TypeError, RuntimeError) as error:  # from numpy, or from tensors in a list
        raise InputError(f"{where}: a {type(given).__name__} that is no array ({error}): {WANTED}, in rows of one length") from error


def _as_tensor(samples: np.ndarray) -> Tensor:
    with np.errstate(over="ignore"):  # a sample that becomes infinite is refused later, as far beyond full scale
        return torch.from_numpy(np.array(samples, dtype=np.float32))  # a copy: a recording program may use its own array again


def side_of_channels(shape: Sequence[int], where: str, known: tuple[int, int] | None = None) -> int:
    """Return which side of samples with two sides is that of the channels: 0 or 1.

    Parameters
    ----------
    shape : the lengths of both sides
    where : the name of the samples in an error
    known : the side of the channels in earlier samples of the same audio, and how many there were: in a short block, that counts

    Raises
    ------
    InputError
        if nobody can tell, or if there are more than `MOST_CHANNELS`

    >>> side_of_channels([2, 16000], "samples"), side_of_channels([16000, 2], "samples"), side_of_channels([2, 2], "samples", (0, 2))
    (0, 1, 0)
    """
    if known is not None and shape[known[0]] == known[1]:
        return known[0]
    if shape[0] == shape[1] > 1:
        raise InputError(f"{where}: samples of shape {list(shape)}: which side is that of the channels? Give one channel, [n]")
    side = int(shape[1] < shape[0])
    if shape[side] > MOST_CHANNELS:
        remedy = "several recordings are for predict_many or classify_batch"
        raise InputError(f"{where}: samples of shape {list(shape)}: a recording has {MOST_CHANNELS} channels at most; {remedy}")
    return side


def as_channels(given: object, where: str, known: tuple[int, int] | None = None) -> tuple[Tensor, tuple[int, int] | None]:
    """Return the samples of one recording as [n, channels] on the CPU, and the side and the number of their channels.

    Parameters
    ----------
    given : [n], [channels, n] or [n, channels], as for `as_samples`
    where, known : as for `side_of_channels`. Samples [n] tell nothing about sides

    Raises
    ------
    InputError
        as `as_samples` and `side_of_channels`, or if they have another shape
    """
    samples = as_samples(given, where).cpu()
    if samples.dim() not in (1, 2):
        raise InputError(f"{where}: samples of shape {list(samples.shape)}: give [n], [channels, n] or [n, channels]")
    if samples.dim() == 1 or samples.numel() == 0:
        return samples.reshape(-1, 1), known
    side = side_of_channels(samples.shape, where, known)
    return (samples.T if side == 0 else samples), (side, samples.shape[side])


def mixed(samples: Tensor, where: str, channel: int | None = None) -> Tensor:
    """Return samples [n, channels] as one channel [n]: the chosen one (from 1), or the mix that a file with them would have."""
    found = samples.shape[1]
    if channel is not None:
        mix = chosen(channel, found, where)
    elif found == 1:
        return samples[:, 0]
    else:
        mix = mix_of(loudness([samples.numpy()], found))
        if mix.remark:
            say_once(f"{where}: {mix.remark}", logging.WARNING)
    return to_mono(samples[:, list(mix.channels)])


def as_waveform(given: object, sample_rate: int | None, model_rate: int, where: str, channel: int | None = None) -> Tensor:
    """Return the samples of one recording as a waveform [n] at the model's sample rate, mono.

    Parameters
    ----------
    given : as for `as_channels`
    sample_rate : Hz of `given`
    model_rate : Hz of the result
    where : the name of the samples in an error
    channel : the number of the channel that is heard, from 1; None for the mix of those with sound

    Raises
    ------
    InputError
        as `as_channels`; or if the sample rate is missing or is none, or there is no sample or no such channel
    """
    if sample_rate is None:
        raise InputError(f"{where}: samples do not tell their rate: give it in Hz, for example sample_rate=16000, or Sound(samples, 16000)")
    resampling = BlockResampler(sample_rate, model_rate)
    samples, _ = as_channels(given, where)
    if len(samples) == 0:
        raise InputError(f"{where}: no samples: give another recording")
    return torch.cat([resampling.feed(mixed(samples, where, channel)), resampling.finish()])


def rough_seconds(given: Numbers, sample_rate: int | None) -> float:
    """Return about how long a recording in memory is, in seconds, without a look at its samples; 0 where that is not known."""
    sides = getattr(given, "shape", None)
    if sides is None:
        sides = [len(given), *(len(one) for one in given[:1] if is_samples(one) and not is_number(one))]
    known = isinstance(sample_rate, Real) and sample_rate > 0 and len(sides) > 0
    return max(sides) / sample_rate if known else 0.0
