"""Devices: check that one can be used, and put tensors on it."""

import os

import torch
from torch import Tensor

from mlee_sb.errors import InputError, choose, reason_of

DEVICES = ("cpu", "cuda")


def _one_thread() -> None:
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    # A fork has none of the threads with which torch has computed in its parent, and would wait for them for ever.
    os.register_at_fork(after_in_child=_one_thread)


def check_usable(device: str) -> str:
    """Return the name of a torch device, after a test that it can be used.

    Raises
    ------
    InputError
        if the name is unknown, or if the device cannot be used here
    """
    choose(device.split(":")[0], DEVICES, "device")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device {device!r} cannot be used here ({reason_of(error)}): leave --device out") from error
    return device


def upload(tensor: Tensor, device: torch.device | str | None) -> Tensor:
    """Return a tensor on a device. A plain `.to(device)` would wait until a GPU has finished all its work."""
    return tensor.to(device, non_blocking=True)
