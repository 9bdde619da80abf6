"""Find where somebody speaks, in audio as it comes: by how loudness rises and falls, or with the silero-vad network.

A gate hears frames as they come, and decides about the frames of a window together. So it knows what is loud and what is quiet there,
whatever the level of the recording, and a window has the same answer as a file that holds only this window.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from mlee_sb.audio.levels import FRAME_SECONDS, LAG_SECONDS, SHORTEST_SOUND
from mlee_sb.errors import InputError, choose

ABOVE_NOISE_DB = 6.0  # of the energy gate: speech is this far above the noise
BELOW_LOUDEST_DB = 40.0  # and not further than this below the loudest frame
CONTRAST_DB = 10.0  # the loudest frame is this far above the noise where somebody speaks; steady noise has less
QUIETEST_SPEECH_DB = -85.0  # the loudest frame is above this where somebody speaks: two steps of 16-bit samples
QUIETEST_ALONE_DB = -70.0  # the same, of a window that is too short to be compared with its own noise
SILENCE_DB = -200.0  # what digital silence counts as: a level must be finite
NOISE_SHARE = 0.1  # share of a window, without its digital silence, that is not louder than its noise
SHORTEST_SECONDS = 0.5  # of a window whose noise can be told from speech: a shorter one may have no pause
SILERO_SAMPLES = {8000: 256, 16000: 512}  # a frame, by sample rate
SILERO_THRESHOLD = 0.5  # probability of speech, as its makers recommend
PAUSE_SECONDS = 0.3  # a shorter pause does not end a stretch of speech


class Gate:
    """Tell which frames of audio are speech. Audio may be fed in parts of any size: the frames stay the same.

    Parameters
    ----------
    sample_rate : Hz
    frame_samples : samples of a frame
    """

    def __init__(self, sample_rate: int, frame_samples: int):
        self.frame_seconds = frame_samples / sample_rate
        self.frame_samples = frame_samples
        self.waiting = torch.zeros(0)

    def feed(self, samples: Tensor) -> list[float]:
        """Take the next samples [n]; return for each frame that they complete what `speech` must know of it."""
        self.waiting = torch.cat([self.waiting, samples])
        whole = len(self.waiting) // self.frame_samples * self.frame_samples
        frames, self.waiting = self.waiting[:whole].view(-1, self.frame_samples), self.waiting[whole:]
        return self._hear(frames) if whole else []

    def finish(self) -> list[float]:
        """Return the same for the last frame, if a part of one is left."""
        rest, self.waiting = self.waiting, torch.zeros(0)
        return self._hear_last(rest) if len(rest) else []

    def speech(self, heard: Sequence[float]) -> list[bool]:
        """Return for each frame of a window whether it is speech, from what `feed` and `finish` returned for these frames."""
        raise NotImplementedError

    def _hear(self, frames: Tensor) -> list[float]:
        raise NotImplementedError

    def _hear_last(self, rest: Tensor) -> list[float]:
        return self._hear(torch.nn.functional.pad(rest, (0, self.frame_samples - len(rest))).unsqueeze(0))


class EnergyGate(Gate):
    """Take what rises above the noise of a window for speech, whatever the level of the recording.

    The noise is what a tenth of the frames does not exceed. Frames of digital silence are not counted: they are gaps between recordings.
    A frame is speech if it is `ABOVE_NOISE_DB` louder, and within `BELOW_LOUDEST_DB` of the loudest frame. Where the loudest frame is not
    `CONTRAST_DB` above the noise, nobody speaks: silence, noise and hum are steady, and a voice is not. What is shorter than
    `SHORTEST_SOUND` frames is a click or a step of an offset. What it cannot do:

    - It takes all that rises and falls for speech: music, keys, a rumble below 100 Hz.
    - It misses speech that is less than `CONTRAST_DB` louder than the noise, and a whisper in one window with a shout, if it is further
      than `BELOW_LOUDEST_DB` below it.
    - It takes all that is not nearly silent for speech in less than `SHORTEST_SECONDS` of audio without its digital silence, where there
      may be no pause to compare with.

    Parameters
    ----------
    sample_rate : Hz
    """

    def __init__(self, sample_rate: int):
        super().__init__(sample_rate, round(FRAME_SECONDS * sample_rate))
        self.lag = max(1, round(LAG_SECONDS * sample_rate))

    def speech(self, heard: Sequence[float]) -> list[bool]:
        """Return for each frame of a window whether it is speech, from the levels of its frames in dB."""
        if not len(heard):
            return []
        levels = np.asarray(heard)
        audible = levels[levels > SILENCE_DB]  # a gap of digital silence is no noise that something else could be louder than
        long_enough = len(audible) * self.frame_seconds >= SHORTEST_SECONDS
        noise, loudest = np.quantile(audible, NOISE_SHARE) if long_enough else SILENCE_DB, levels.max()
        quietest = QUIETEST_SPEECH_DB if long_enough else QUIETEST_ALONE_DB
        if loudest < max(noise + CONTRAST_DB, quietest):
            return [False] * len(heard)
        return _without_clicks(levels > max(noise + ABOVE_NOISE_DB, loudest - BELOW_LOUDEST_DB))

    def _hear(self, frames: Tensor) -> list[float]:
        """Return the level of each of the frames [n, samples] in dB of full scale."""
        power = (frames[:, self.lag :] - frames[:, : -self.lag]).double().square().sum(dim=1) / frames.shape[1]
        return (10 * power.log10()).clamp(min=SILENCE_DB).tolist()

    def _hear_last(self, rest: Tensor) -> list[float]:
        return self._hear(rest.unsqueeze(0))


def _without_clicks(speech: np.ndarray) -> list[bool]:
    """Return which frames [n] are speech, without those that have too little speech around them; a window may be shorter than that."""
    around = np.convolve(speech, np.ones(2 * SHORTEST_SOUND - 1), mode="full")[SHORTEST_SOUND - 1 :][: len(speech)]
    return (speech & (around >= min(SHORTEST_SOUND, len(speech)))).tolist()


class SileroGate(Gate):
    """Find speech with the silero-vad network. Made for noise, music and telephone lines; needs the extra ``vad``.

    Parameters
    ----------
    sample_rate : 8000 or 16000 Hz

    Raises
    ------
    InputError
        if silero-vad is not installed, or the sample rate is another one
    """

    def __init__(self, sample_rate: int):
        try:
            from silero_vad import load_silero_vad
        except ImportError as error:
            raise InputError('silero-vad is not installed: pip install "mlee_sb[vad]", or use the gate energy') from error
        if sample_rate not in SILERO_SAMPLES:
            raise InputError(
                f"silero-vad takes {' or '.join(map(str, SILERO_SAMPLES))} Hz, and the model {sample_rate} Hz: use the gate energy"
            )
        super().__init__(sample_rate, SILERO_SAMPLES[sample_rate])
        self.sample_rate, self.network = sample_rate, load_silero_vad(onnx=False)
        self.network.reset_states()

    def speech(self, heard: Sequence[float]) -> list[bool]:
        """Return for each frame whether it is speech, from the probability that the network gave it."""
        return [probability >= SILERO_THRESHOLD for probability in heard]

    @torch.no_grad()
    def _hear(self, frames: Tensor) -> list[float]:
        return [float(self.network(frame, self.sample_rate)) for frame in frames]


GATES: dict[str, Callable[[int], Gate]] = {"energy": EnergyGate, "silero": SileroGate}


def make_gate(name: str, sample_rate: int) -> Gate:
    """Return a new gate.

    Parameters
    ----------
    name : a key of `GATES`; another one is an InputError
    sample_rate : Hz
    """
    choose(name, GATES, "gate")
    return GATES[name](sample_rate)


def share_of_speech(speech: Sequence[bool]) -> float:
    """Return the share of frames that are speech, 0 to 1; 0 if there is no frame.

    >>> share_of_speech([True, False])
    0.5
    """
    return float(np.mean(speech)) if len(speech) else 0.0


class Stretches:
    """Join frames into stretches of speech, as they come. A pause below `PAUSE_SECONDS` does not end a stretch.

    Attributes
    ----------
    found : (start, end) of each stretch in seconds, in the order of time

    >>> stretches = Stretches(frame_seconds=0.5)
    >>> stretches.feed([False, True, True, False])
    >>> stretches.found
    [(0.5, 1.5)]
    """

    def __init__(self, frame_seconds: float):
        self.frame_seconds, self.frames = frame_seconds, 0
        self.found: list[tuple[float, float]] = []

    def feed(self, speech: Sequence[bool]) -> None:
        """Take the next frames: whether each is speech."""
        for is_speech in speech:
            start = self.frames * self.frame_seconds
            self.frames += 1
            if not is_speech:
                continue
            end = self.frames * self.frame_seconds
            if self.found and start - self.found[-1][1] < PAUSE_SECONDS:
                self.found[-1] = (self.found[-1][0], end)
            else:
                self.found.append((start, end))
