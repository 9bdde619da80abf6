"""Tries in forked children: what hangs, dies, takes too much memory or raises what is no error for a person is found and told."""

import json
import os
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from mlee_sb.errors import InputError

GIGABYTE = 2**30
MOST_MEMORY = GIGABYTE  # that one input may take
ROOM = GIGABYTE + GIGABYTE // 2  # of address space for a child, so that a machine survives what takes more
PATIENCE = 10.0  # seconds of CPU that one input may take: on a loaded machine, the clock tells nothing
LOOKS = 10  # in this time
CLOCK = 12  # times as many seconds by the clock: what waits for ever takes no CPU
RETURNED, REFUSED, TRACEBACK, WRONG, KILLED, HUNG, MEMORY = "returned", "refused", "traceback", "wrong", "killed", "hung", "memory"
HARMLESS = (RETURNED, REFUSED)
ENDS_THE_CHILD = (KILLED, HUNG)  # these end the child, too


class Wrong(Exception):
    """What came out is not what the input says. The message tells the difference."""


@dataclass(frozen=True)
class Ended:
    """How a try ended: one of the words above, where in the code, and what was said."""

    how: str
    where: str = ""
    said: str = ""
    value: object = None


def tried(work: Callable[[], object]) -> Ended:
    """Do it in this process, and tell how it ended."""
    try:
        return Ended(RETURNED, value=work())
    except (InputError, OSError) as error:  # every command ends these with a line (mlee_sb/start.py)
        return Ended(REFUSED, said=str(error)[:500])
    except Wrong as error:
        return Ended(WRONG, said=str(error)[:500])
    except MemoryError as error:
        return Ended(MEMORY, _place_of(error), str(error)[:500])
    except BaseException as error:  # SystemExit, too: it would end the process of who reads a file
        return Ended(TRACEBACK, f"{type(error).__name__} in {_place_of(error)}", str(error)[:500])


def _place_of(error: BaseException) -> str:
    """Return the innermost function of ours: file:function."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "mlee_sb" in Path(frame.filename).parts]
    return f"{Path(frames[-1].filename).name}:{frames[-1].name}" if frames else "a test"


def try_each(work: Callable[[int], object], numbers: Sequence[int], patience: float = PATIENCE, room: int = ROOM) -> Iterator[Ended]:
    """Yield how `work` ended for each number, in their order, in as few forked children as possible.

    Parameters
    ----------
    work : takes a number; it is called in a child, and what it returns must be JSON
    numbers : of the tries
    patience : seconds of CPU after which a try hangs, or `CLOCK` times as many by the clock
    room : bytes of address space that a child may take beyond those of this process
    """
    left = list(numbers)
    while left:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            _work_through(work, left, writer, room)
        os.close(writer)
        try:
            for ended in _listened(child, reader, patience):
                left.pop(0)
                yield ended
        finally:
            os.close(reader)


def alone(work: Callable[[], object], patience: float, room: int = ROOM) -> Ended:
    """Do one thing in a child of its own, and tell how it ended."""
    return next(try_each(lambda _: work(), [0], patience, room))


def _work_through(work, numbers: Sequence[int], writer: int, room: int) -> None:
    os.setsid()  # what it starts can be ended with it
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    silent = os.open(os.devnull, os.O_RDWR)
    speak_to(silent)
    os.dup2(silent, 0)
    limit = _status("VmSize") + room
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    before = _status("VmRSS")
    for number in numbers:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        ended = tried(lambda number=number: work(number))
        taken = _status("VmHWM") - before
        if taken > MOST_MEMORY and ended.how in HARMLESS:
            ended = Ended(MEMORY, said=f"{taken / GIGABYTE:.1f} GB: {ended.said}")
        os.write(writer, json.dumps(asdict(ended)).encode() + b"\n")
    os._exit(0)


def speak_to(descriptor: int) -> None:
    """Write what this process says to an open file, whatever its starter has put in the place of stdout and stderr."""
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    sys.stdout, sys.stderr = (os.fdopen(stream, "w", closefd=False) for stream in (1, 2))


def _status(name: str) -> int:
    """Return bytes from the line of a name in /proc/self/status; 0 where there is none."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    return 0


def _listened(child: int, reader: int, patience: float) -> Iterator[Ended]:
    """Yield what a child tells, and how the try ended in which it ended itself."""
    hung = False
    try:
        for line in _lines(reader, child, patience):
            yield Ended(**json.loads(line))
    except TimeoutError:
        hung = True
    finally:
        end_group(child)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if hung:
        yield Ended(HUNG, said=f"more than {patience:g} s of CPU, or {CLOCK * patience:g} s by the clock")
    elif status != 0:
        yield Ended(KILLED, f"status {status}" if status > 0 else signal.Signals(-status).name)


def _lines(reader: int, child: int, patience: float) -> Iterator[bytes]:
    """Yield whole lines from the pipe of a child. Raise a TimeoutError if the next one takes too long."""
    buffer, begin, used = b"", time.monotonic(), None
    while True:
        if not select.select([reader], [], [], patience / LOOKS)[0]:
            now = _cpu_of(child)  # from the first look on: most tries end before
            used = now if used is None else used
            if now - used > patience or time.monotonic() - begin > CLOCK * patience:
                raise TimeoutError
            continue
        part = os.read(reader, 1 << 16)
        if not part:
            return
        *lines, buffer = (buffer + part).split(b"\n")
        yield from lines
        if lines:
            begin, used = time.monotonic(), None


def _cpu_of(leader: int) -> float:
    """Return the seconds of CPU that a child of ours took, with all that it started."""
    ticks = 0
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, IndexError, ValueError):
            _, _, _, session, *rest = entry.read_text().rpartition(")")[2].split()
            if int(session) == leader:
                ticks += sum(map(int, rest[7:11]))  # of itself, and of its children that have ended: in user mode and in the system
    return ticks / os.sysconf("SC_CLK_TCK")


def end_group(child: int) -> None:
    """End a child of ours and what it started: they are a group of their own."""
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
