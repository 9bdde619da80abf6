"""One training in several processes that torchrun starts: each process has its device and takes its share of every batch.

Without torchrun there is one process, and it runs as if this file did nothing.
"""

import contextlib
import gc
import os
import sys
from collections.abc import Callable, Iterator

import torch
from speechbrain.utils.distributed import ddp_init_group, get_local_rank, get_rank, is_distributed_initialized, main_process_only

from mlee_sb.errors import InputError

ALONE = (0, 1)
FAILED = 2  # exit status of a process, if the main process has shown the error


def launched() -> bool:
    """Tell whether torchrun started this process, by the same test as SpeechBrain's Brain."""
    return "RANK" in os.environ and "LOCAL_RANK" in os.environ


def is_main() -> bool:
    """Tell whether this is the main process, the only one that writes files and prints."""
    return not launched() or get_rank() == 0


def processes() -> tuple[int, int]:
    """Return the number of this process, from 0, and the number of processes that train together."""
    return (torch.distributed.get_rank(), torch.distributed.get_world_size()) if is_distributed_initialized() else ALONE


def own_device(device: str | None) -> str:
    """Return the device of this process: the given one, or by default a GPU if there is one. Each of several processes has its own GPU.

    Raises
    ------
    InputError
        if several processes would share a GPU
    """
    if not launched():
        return device or ("cuda:0" if torch.cuda.is_available() else "cpu")
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if not device.startswith("cuda"):
        return device
    if device != "cuda":
        raise InputError(f"--device {device}: each process of torchrun takes a GPU of its own: leave --device out")
    here, there = int(os.environ.get("LOCAL_WORLD_SIZE", 1)), torch.cuda.device_count()
    if here > there:
        remedy = f"--nproc_per_node={there}, or --device cpu" if there else "--device cpu"
        raise InputError(f"torchrun started {here} processes for {there} GPUs: give {remedy}")
    return f"cuda:{get_local_rank()}"


def backend(device: str) -> str:
    """Return the name of torch's backend for messages between processes on such a device."""
    return "nccl" if device.startswith("cuda") else "gloo"


@contextlib.contextmanager
def process_group(device: str | None) -> Iterator[None]:
    """Join the processes of torchrun for the block of this context. All processes except the main one print nothing to stdout."""
    if not launched():
        yield
        return
    ddp_init_group({"distributed_backend": backend(own_device(device))})
    try:
        with contextlib.nullcontext() if is_main() else _silent():
            yield
    except BaseException:
        if torch.distributed.get_backend() == "gloo":  # with nccl, it could wait here for others that wait for this process to end
            _leave()
        raise
    _leave()


def _leave() -> None:
    gc.collect()  # a Brain and its checkpointer are a cycle that holds DDP and the threads of the group: Python would abort
    torch.distributed.destroy_process_group()


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


def on_main(function: Callable, *args, **kwargs):
    """Call `function` in the main process only, and return its result in all processes.

    Raises
    ------
    InputError
        the error of `function`, in the main process; the other processes end without a message
    """

    def caught():
        try:
            return function(*args, **kwargs), None
        except InputError as error:
            return None, error

    result, error = main_process_only(caught)()
    if error is None:
        return result
    if is_main():
        raise error
    sys.exit(FAILED)


def gathered(value) -> list:
    """Return the values of all processes, in the order of the processes."""
    number, n = processes()
    values = [value] * n
    if n > 1:
        torch.distributed.all_gather_object(values, value)
    return values


def summed(value: torch.Tensor) -> torch.Tensor:
    """Return the sum of a tensor over all processes, without a gradient."""
    total = value.detach().clone()
    if processes() != ALONE:
        torch.distributed.all_reduce(total)
    return total
