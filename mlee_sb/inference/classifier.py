"""EmotionClassifier: a bundle in, emotions out, in the manner of SpeechBrain's EncoderClassifier."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mlee_sb.errors import InputError
from mlee_sb.models.audio import load_waveform
from mlee_sb.models.bundle import load_bundle
from mlee_sb.models.pipeline import EmotionModel


class EmotionClassifier:
    """A trained model for use. Make one with `from_hparams`.

    The methods return what those of SpeechBrain's EncoderClassifier return: `out_prob`, log posteriors [batch, K] (for an
    mlee model log probabilities of existence); `score`, that of the best emotion [batch]; `index`, which one that is
    [batch] (equations 1 and 7); `text_lab`, its code, a list of str.
    """

    def __init__(self, model: EmotionModel, device: str = "cpu"):
        self.device = device
        self.model = model.to(device).eval()

    @classmethod
    def from_hparams(cls, source: str | Path, run_opts: dict | None = None) -> "EmotionClassifier":
        """Load the bundle that training wrote. Nothing in it is executed.

        Parameters
        ----------
        source : the folder ``model/`` that training wrote, or the folder of the stage above it
        run_opts : ``{"device": "cuda:0"}`` puts the model there; on the CPU without

        Raises
        ------
        InputError
            if the folder holds no model, or one that is damaged
        """
        folder = Path(source)
        if not folder.is_dir():
            raise InputError(f"{source}: no such folder; give the folder model/ that training wrote")
        inner = folder / "model"
        return cls(load_bundle(inner if (inner / "config.json").is_file() else folder), (run_opts or {}).get("device", "cpu"))

    @property
    def emotions(self) -> list[str]:
        """The codes of the K emotions, in the order of the outputs."""
        return self.model.emotions

    @torch.no_grad()
    def encode_batch(self, wavs: Tensor, wav_lens: Tensor | None = None) -> Tensor:
        """Embed waveforms at the model's sample rate.

        Parameters
        ----------
        wavs : [batch, samples] padded at the end, or [samples]
        wav_lens : [batch]: samples of each without padding (integers), or relative to the longest (floats up to 1); all
            of it if None

        Returns
        -------
        Tensor
            embeddings [batch, embedding_size]
        """
        if wavs.dim() not in (1, 2) or wavs.numel() == 0:
            raise InputError(f"waveforms of shape {list(wavs.shape)}: give [batch, samples] or [samples]")
        wavs = torch.atleast_2d(wavs).float()
        if not wavs.isfinite().all():
            raise InputError("waveforms with samples that are not finite (NaN or infinity): leave them out")
        return self.model.encoder(wavs.to(self.device), self._samples(wavs, wav_lens))

    @torch.no_grad()
    def classify_batch(self, wavs: Tensor, wav_lens: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor, list[str]]:
        """Classify waveforms, given as to `encode_batch`. Returns out_prob, score, index, text_lab (see the class)."""
        out_prob = self.model.log_probabilities(self.model.classifier(self.encode_batch(wavs, wav_lens)).float())
        score, index = out_prob.max(dim=-1)
        return out_prob, score, index, [self.emotions[i] for i in index.tolist()]

    def classify_file(self, path: str | Path) -> tuple[Tensor, Tensor, Tensor, list[str]]:
        """Classify a wav, flac, ogg or mp3 file of any sample rate and number of channels, as `classify_batch`.

        Raises
        ------
        InputError
            if the file cannot be read, or is shorter than one window of the model (40 ms)
        """
        return self.classify_batch(self._load(path))

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
        looking = self.model.encoders[encoder]
        if not hasattr(looking.network, "embed"):
            raise InputError(f"the encoder {type(looking.network).__name__} has no attention to show")
        weights, seconds = looking.attention(self._load(path).to(self.device))
        return seconds.cpu().numpy(), weights.cpu().numpy()

    def _load(self, path: str | Path) -> Tensor:
        waveform = load_waveform(path, self.model.encoder.sample_rate)
        if len(waveform) < self.model.encoder.min_samples:
            milliseconds = 1000 * len(waveform) / self.model.encoder.sample_rate
            least = 1000 * self.model.encoder.min_samples / self.model.encoder.sample_rate
            raise InputError(f"{path}: {milliseconds:.0f} ms long; the model needs {least:.0f} ms or more")
        return waveform

    def _samples(self, wavs: Tensor, wav_lens: Tensor | None) -> Tensor:
        longest = wavs.shape[1]
        if wav_lens is None:
            return torch.full((len(wavs),), longest)
        lengths = wav_lens.cpu()
        if lengths.is_floating_point():
            lengths = (lengths.double() * longest).round().long()
        if lengths.shape != (len(wavs),) or int(lengths.max()) > longest or int(lengths.min()) < 1:
            raise InputError(f"wav_lens {wav_lens.tolist()}: give one length for each of {len(wavs)} waveforms, up to {longest} samples")
        return lengths
