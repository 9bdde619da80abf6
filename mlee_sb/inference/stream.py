"""Predict the emotions of audio as it comes: windows with overlap, each predicted as soon as it is complete, in bounded memory."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Real

import numpy as np
import torch
from torch import Tensor

from mlee_sb.errors import InputError
from mlee_sb.inference.answers import Prediction
from mlee_sb.inference.samples import as_channels
from mlee_sb.inference.speech_gate import Gate, Stretches, share_of_speech
from mlee_sb.models.waveforms import BlockResampler, to_mono

WINDOW_SECONDS = 4.0  # about a sentence, as the paper's utterances are
HOP_SECONDS = 2.0
FED = "what was fed"  # what an error calls the samples of a stream

Predict = Callable[[Tensor, float], Prediction]  # takes a waveform [samples] and the share of it that is speech


@dataclass(frozen=True)
class Segment:
    """A window of a recording and its prediction.

    Attributes
    ----------
    start, end : seconds from the beginning of the recording
    prediction : of this window
    """

    start: float
    end: float
    prediction: Prediction


class EmotionStream:
    """Take audio as it comes, and predict each window as soon as it is complete. `EmotionClassifier.stream` makes one.

    A window begins at every multiple of the hop. If audio is left over at the end, a last window covers it and ends with the audio.
    If all audio is shorter than a window, it is one window.

    Parameters
    ----------
    predict : makes the prediction of a waveform at the model's sample rate
    gate : tells speech, at the model's sample rate
    sample_rate : Hz of the audio that is fed
    model_rate : the model's sample rate in Hz
    min_samples : the shortest waveform that the model takes
    window : length of a window in seconds
    hop : seconds from the beginning of a window to the beginning of the next one

    Raises
    ------
    InputError
        if `window` or `hop` is out of its range, or audio of `sample_rate` cannot be resampled
    """

    def __init__(
        self,
        predict: Predict,
        gate: Gate,
        sample_rate: int,
        model_rate: int,
        min_samples: int,
        window: float = WINDOW_SECONDS,
        hop: float = HOP_SECONDS,
    ):
        self.window, self.hop = _samples_in(window, model_rate), _samples_in(hop, model_rate)
        if self.window < min_samples or not 0 < self.hop <= self.window:
            least = f"{min_samples / model_rate:g} s or more"
            raise InputError(f"window {window} s, hop {hop} s: the window must be {least}, the hop above 0 and no longer than it")
        self.predict, self.gate, self.rate, self.min_samples = predict, gate, model_rate, min_samples
        self.resampling = BlockResampler(sample_rate, model_rate)
        self.channels: tuple[int, int] | None = None  # the side of the channels in what was fed, and how many there are
        self.audio, self.begins = torch.zeros(0), 0  # the audio that is held, and the number of its first sample in all audio
        self.heard: list[float] = []  # by the gate, of the frames that are held; the first one has the sample `begins` in it
        self.stretches = Stretches(gate.frame_seconds)
        self.next = 0  # the number of the first sample of the next window
        self.finished = False

    def feed(self, samples: np.ndarray | Tensor | list) -> list[Segment]:
        """Take the next samples; return the windows that they complete.

        Parameters
        ----------
        samples : [n], [channels, n] or [n, channels], floats in -1 to 1 as an array, a tensor or lists. The shorter side is that of the
            channels, and it is the same in all that is fed: a short block may have more channels than samples, but not the first one

        Raises
        ------
        InputError
            if the samples have another form (`mlee_sb.inference.samples`), are not finite or far beyond full scale; if the stream is
            finished; or if the model's answer is not finite
        """
        if self.finished:
            raise InputError("this stream is finished: make another one for other audio")
        channels, self.channels = as_channels(samples, FED, self.channels)
        self._take(self.resampling.feed(to_mono(channels)))
        return list(self._complete())

    def finish(self) -> list[Segment]:
        """End the audio; return the windows that are left. Audio that is too short for the model has none."""
        if self.finished:
            return []
        self._take(self.resampling.finish())
        self.heard += self.gate.finish()
        self.finished = True
        segments = list(self._complete())
        end = self.begins + len(self.audio)
        if self.next == 0:
            segments += [self._segment(0, end)] if end >= self.min_samples else []
        elif self.next - self.hop + self.window < end:
            segments.append(self._segment(end - self.window, end))
        return segments

    def _take(self, samples: Tensor) -> None:
        self.audio = torch.cat([self.audio, samples])
        self.heard += self.gate.feed(samples)

    def _complete(self) -> Iterator[Segment]:
        while self._heard_until() >= self.next + self.window:
            yield self._segment(self.next, self.next + self.window)
            self.next += self.hop
            self._forget()

    def _heard_until(self) -> int:
        """Return up to which sample there is audio that the gate has heard."""
        end = self.begins + len(self.audio)
        frames = self.begins // self.gate.frame_samples + len(self.heard)
        return end if self.finished else min(end, frames * self.gate.frame_samples)

    def _forget(self) -> None:
        """Drop what lies before the window that was just complete: if the audio ends soon, the last window begins in that window."""
        frame = self.gate.frame_samples
        keep = self.next - self.hop
        self.heard = self.heard[keep // frame - self.begins // frame :]
        self.audio, self.begins = self.audio[keep - self.begins :], keep

    def _segment(self, start: int, end: int) -> Segment:
        frame = self.gate.frame_samples
        held, first = self.begins // frame, start // frame
        speech = self.gate.speech(self.heard[first - held : -(-end // frame) - held])
        self.stretches.feed(speech[self.stretches.frames - first :])  # the other frames were in the window before this one, too
        waveform = self.audio[start - self.begins : end - self.begins]
        return Segment(start / self.rate, end / self.rate, self.predict(waveform, share_of_speech(speech)))


def _samples_in(seconds: float, rate: int) -> int:
    """Return the number of samples in `seconds`; 0 if that is no length of time above 0."""
    return round(seconds * rate) if isinstance(seconds, Real) and 0 < seconds * rate <= sys.maxsize else 0
