"""How every command starts and ends: Ctrl-C at any moment, and what cannot be used, end it with a line and not with a traceback."""

import importlib
import io
import os
import sys
from collections.abc import Callable
from typing import TextIO

from mlee_sb.disk import line_for
from mlee_sb.errors import InputError, error_line
from mlee_sb.files import ESCAPED

NO_READER, WRONG_INPUT, STOPPED = 1, 2, 130  # exit statuses; the last is that of a program that Ctrl-C ended


def mlee() -> int:
    """Run `mlee` with the arguments of this program, and return the exit status."""
    return start("mlee_sb.cli.app")


def start(module: str, *args, **kwargs) -> int:
    """Import the module of a command, which may take seconds, call its `main` with the other arguments, and return the exit status."""
    return _flushed(exit_status(lambda: importlib.import_module(module).main(*args, **kwargs)))


def exit_status(work: Callable[[], int], stopped: str = "stopped") -> int:
    """Return what `work` returns; 2 after an InputError or OSError, 130 after Ctrl-C, each with a line for a person on stderr.

    Parameters
    ----------
    work : what is to be done
    stopped : the line after Ctrl-C
    """
    write_all_that_is_printed()
    try:
        return work()
    except (InputError, OSError) as error:
        _tell(error_line(line_for(error)))
        return WRONG_INPUT
    except KeyboardInterrupt:
        if os.environ.get("RANK", "0") == "0":  # of the processes of torchrun, one speaks
            _tell(stopped)
        return STOPPED


def _flushed(status: int) -> int:
    """Return the exit status when all that was printed has arrived: its disk may be full, or its reader gone."""
    try:
        sys.stdout.flush()
    except OSError as error:
        _take_away(sys.stdout)
        if status:  # the command has noticed it already
            return status
        if isinstance(error, BrokenPipeError):
            return NO_READER
        _tell(error_line(line_for(error)))
        return WRONG_INPUT
    return status


def _tell(line: str) -> None:
    """Write a line on stderr. That may be full, too, and must not decide how the command ends."""
    try:
        print(line, file=sys.stderr)
    except OSError:
        _take_away(sys.stderr)


def _take_away(stream: TextIO) -> None:
    """Let what is left of a stream go nowhere: Python would try again at its end to write it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def write_all_that_is_printed() -> None:
    """Let nothing that is printed end the program: what the terminal or the pipe cannot take is escaped, and a closed output is nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who started the program, as `>&-` does
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  (open for as long as the program runs)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ESCAPED)
