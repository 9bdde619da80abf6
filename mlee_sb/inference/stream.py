"""Emotions of audio as it comes: windows with overlap, each answered as soon as it is complete, in bounded memory."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Real

import numpy as np
import torch
from torch import Tensor

from mlee_sb.errors import InputError
from mlee_sb.inference.answers import Prediction
from mlee_sb.inference.speech import Gate, Stretches, share_of
from mlee_sb.models.waveforms import BlockResampler, as_samples, to_mono

WINDOW_SECONDS = 4.0  # about a sentence, as the paper's utterances are
HOP_SECONDS = 2.0

Answer = Callable[[Tensor, float], Prediction]  # a waveform [samples] and the share of speech in it


@dataclass(frozen=True)
class Segment:
    """A window of a recording, in seconds, and what the model says of it."""

    start: float
    end: float
    prediction: Prediction


class EmotionStream:
    """Feed audio as it comes, and get what is said of each window as soon as it is complete.

    Windows begin at every multiple of the hop. What is left over at the end is covered by a last window that ends with the audio;
    audio that is shorter than a window is one window. `EmotionClassifier.stream` makes one.

    Parameters
    ----------
    answer : waveform at the model's rate and share of speech -> prediction
    gate : tells speech, at the model's sample rate
    sample_rate : Hz of the audio that is fed
    model_rate, min_samples : the model's sample rate in Hz, and the shortest waveform that it takes
    window, hop : seconds
    """

    def __init__(
        self,
        answer: Answer,
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
        self.answer, self.gate, self.rate, self.min_samples = answer, gate, model_rate, min_samples
        self.resampling = BlockResampler(sample_rate, model_rate)
        self.audio, self.begins = torch.zeros(0), 0  # what is held, and which sample of all it begins with
        self.speech: list[bool] = []  # frames from the one on that holds the sample `begins`
        self.stretches = Stretches(gate.frame_seconds)
        self.next = 0  # the sample that the next window begins with
        self.finished = False

    def feed(self, samples: np.ndarray | Tensor | list) -> list[Segment]:
        """Take the next samples and tell of every window that they complete.

        Parameters
        ----------
        samples : [n] or [n, channels], floats in -1 to 1 as an array, a tensor or lists; channels are averaged

        Raises
        ------
        InputError
            if they have another shape, are no floats or such as no recording has, the stream was finished, or the model's answer is
            not finite
        """
        if self.finished:
            raise InputError("this stream is finished: make another one for other audio")
        self._take(self.resampling.feed(_checked(samples)))
        return list(self._complete())

    def finish(self) -> list[Segment]:
        """The audio ends here: tell of what is left. Audio too short for the model gives nothing."""
        if self.finished:
            return []
        self._take(self.resampling.finish())
        self._hear(self.gate.finish())
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
        self._hear(self.gate.feed(samples))

    def _hear(self, speech: list[bool]) -> None:
        self.speech += speech
        self.stretches.feed(speech)

    def _complete(self) -> Iterator[Segment]:
        while self._heard_until() >= self.next + self.window:
            yield self._segment(self.next, self.next + self.window)
            self.next += self.hop
            self._forget()

    def _heard_until(self) -> int:
        """The sample up to which there is audio, and whether it is speech is known."""
        end = self.begins + len(self.audio)
        frames = self.begins // self.gate.frame_samples + len(self.speech)
        return end if self.finished else min(end, frames * self.gate.frame_samples)

    def _forget(self) -> None:
        """Keep what the last window held: where the audio ends soon, the one that ends with it begins in there."""
        frame = self.gate.frame_samples
        keep = self.next - self.hop
        self.speech = self.speech[keep // frame - self.begins // frame :]
        self.audio, self.begins = self.audio[keep - self.begins :], keep

    def _segment(self, start: int, end: int) -> Segment:
        frame = self.gate.frame_samples
        first = self.begins // frame
        speech = share_of(self.speech[start // frame - first : -(-end // frame) - first])
        waveform = self.audio[start - self.begins : end - self.begins]
        return Segment(start / self.rate, end / self.rate, self.answer(waveform, speech))


def _checked(samples: np.ndarray | Tensor | list) -> Tensor:
    """Samples as they are fed -> mono [n], float32, on the CPU."""
    samples = as_samples(samples, "what was fed").cpu()
    if samples.dim() not in (1, 2) or (samples.dim() == 2 and samples.shape[1] == 0):
        raise InputError(f"what was fed: samples of shape {list(samples.shape)}: give [n] or [n, channels]")
    return to_mono(samples)


def _samples_in(seconds: float, rate: int) -> int:
    """Samples of a length of time; 0 for what is none."""
    return round(seconds * rate) if isinstance(seconds, Real) and 0 < seconds * rate <= sys.maxsize else 0
