"""The process of one stage: it reads a task from stdin, and writes to stdout how the training ended (see `process`)."""

import os
import pickle
import sys
import threading
import traceback

import torch

from mlee_sb.errors import InputError
from mlee_sb.files import json_text
from mlee_sb.training.run import run_one
from mlee_sb.training.sweeps.process import FAILED, FINISHED, Task


def main() -> None:
    """Train the stage of the task. All output, warnings and errors go to stderr, which is the run.log of the stage."""
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    task: Task = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_leave_with_the_starter, daemon=True).start()
    ending = _train(task)
    answer.write(json_text(ending))
    answer.close()


def _train(task: Task) -> dict[str, str]:
    torch.set_num_threads(task.threads)
    try:
        run_one(task.stage, task.device, task.score, lambda line: print(line, file=sys.stderr), step=task.stage.name)
    except Exception as error:  # of any kind: it must not stop other stages
        traceback.print_exc()
        first_line = str(error).strip().split("\n")[0]
        return {"state": FAILED, "reason": first_line if isinstance(error, InputError) else f"{type(error).__name__}: {first_line}"}
    return {"state": FINISHED}


def _leave_with_the_starter() -> None:
    """End this process when its starter ends: the starter holds the other end of stdin, so stdin ends with it."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
