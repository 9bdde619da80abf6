"""Find where somebody speaks, in audio as it comes: by its energy, or with the silero-vad network."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from mlee_sb.errors import InputError, choose

FRAME_SECONDS = 0.02  # of the energy gate
THRESHOLD_DB = -50.0  # of the energy gate: RMS of a frame, in dB of full scale
SILERO_SAMPLES = {8000: 256, 16000: 512}  # a frame, by sample rate
SILERO_THRESHOLD = 0.5  # probability of speech, as its makers recommend
FULL_SCALE = 1.0
PAUSE_SECONDS = 0.3  # a shorter pause does not end a stretch of speech


class Gate:
    """Tell for each frame of audio whether it is speech. Audio may be fed in parts of any size: the frames stay the same.

    Parameters
    ----------
    sample_rate : Hz
    frame_samples : samples of a frame
    """

    def __init__(self, sample_rate: int, frame_samples: int):
        self.frame_seconds = frame_samples / sample_rate
        self.frame_samples = frame_samples
        self.waiting = torch.zeros(0)

    def feed(self, samples: Tensor) -> list[bool]:
        """Take the next samples [n]; return for each frame that they complete whether it is speech."""
        self.waiting = torch.cat([self.waiting, samples])
        whole = len(self.waiting) // self.frame_samples * self.frame_samples
        frames, self.waiting = self.waiting[:whole].view(-1, self.frame_samples), self.waiting[whole:]
        return self._speech(frames) if whole else []

    def finish(self) -> list[bool]:
        """Return the answer for the last frame, if a part of one is left."""
        rest, self.waiting = self.waiting, torch.zeros(0)
        return self._last(rest) if len(rest) else []

    def _speech(self, frames: Tensor) -> list[bool]:
        raise NotImplementedError

    def _last(self, rest: Tensor) -> list[bool]:
        return self._speech(torch.nn.functional.pad(rest, (0, self.frame_samples - len(rest))).unsqueeze(0))


class EnergyGate(Gate):
    """Take what is louder than a threshold for speech. Made for recordings without much noise.

    Parameters
    ----------
    sample_rate : Hz
    threshold_db : RMS of a frame in dB of full scale (a sine of amplitude 1 has -3 dB)
    """

    def __init__(self, sample_rate: int, threshold_db: float = THRESHOLD_DB):
        super().__init__(sample_rate, round(FRAME_SECONDS * sample_rate))
        self.least = FULL_SCALE * 10 ** (threshold_db / 20)

    def _speech(self, frames: Tensor) -> list[bool]:
        return (frames.square().mean(dim=1).sqrt() > self.least).tolist()

    def _last(self, rest: Tensor) -> list[bool]:
        return self._speech(rest.unsqueeze(0))


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

    @torch.no_grad()
    def _speech(self, frames: Tensor) -> list[bool]:
        return [float(self.network(frame, self.sample_rate)) >= SILERO_THRESHOLD for frame in frames]


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
