"""Which frames of a padded batch are speech, and batch normalisation that counts those only."""

import torch
from torch import Tensor, nn


def valid_frames(lengths: Tensor, n_frames: int, device: torch.device | None = None) -> Tensor:
    """True where a frame belongs to its utterance, [batch, n_frames].

    >>> valid_frames(torch.tensor([1, 3]), 3).tolist()
    [[True, False, False], [True, True, True]]
    """
    return (torch.arange(n_frames) < lengths.unsqueeze(1)).to(device)


def zero_padding(x: Tensor, lengths: Tensor) -> Tensor:
    """Set the frames past each utterance's length to zero; `x` is [batch, channels, frames, bins]."""
    if int(lengths.min()) >= x.shape[2]:
        return x
    return x * valid_frames(lengths, x.shape[2], x.device)[:, None, :, None]


class MaskedBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation over [batch, channels, frames, bins] whose statistics count valid frames only.

    Padding would otherwise pull mean and variance towards its own constant: on a batch with 36% valid frames the
    variance shrinks to about a third. Padded frames come out as zeros.
    """

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Normalise `x` [batch, channels, frames, bins], of which utterance `i` has `lengths[i]` valid frames."""
        if not self.training or int(lengths.min()) >= x.shape[2]:
            return zero_padding(super().forward(x), lengths)
        batch, channels, n_frames, bins = x.shape
        frames = x.permute(0, 2, 3, 1).reshape(batch * n_frames, bins * channels)  # no copy where memory is channels_last
        valid = valid_frames(lengths, n_frames).flatten().nonzero().squeeze(1).to(x.device)  # rows of `frames`
        packed = frames.index_select(0, valid).view(1, -1, bins, channels).permute(0, 3, 1, 2)
        normalised = super().forward(packed).permute(0, 2, 3, 1).reshape(-1, bins * channels)
        padded = torch.zeros_like(frames, dtype=normalised.dtype).index_copy_(0, valid, normalised)
        return padded.view(batch, n_frames, bins, channels).permute(0, 3, 1, 2)
