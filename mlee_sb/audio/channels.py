"""Which channels of a recording are heard: those with sound, or the one that a person chooses."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mlee_sb.errors import InputError

SILENCE = 1e-4
"""A channel is silent if its largest minus its smallest sample is not above this (full scale is 2): -80 dB, one bit of dither in 16."""

QUIET_DB = 50.0
"""A channel that is quieter than the loudest by more than this is left out of the mix [choice]: the noise of an unused input."""

CANCELLED_DB = 10.0
"""Channels cancel each other if their mean is quieter than that of unrelated sounds would be by more than this [choice]: for two channels,
a correlation below -0.9, as of two microphones of which one has its wires exchanged."""

CENTER_DB = 20.0
"""A center of 5.1 that is quieter than the loudest other channel by more than this holds no voices [choice]: they are elsewhere."""

MOST_CHANNELS = 64  # that are mixed [choice]; one of more can be chosen
SURROUND = {6: "5.1", 8: "7.1"}  # channels -> layout, with a center of voices and a channel of deep noises
CENTER, DEEP = 2, 3  # in the order of wav: left, right, center, deep, ...
CENTER_OF_OGG = 1  # Vorbis and Opus: left, center, right, ..., deep


@dataclass(frozen=True)
class Mix:
    """The channels (from 0) whose mean is heard, and what a person is told about those that are not; "" where all are heard."""

    channels: tuple[int, ...]
    remark: str = ""


@dataclass(frozen=True)
class Loudness:
    """What is known of the channels of a whole recording.

    Attributes
    ----------
    ranges : [channels], largest minus smallest sample
    covariance : [channels, channels], of the samples; a constant offset is no sound
    """

    ranges: np.ndarray
    covariance: np.ndarray


def loudness(blocks: Iterable[np.ndarray], channels: int) -> Loudness:
    """Compute the loudness of channels from blocks [frames, channels], in the memory of one block."""
    n, sums, products = 0, np.zeros(channels), np.zeros((channels, channels))
    low, high = np.full(channels, np.inf), np.full(channels, -np.inf)
    for block in blocks:
        precise = block.astype(np.float64)
        n, sums, products = n + len(block), sums + precise.sum(axis=0), products + precise.T @ precise
        low, high = np.minimum(low, block.min(axis=0)), np.maximum(high, block.max(axis=0))
    means = sums / max(n, 1)
    return Loudness(high - low, products / max(n, 1) - np.outer(means, means))


def mix_of(found: Loudness, is_ogg: bool = False) -> Mix:
    """Choose the channels of a whole recording that are heard: the rule of training, preparation and inference [choice].

    Silent channels are left out. Of 5.1 and 7.1, the center is heard, where the voices are, or if it is silent or far quieter than another
    one (`CENTER_DB`) all but the one of deep noises. Where channels cancel each other, the loudest is heard.

    Parameters
    ----------
    found : `loudness` of the recording
    is_ogg : the order of channels is that of Vorbis and Opus

    >>> mix_of(Loudness(np.array([0.5, 0.0]), np.diag([0.1, 0.0])))
    Mix(channels=(0,), remark='channel 2 of 2 is silent and is left out of the mix')
    >>> mix_of(Loudness(np.array([0.5, 0.5]), np.array([[0.1, -0.1], [-0.1, 0.1]])))
    Mix(channels=(0,), remark='the 2 channels cancel each other (is one inverted?): channel 1, the loudest, is heard')
    """
    power, n = found.covariance.diagonal(), len(found.ranges)
    heard = (found.ranges > SILENCE) & (power > power.max(initial=0.0) * 10 ** (-QUIET_DB / 10))
    if not heard.any():
        return Mix(tuple(range(n)))
    if n in SURROUND:
        center, deep = (CENTER_OF_OGG, n - 1) if is_ogg else (CENTER, DEEP)
        others = np.delete(power, deep).max()
        if heard[center] and power[center] > others * 10 ** (-CENTER_DB / 10):
            return Mix((center,), f"{SURROUND[n]} sound: its center is heard, channel {center + 1} of {n}")
        heard[deep] = heard.sum() == 1 and heard[deep]
    kept = np.flatnonzero(heard)
    if _cancel(found.covariance[np.ix_(kept, kept)]):
        loudest = int(kept[power[kept].argmax()])
        told = f"the {len(kept)} channels cancel each other (is one inverted?): channel {loudest + 1}, the loudest, is heard"
        return Mix((loudest,), told)
    left_out = [str(i + 1) for i in range(n) if not heard[i]]
    if not left_out:
        return Mix(tuple(range(n)))
    told = f"channel {left_out[0]} of {n} is" if len(left_out) == 1 else f"channels {', '.join(left_out)} of {n} are"
    why = "silent, or of deep noises," if n in SURROUND else "silent"
    return Mix(tuple(kept.tolist()), f"{told} {why} and {'is' if len(left_out) == 1 else 'are'} left out of the mix")


def _cancel(covariance: np.ndarray) -> bool:
    """Return whether channels cancel each other: as they are, or all brought to one loudness, as one inverted channel has its own gain."""
    loudness_of = np.sqrt(covariance.diagonal())
    correlation = covariance / np.outer(loudness_of, loudness_of)
    return any(matrix.sum() < matrix.trace() * 10 ** (-CANCELLED_DB / 10) for matrix in (covariance, correlation))


def chosen(channel: int, channels: int, name: str) -> Mix:
    """Return the mix of the one channel (from 1) that a person chooses.

    Raises
    ------
    InputError
        if the recording has no such channel; the message begins with `name`
    """
    if type(channel) is not int or not 1 <= channel <= channels:
        raise InputError(f"{name}: channel {channel!r}: give one from 1 to {channels}, the channels that it has")
    return Mix((channel - 1,))


def only(mix: Mix, block: np.ndarray) -> np.ndarray:
    """Return the channels of a mix [frames, heard] of a block [frames, channels]; the block itself where all are heard."""
    return block if len(mix.channels) == block.shape[1] else block[:, list(mix.channels)]
