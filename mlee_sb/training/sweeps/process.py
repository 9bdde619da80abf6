"""One stage in a process of its own: nothing of another stage can reach it, and if it is killed only it is lost."""

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
LOOKS_UP = 1.0  # seconds between two looks at whether the starter still lives

FINISHED, FAILED, DIED = "finished", "failed", "died"  # how a process ends


@dataclass(frozen=True)
class Task:
    """A stage, with what its process needs to know: `device` and `score` as in `mlee_sb.training.run`, and its CPU threads."""

    stage: Stage
    device: str
    score: Callable[[Path], None]
    threads: int


@dataclass(frozen=True)
class Ending:
    """How the process of a stage ended: `state` is FINISHED, FAILED (it raised `reason`) or DIED (it could not even do that)."""

    folder: Path
    state: str
    reason: str = ""
    seconds: float = 0.0


def make_task(stage: Stage, device: str, score: Callable[[Path], None], threads: int) -> Task:
    """A task that means the same in another working directory."""
    return Task(_anywhere(stage), device, score, threads)


def train_in_own_process(task: Task, import_path: list[str]) -> Ending:
    """Train the stage of a task, whose required stages are finished, and wait for it. Its output goes to its run.log.

    This is what a worker of a backend does. The process ends with the worker: it holds one end of a pipe, and leaves when
    the other end closes. A session of its own keeps Ctrl-C away from it: whether to stop is decided in one place.
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
                if os.getppid() != starter:  # the command was killed, and nobody waits for this stage any more
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
    with suppress(BrokenPipeError):  # it died already, which its status tells
        process.stdin.write(pickle.dumps(task))
        process.stdin.flush()  # and left open: see above


def _anywhere(stage: Stage) -> Stage:
    data = replace(stage.data, manifests=stage.data.manifests.absolute(), data_folder=stage.data.data_folder.absolute())
    requires = {name: _anywhere(required) for name, required in stage.requires.items()}
    return replace(stage, hparams=stage.hparams.absolute(), folder=stage.folder.absolute(), data=data, requires=requires)
