"""Run a plan: check everything first, then train what is missing, stage by stage."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from mlee_sb.errors import InputError, choose
from mlee_sb.files import clear_partial
from mlee_sb.training.inputs import stage_inputs
from mlee_sb.training.stage import Stage, plan
from mlee_sb.training.train import train_stage

DEVICES = ("cpu", "cuda")


def check_device(device: str | None, precision: str) -> str:
    """The device to train on: what was asked for if it can be had, else a GPU where there is one, else the CPU.

    Raises
    ------
    InputError
        if the device cannot be had, or cannot train in this precision
    """
    device = device or ("cuda:0" if torch.cuda.is_available() else "cpu")
    choose(device.split(":")[0], DEVICES, "device")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device {device!r} cannot be used here ({str(error).splitlines()[0]}): leave --device out") from error
    if device == "cpu" and precision == "fp16":
        raise InputError("precision fp16 needs a GPU: use bf16 or fp32 on a CPU")
    return device


def run(stage: Stage, device: str | None, score: Callable[[Path], None], say: Callable[[str], None] = print) -> None:
    """Train `stage` and whatever it requires that is not finished yet.

    Everything that can be wrong is looked at for the whole plan before the first stage is trained.

    Parameters
    ----------
    stage : what is wanted
    device : a torch device; None for the best there is
    score : called with the folder of each stage that has predictions and no scores yet
    say : called with lines for a person
    """
    device = check_device(device, stage.settings["precision"])
    stages = plan(stage)
    check_stages(stages)
    for number, part in enumerate(stages, start=1):
        run_one(part, device, score, say, step=f"[{number}/{len(stages)}] {part.name}")


def check_stages(stages: Iterable[Stage]) -> None:
    """Look at everything that can be wrong with the folders and the data of some stages, before any of them is trained.

    Raises
    ------
    InputError
        as `Stage.check_folder` and `stage_inputs` do
    """
    for stage in stages:
        stage.check_folder()
        if not stage.finished:
            stage_inputs(stage)


def run_one(stage: Stage, device: str, score: Callable[[Path], None], say: Callable[[str], None], step: str) -> None:
    """Train one stage whose required stages are finished, and score it; what is done already is reused.

    Parameters
    ----------
    stage, score, say : as for `run`
    device : as `check_device` returns it
    step : what the lines for a person begin with
    """
    with _alone_in(stage, lambda: say(f"{step}: another run trains it, waiting for that")):
        if stage.finished:
            say(f"{step}: finished before, reused")
        else:
            stage.check_folder()
            say(f"{step}: training on {device}")
            train_stage(stage, device, say)
        if not (stage.folder / "scores.json").is_file():
            score(stage.folder)


@contextmanager
def _alone_in(stage: Stage, waits: Callable[[], None]) -> Iterator[None]:
    """Keep other runs that require the same stage out of its folder; a killed run's lock is open again."""
    stage.save_folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(stage.save_folder / ".lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        waits()
        lock.acquire()
    try:
        clear_partial(stage.folder)
        yield
    finally:
        lock.release()
