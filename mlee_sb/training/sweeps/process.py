"""One stage in its own process: no other stage can disturb it, and if it is killed, only this stage is lost."""

import json
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from mlee_sb.disk import told
from mlee_sb.training.stage import Stage

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
LOOKS_UP = 1.0  # seconds between two checks that the starter still runs
IDLE = 10.0  # seconds that a server waits for another stage before it ends
ENDED_BY_ITSELF = 0  # the exit status of a server that waited in vain, or that can train one stage only

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
    """How the process of a stage ended: `state` is FINISHED, FAILED (with an error, see `reason`) or DIED (without an answer).

    `refused` is True where it failed because a disk refused to take or to give something.
    """

    folder: Path
    state: str
    reason: str = ""
    seconds: float = 0.0
    refused: bool = False


def make_task(stage: Stage, device: str, score: Callable[[Path], None], threads: int) -> Task:
    """Return the task for a stage. All its paths are absolute, so it works in any working directory."""
    return Task(_anywhere(stage), device, score, threads)


def died(status: int) -> dict[str, str]:
    """Return the state of a stage whose process gave no answer, and as the reason the exit status of that process."""
    why = "killed, or out of memory" if status < 0 else "without a word"
    return {"state": DIED, "reason": f"its process ended with status {status} ({why})"}


def train_in_own_process(task: Task, import_path: list[str], command: int) -> Ending:
    """Train the stage of a task in a process of its own, and wait for it. Required stages are finished. Its output goes to its run.log.

    A worker of a backend calls this, often many times: stages on a CPU are forks of one server, which has imported all libraries.

    Parameters
    ----------
    task : the task
    import_path : folders to import from
    command : the process of the command. A worker ends when whoever started it has ended; the command itself does not
    """
    start, folder = time.monotonic(), task.stage.folder
    with told(folder):
        folder.mkdir(parents=True, exist_ok=True)
    kind = task.threads, import_path, os.getcwd(), dict(os.environ)
    ending = None
    while ending is None and (waiting := _take_waiting(kind)):
        ending = waiting.train(task)  # None if it has ended by now
    if ending is None:
        ending = StageServer(kind, task.stage.files.run_log, in_worker=os.getpid() != command).train(task) or died(ENDED_BY_ITSELF)
    return Ending(folder, seconds=time.monotonic() - start, **ending)


class StageServer:
    """A process that trains one stage after another (`mlee_sb.training.sweeps.worker`), each in a fork of its own where that is safe.

    It ends with the process that started it: that holds one end of a pipe, and the server and its fork end when the other end closes.
    It has its own session, so that Ctrl-C does not reach it: the command alone decides when to stop.

    Parameters
    ----------
    kind : CPU threads of a stage, folders to import from, working folder and environment
    log : file for what the server itself has to say, for example why it cannot start
    in_worker : whether this process is a worker, which ends with whoever started it
    """

    def __init__(self, kind: tuple[int, list[str], str, dict[str, str]], log: Path, in_worker: bool):
        self.kind, self._starter = kind, os.getppid() if in_worker else None
        threads, import_path, folder, environment = kind
        environment = {**environment, **dict.fromkeys(THREADS, str(threads)), "PYTHONPATH": os.pathsep.join(import_path)}
        command, pipe = [sys.executable, "-P", "-m", "mlee_sb.training.sweeps.worker", str(IDLE)], subprocess.PIPE
        with open(log, "a", encoding="utf-8") as file:
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=file, cwd=folder, env=environment, start_new_session=True
            )

    def train(self, task: Task) -> dict[str, str | bool] | None:
        """Train the stage of a task. Return how it ended, without its folder; None if the server had ended before it could begin."""
        try:
            answer = self._ask(pickle.dumps(task))
        except BaseException:  # Ctrl-C, too
            self._kill()
            raise
        if answer:
            _WAITING.append(self)
            return json.loads(answer)
        status = self._process.wait()
        self._kill()
        return None if status == ENDED_BY_ITSELF else died(status)

    def _ask(self, question: bytes) -> bytes:
        """Send a question, and wait for the answer: a line, or nothing if the server ends."""
        with suppress(BrokenPipeError):  # it has ended, and its status will tell why
            self._process.stdin.write(question)
            self._process.stdin.flush()  # stdin stays open, so that the server ends with this process
        while not select.select([self._process.stdout], [], [], LOOKS_UP)[0]:
            if self._starter and os.getppid() != self._starter:  # the command was killed, so nobody waits for this stage
                raise SystemExit(1)
        return self._process.stdout.readline()

    def _kill(self) -> None:
        """End the server, and with it the stage that it trains."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process.stdout.close()
        with suppress(BrokenPipeError):
            self._process.stdin.close()


_WAITING: list[StageServer] = []  # servers of this process that wait for another stage
_LOCK = threading.Lock()  # a worker of a cluster may have several threads


def _take_waiting(kind: tuple) -> StageServer | None:
    """Return a server for such stages, which no longer waits; None if there is none."""
    with _LOCK:
        found = next((server for server in _WAITING if server.kind == kind), None)
        if found:
            _WAITING.remove(found)
        return found


def _anywhere(stage: Stage) -> Stage:
    data = replace(stage.data, manifests=stage.data.manifests.absolute(), data_folder=stage.data.data_folder.absolute())
    requires = {name: _anywhere(required) for name, required in stage.requires.items()}
    return replace(stage, hparams=stage.hparams.absolute(), folder=stage.folder.absolute(), data=data, requires=requires)
