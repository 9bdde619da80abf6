"""The four modules that SpeechBrain's EncoderClassifier asks for, around an `EmotionModel`.

EncoderClassifier hands features on without their lengths in samples, from which a frame more or less would follow.
So the first two modules pass the waveform through, and the third goes from waveform to embedding at once.
"""

from torch import Tensor, nn

from mlee_sb.models.bundle import build_model
from mlee_sb.models.config import Architecture
from mlee_sb.models.emotion_model import check_finite


class Waveforms(nn.Module):
    """Passes waveforms on."""

    def forward(self, waveforms: Tensor, relative_lengths: Tensor | None = None) -> Tensor:
        return waveforms


class WaveformEmbedding(nn.Module):
    """Waveforms [batch, samples] and relative lengths [batch] -> embeddings [batch, embedding_size]."""

    def __init__(self, config: dict):
        super().__init__()
        self.model = build_model(Architecture.model_validate(config))
        self.model.classifier = nn.Identity()

    def forward(self, waveforms: Tensor, relative_lengths: Tensor) -> Tensor:
        return self.model.encoder(waveforms, samples_from_relative(relative_lengths, waveforms.shape[1]))


class LogProbabilities(nn.Module):
    """Embeddings [batch, embedding_size] -> log posteriors or log probabilities of existence [batch, K]."""

    def __init__(self, config: dict):
        super().__init__()
        self.model = build_model(Architecture.model_validate(config))
        self.model.encoder = nn.Identity()

    def forward(self, embeddings: Tensor) -> Tensor:
        logits = self.model.classifier(embeddings).float()
        check_finite(logits, "waveforms")
        return self.model.log_probabilities(logits)


def samples_from_relative(relative_lengths: Tensor, longest: int) -> Tensor:
    """SpeechBrain's relative lengths -> integers on the CPU.

    >>> import torch
    >>> samples_from_relative(torch.tensor([1.0, 1 / 3]), 30000).tolist()
    [30000, 10000]
    """
    return (relative_lengths.double().cpu() * longest).round().long()
