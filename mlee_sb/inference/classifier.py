"""EmotionClassifier: a bundle in, emotions out, in the manner of SpeechBrain's EncoderClassifier."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from numbers import Integral
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from mlee_sb.errors import InputError, NoAttention, choose
from mlee_sb.inference.answers import COVERAGE, MIN_SPEECH, Answers, Asked, Prediction, predictions, without_speech
from mlee_sb.inference.source import load
from mlee_sb.inference.speech import make_gate, share_of
from mlee_sb.inference.stream import HOP_SECONDS, WINDOW_SECONDS, EmotionStream
from mlee_sb.inference.timeline import Timeline
from mlee_sb.models.device import check_usable, upload
from mlee_sb.models.emotion_model import check_finite
from mlee_sb.models.waveforms import as_samples, load_waveform, named, pad, read_blocks, seconds_of

LONGEST_SECONDS = 120  # of one utterance: the memory for it grows with its length
BATCH_SECONDS = {"cpu": 12, "cuda": 240}  # of a batch, padding included: a larger one leaves the cache of a CPU
POOL = 512  # files that are sorted by length together
ON_ERROR = ("raise", "return")
WAVEFORMS = "waveforms"  # what samples are called in an error

Waveforms = Tensor | np.ndarray | list


class EmotionClassifier:
    """A trained model for use. Make one with `from_hparams`.

    `predict`, `predict_many`, `timeline` and `stream` answer people: calibrated, with an abstention where nothing can be told.
    `encode_batch`, `classify_batch` and `classify_file` return what those of SpeechBrain's EncoderClassifier return: `out_prob`,
    log posteriors [batch, K] as the network gives them (for an mlee model log probabilities of existence); `score`, that of the
    best emotion [batch]; `index`, which one that is [batch] (equations 1 and 7); `text_lab`, its code, a list of str.
    """

    def __init__(self, model: Answers, device: str = "cpu"):
        is_module = isinstance(model, torch.nn.Module)
        if not is_module and device != "cpu":
            raise InputError(f"device {device!r}: an ONNX file is run on the CPU: leave --device out")
        self.device = check_usable(device)
        self.model = model.to(device).eval() if is_module else model

    @classmethod
    def from_hparams(
        cls, source: str | Path, revision: str | None = None, run_opts: dict | None = None, trust_remote_code: bool = False
    ) -> "EmotionClassifier":
        """Load a model. Nothing in it is executed.

        Parameters
        ----------
        source : the folder ``model/`` that training wrote, the folder of the stage above it, an ONNX file of `mlee export`,
            or a model on the hub, ``"user/name"``; that is kept in the hub's cache, and found there without a network
        revision : of a model on the hub: a branch, a tag or a commit; by default its main branch
        run_opts : ``{"device": "cuda:0"}`` puts the model there; on the CPU without
        trust_remote_code : run the program ``hyperparams.yaml`` of a model that cannot be built from its config.json alone

        Raises
        ------
        InputError
            if there is no such model, it cannot be fetched, or it is damaged or not what it says it is
        """
        return cls(load(source, revision, trust_remote_code), (run_opts or {}).get("device", "cpu"))

    @property
    def emotions(self) -> list[str]:
        """The codes of the K emotions, in the order of the outputs."""
        return self.model.emotions

    def predict(
        self, path: str | Path | BinaryIO, coverage: float = COVERAGE, min_confidence: float = 0.0, gate: str = "energy"
    ) -> Prediction:
        """What is said of one utterance.

        Parameters
        ----------
        path : a wav, flac, ogg or mp3 file of any sample rate and number of channels, up to 120 s
        coverage : of the candidates, 0.01 to 0.99
        min_confidence : below it, the model abstains
        gate : what tells speech: ``"energy"`` or ``"silero"``

        Raises
        ------
        InputError
            if the file cannot be read, is shorter than one window of the model (40 ms) or longer than 120 s, has samples far beyond
            full scale (above 64), or the model's answer is not finite
        """
        asked = Asked(coverage, min_confidence, gate)
        waveform = self._load(path)
        return self._answer(waveform, self._speech(waveform, asked), asked, named(path))

    def predict_many(
        self,
        paths: Iterable[str | Path],
        batch_size: int = 16,
        coverage: float = COVERAGE,
        min_confidence: float = 0.0,
        gate: str = "energy",
        on_error: str = "raise",
    ) -> Iterator[Prediction | InputError]:
        """As `predict`, for many files: those of like length are computed together, the answers come in the order of the files.

        Parameters
        ----------
        paths : the files
        batch_size : files that are computed together, at most
        coverage, min_confidence, gate : as for `predict`
        on_error : ``"raise"`` the error of the first file that cannot be used, or ``"return"`` it in the place of its answer
        """
        asked = Asked(coverage, min_confidence, gate)
        choose(on_error, ON_ERROR, "on_error")
        if isinstance(paths, str | Path):
            raise InputError(f"{paths}: one file or folder: give a list of files, or take predict")
        if not (isinstance(batch_size, Integral) and batch_size >= 1):
            raise InputError(f"batch_size is {batch_size!r}, and must be 1 or more")
        return self._predict_many(paths, batch_size, asked, on_error)

    def timeline(
        self,
        path: str | Path | BinaryIO,
        window: float = WINDOW_SECONDS,
        hop: float = HOP_SECONDS,
        coverage: float = COVERAGE,
        min_confidence: float = 0.0,
        gate: str = "energy",
        on_progress: Callable[[float], None] = lambda seconds: None,
    ) -> Timeline:
        """Emotions over a recording of any length, read block by block. Of audio shorter than a window it says what `predict` says.

        Parameters
        ----------
        path : as for `predict`, of any length
        window, hop : seconds of a window, and from the beginning of one to that of the next
        coverage, min_confidence, gate : as for `predict`
        on_progress : called with the seconds that are done

        Raises
        ------
        InputError
            as `predict` for a file of any length, or if an argument is out of its range
        """
        rate = self.model.sample_rate
        stream = self._stream(rate, window, hop, Asked(coverage, min_confidence, gate), named(path))
        segments, n = [], 0
        for block in read_blocks(path, rate):
            segments += stream.feed(block)
            n += len(block)
            on_progress(n / rate)
        self._check_length(path, n)
        segments += stream.finish()
        speech = [(start, min(end, n / rate)) for start, end in stream.stretches.found]  # the last frame may reach beyond the end
        return Timeline(segments, speech, self.emotions, n / rate)

    def stream(
        self,
        sample_rate: int,
        window: float = WINDOW_SECONDS,
        hop: float = HOP_SECONDS,
        coverage: float = COVERAGE,
        min_confidence: float = 0.0,
        gate: str = "energy",
    ) -> EmotionStream:
        """For live audio: `feed` samples as they come, `finish` at the end. Says the same as `timeline` of a file with them.

        Parameters
        ----------
        sample_rate : Hz of the samples that will be fed
        window, hop, coverage, min_confidence, gate : as for `timeline`
        """
        return self._stream(sample_rate, window, hop, Asked(coverage, min_confidence, gate), "what was fed")

    @torch.no_grad()
    def encode_batch(self, wavs: Waveforms, wav_lens: Waveforms | None = None) -> Tensor:
        """Embed waveforms at the model's sample rate.

        Parameters
        ----------
        wavs : [batch, samples] padded at the end, or [samples]; floats in -1 to 1 as a tensor, an array or lists
        wav_lens : [batch]: samples of each without padding (integers), or relative to the longest (floats up to 1); all
            of it if None

        Returns
        -------
        Tensor
            embeddings [batch, embedding_size]

        Raises
        ------
        InputError
            if these are no such waveforms or lengths, samples are such as no recording has, or what the model computes is not finite
        """
        if not hasattr(self.model, "encoder"):
            raise InputError(f"{type(self.model).__name__}: gives no embeddings; load the bundle that it was made from")
        embeddings = self.model.encoder(*self._batch(wavs, wav_lens))
        check_finite(embeddings, WAVEFORMS)
        return embeddings

    def classify_batch(self, wavs: Waveforms, wav_lens: Waveforms | None = None) -> tuple[Tensor, Tensor, Tensor, list[str]]:
        """Classify waveforms, given as to `encode_batch`. Returns out_prob, score, index, text_lab (see the class)."""
        return self._classify(wavs, wav_lens, WAVEFORMS)

    @torch.no_grad()
    def _classify(self, wavs: Waveforms, wav_lens: Waveforms | None, where: str) -> tuple[Tensor, Tensor, Tensor, list[str]]:
        logits, _ = self.model.logits(*self._batch(wavs, wav_lens))
        out_prob = self.model.log_probabilities(logits)
        check_finite(torch.cat([logits, out_prob]), where)
        score, index = out_prob.max(dim=-1)
        return out_prob, score, index, [self.emotions[i] for i in index.tolist()]

    def classify_file(self, path: str | Path) -> tuple[Tensor, Tensor, Tensor, list[str]]:
        """Classify one utterance, a file as for `predict`. Returns what `classify_batch` returns, and raises as `predict`."""
        return self._classify(self._load(path), None, named(path))

    def attention_file(self, path: str | Path, encoder: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Where an encoder looks in a recording (figure 3 of the paper).

        Parameters
        ----------
        path : as for `classify_file`
        encoder : which one, in a fusion: 0 is the first

        Returns
        -------
        seconds : [steps], the middle of each step
        weights : [steps], summing to 1

        Raises
        ------
        InputError
            as `classify_file`, or if the encoder has no attention
        """
        encoders = getattr(self.model, "encoders", [])
        looking = encoders[encoder] if encoder < len(encoders) else None
        if not getattr(looking, "has_attention", False):
            raise NoAttention(f"encoder {encoder} of this model has no attention to show")
        weights, seconds = looking.attention(upload(self._load(path), self.device))
        check_finite(weights, named(path))
        return seconds.cpu().numpy(), weights.cpu().numpy()

    def _predict_many(self, paths: Iterable, batch_size: int, asked: Asked, on_error: str) -> Iterator[Prediction | InputError]:
        paths = iter(paths)
        while pool := [path for _, path in zip(range(POOL), paths, strict=False)]:
            found: list[Prediction | InputError | None] = [None] * len(pool)
            for batch in _batches([seconds_of(path) for path in pool], batch_size, BATCH_SECONDS[self.device.split(":")[0]]):
                for i, said in self._predict_batch({i: pool[i] for i in batch}, asked):
                    if on_error == "raise" and isinstance(said, InputError):
                        raise said
                    found[i] = said
            yield from found

    @torch.no_grad()
    def _predict_batch(self, paths: dict, asked: Asked) -> Iterator[tuple[int, Prediction | InputError]]:
        spoken: list[tuple[int, Tensor, float]] = []
        for i, path in paths.items():
            try:
                waveform = self._load(path)
            except InputError as error:
                yield i, error
                continue
            speech = self._speech(waveform, asked)
            if speech < MIN_SPEECH:
                yield i, without_speech(asked, speech, self._seconds(waveform))
            else:
                spoken.append((i, waveform, speech))
        if spoken:
            numbers, waveforms, speech = zip(*spoken, strict=True)
            where = [named(paths[i]) for i in numbers]
            yield from zip(numbers, self._answers(*pad(list(waveforms)), speech, asked, where), strict=True)

    def _stream(self, sample_rate: int, window: float, hop: float, asked: Asked, where: str) -> EmotionStream:
        rate = self.model.sample_rate

        def answer(waveform: Tensor, speech: float) -> Prediction:
            return self._answer(waveform, speech, asked, where)

        return EmotionStream(answer, make_gate(asked.gate, rate), sample_rate, rate, self.model.min_samples, window, hop)

    def _answer(self, waveform: Tensor, speech: float, asked: Asked, where: str) -> Prediction:
        if speech < MIN_SPEECH:
            return without_speech(asked, speech, self._seconds(waveform))
        (said,) = self._answers(waveform.unsqueeze(0), torch.tensor([len(waveform)]), [speech], asked, [where])
        if isinstance(said, InputError):
            raise said
        return said

    @torch.no_grad()
    def _answers(self, waveforms: Tensor, n_samples: Tensor, speech, asked: Asked, where: list[str]) -> list[Prediction | InputError]:
        """What is said of each; an error, that begins with what it is called (`where`), for one whose answer is not finite."""
        logits, presence = self.model.logits(upload(waveforms, self.device), n_samples)
        seconds = (n_samples.double() / self.model.sample_rate).tolist()
        presence = None if presence is None else presence.cpu().numpy()
        return predictions(self.model, logits.cpu().numpy(), presence, asked, speech, seconds, where)

    def _speech(self, waveform: Tensor, asked: Asked) -> float:
        hearing = make_gate(asked.gate, self.model.sample_rate)
        return share_of([*hearing.feed(waveform), *hearing.finish()])

    def _seconds(self, waveform: Tensor) -> float:
        return len(waveform) / self.model.sample_rate

    def _load(self, path: str | Path | BinaryIO) -> Tensor:
        self._check_longest(path, seconds_of(path))  # before it is read
        waveform = load_waveform(path, self.model.sample_rate)
        self._check_longest(path, self._seconds(waveform))  # audio from a pipe has no header to ask
        self._check_length(path, len(waveform))
        return waveform

    def _check_longest(self, path: str | Path | BinaryIO, seconds: float) -> None:
        if seconds > LONGEST_SECONDS:
            raise InputError(
                f"{named(path)}: {seconds:.0f} s long, and an utterance has up to {LONGEST_SECONDS} s: use timeline (`mlee timeline`)"
            )

    def _check_length(self, path: str | Path | BinaryIO, n_samples: int) -> None:
        if n_samples < self.model.min_samples:
            milliseconds, least = (1000 * n / self.model.sample_rate for n in (n_samples, self.model.min_samples))
            raise InputError(f"{named(path)}: {milliseconds:.0f} ms long; the model needs {least:.0f} ms or more")

    def _batch(self, wavs: Waveforms, wav_lens: Waveforms | None) -> tuple[Tensor, Tensor]:
        wavs = as_samples(wavs, WAVEFORMS)
        if wavs.dim() not in (1, 2) or wavs.numel() == 0:
            raise InputError(f"{WAVEFORMS} of shape {list(wavs.shape)}: give [batch, samples] or [samples]")
        wavs = torch.atleast_2d(wavs)
        return upload(wavs, self.device), _lengths(wav_lens, *wavs.shape)


def _lengths(wav_lens: Waveforms | None, batch: int, longest: int) -> Tensor:
    """Samples of each waveform without padding [batch], integers on the CPU."""
    if wav_lens is None:
        return torch.full((batch,), longest)
    with suppress(ValueError, TypeError, RuntimeError):  # of what is no numbers
        lengths = torch.as_tensor(wav_lens).cpu()
        if lengths.is_floating_point():
            lengths = (lengths.double() * longest).round().long()
        if lengths.shape == (batch,) and int(lengths.min()) >= 1 and int(lengths.max()) <= longest:
            return lengths
    raise InputError(f"wav_lens {wav_lens!r:.200}: give one length for each of {batch} {WAVEFORMS}, up to {longest} samples")


def _batches(seconds: list[float], batch_size: int, most_seconds: float) -> Iterator[list[int]]:
    """Places of recordings, those of like length together, so that no batch is too large when it is padded.

    The longest come first: what follows fits into the memory that they leave, and needs no other.
    """
    batch: list[int] = []
    for i in sorted(range(len(seconds)), key=seconds.__getitem__, reverse=True):
        if batch and (len(batch) == batch_size or seconds[batch[0]] * (len(batch) + 1) > most_seconds):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
