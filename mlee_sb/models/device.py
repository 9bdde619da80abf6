"""Whether a device can be had, and how tensors get there."""

import torch
from torch import Tensor

from mlee_sb.errors import InputError, choose

DEVICES = ("cpu", "cuda")


def check_usable(device: str) -> str:
    """Return the name of a torch device, once something was put on it.

    Raises
    ------
    InputError
        if it is no device that is used here, or cannot be had
    """
    choose(device.split(":")[0], DEVICES, "device")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device {device!r} cannot be used here ({str(error).splitlines()[0]}): leave --device out") from error
    return device


def upload(tensor: Tensor, device: torch.device | str | None) -> Tensor:
    """A tensor on a device. A plain `.to(device)` would wait for all that a GPU was given to do before."""
    return tensor.to(device, non_blocking=True)
