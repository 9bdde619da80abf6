"""Commands of `mlee` in forked children, as in processes of their own, and what they leave when nothing disturbs them."""

import multiprocessing
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from children import HUNG, KILLED, RETURNED, WRONG, Ended, end_group, speak_to
from operations import Operations
from world import COMMANDS, World

from mlee_sb.start import start

NO_END = "no end"
LONGEST = 600.0  # seconds after which a command hangs: many times what the longest takes on a busy machine
SAME = (".csv", ".tex", ".md", "protocol.json")  # endings of files that are the same in every run, if two undisturbed runs say so


class Command:
    """A command that runs in a child, with a folder for its output. What it says comes through a pipe, which no limit on files holds up."""

    def __init__(self, world: World, name: str, output: Path, before: Callable[[], object] = lambda: None):
        output.mkdir(parents=True, exist_ok=True)
        words = COMMANDS[name](world, output)
        self._heard, (self._pipe, said) = b"", os.pipe()
        os.set_blocking(self._pipe, False)
        self.child = os.fork()
        if self.child == 0:
            os.setsid()
            multiprocessing.current_process()._config["daemon"] = False  # or joblib gives a sweep no workers below a worker of a pool
            speak_to(said)
            status = 99
            try:
                before()
                status = start("mlee_sb.cli.app", words)
            except BaseException:
                traceback.print_exc()  # as Python does where the program ends
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        os.close(said)

    def wait(self, longest: float = LONGEST) -> int | str | None:
        """Wait for its end, and return its status, negative for a signal; `NO_END` after `longest` seconds."""
        end = time.monotonic() + longest
        while not (done := os.waitpid(self.child, os.WNOHANG))[0]:
            self._listen()
            if time.monotonic() > end:
                return NO_END
            time.sleep(0.01)
        return os.waitstatus_to_exitcode(done[1])

    def end(self) -> str:
        """End it and what it started, and return what it said."""
        end_group(self.child)
        with suppress(ChildProcessError):
            os.waitpid(self.child, 0)
        self._listen()
        os.close(self._pipe)
        return self._heard.decode(errors="replace")

    def _listen(self) -> None:
        with suppress(BlockingIOError):
            while part := os.read(self._pipe, 1 << 16):
                self._heard += part

    def descendants(self) -> list[int]:
        """Return the processes that it started, and those that they started."""
        parents = {}
        for entry in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError, IndexError, ValueError):
                parents[int(entry.parent.name)] = int(entry.read_text().rpartition(")")[2].split()[1])
        found = {self.child}
        while more := {child for child, parent in parents.items() if parent in found} - found:
            found |= more
        return sorted(found - {self.child})


@dataclass(frozen=True)
class Undisturbed:
    """What a command does when nothing disturbs it: seconds, file operations, and the files that are the same in every run."""

    seconds: float
    operations: int
    files: dict[str, bytes]
    hidden: set[str]


def undisturbed(world: World, name: str) -> Undisturbed:
    """Run a command twice, and return what is the same. Raise an AssertionError if it fails already like this."""
    found = []
    for number in range(2):
        output = world.folder / "undisturbed" / f"{name}{number}"
        counted = output.parent / f"{name}{number}.count"
        begin = time.monotonic()
        status = (run := Command(world, name, output, lambda o=output, c=counted: _count(o, c))).wait()
        said = run.end()
        assert status == 0, f"{name} ended with {status}: {said}"
        found.append((time.monotonic() - begin, len(counted.read_bytes()), contents(output), hidden(output)))
    (seconds, operations, one, names), (_, _, other, _) = found
    return Undisturbed(seconds, operations, {path: content for path, content in one.items() if other.get(path) == content}, names)


def _count(output: Path, counted: Path) -> None:
    file = os.open(counted, os.O_WRONLY | os.O_CREAT)
    Operations(output, lambda *_: os.write(file, b".")).watch()


def made_good(world: World, name: str, output: Path, clean: Undisturbed, after: str) -> Ended:
    """Run a command again after something happened, and compare what lies there then with what an undisturbed run leaves."""
    status = (run := Command(world, name, output)).wait()
    text, where, found = run.end(), f"{name} {after}", contents(output)
    if status == NO_END:
        return Ended(HUNG, where, text[-300:])
    if status != 0:
        return Ended(KILLED, f"{where}: status {status}", text[-500:])
    if others := sorted(path for path, content in clean.files.items() if found.get(path) != content):
        return Ended(WRONG, f"{where}: other files", ", ".join(others[:5]))
    if left := sorted(hidden(output) - clean.hidden):
        return Ended(WRONG, f"{where}: something is left", ", ".join(left[:5]))
    shutil.rmtree(output)
    return Ended(RETURNED)


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder that should be the same in every run: path -> bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name.endswith(SAME) and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def hidden(folder: Path) -> set[str]:
    """Return the hidden files and folders below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob(".*")}


def limit_files(bytes_: int) -> None:
    """Let this process write no file beyond a size, as a disk refuses it: an error and not a signal."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, bytes_))
