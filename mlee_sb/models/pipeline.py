"""Whole models, from the waveform: an encoder with its own front end and z-norm, frozen encoders side by side, a classifier on top."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from mlee_sb.calibration import Calibration
from mlee_sb.errors import InputError
from mlee_sb.models.dense_classifier import DenseClassifier

OUTPUTS = {"softmax": "one emotion is dominant (equation 1)", "sigmoid": "each emotion exists or not (equation 7)"}


def not_finite(where: str) -> InputError:
    """The error in the place of an answer that is not finite, about what is called `where`."""
    return InputError(f"{where}: what the model computes of it is not finite (NaN or infinity), and no answer: use another model")


def check_finite(values: Tensor, where: str) -> None:
    """Refuse what a model computed, any tensor, where a value of it is not finite. The error begins with `where`."""
    if not values.isfinite().all():
        raise not_finite(where)


class UtteranceEncoder(nn.Module):
    """Waveform -> embedding: front end, z-norm, encoder network. They were trained together and stay together."""

    def __init__(self, front_end: nn.Module, normalizer: nn.Module, network: nn.Module):
        super().__init__()
        self.front_end, self.normalizer, self.network = front_end, normalizer, network

    @property
    def embedding_size(self) -> int:
        return self.network.embedding_size

    @property
    def sample_rate(self) -> int:
        return self.front_end.sample_rate

    @property
    def min_samples(self) -> int:
        return self.front_end.min_samples

    def features(self, waveforms: Tensor, n_samples: Tensor | list[int]) -> tuple[Tensor, Tensor]:
        """Normalised features [batch, frames, n_features] and valid frames [batch]; no gradient is needed below the encoder."""
        with torch.no_grad():
            features, n_frames = self.front_end(waveforms, torch.as_tensor(n_samples))
            return self.normalizer(features, n_frames), n_frames

    def forward(self, waveforms: Tensor, n_samples: Tensor | list[int]) -> Tensor:
        """Waveforms [batch, samples], samples of each without padding [batch] (integers) -> embeddings [batch, embedding_size].

        In use, an utterance with a feature that is not finite has an embedding of NaN: a network may hide it (a ReLU makes 0 of it).
        """
        features, n_frames = self.features(waveforms, n_samples)
        embeddings = self.network(features, n_frames)
        return embeddings if self.training else embeddings + 0 * features.flatten(1).sum(1, keepdim=True)

    @torch.no_grad()
    def attention(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Where in one utterance the encoder looks (figure 3).

        Parameters
        ----------
        waveform : [samples]

        Returns
        -------
        weights : [steps], summing to 1
        times : [steps], the middle of each step in seconds
        """
        features, n_frames = self.features(waveform.unsqueeze(0), torch.tensor([waveform.shape[0]]))
        _, weights, n_steps = self.network.embed(features, n_frames)
        per_step = self.network.frames_per_step
        times = self.front_end.frame_times(int(n_frames)).split(per_step)[: int(n_steps)]  # a clip may be shorter than a step
        return weights[0, : int(n_steps)], torch.stack([frames.mean() for frames in times])


class FrozenEncoders(nn.Module):
    """Encoders that were trained before and learn no more; their embeddings are concatenated in the order given.

    `train()` leaves them in eval mode: `requires_grad=False` alone would let batch-norm statistics move, because a
    SpeechBrain Brain calls `modules.train()` at the start of every epoch.
    """

    def __init__(self, encoders: Iterable[UtteranceEncoder]):
        super().__init__()
        self.encoders = nn.ModuleList(encoders)
        if len({encoder.sample_rate for encoder in self.encoders}) != 1:
            raise InputError("the encoders of a fusion must share one sample rate")
        self.requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> "FrozenEncoders":
        return super().train(False)

    @property
    def embedding_size(self) -> int:
        return sum(encoder.embedding_size for encoder in self.encoders)

    @property
    def sample_rate(self) -> int:
        return self.encoders[0].sample_rate

    @property
    def min_samples(self) -> int:
        return max(encoder.min_samples for encoder in self.encoders)

    @torch.no_grad()
    def forward(self, waveforms: Tensor, n_samples: Tensor) -> Tensor:
        """As `UtteranceEncoder.forward`; embeddings [batch, sum of the embedding sizes]."""
        return torch.cat([encoder(waveforms, n_samples) for encoder in self.encoders], dim=-1)


class PresenceHead(nn.Module):
    """The classifier of an MLEE stage, kept for a model that froze its encoder: which emotions are present.

    Parameters
    ----------
    classifier : embedding of that encoder -> logits of existence [batch, K]
    encoder : the number of that encoder
    start : where its embedding begins among those of all encoders
    """

    def __init__(self, classifier: DenseClassifier, encoder: int, start: int):
        super().__init__()
        self.classifier, self.encoder = classifier, encoder
        self.part = slice(start, start + classifier.settings["embedding_size"])
        self.requires_grad_(False)

    def forward(self, embeddings: Tensor) -> Tensor:
        """[batch, sum of the embedding sizes] -> logits of existence [batch, K]."""
        return self.classifier(embeddings[:, self.part])


class EmotionModel(nn.Module):
    """Waveform -> probability of each emotion.

    Parameters
    ----------
    encoder : an `UtteranceEncoder` or `FrozenEncoders`
    classifier : embedding -> logits [batch, K]
    emotions : the K codes in the order of the logits
    output : ``"softmax"`` (a posterior over the emotions) or ``"sigmoid"`` (a probability of existence for each)
    presence : the head of the MLEE stage whose encoder this model froze, where there is one
    calibration : how sure it may be, once that is known
    """

    def __init__(
        self,
        encoder: nn.Module,
        classifier: nn.Module,
        emotions: Sequence[str],
        output: str,
        presence: PresenceHead | None = None,
        calibration: Calibration | None = None,
    ):
        super().__init__()
        if output not in OUTPUTS:
            raise InputError(f"output {output!r} is not one of {', '.join(OUTPUTS)}")
        self.encoder, self.classifier, self.presence = encoder, classifier, presence
        self.emotions = list(emotions)
        self.output, self.calibration = output, calibration

    @property
    def sample_rate(self) -> int:
        return self.encoder.sample_rate

    @property
    def min_samples(self) -> int:
        return self.encoder.min_samples

    @property
    def encoders(self) -> list[UtteranceEncoder]:
        """The encoders, one or (in a fusion) several."""
        return list(self.encoder.encoders) if isinstance(self.encoder, FrozenEncoders) else [self.encoder]

    def log_probabilities(self, logits: Tensor) -> Tensor:
        """Logits [batch, K] -> log posteriors, or log probabilities of existence."""
        return logits.log_softmax(-1) if self.output == "softmax" else nn.functional.logsigmoid(logits)

    def logits(self, waveforms: Tensor, n_samples: Tensor) -> tuple[Tensor, Tensor | None]:
        """Both answers in one pass.

        Parameters
        ----------
        waveforms : [batch, samples]
        n_samples : [batch], samples of each without padding (integers on the CPU)

        Returns
        -------
        logits : [batch, K]
        presence : logits of existence [batch, K]; None where the model does not know existence
        """
        embeddings = self.encoder(waveforms, n_samples)
        logits = self.classifier(embeddings).float()
        if self.output == "sigmoid":
            return logits, logits
        return logits, None if self.presence is None else self.presence(embeddings).float()

    def forward(self, waveforms: Tensor, n_samples: Tensor) -> Tensor:
        """Waveforms [batch, samples] and lengths [batch] -> log probabilities [batch, K]."""
        return self.log_probabilities(self.classifier(self.encoder(waveforms, n_samples)).float())
