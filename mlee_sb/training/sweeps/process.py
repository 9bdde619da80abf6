"""One stage in its own process: no other stage can disturb it, and if it is killed, only this stage is lost."""

import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from mlee_sb.training.stage import Stage

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
LOOKS_UP = 1.0  # seconds between two checks that the starter still runs

FINISHED, FAILED, DIED = "finished", "failed", "died"  # how a process can end


@dataclass(frozen=True)
class Task:
    """A stage and what its process needs: `device` and `score` as in `mlee_sb.training.run`, and the number of its CPU threads."""

    stage: Stage
    device: str
    score: Callable[[Path], None]
    threads: int


@dataclass(frozen=True)
class Ending:
    """How the process of a stage ended: `state` is FINISHED, FAILED (with an error, see `reason`) or DIED (without an answer)."""

    folder: Path
    state: str
    reason: str = ""
    seconds: float = 0.0


def make_task(stage: Stage, device: str, score: Callable[[Path], None], threads: int) -> Task:
    """Return the task for a stage. All its paths are absolute, so it works in any working directory."""
    return Task(_anywhere(stage), device, score, threads)


def train_in_own_process(task: Task, import_path: list[str]) -> Ending:
    """Train the stage of a task in a new process, and wait for it. Required stages are finished. Its output goes to its run.log.

    A worker of a backend calls this. The process ends with the worker: it holds one end of a pipe, and ends when the other end
    closes. It has its own session, so that Ctrl-C does not reach it: the command alone decides when to stop.
    """
    start, starter, folder = time.monotonic(), os.getppid(), task.stage.folder
    folder.mkdir(parents=True, exist_ok=True)
    threads = dict.fromkeys(THREADS, str(task.threads))
    command = [sys.executable, "-P", "-m", "mlee_sb.training.sweeps.worker"]
    environment = {**os.environ, **threads, "PYTHONPATH": os.pathsep.join(import_path)}
    pipe = subprocess.PIPE
    with open(task.stage.files.run_log, "a", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log, env=environment, start_new_session=True)
    try:
        _send(task, process)
        while True:
            try:
                process.wait(timeout=LOOKS_UP)
                break
            except subprocess.TimeoutExpired:
                if os.getppid() != starter:  # the command was killed, so nobody waits for this stage
                    raise SystemExit(1) from None
        answer = process.stdout.read()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        with suppress(BrokenPipeError):
            process.stdin.close()
    seconds = time.monotonic() - start
    if not answer:
        return Ending(folder, DIED, f"its process ended with status {process.returncode} (killed, or out of memory)", seconds)
    return Ending(folder, seconds=seconds, **json.loads(answer))


def _send(task: Task, process: subprocess.Popen) -> None:
    with suppress(BrokenPipeError):  # the process has died already, and its status will tell it
        process.stdin.write(pickle.dumps(task))
        process.stdin.flush()  # stdin stays open, so that the process ends with the worker


def _anywhere(stage: Stage) -> Stage:
    data = replace(stage.data, manifests=stage.data.manifests.absolute(), data_folder=stage.data.data_folder.absolute())
    requires = {name: _anywhere(required) for name, required in stage.requires.items()}
    return replace(stage, hparams=stage.hparams.absolute(), folder=stage.folder.absolute(), data=data, requires=requires)
