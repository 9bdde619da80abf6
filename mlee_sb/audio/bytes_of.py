"""The bytes of a recording: of a file, of a pipe, or of a file that is open."""

import io
import mmap
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from typing import BinaryIO

from mlee_sb.audio.faults import MISSING, UNREADABLE, NoRecording
from mlee_sb.audio.layout import Content
from mlee_sb.disk import told
from mlee_sb.errors import InputError, printable

STANDARD_INPUT = "standard input"
SMALL = 1 << 18  # bytes

Source = str | Path | BinaryIO


def named(source: Source) -> str:
    """Return the name of audio for a person: its path, also for an open file.

    >>> named(Path("a.wav")), named(io.BytesIO())
    ('a.wav', 'unnamed audio')
    """
    if isinstance(source, str | Path):
        text = str(source)
        return text if text.isprintable() else printable(text)
    name = getattr(source, "name", None)  # a number if the file was opened by its descriptor, as standard input is
    if name in (0, "<stdin>"):
        return STANDARD_INPUT
    return printable(os.fsdecode(name)) if isinstance(name, str | bytes) and name else "unnamed audio"


@contextmanager
def bytes_of(source: Source) -> Iterator[Content]:
    """Yield the bytes of a recording, as something that can be sliced. Memory stays small: what comes through a pipe goes to the disk.

    Parameters
    ----------
    source : the path of a file or of a named pipe, or a file that is open for reading bytes

    Raises
    ------
    InputError
        if there is no such file, or it is a folder, or it cannot be opened
    """
    if not isinstance(source, str | Path):
        if not hasattr(source, "read"):
            raise InputError(f"a {type(source).__name__}: give the path of a file, or a file that is open for reading bytes")
        if isinstance(source, io.TextIOBase) or getattr(source, "closed", False):
            how = "closed" if getattr(source, "closed", False) else "open for reading text"
            raise InputError(f"{named(source)}: a file that is {how}: open it for reading bytes, with the mode 'rb'")
        with _of_open_file(source) as content:
            yield content
        return
    try:
        file = open(os.fsencode(source), "rb")  # noqa: SIM115  (closed below; an error in the block of the caller is not one of opening)
    except FileNotFoundError:
        raise NoRecording(named(source), "no such file", MISSING) from None
    except IsADirectoryError:
        raise NoRecording(named(source), "a folder: give the files in it", UNREADABLE) from None
    except (OSError, ValueError) as error:
        raise NoRecording(named(source), f"cannot be opened ({error})", UNREADABLE) from error
    with file, _of_open_file(file) as content:
        yield content


@contextmanager
def _of_open_file(file: BinaryIO) -> Iterator[Content]:
    if isinstance(file, io.BytesIO):
        yield file.getvalue()
    elif is_on_disk(file):
        with _mapped(file) as content:
            yield content
    else:
        if _is_device(file):
            raise NoRecording(named(file), "a device, which may send bytes without end: give a file or a pipe", UNREADABLE)
        with TemporaryFile() as copy:
            with told(gettempdir()):
                shutil.copyfileobj(file, copy)
                copy.flush()
            with _mapped(copy) as content:
                yield content


def is_on_disk(file: BinaryIO) -> bool:
    """Return whether an open file gives what lies on the disk: a pipe does not, nor what is unpacked while it is read."""
    raw = getattr(file, "raw", file)
    return isinstance(raw, io.FileIO) and stat.S_ISREG(os.fstat(raw.fileno()).st_mode)


def _is_device(file: BinaryIO) -> bool:
    raw = getattr(file, "raw", file)
    return isinstance(raw, io.FileIO) and stat.S_ISCHR(os.fstat(raw.fileno()).st_mode)


@contextmanager
def _mapped(file: BinaryIO) -> Iterator[Content]:
    size = os.fstat(file.fileno()).st_size
    if size < SMALL:  # nothing at all cannot be mapped, and little is read sooner
        yield os.pread(file.fileno(), size, 0)
        return
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        yield content
