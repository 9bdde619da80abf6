"""EmotionClassifier: a bundle in, emotions out, in the manner of SpeechBrain's EncoderClassifier."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from numbers import Integral
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mlee_sb.errors import InputError, NoAttention, choose
from mlee_sb.inference.answers import AnyModel, Asked, Prediction
from mlee_sb.inference.audio_input import WAVEFORMS, AudioFile, Sound, as_batch, check_not_too_short, load_utterance, sounds_of
from mlee_sb.inference.box import open_box
from mlee_sb.inference.many_files import ON_ERROR, RAISE, predict_sounds
from mlee_sb.inference.predictor import Predictor
from mlee_sb.inference.samples import Numbers
from mlee_sb.inference.source import load
from mlee_sb.inference.stream import FED, HOP_SECONDS, WINDOW_SECONDS, EmotionStream
from mlee_sb.inference.timeline import Timeline
from mlee_sb.models.device import check_usable, upload
from mlee_sb.models.emotion_model import check_finite


class EmotionClassifier:
    """A trained model for use. `from_hparams` makes one.

    `predict`, `predict_many`, `timeline` and `stream` are for people: they give calibrated probabilities, and abstain if the model is
    not sure. They take the options of `Asked` by name, for example ``predict("hello.wav", coverage=0.8)``.

    `encode_batch`, `classify_batch` and `classify_file` return what those of SpeechBrain's EncoderClassifier return, uncalibrated:

    - ``out_prob``: log posteriors [batch, K] (for an mlee model log probabilities of existence)
    - ``score``: the log probability of the best emotion [batch]
    - ``index``: the number of the best emotion [batch] (equations 1 and 7)
    - ``text_lab``: the code of the best emotion, a list of str

    Parameters
    ----------
    model : the model to use
    device : where to run it: ``"cpu"`` or, for example, ``"cuda:0"``

    Raises
    ------
    InputError
        if the device cannot be used, or the model cannot run there
    """

    def __init__(self, model: AnyModel, device: str = "cpu"):
        is_module = isinstance(model, torch.nn.Module)
        if not is_module and device != "cpu":
            raise InputError(f"device {device!r}: an ONNX file runs on the CPU only: leave --device out")
        self.device = check_usable(device)
        self.model = model.to(device).eval() if is_module else model

    @classmethod
    def from_hparams(
        cls, source: str | Path | None = None, revision: str | None = None, run_opts: dict | None = None, trust_remote_code: bool = False
    ) -> "EmotionClassifier":
        """Load a model. No code from the model is executed, unless you allow it with `trust_remote_code`.

        Parameters
        ----------
        source : the folder ``model/`` that training wrote, the folder of the stage above it, an ONNX file of `mlee export`,
            or a model on the hub, ``"user/name"``. A model of the hub is kept in the hub's cache and needs no network after that. None
            for the model that comes with the package; a line on stderr says which that is
        revision : of a model on the hub: a branch, a tag or a commit; the main branch by default
        run_opts : ``{"device": "cuda:0"}`` runs the model there; the CPU by default
        trust_remote_code : run the program ``hyperparams.yaml`` of a model that cannot be built from its config.json alone

        Raises
        ------
        InputError
            if there is no such model, it cannot be fetched, it is damaged, or the device cannot be used
        """
        if source is None and revision is not None:
            raise InputError(f"revision {revision!r}: of which model? Name it, as user/name on the hub")
        source = open_box() if source is None else source
        return cls(load(source, revision, trust_remote_code), (run_opts or {}).get("device", "cpu"))

    @property
    def emotions(self) -> list[str]:
        """Return the codes of the K emotions, in the order of the outputs."""
        return self.model.emotions

    @property
    def demo(self) -> bool:
        """Tell whether the model was trained on the demo release, so that its answers mean nothing."""
        return self.model.demo

    def predict(
        self, audio: AudioFile | Numbers | Sound, *, sample_rate: int | None = None, channel: int | None = None, **asked
    ) -> Prediction:
        """Predict the emotion of one utterance.

        Parameters
        ----------
        audio : a wav, flac, ogg or mp3 file of any sample rate and number of channels, up to 120 s; or samples in memory, as a tensor,
            an array or lists of floats in -1 to 1: [n], [channels, n] or [n, channels]
        sample_rate : Hz of samples in memory, which must be given; a file tells its own
        channel : the number of the one channel that is heard, from 1; None for the mix of those with sound
        **asked : coverage, min_confidence, max_uncertainty, gate: see `Asked`

        Raises
        ------
        InputError
            if an argument is unknown, missing or out of its range; if the file cannot be read, or the samples have another form
            (`mlee_sb.inference.samples`); if the utterance is longer than 120 s, shorter than one window of the model (40 ms), or has
            samples far beyond full scale (above 64); or if the model's answer is not finite
        """
        predictor, sound = self._predictor(self.predict, asked), Sound.of(audio, sample_rate, channel)
        waveform = predictor.load(sound)
        return predictor.predict(waveform, predictor.share_of_speech(waveform), sound.name)

    def predict_many(
        self,
        audio: Iterable[AudioFile | Numbers | Sound],
        batch_size: int = 16,
        *,
        sample_rate: int | None = None,
        channel: int | None = None,
        on_error: str = RAISE,
        on_progress: Callable[[int], None] = lambda done: None,
        **asked,
    ) -> Iterator[Prediction | InputError]:
        """Predict many recordings, each as `predict` does. The predictions come in the order of the recordings.

        Recordings of like length are computed together, which is faster.

        Parameters
        ----------
        audio : the recordings, each as for `predict`; a `Sound` tells its own sample rate and channel
        batch_size : how many recordings are computed together, at most
        sample_rate, channel : as for `predict`, of those that are samples, and of all
        on_error : ``"raise"`` the error of the first recording that cannot be used, or ``"return"`` it in the place of its prediction
        on_progress : called after each batch with the number of its recordings
        **asked : coverage, min_confidence, max_uncertainty, gate: see `Asked`

        Raises
        ------
        InputError
            at once if an argument is unknown or out of its range, and as `predict` while the recordings are read
        """
        predictor = self._predictor(self.predict_many, asked)
        choose(on_error, ON_ERROR, "on_error")
        sounds = sounds_of(audio, sample_rate, channel)
        if not (isinstance(batch_size, Integral) and batch_size >= 1):
            raise InputError(f"batch_size is {batch_size!r}, and must be 1 or more")
        return predict_sounds(predictor, sounds, batch_size, on_error, on_progress)

    def timeline(
        self,
        audio: AudioFile | Numbers | Sound,
        window: float = WINDOW_SECONDS,
        hop: float = HOP_SECONDS,
        *,
        sample_rate: int | None = None,
        channel: int | None = None,
        on_progress: Callable[[float], None] = lambda seconds: None,
        **asked,
    ) -> Timeline:
        """Predict the emotions over a recording of any length, window by window.

        A file is read block by block, so memory does not grow with its length. If it is shorter than a window, the one
        prediction is that of `predict`.

        Parameters
        ----------
        audio, sample_rate, channel : as for `predict`, but of any length
        window : length of a window in seconds
        hop : seconds from the beginning of a window to the beginning of the next one
        on_progress : called with the number of seconds that are done
        **asked : coverage, min_confidence, max_uncertainty, gate: see `Asked`

        Raises
        ------
        InputError
            as `predict`, for a recording of any length; or if the window or the hop is out of its range
        """
        rate, sound = self.model.sample_rate, Sound.of(audio, sample_rate, channel)
        stream = self._stream(self._predictor(self.timeline, asked), rate, window, hop, sound.name)
        segments, n_samples = [], 0
        for block in sound.blocks(rate):
            segments += stream.feed(block)
            n_samples += len(block)
            on_progress(n_samples / rate)
        check_not_too_short(sound, n_samples, rate, self.model.min_samples)
        segments += stream.finish()
        seconds = n_samples / rate
        speech = [(start, min(end, seconds)) for start, end in stream.stretches.found]  # the last frame may reach beyond the end
        return Timeline(segments, speech, self.emotions, seconds, self.demo, sound.channel)

    def stream(self, sample_rate: int, window: float = WINDOW_SECONDS, hop: float = HOP_SECONDS, **asked) -> EmotionStream:
        """Return a stream for live audio: call `feed` with samples as they come, and `finish` at the end.

        The predictions are those of `timeline` for a file with the same samples.

        Parameters
        ----------
        sample_rate : Hz of the samples that you will feed
        window, hop : as for `timeline`
        **asked : coverage, min_confidence, max_uncertainty, gate: see `Asked`

        Raises
        ------
        InputError
            if an argument is unknown or out of its range
        """
        return self._stream(self._predictor(self.stream, asked), sample_rate, window, hop, FED)

    @torch.no_grad()
    def encode_batch(self, wavs: Numbers, wav_lens: Numbers | None = None) -> Tensor:
        """Compute embeddings of waveforms at the model's sample rate.

        Parameters
        ----------
        wavs : [batch, samples] padded at the end, or [samples]; floats in -1 to 1 as a tensor, an array or lists. Or a list of
            recordings of any lengths, each as for `predict`; they are padded
        wav_lens : [batch], the length of each waveform without padding: samples (integers), or the share of the longest one (floats up
            to 1); None if nothing is padded, or for a list of recordings

        Returns
        -------
        Tensor
            embeddings [batch, embedding_size]

        Raises
        ------
        InputError
            if the waveforms or lengths have another shape or other values, samples are not finite or far beyond full scale, the model
            gives no embeddings, or what it computes is not finite
        """
        if not hasattr(self.model, "encoder"):
            raise InputError(f"{type(self.model).__name__} gives no embeddings: load the bundle that it was made from")
        waveforms, n_samples = as_batch(wavs, wav_lens)
        embeddings = self.model.encoder(upload(waveforms, self.device), n_samples)
        check_finite(embeddings, WAVEFORMS)
        return embeddings

    def classify_batch(self, wavs: Numbers, wav_lens: Numbers | None = None) -> tuple[Tensor, Tensor, Tensor, list[str]]:
        """Classify waveforms, given as for `encode_batch`. Return out_prob, score, index, text_lab (see the class)."""
        return self._classify(wavs, wav_lens, WAVEFORMS)

    def classify_file(self, path: AudioFile | Sound) -> tuple[Tensor, Tensor, Tensor, list[str]]:
        """Classify one utterance, a file as for `predict`. Return what `classify_batch` returns; raise what `predict` raises."""
        sound = Sound.of(path)
        return self._classify(self._load(sound), None, sound.name)

    def attention_file(self, path: AudioFile | Sound, encoder: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Compute where an encoder looks in a recording (figure 3 of the paper).

        Parameters
        ----------
        path : as for `classify_file`; a `Sound` may be a piece or a channel of a file
        encoder : the number of the encoder in a fusion, from 0

        Returns
        -------
        seconds : [steps], the middle of each step
        weights : [steps], attention weights with the sum 1

        Raises
        ------
        NoAttention
            if the encoder has no attention
        InputError
            as `classify_file`
        """
        encoders = getattr(self.model, "encoders", [])
        looking = encoders[encoder] if encoder < len(encoders) else None
        if not getattr(looking, "has_attention", False):
            raise NoAttention(f"encoder {encoder} of this model has no attention to show")
        sound = Sound.of(path)
        weights, seconds = looking.attention(upload(self._load(sound), self.device))
        check_finite(weights, sound.name)
        return seconds.cpu().numpy(), weights.cpu().numpy()

    def _predictor(self, method: Callable, options: dict) -> Predictor:
        return Predictor(self.model, self.device, Asked.of(method, options))

    def _stream(self, predictor: Predictor, sample_rate: int, window: float, hop: float, name: str) -> EmotionStream:
        rate, least = self.model.sample_rate, self.model.min_samples
        return EmotionStream(partial(predictor.predict, name=name), predictor.new_gate(), sample_rate, rate, least, window, hop)

    @torch.no_grad()
    def _classify(self, wavs: Numbers, wav_lens: Numbers | None, name: str) -> tuple[Tensor, Tensor, Tensor, list[str]]:
        waveforms, n_samples = as_batch(wavs, wav_lens)
        logits, _ = self.model.logits(upload(waveforms, self.device), n_samples)
        out_prob = self.model.log_probabilities(logits)
        check_finite(torch.cat([logits, out_prob]), name)
        score, index = out_prob.max(dim=-1)
        return out_prob, score, index, [self.emotions[i] for i in index.tolist()]

    def _load(self, sound: Sound) -> Tensor:
        return load_utterance(sound, self.model.sample_rate, self.model.min_samples)
