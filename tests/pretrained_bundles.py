"""Small models on a small pretrained network, to be written as bundles."""

import torch
from bundles import CURVES, EMOTIONS, THRESHOLDS
from upstreams import pretrained_encoder

from mlee_sb.calibration import Calibration
from mlee_sb.models.dense_classifier import DenseClassifier
from mlee_sb.models.emotion_model import EmotionModel, PresenceHead
from mlee_sb.models.encoders.frozen import FrozenEncoders
from mlee_sb.models.encoders.pretrained import PretrainedEncoder
from mlee_sb.targets import SOFTMAX


def encoder_on(upstream, **changed) -> PretrainedEncoder:
    """An encoder with small heads, fitted to noise."""
    encoder = pretrained_encoder(upstream, **({"attention_size": 3, "dense_size": 4} | changed))
    with torch.no_grad():
        encoder.layer_weights.normal_()
    encoder.fit_statistics([encoder.fixed(torch.randn(4, 4000), torch.tensor([4000, 3000, 2000, 2500]))])
    return encoder.eval()


def moved(encoder: PretrainedEncoder, by: float) -> PretrainedEncoder:
    """The encoder, after the layers of its upstream that learn have learned something."""
    with torch.no_grad():
        for parameter in encoder.tuned.parameters():
            parameter.add_(by)
    return encoder


def model_on(encoder) -> EmotionModel:
    """A model of one encoder, which is not frozen."""
    classifier = DenseClassifier(encoder.embedding_size, len(EMOTIONS), 8)
    torch.nn.init.normal_(classifier.output.weight, std=3)
    return EmotionModel(encoder, classifier, EMOTIONS, SOFTMAX).eval()


def fusion_on(*encoders) -> EmotionModel:
    """A calibrated fusion that knows existence by its first encoder."""
    classifier = DenseClassifier(sum(encoder.embedding_size for encoder in encoders), len(EMOTIONS), 8)
    torch.nn.init.normal_(classifier.output.weight, std=3)
    presence = PresenceHead(DenseClassifier(encoders[0].embedding_size, len(EMOTIONS), 8), 0, 0)
    return EmotionModel(
        FrozenEncoders(encoders), classifier, EMOTIONS, SOFTMAX, presence, Calibration(0.7, CURVES, THRESHOLDS, 100, 5)
    ).eval()
