"""Z-normalisation with the statistics of the training set."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from mlee_sb.errors import InputError
from mlee_sb.models.masking import valid_frames


class ZNorm(nn.Module):
    """Normalises each bin with the mean and variance of the training set (paper, section 3.2).

    The statistics are buffers: `fit` fills them once, and they are saved with the weights. Nothing changes them afterwards, neither
    training nor evaluation.

    Parameters
    ----------
    n_features : bins of a frame
    min_std : smallest divisor, for a bin whose standard deviation over the training set is smaller
    """

    def __init__(self, n_features: int, min_std: float):
        super().__init__()
        self.min_std = min_std
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("std", torch.ones(n_features))
        self.register_buffer("fitted", torch.tensor(False))

    @torch.no_grad()
    def fit(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Fill the statistics in one pass over the training set.

        Parameters
        ----------
        batches : pairs of features [batch, frames, n_features] and valid frames [batch]

        Raises
        ------
        InputError
            if there is no frame at all
        """
        count = 0
        total = torch.zeros_like(self.mean, dtype=torch.float64, device="cpu")
        squares = torch.zeros_like(total)
        for features, n_frames in batches:
            valid = features[valid_frames(n_frames, features.shape[1], features.device)].double()  # [all valid frames, n_features]
            count += valid.shape[0]
            total += valid.sum(0).cpu()
            squares += valid.square().sum(0).cpu()
        if count == 0:
            raise InputError("z-norm: the training set has no frame")
        mean = total / count
        variance = (squares / count - mean.square()).clamp(min=0)
        self.mean.copy_(mean)
        self.std.copy_(variance.sqrt().clamp(min=self.min_std))
        self.fitted.fill_(True)

    def forward(self, features: Tensor, n_frames: Tensor) -> Tensor:
        """Return normalised features [batch, frames, n_features]; padded frames become 0, which is the mean of speech."""
        normalised = (features - self.mean).div_(self.std)
        return normalised.mul_(valid_frames(n_frames, features.shape[1], features.device).unsqueeze(-1))
