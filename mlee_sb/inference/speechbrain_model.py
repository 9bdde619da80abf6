"""A model that only its hyperparams.yaml can build. That file is a program: see `trust_remote_code`."""

import tempfile
from contextlib import suppress
from pathlib import Path

import torch
from speechbrain.inference.classifiers import EncoderClassifier
from torch import Tensor, nn

from mlee_sb.errors import InputError
from mlee_sb.models.bundle_files import HYPERPARAMS
from mlee_sb.models.config import read_config
from mlee_sb.targets.outputs import SOFTMAX


class SpeechBrainModel(nn.Module):
    """SpeechBrain's EncoderClassifier of a folder as a model of the dominant emotion, uncalibrated and unaware of existence.

    Parameters
    ----------
    folder : with a hyperparams.yaml, which is run
    """

    output = SOFTMAX
    calibration = None
    min_samples = 1
    demo = False

    def __init__(self, folder: Path):
        super().__init__()
        if not (folder / HYPERPARAMS).is_file():
            raise InputError(f"{folder}: no {HYPERPARAMS} in it either")
        with suppress(InputError):  # a model of others has no config.json, or another one
            self.demo = read_config(folder).demo
        self.savedir = tempfile.TemporaryDirectory()  # a savedir that was used before gives an old model back
        self.theirs = EncoderClassifier.from_hparams(source=str(folder), savedir=self.savedir.name)
        self.sample_rate = int(self.theirs.audio_normalizer.sample_rate)
        index = self.theirs.hparams.label_encoder.ind2lab
        self.emotions = [str(index[i]) for i in sorted(index)]

    @torch.no_grad()
    def logits(self, waveforms: Tensor, n_samples: Tensor) -> tuple[Tensor, None]:
        """Return what `EmotionModel.logits` returns: log posteriors [batch, K], which are logits, too."""
        out_prob, *_ = self.theirs.classify_batch(waveforms, n_samples.to(waveforms.device) / waveforms.shape[1])
        return out_prob, None

    def log_probabilities(self, logits: Tensor) -> Tensor:
        """Return log posteriors [batch, K] for logits [batch, K]."""
        return self.output.log_probabilities(logits)
