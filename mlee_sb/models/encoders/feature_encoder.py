"""Encoders with a front end: features of the waveform, normalised with the statistics of the training set, then a network."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from mlee_sb.models.encoders.base import Encoder
from mlee_sb.models.normalization import ZNorm


class FeatureEncoder(Encoder):
    """Front end, z-norm and network, from waveforms to embeddings. Subclasses build the network.

    Parameters
    ----------
    front_end : from waveforms to features; it has `n_features`, `sample_rate`, `min_samples` and `settings`, and may learn
    network : from features [batch, frames, n_features] and valid frames [batch] to embeddings; it has `embedding_size`
    min_std : as for `ZNorm`
    settings : settings of the subclass, without ``front_end`` and ``min_std``
    """

    def __init__(self, front_end: nn.Module, network: nn.Module, min_std: float, settings: dict):
        super().__init__()
        self.front_end, self.network = front_end, network
        self.normalizer = ZNorm(front_end.n_features, min_std)
        self.masks: nn.Module | None = None  # training sets it where its settings ask for masks: it takes features and valid frames
        self.settings = {"min_std": min_std, **settings}

    @property
    def embedding_size(self) -> int:
        return self.network.embedding_size

    @property
    def sample_rate(self) -> int:
        return self.front_end.sample_rate

    @property
    def min_samples(self) -> int:
        return self.front_end.min_samples

    def features(self, waveforms: Tensor, n_samples: Tensor) -> tuple[Tensor, Tensor]:
        """Compute normalised features [batch, frames, n_features] and valid frames [batch]."""
        features, n_frames = self.front_end(waveforms, n_samples)
        return self.normalizer(features, n_frames), n_frames

    def learned(self, fixed: Tensor, lengths: Tensor) -> Tensor:
        """Compute embeddings [batch, embedding_size] from waveforms.

        In eval mode, an utterance with a feature that is not finite has an embedding of NaN. Otherwise a network may hide it, because
        a ReLU can turn it into 0.
        """
        features, n_frames = self.features(fixed, lengths)
        if self.training and self.masks is not None:
            features = self.masks(features, n_frames)
        embeddings = self.network(features, n_frames)
        return embeddings if self.training else embeddings + 0 * features.flatten(1).sum(1, keepdim=True)

    @torch.no_grad()
    def fit_statistics(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Fill the z-norm with mean and variance of the training set (paper, section 3.2)."""
        self.normalizer.fit(self.front_end(waveforms, lengths) for waveforms, lengths in batches)
