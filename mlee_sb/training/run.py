"""Run a plan: check everything first, then train what is missing, stage by stage."""

from collections.abc import Callable, Iterable
from pathlib import Path

from filelock import FileLock, Timeout

from mlee_sb.errors import InputError
from mlee_sb.files import clear_partial, json_text
from mlee_sb.models.device import check_usable
from mlee_sb.training.distributed import on_main, own_device, processes
from mlee_sb.training.inputs import stage_inputs
from mlee_sb.training.stage import Stage, plan
from mlee_sb.training.train_stage import check_encoder_of, train_stage

WAIT = 600  # seconds for another run, before the processes of this one hear from one another that all still wait


def check_device(device: str | None, precision: str) -> str:
    """Return the device to train on: what was asked for if it is there, else a GPU where there is one, else the CPU.

    Raises
    ------
    InputError
        if the device cannot be had, or cannot train in this precision, or several processes would share it
    """
    device = own_device(device)
    check_usable(device)
    if device == "cpu" and precision == "fp16":
        raise InputError("precision fp16 needs a GPU: use bf16 or fp32 on a CPU")
    return device


def run(stage: Stage, device: str | None, score: Callable[[Path], None], say: Callable[[str], None] = print) -> None:
    """Train `stage` and whatever it requires that is not finished yet.

    Everything that can be wrong is looked at for the whole plan before the first stage is trained. Several processes that
    `process_group` joined train each stage together; the main one alone looks, waits for other runs, scores and writes.

    Parameters
    ----------
    stage : what is wanted
    device : a torch device; None for the best there is
    score : called with the folder of each stage that has predictions and no scores yet
    say : called with lines for a person
    """
    device = check_device(device, stage.settings["precision"])
    stages = plan(stage)
    on_main(check_stages, stages)
    for number, part in enumerate(stages, start=1):
        run_one(part, device, score, say, step=f"[{number}/{len(stages)}] {part.name}")


def check_stages(stages: Iterable[Stage]) -> None:
    """Look at everything that can be wrong with the folders and the data of some stages, before any of them is trained.

    Raises
    ------
    InputError
        as `Stage.check_folder`, `stage_inputs` and `check_encoder_of` do, or if there are more processes than utterances in a batch
    """
    _, n = processes()
    checked: set[str] = set()
    for stage in stages:
        if stage.settings["batch_size"] < n:
            raise InputError(f"{stage.name}: batch_size is {stage.settings['batch_size']}, and {n} processes want to share a batch")
        if not _finished(stage):
            stage_inputs(stage)
            description = json_text([stage.settings["encoder"], sorted(stage.settings)])
            if not stage.requires and description not in checked:  # the folds of a row have one encoder
                check_encoder_of(stage)
                checked.add(description)


def run_one(stage: Stage, device: str, score: Callable[[Path], None], say: Callable[[str], None], step: str) -> None:
    """Train one stage whose required stages are finished, and score it; what is done already is reused.

    Parameters
    ----------
    stage, score, say : as for `run`
    device : as `check_device` returns it
    step : what the lines for a person begin with
    """
    lock = FileLock(stage.files.save / ".lock")  # keeps other runs that require the same stage out; a killed run's lock is open again
    waits = lambda: say(f"{step}: another run trains it, waiting for that")  # noqa: E731
    try:
        if _entered(stage, lock, waits):
            say(f"{step}: finished before, reused")
        else:
            together = f" and {processes()[1] - 1} more" if processes()[1] > 1 else ""
            say(f"{step}: training on {device}{together}")
            train_stage(stage, device, say)
        on_main(_score, stage, score)
    finally:
        lock.release()


def _entered(stage: Stage, lock: FileLock, waits: Callable[[], None]) -> bool:
    """Wait until no other run is in the folder of a stage, and tell whether there is nothing left to train in it."""
    found = on_main(_try_to_enter, stage, lock, seconds=0)
    if found is None:
        waits()
    while found is None:
        found = on_main(_try_to_enter, stage, lock, seconds=WAIT)
    return found


def _try_to_enter(stage: Stage, lock: FileLock, seconds: float) -> bool | None:
    """Whether the stage is finished; None where another run is still in its folder. The main process holds the lock from then on."""
    stage.files.save.mkdir(parents=True, exist_ok=True)
    try:
        lock.acquire(timeout=seconds)
    except Timeout:
        return None
    clear_partial(stage.folder)
    return _finished(stage)


def _finished(stage: Stage) -> bool:
    """Whether there is nothing left to train, in a folder that holds this stage or nothing."""
    stage.check_folder()
    return stage.finished


def _score(stage: Stage, score: Callable[[Path], None]) -> None:
    if not stage.scored:
        score(stage.folder)
