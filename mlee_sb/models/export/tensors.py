"""Operations that encoders for ONNX share."""

import torch
from torch import Tensor


def powers(frames: Tensor, dft_length: int, n_bins: int) -> Tensor:
    """Return the power of each bin [..., frames, n_bins] for windowed frames [..., frames, window], without ONNX's Fourier transform.

    Give frames in double precision, because quiet bins of a loud frame need more than single.
    """
    grid = torch.outer(torch.arange(frames.shape[-1]), torch.arange(n_bins)).double()
    angles = 2 * torch.pi / dft_length * grid
    return (frames @ angles.cos()).square() + (frames @ angles.sin()).square()


def at_steps(x: Tensor, steps: Tensor) -> Tensor:
    """Return the steps of `x` [batch, steps, size] at places [batch, steps]."""
    return x.gather(1, steps.unsqueeze(-1).expand(-1, -1, x.shape[2]))
