"""The server of stages: it reads tasks from stdin, and writes a line to stdout for each: how the training ended (see `process`)."""

import json
import os
import pickle
import select
import sys
import threading
import traceback
from contextlib import suppress
from typing import NoReturn

import torch
import torch._dynamo  # the first optimiser of a process imports it, which takes as long as a short training: here once for all

from mlee_sb.disk import DiskError
from mlee_sb.errors import InputError
from mlee_sb.files import json_text
from mlee_sb.training.run import run_one
from mlee_sb.training.sweeps.process import ENDED_BY_ITSELF, FAILED, FINISHED, Task, died


def main(idle: float) -> None:
    """Train the stage of one task after another, until stdin ends or no task comes for `idle` seconds."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    while _asked(idle):
        task: Task = pickle.load(sys.stdin.buffer)
        ending = _in_a_fork(task) if _can_fork(task) else _train(task)
        with suppress(BrokenPipeError):  # nobody waits any more
            print(json_text(ending), file=answers, flush=True)
        if not _can_fork(task):
            break  # what this process has used could disturb another stage
    _leave(ENDED_BY_ITSELF)


def _asked(idle: float) -> bool:
    """Wait for a task; return False if none comes for a while, or none can come any more."""
    return bool(select.select([sys.stdin], [], [], idle)[0] and sys.stdin.buffer.peek(1))


def _can_fork(task: Task) -> bool:
    """Tell whether a task can be trained in a fork. A GPU cannot, and the libraries of other systems than Linux need not.

    A fork of a process with threads may wait for them for ever. This process has none of its own or of torch, because it has used nothing.
    With more than one CPU thread there are those of OpenBLAS, which expects forks and ends them before one.
    """
    return task.device == "cpu" and sys.platform == "linux"


def _in_a_fork(task: Task) -> dict[str, str | bool]:
    """Train the stage of a task in a fork of this process, which has imported all libraries and used none. Return how it ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, json_text(_train(task)).encode())
        _leave(0)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    os.set_blocking(reading, False)  # what the stage has left running may still hold the other end
    with open(reading, "rb") as answer, suppress(BlockingIOError):
        if text := answer.read():
            return json.loads(text)
    return died(os.waitstatus_to_exitcode(status))


def _train(task: Task) -> dict[str, str | bool]:
    """Train the stage of a task in this process. All output, warnings and errors go to its run.log."""
    with open(task.stage.files.run_log, "a", encoding="utf-8") as log:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(log.fileno(), stream.fileno())
    threading.Thread(target=_leave_with_the_starter, daemon=True).start()
    torch.set_num_threads(task.threads)
    try:
        run_one(task.stage, task.device, task.score, lambda line: print(line, file=sys.stderr), step=task.stage.name)
    except (Exception, SystemExit) as error:  # of any kind: it must not stop other stages
        traceback.print_exc()
        first_line = str(error).strip().split("\n")[0]
        reason = first_line if isinstance(error, InputError) else f"{type(error).__name__}: {first_line}"
        return {"state": FAILED, "reason": reason, "refused": isinstance(error, DiskError)}
    return {"state": FINISHED}


def _leave_with_the_starter() -> None:
    """End this process when its starter ends: the starter holds the other end of stdin, so stdin ends with it."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os._exit(1)


def _leave(status: int) -> NoReturn:
    """End this process, and leave nothing unsaid. Nothing that libraries have arranged for the end of their process is waited for."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


if __name__ == "__main__":
    main(float(sys.argv[1]))
