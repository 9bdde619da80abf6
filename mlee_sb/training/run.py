"""Run a plan: check everything first, then train the missing stages one after another."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd
import torch
from filelock import FileLock, Timeout

from mlee_sb.disk import told
from mlee_sb.errors import InputError
from mlee_sb.files import clear_left, json_text
from mlee_sb.locks import check_lockable
from mlee_sb.models.device import check_usable
from mlee_sb.noted_upstreams import note_upstream
from mlee_sb.stage_folder import above_rows
from mlee_sb.training.augmentation import check_augmentation, switched_on
from mlee_sb.training.build import AS_IT_IS, built
from mlee_sb.training.distributed import on_main, own_device, processes
from mlee_sb.training.epoch_log import check_log
from mlee_sb.training.fixed_parts import fixed_parts
from mlee_sb.training.fixed_values import keep
from mlee_sb.training.inputs import stage_inputs
from mlee_sb.training.stage import Stage, plan
from mlee_sb.training.train_stage import check_encoder_of, train_stage
from mlee_sb.whole_stage import damaged_file

WAIT = 600  # seconds between two messages among the processes of a run that waits for another run


def check_device(device: str | None, precision: str) -> str:
    """Return the device to train on: the given one, or by default a GPU if there is one, or else the CPU.

    Raises
    ------
    InputError
        if the device cannot be used, if it cannot train in this precision, or if several processes would share it
    """
    device = own_device(device)
    check_usable(device)
    if device == "cpu" and precision == "fp16":
        raise InputError("precision fp16 needs a GPU: use bf16 or fp32 on a CPU")
    return device


def run(stage: Stage, device: str | None, score: Callable[[Path], None], say: Callable[[str], None] = print) -> None:
    """Train `stage` and all stages that it requires, except those that are finished.

    Everything is checked for the whole plan before the first stage is trained. The processes of a `process_group` train each stage
    together; only the main process checks, waits for other runs, scores and writes.

    Parameters
    ----------
    stage : the stage to train
    device : a torch device; None for the best one of this machine
    score : called with the folder of each stage that has predictions but no scores
    say : called with each line for a person
    """
    device = check_device(device, stage.settings["precision"])
    stages = plan(stage)
    on_main(check_stages, stages)
    on_main(note_upstreams, stages)
    for number, part in enumerate(stages, start=1):
        run_one(part, device, score, say, step=f"[{number}/{len(stages)}] {part.name}")


def check_stages(stages: Iterable[Stage]) -> None:
    """Check the folders, the data and the encoders of some stages, before any of them is trained.

    Raises
    ------
    InputError
        those of `Stage.check_folder`, `stage_inputs`, `check_encoder_of`, `check_augmentation` and `check_log`, and
        if there are more processes than utterances in a batch
    """
    _, n = processes()
    checked: set[str] = set()
    for stage in stages:
        if stage.settings["batch_size"] < n:
            raise InputError(f"{stage.name}: batch_size is {stage.settings['batch_size']}, and must be {n} or more for {n} processes")
        if not _finished(stage):
            check_log(stage.settings)
            stage_inputs(stage)
            description = json_text([stage.settings["encoder"], sorted(stage.settings), switched_on(stage.settings)])
            if stage.requires:
                check_augmentation(stage.settings, encoder=None)
            elif description not in checked:  # the folds of a row have the same encoder
                check_encoder_of(stage)
                checked.add(description)


def note_upstreams(stages: Iterable[Stage]) -> None:
    """Note where the pretrained networks of some stages lie, also of those that are finished: they may lie elsewhere now."""
    for stage in stages:
        if stage.upstream is not None:
            weights = stage.upstream.described.weights
            note_upstream(above_rows(stage.folder), weights.sha256, weights.name, weights.commit, stage.upstream.folder)


def keep_fixed_parts(stages: Iterable[Stage], device: str, say: Callable[[str], None]) -> None:
    """Compute the fixed parts of the encoders of some stages before the first one is trained, with a progress bar. Each is computed once.

    Stages would compute what they lack themselves, and share the work, but nobody would see it: their lines go into their run.log.

    Parameters
    ----------
    stages : those that are not finished
    device : as for `run`
    say : called with each line for a person
    """
    done: set[str] = set()
    for stage in stages:
        of_encoder = json_text([stage.settings["encoder"], stage.settings["speeds"]])
        if stage.requires or of_encoder in done:
            continue
        done.add(of_encoder)
        with torch.random.fork_rng(devices=[]):
            _, encoder, _ = built(stage, [])
        parts = fixed_parts(stage, encoder, {})
        if parts:
            inputs = stage_inputs(stage)
            rows = pd.concat([inputs.train_split, inputs.valid_split, inputs.test], ignore_index=True)  # of the whole corpus
            keep(parts, [(rows, sorted({*stage.settings["speeds"], *AS_IT_IS}))], stage.data, device, say)


def run_one(stage: Stage, device: str, score: Callable[[Path], None], say: Callable[[str], None], step: str) -> None:
    """Train one stage whose required stages are finished, and score it. A stage that is finished already is reused.

    Parameters
    ----------
    stage, score, say : as for `run`
    device : as `check_device` returns it
    step : the beginning of each line for a person
    """
    with told(stage.folder):
        _run_one(stage, device, score, say, step)


def _run_one(stage: Stage, device: str, score: Callable[[Path], None], say: Callable[[str], None], step: str) -> None:
    lock = FileLock(stage.files.save / ".lock")  # keeps out other runs that require the same stage; a killed run leaves the lock open
    waits = lambda: say(f"{step}: another run trains it, waiting for that")  # noqa: E731
    try:
        if _entered(stage, lock, waits):
            say(f"{step}: finished before, reused")
        else:
            if stage.files.summary.is_file() and (damaged := damaged_file(stage.files)):
                say(f"{step}: {damaged} is not as it was written: trained again")
            together = f" and {processes()[1] - 1} more" if processes()[1] > 1 else ""
            say(f"{step}: training on {device}{together}")
            train_stage(stage, device, say)
        on_main(_score, stage, score)
    finally:
        lock.release()


def _entered(stage: Stage, lock: FileLock, waits: Callable[[], None]) -> bool:
    """Wait until no other run uses the folder of a stage. Return whether the stage is finished."""
    found = on_main(_try_to_enter, stage, lock, seconds=0)
    if found is None:
        waits()
    while found is None:
        found = on_main(_try_to_enter, stage, lock, seconds=WAIT)
    return found


def _try_to_enter(stage: Stage, lock: FileLock, seconds: float) -> bool | None:
    """Return whether the stage is finished; None if another run still uses its folder. Otherwise the main process then holds the lock."""
    with told(stage.folder):
        stage.files.save.mkdir(parents=True, exist_ok=True)
        check_lockable(lock.lock_file)
    try:
        lock.acquire(timeout=seconds)
    except Timeout:
        return None
    clear_left(stage.folder, alone=True)
    clear_left(stage.files.save, alone=True)
    stage.mend_identity()
    return _finished(stage)


def _finished(stage: Stage) -> bool:
    """Return whether the stage is finished. Raise an InputError if its folder holds another stage."""
    stage.check_folder()
    return stage.finished


def _score(stage: Stage, score: Callable[[Path], None]) -> None:
    if not stage.scored:
        score(stage.folder)
