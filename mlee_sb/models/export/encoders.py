"""Encoders for ONNX: padded batches, no packed sequences, and the Fourier transform as matrix products.

No shape depends on the lengths of the utterances, so the exported file takes a batch of any size and utterances of any length.
"""

from functools import singledispatch

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlee_sb.errors import InputError
from mlee_sb.models.encoders.base import Encoder
from mlee_sb.models.encoders.cnn_blstm_attention import CnnBlstmAttention, CnnLayer, PaperEncoder
from mlee_sb.models.encoders.feature_encoder import FeatureEncoder
from mlee_sb.models.encoders.frozen import FrozenEncoders
from mlee_sb.models.encoders.pretrained import PretrainedEncoder
from mlee_sb.models.export.tensors import at_steps, powers
from mlee_sb.models.export.whisper import ExportableWhisper
from mlee_sb.models.features import LogPowerSpectrogram
from mlee_sb.models.masking import zero_padding
from mlee_sb.models.upstreams.base import MODEL_TYPE

EXPORTED = {"whisper": ExportableWhisper}  # families of upstreams that can be exported: model_type -> what ONNX gets in its place


@singledispatch
def exportable(encoder: Encoder) -> Encoder:
    """Return an encoder with the same embeddings in operations that ONNX has. For an encoder of a plug-in, call its own `exportable`."""
    return encoder.exportable()


@exportable.register
def _(encoder: FrozenEncoders) -> Encoder:
    return FrozenEncoders([exportable(part) for part in encoder.parts])


@exportable.register
def _(encoder: PaperEncoder) -> Encoder:
    return ExportablePaperEncoder(encoder)


@exportable.register
def _(encoder: PretrainedEncoder) -> Encoder:
    family = encoder.upstream.described.config[MODEL_TYPE]
    if family not in EXPORTED:
        raise InputError(
            f"an encoder on an upstream of the family {family} cannot be exported to ONNX: of upstreams, only those of the family "
            f"{', '.join(EXPORTED)} can be. Use the model itself"
        )
    return ExportablePretrainedEncoder(encoder)


class ExportablePaperEncoder(FeatureEncoder):
    """A trained `PaperEncoder` in a form for ONNX, with the same weights. A front end of another kind does not change.

    Parameters
    ----------
    encoder : the trained encoder, in eval mode
    """

    def __init__(self, encoder: PaperEncoder):
        front_end = encoder.front_end
        if isinstance(front_end, LogPowerSpectrogram):
            front_end = ExportableSpectrogram(front_end)
        super().__init__(front_end, ExportableNetwork(encoder.network), encoder.normalizer.min_std, encoder.settings)
        self.normalizer = encoder.normalizer
        self.train(encoder.training)


class ExportablePretrainedEncoder(Encoder):
    """A trained `PretrainedEncoder` in a form for ONNX, with the same weights, and those of its upstream.

    Parameters
    ----------
    encoder : the trained encoder
    """

    def __init__(self, encoder: PretrainedEncoder):
        super().__init__()
        self.theirs, self.upstream = encoder, EXPORTED[encoder.upstream.described.config[MODEL_TYPE]](encoder.upstream)
        self.sample_rate, self.min_samples, self.embedding_size = encoder.sample_rate, encoder.min_samples, encoder.embedding_size
        self.settings = encoder.settings
        self.train(encoder.training)

    @property
    def keeps_fixed(self) -> bool:
        return self.theirs.keeps_fixed

    @property
    def fixed_identity(self) -> dict:
        return self.theirs.fixed_identity

    def fixed(self, waveforms: Tensor, n_samples: Tensor) -> tuple[Tensor, Tensor]:
        """Compute what `PretrainedEncoder.fixed` keeps, also where layers of the upstream have learned."""
        return self.theirs.kept_of(*self.upstream(self.theirs.levelled(waveforms, n_samples), n_samples))

    def learned(self, fixed: Tensor, lengths: Tensor) -> Tensor:
        """Compute embeddings [batch, dense_size]."""
        return self.theirs.embedded(fixed, lengths)


class ExportableSpectrogram(nn.Module):
    """The same features as `LogPowerSpectrogram`, without ONNX's Fourier transform: that is slow and inexact at such lengths."""

    def __init__(self, front_end: LogPowerSpectrogram):
        super().__init__()
        self.theirs = front_end
        self.n_features, self.sample_rate, self.min_samples = front_end.n_features, front_end.sample_rate, front_end.min_samples

    def forward(self, waveforms: Tensor, n_samples: Tensor) -> tuple[Tensor, Tensor]:
        """Return features [batch, frames, n_features] and frames of each utterance [batch] for waveforms [batch, samples]."""
        return self._power(self.theirs.levelled(waveforms, n_samples)).log().float(), self.theirs.n_frames(n_samples)

    def _power(self, waveforms: Tensor) -> Tensor:
        """Return the power of each bin, plus the floor. Double precision, because quiet bins of a loud frame need more than single."""
        theirs = self.theirs
        frames = (waveforms.unfold(-1, theirs.window_samples, theirs.shift_samples) * theirs.window).double()
        return powers(frames, theirs.dft_length, theirs.n_features) + theirs.log_floor


class ExportableNetwork(nn.Module):
    """The same embeddings as `CnnBlstmAttention`, from tensors whose shapes do not depend on the lengths."""

    def __init__(self, network: CnnBlstmAttention):
        super().__init__()
        self.theirs, self.embedding_size = network, network.embedding_size

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Return embeddings [batch, embedding_size] for features [batch, frames, bins] and valid frames [batch]."""
        theirs = self.theirs
        lengths = lengths.clamp(min=theirs.frames_per_step)
        x = F.pad(features, (0, 0, 0, theirs.frames_per_step)).unsqueeze(1)  # [batch, 1, frames, bins], with one step of padding at least
        for layer in theirs.cnn:
            x, lengths = _layer(layer, x, lengths)
        x = zero_padding(x, lengths).permute(0, 2, 1, 3).flatten(2)  # [batch, steps, channels * bins]
        return theirs.attention(_blstm(theirs.blstm, x, lengths), lengths)[0]


def _layer(layer: CnnLayer, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Compute what `CnnLayer.forward` computes in evaluation, for a padded batch [batch, in_channels, frames, bins]."""
    x = layer.conv(F.pad(zero_padding(x, lengths), (*layer.bins, *layer.time)))
    return layer.pooled(x), layer.pooled_frames(lengths)


def _blstm(blstm: nn.LSTM, x: Tensor, lengths: Tensor) -> Tensor:
    """Compute a BLSTM without packed sequences, which ONNX does not have: both directions begin with a valid step."""
    n_steps, size = x.shape[1], blstm.hidden_size
    steps = torch.arange(n_steps)
    padding = (n_steps - lengths).unsqueeze(1)
    to_the_right = (steps - padding).clamp(min=0)  # [batch, steps]: the padding comes first, as copies of the first step
    back = (steps + padding).clamp(max=n_steps - 1)
    forward = blstm(x)[0][..., :size]
    backward = blstm(at_steps(x, to_the_right))[0][..., size:]
    return torch.cat([forward, at_steps(backward, back)], dim=-1)
