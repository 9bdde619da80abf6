"""Masks of the valid frames in a padded batch, and batch normalisation over a batch that several processes share."""

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F

from mlee_sb.models.device import upload


def valid_frames(lengths: Tensor, n_frames: int, device: torch.device | None = None) -> Tensor:
    """Return a mask [batch, n_frames] that is True where a frame belongs to its utterance and is not padding.

    >>> valid_frames(torch.tensor([1, 3]), 3).tolist()
    [[True, False, False], [True, True, True]]
    """
    return upload(torch.arange(n_frames) < lengths.unsqueeze(1), device)


def zero_padding(x: Tensor, lengths: Tensor) -> Tensor:
    """Set the frames after the end of each utterance to zero; `x` is [batch, channels, frames, bins]."""
    return x * valid_frames(lengths, x.shape[2], x.device)[:, None, :, None]


class WholeBatchNorm2d(nn.Module):
    """Batch normalisation over a whole batch, also if several processes train one model and each has a share of the batch.

    Its input must hold valid frames only. Padding would pull mean and variance towards its own constant: in a batch with 36% valid
    frames, the variance becomes about a third.

    Weights and statistics have the names of `nn.BatchNorm2d`, but the class is not a subclass of it: for several processes,
    SpeechBrain would turn it into a SyncBatchNorm, which does not work on a CPU.

    Parameters
    ----------
    channels : channels of the input
    eps : added to the variance
    momentum : weight of a batch in the running statistics
    """

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `x` [rows, channels, frames, bins]."""
        if self.training:
            self.num_batches_tracked += 1
            if distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1:
                return self._over_all_processes(x)
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, self.training, self.momentum, self.eps)

    def _over_all_processes(self, x: Tensor) -> Tensor:
        """Normalise in training with the statistics of all processes. There are two passes, and sums are taken in float64."""
        values = x.float()
        here = values.new_full((1,), values.numel() // values.shape[1], dtype=torch.float64)
        total = Summed.apply(torch.cat([values.sum((0, 2, 3), dtype=torch.float64), here]))
        count = total[-1].detach()
        mean = total[:-1] / count
        centred = values - mean.float()[:, None, None]
        variance = Summed.apply(centred.square().sum((0, 2, 3), dtype=torch.float64)) / count
        with torch.no_grad():
            self.running_mean.lerp_(mean.float(), self.momentum)
            self.running_var.lerp_((variance * count / (count - 1)).float(), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt().float()
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)


class Summed(torch.autograd.Function):
    """The sum of a tensor over all processes, on each of them. Its gradient is the gradient of the sum of their losses."""

    @staticmethod
    def forward(ctx, here: Tensor) -> Tensor:
        total = here.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return Summed.apply(gradient.contiguous())
