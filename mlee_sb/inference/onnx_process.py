"""An ONNX file in a process of its own, whose memory and time are bounded: the file may come from a stranger.

In an ONNX file stands a program. It has no access to files or the network, but it may loop without end, and make gigabytes of nothing.
"""

import importlib.util
import json
import os
import subprocess
import sys
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock, Timer

import numpy as np

from mlee_sb.errors import InputError

INSTALL = 'pip install "mlee_sb[export]"'
RUNTIME = "onnxruntime"
PROGRAM = Path(__file__).with_name("onnx_worker.py")
STARTED = 60.0  # seconds in which the process must be ready: that is a matter of the machine, and not of the file
SECONDS, SECONDS_PER_SECOND = 4.0, 1.5  # for an utterance, and for each second of it
SMALL, BYTES_PER_SECOND = 20e6, 2e6  # a file that is larger than the first one may take a second more for each of the second one
MEMORY, MEMORY_PER_SECOND = 2**29, 2**26  # bytes for an utterance, and for each second of it
COPIES = 4  # of the weights, while the file is loaded
MEMORY_PER_THREAD = 80 * 2**20  # bytes of addresses, most of which are never used
LONGEST_LINE = 2**20  # bytes of what the process says; the metadata have a config.json in them


class OnnxProcess:
    """Runs an ONNX file. Several threads may ask it; one is answered after the other.

    Parameters
    ----------
    path : the file
    threads : of the CPU

    Raises
    ------
    InputError
        if onnxruntime is not installed, or if the file cannot be loaded in the time and the memory that a model of its size needs
    """

    def __init__(self, path: Path, threads: int):
        if importlib.util.find_spec(RUNTIME) is None:
            raise InputError(f"{RUNTIME} is not installed: {INSTALL}")
        self.path, self.threads, self.size = path, threads, path.stat().st_size
        self.metadata: dict[str, str] = {}
        self._asking, self._process, self._owner = Lock(), None, 0
        with self._asking:
            self._start()

    def ask(
        self, waveforms: np.ndarray, n_samples: np.ndarray, rate: int, inputs: Sequence[str], shapes: Sequence[tuple]
    ) -> list[np.ndarray]:
        """Compute the outputs of the file.

        Parameters
        ----------
        waveforms : float32 [batch, samples]
        n_samples : int64 [batch]
        rate : samples in a second, which says how much time and memory may be taken
        inputs : the names of both
        shapes : of the outputs that must come

        Raises
        ------
        InputError
            if it fails, takes more time or memory than any model, or if other outputs come
        """
        batch, samples = waveforms.shape
        seconds = batch * samples / rate
        memory = batch * MEMORY + int(seconds * MEMORY_PER_SECOND) + self._more_memory
        question = {"batch": batch, "samples": samples, "memory": memory, "inputs": list(inputs)}
        with self._asking:
            if self._process is None or self._owner != os.getpid():  # it was ended, or belongs to the process that this one came from
                self._start()
            with self._bounded(batch * self._seconds + seconds * SECONDS_PER_SECOND):
                given, said = self._process.stdin, self._process.stdout
                given.write(json.dumps(question, allow_nan=False).encode() + b"\n")
                given.write(waveforms.tobytes() + n_samples.tobytes())
                given.flush()
                found = self._said("shapes")
                if found != [list(shape) for shape in shapes]:
                    raise InputError(f"{self.path}: answers numbers of shapes {found!r:.100}, and a model of this kind {list(shapes)}")
                return [np.frombuffer(_read(said, 4 * int(np.prod(shape))), np.float32).reshape(shape) for shape in shapes]

    @property
    def _seconds(self) -> float:
        """Seconds for an utterance, or to load the file."""
        return SECONDS + max(0.0, self.size - SMALL) / BYTES_PER_SECOND

    @property
    def _more_memory(self) -> int:
        return self.threads * MEMORY_PER_THREAD

    def _start(self) -> None:
        memory = COPIES * self.size + MEMORY + self._more_memory
        command = [sys.executable, "-P", str(PROGRAM), str(self.path), str(self.threads), str(memory)]
        environment = {**os.environ, "MALLOC_ARENA_MAX": "2"}  # else threads take addresses for memory that they never use
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self._process, self._owner = subprocess.Popen(command, env=environment, **pipes), os.getpid()
        self._end = weakref.finalize(self, _end, self._process)
        with self._bounded(STARTED):
            self._said("ready")
        with self._bounded(self._seconds):
            self.metadata = self._said("metadata")

    def _said(self, what: str):
        """Return what the process says next."""
        line = self._process.stdout.readline(LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise EOFError
        message = json.loads(line)
        if what not in message:
            words = str(message.get("error"))
            raise InputError(f"{self.path}: no ONNX file that can be run ({words!a:.300}); export the model again")
        return message[what]

    @contextmanager
    def _bounded(self, seconds: float) -> Iterator[None]:
        """End the process if the block takes longer, or fails."""
        late = Event()
        timer = Timer(seconds, lambda process: (late.set(), process.kill()), [self._process])
        timer.daemon = True
        timer.start()
        try:
            yield
        except BaseException as error:
            self._end()
            self._process = None
            if isinstance(error, EOFError | OSError | ValueError) and not isinstance(error, InputError):
                why = f"took more than {seconds:.0f} s" if late.is_set() else "ended the process that ran it, mostly for want of memory"
                raise InputError(f"{self.path}: {why}, and no model of this size needs that: do not use this file") from error
            raise
        finally:
            timer.cancel()


def _read(file, size: int) -> bytes:
    found = file.read(size)
    if len(found) < size:
        raise EOFError
    return found


def _end(process: subprocess.Popen) -> None:
    process.kill()
    process.communicate()
