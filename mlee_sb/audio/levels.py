"""How loud the sound in a recording is, without its offset: what tells silence from a recording that somebody can use."""

import numpy as np

FRAME_SECONDS = 0.02  # [choice] of which a level is told
LAG_SECONDS = 0.0005  # the difference of samples this far apart leaves a voice, and takes out an offset, rumble and hum
SHORTEST_SOUND = 3  # [choice] frames: a step of an offset, a click, or an edge of a recording with an offset is in no more than two
SILENT_DB = -72.0
"""Level of the loudest frames of a recording that has only an offset and the noise of its converter [choice]. The loudest frames of speech
are above it even where its peaks are 50 dB below full scale."""

BLOCK_FRAMES = 2 * SHORTEST_SOUND  # that are read and judged together


def block_size(sample_rate: int) -> int:
    """Return the samples of a block that `has_sound` is asked about."""
    return BLOCK_FRAMES * round(FRAME_SECONDS * sample_rate)


def has_sound(block: np.ndarray, sample_rate: int) -> bool:
    """Tell whether a block has more than an offset and the noise of a converter, in any channel.

    Parameters
    ----------
    block : [samples, channels], of `block_size` samples, or fewer at the end of a recording
    sample_rate : Hz

    >>> offset = np.full((1920, 1), 0.3)
    >>> has_sound(offset, 16000), has_sound(offset + 0.01 * np.sin(np.arange(1920)[:, None]), 16000)
    (False, True)
    """
    frame, lag = round(FRAME_SECONDS * sample_rate), max(1, round(LAG_SECONDS * sample_rate))
    whole = max(1, len(block) // frame)
    frames = block[: whole * frame].reshape(whole, -1, block.shape[1])  # [frames, samples, channels]
    steps = frames[:, lag:] - frames[:, :-lag]
    power = np.einsum("fsc,fsc->fc", steps, steps) / frame
    loud = (power > 10 ** (SILENT_DB / 10)).sum(axis=0)  # [channels]
    return bool((loud >= min(SHORTEST_SOUND, whole)).any())
