"""The file operations of a process, counted: one of them can kill the process, or be refused as a disk refuses it."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
EVENTS = {"os.rename": 1, "os.mkdir": 0, "os.remove": 0, "os.rmdir": 0, "os.truncate": 0, "os.link": 1}  # which argument is the path
REMOVES = ("os.remove", "os.rmdir")


class Operations:
    """Counts what a process opens for writing, renames, makes, removes and syncs below a folder, through Python's audit hooks.

    Attributes
    ----------
    seen : how many there were
    """

    def __init__(self, below: Path, act: Callable[[int, str, object], None] = lambda number, event, path: None):
        self.below, self.act, self.seen = os.fspath(below), act, 0

    def watch(self) -> None:
        """Begin; a process cannot end it again, so it is for children."""
        sync = os.fsync

        def fsync(descriptor):
            self._happens("os.fsync", os.readlink(f"/proc/self/fd/{descriptor}"))
            return sync(descriptor)

        os.fsync = fsync
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple) -> None:
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & WRITES:
                self._happens(event, path)
        elif event in EVENTS:
            self._happens(event, arguments[EVENTS[event]])

    def _happens(self, event: str, path: object) -> None:
        if isinstance(path, str | bytes | os.PathLike) and os.path.abspath(os.fsdecode(path)).startswith(self.below):
            self.seen += 1
            self.act(self.seen, event, path)


def kills_at(number: int) -> Callable[[int, str, object], None]:
    """End this process at an operation, before it happens, as a power loss does."""

    def act(seen: int, event: str, path: object) -> None:
        if seen == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return act


def refuses_from(number: int, error: int) -> Callable[[int, str, object], None]:
    """Refuse every operation from one on; a full disk still lets go of files."""

    def act(seen: int, event: str, path: object) -> None:
        if seen >= number and event not in REMOVES:
            raise OSError(error, os.strerror(error), os.fsdecode(path))

    return act
