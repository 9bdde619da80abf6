"""Whole models, from the waveform to the probability of each emotion: an encoder, a classifier, and the head that knows existence."""

from collections.abc import Sequence

from torch import Tensor, nn

from mlee_sb.calibration import Calibration
from mlee_sb.errors import InputError
from mlee_sb.models.dense_classifier import DenseClassifier
from mlee_sb.models.encoders.base import Encoder
from mlee_sb.targets.outputs import Output


def not_finite(where: str) -> InputError:
    """Return the error for an answer that is not finite, about what is called `where`."""
    return InputError(f"{where}: what the model computes of it is not finite (NaN or infinity), and no answer: use another model")


def check_finite(values: Tensor, where: str) -> None:
    """Refuse what a model computed (any tensor) if a value of it is not finite. The error begins with `where`."""
    if not values.isfinite().all():
        raise not_finite(where)


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
    encoder : waveforms to embeddings
    classifier : embedding -> logits [batch, K]
    emotions : the K codes in the order of the logits
    output : what the logits mean
    presence : the head of the MLEE stage whose encoder this model froze, where there is one
    calibration : how sure it may be, once that is known
    """

    def __init__(
        self,
        encoder: Encoder,
        classifier: nn.Module,
        emotions: Sequence[str],
        output: Output,
        presence: PresenceHead | None = None,
        calibration: Calibration | None = None,
    ):
        super().__init__()
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
    def encoders(self) -> list[Encoder]:
        """The encoders: one, or several in a fusion."""
        return self.encoder.parts

    def log_probabilities(self, logits: Tensor) -> Tensor:
        """Return log posteriors, or log probabilities of existence, from logits [batch, K]."""
        return self.output.log_probabilities(logits)

    def logits(self, waveforms: Tensor, n_samples: Tensor) -> tuple[Tensor, Tensor | None]:
        """Compute both answers in one pass.

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
        if self.output.knows_existence:
            return logits, logits
        return logits, None if self.presence is None else self.presence(embeddings).float()

    def forward(self, waveforms: Tensor, n_samples: Tensor) -> Tensor:
        """Waveforms [batch, samples] and lengths [batch] -> log probabilities [batch, K]."""
        return self.log_probabilities(self.classifier(self.encoder(waveforms, n_samples)).float())
