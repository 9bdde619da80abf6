"""Whole models, from the waveform to the probability of each emotion: an encoder, a classifier, and a head for existence."""

from collections.abc import Sequence

from torch import Tensor, nn

from mlee_sb.calibration import Calibration
from mlee_sb.errors import InputError
from mlee_sb.models.encoders.base import Encoder
from mlee_sb.targets.outputs import Output


def not_finite(where: str) -> InputError:
    """Return the error for an answer that is not finite. Its message begins with `where`."""
    return InputError(f"{where}: the answer of the model is not finite (NaN or infinity): use another model")


def check_finite(values: Tensor, where: str) -> None:
    """Raise an InputError that begins with `where` if a value in the answer of a model (any tensor) is not finite."""
    if not values.isfinite().all():
        raise not_finite(where)


class PresenceHead(nn.Module):
    """The classifier of an MLEE stage, in a model that froze the encoder of this stage. It tells which emotions are present.

    Parameters
    ----------
    classifier : from embeddings of this encoder to logits of existence [batch, K]
    encoder : the number of this encoder among all encoders of the model
    start : the first dimension of its embedding among the concatenated embeddings
    """

    def __init__(self, classifier: nn.Module, encoder: int, start: int):
        super().__init__()
        self.classifier, self.encoder = classifier, encoder
        self.part = slice(start, start + classifier.settings["embedding_size"])
        self.requires_grad_(False)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Return logits of existence [batch, K] for embeddings [batch, sum of the embedding sizes]."""
        return self.classifier(embeddings[:, self.part])


class EmotionModel(nn.Module):
    """A whole model, from waveforms to the probability of each emotion.

    Parameters
    ----------
    encoder : from waveforms to embeddings
    classifier : from embeddings to logits [batch, K]
    emotions : the K codes in the order of the logits
    output : what the logits mean
    presence : the head of the MLEE stage whose encoder this model froze; None without such a stage
    calibration : its calibration; None before it is fitted
    demo : whether it was trained on the demo release
    """

    def __init__(
        self,
        encoder: Encoder,
        classifier: nn.Module,
        emotions: Sequence[str],
        output: Output,
        presence: PresenceHead | None = None,
        calibration: Calibration | None = None,
        demo: bool = False,
    ):
        super().__init__()
        self.encoder, self.classifier, self.presence = encoder, classifier, presence
        self.emotions = list(emotions)
        self.output, self.calibration, self.demo = output, calibration, demo

    @property
    def sample_rate(self) -> int:
        return self.encoder.sample_rate

    @property
    def min_samples(self) -> int:
        return self.encoder.min_samples

    @property
    def encoders(self) -> list[Encoder]:
        """The encoders: one, or several in a fusion."""
        return self.encoder.parts

    def log_probabilities(self, logits: Tensor) -> Tensor:
        """Return log posteriors, or log probabilities of existence, [batch, K] for logits [batch, K]."""
        return self.output.log_probabilities(logits)

    def logits(self, waveforms: Tensor, n_samples: Tensor) -> tuple[Tensor, Tensor | None]:
        """Compute both answers in one pass.

        Parameters
        ----------
        waveforms : [batch, samples]
        n_samples : [batch], samples of each utterance without padding (integers on the CPU)

        Returns
        -------
        logits : [batch, K]
        presence : logits of existence [batch, K]; None where the model does not know existence
        """
        embeddings = self.encoder(waveforms, n_samples)
        logits = self.classifier(embeddings).float()
        if self.output.knows_existence:
            return logits, logits
        return logits, None if self.presence is None else self.presence(embeddings).float()

    def forward(self, waveforms: Tensor, n_samples: Tensor) -> Tensor:
        """Return log probabilities [batch, K] for waveforms [batch, samples] and lengths [batch]."""
        return self.log_probabilities(self.classifier(self.encoder(waveforms, n_samples)).float())
