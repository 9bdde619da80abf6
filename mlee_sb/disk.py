"""What a disk refuses: the one place that turns an error of the system into a message with the folder and what to do about it."""

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlee_sb.errors import InputError

FULL = (errno.ENOSPC, errno.EDQUOT)
TAKES_NO_MORE = (*FULL, errno.EFBIG, errno.EROFS)
AGAIN = "give the same command again (what is finished is kept), or give a folder on another disk"
NO_RIGHT = "this user may not do that there: ask its owner for the right (docs/clusters.md), or give another folder"
NO_LOCKS = "the disk has no locks (flock), which keep two runs apart: give a folder on a local disk, or mount this one with locks"
REFUSALS = {
    errno.ENOSPC: f"the disk is full: free some space and {AGAIN}",
    errno.EDQUOT: f"your quota of this disk is used up: free some of it and {AGAIN}",
    errno.EFBIG: f"a file here may not be so large: raise the limit (ulimit -f) and {AGAIN}",
    errno.EIO: f"the disk reports errors: save what is on it, and {AGAIN}",
    errno.EROFS: "the disk is read-only: give a folder that can be written",
    errno.ENAMETOOLONG: "the name is too long for this disk: give a folder with a shorter path",
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR), "a file is where a folder must be: give another folder, or move that file away"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), NO_RIGHT),
    **dict.fromkeys((errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP), NO_LOCKS),
}
PROBE = 1 << 20  # bytes that are written to see whether a disk takes them


class DiskError(InputError):
    """A disk refused to take or to give something: `number` is the one of the error of the system, `place` the file or folder."""

    number: int
    place: str | Path


def refusal(error: OSError, place: str | Path | None = None) -> DiskError | None:
    """Return the message for an error of the system; None if it is not about a disk.

    Parameters
    ----------
    error : the error
    place : the file or folder that was to be written; by default the one that the error names, of a copy the new one

    >>> str(refusal(OSError(errno.EROFS, "Read-only file system"), "results"))
    'results: the disk is read-only: give a folder that can be written'
    """
    return _disk_error(error.errno, place or error.filename2 or error.filename or "standard output") if error.errno in REFUSALS else None


def _disk_error(number: int, place: str | Path) -> DiskError:
    said = DiskError(f"{place if isinstance(place, Path) else os.fsdecode(place)}: {REFUSALS[number]}")
    said.number, said.place = number, place
    return said


def line_for(error: Exception) -> str:
    """Return an error as a line for a person: what the disk refused, where it was that, or else what the error says itself."""
    return str((isinstance(error, OSError) and refusal(error)) or error)


@contextmanager
def told(folder: str | Path) -> Iterator[None]:
    """Turn what a disk refuses in the block into a `DiskError` that names `folder`.

    Some libraries hide the error of the system in one of their own: in its words ("I/O error: No space left on device"), or without any
    ("file write failed"). So after an error that is not for people its words are looked at, and a few bytes are written to the folder: if
    the disk refuses these, too, that was the reason, or if a file there has just the size that none may exceed. The block must not have
    removed by then what filled the disk. Of blocks in one another, the outer one names its folder where it holds the other: it is the one
    that a person knows.
    """
    folder = Path(folder)
    try:
        yield
    except DiskError as error:
        if Path(error.place).absolute().is_relative_to(folder.absolute()):
            raise _disk_error(error.number, folder) from error
        raise
    except InputError:
        raise
    except Exception as error:
        numbered = isinstance(error, OSError) and error.errno
        if said := _about(error, folder) if numbered else _in_words(error, folder) or _refused_now(folder) or _at_the_limit(folder):
            raise said from error
        raise


def _about(error: OSError, folder: Path) -> DiskError | None:
    """Return the message if the error can be about `folder`: that a file elsewhere may not be read is another matter."""
    here = folder.absolute()
    named = [Path(name).absolute() for name in (error.filename, error.filename2) if isinstance(name, str)]  # of a copy, both
    elsewhere = named and not any(path.is_relative_to(here) or here.is_relative_to(path) for path in named)
    return None if elsewhere else refusal(error, folder)


def _in_words(error: Exception, folder: Path) -> DiskError | None:
    """Return the message if an error of a library speaks of a disk that takes no more. Its other words can be about any file."""
    number = next((number for number in TAKES_NO_MORE if os.strerror(number) in str(error)), None)
    return None if number is None else _disk_error(number, folder)


def _at_the_limit(folder: Path) -> DiskError | None:
    """Return the message if a file below `folder` ends just where this process may write no more (ulimit -f): it is half a file."""
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    limited = limit != resource.RLIM_INFINITY
    with suppress(OSError):  # another process removes a file meanwhile
        if limited and any(path.stat().st_size == limit for path in folder.rglob("*")):
            return _disk_error(errno.EFBIG, folder)
    return None


def check_writable(folder: str | Path) -> None:
    """Write a few bytes to a folder, and remove them again. Raise a DiskError if the disk refuses."""
    folder = Path(folder)
    with told(folder):
        folder.mkdir(parents=True, exist_ok=True)
    if said := _refused_now(folder):
        raise said


def _refused_now(folder: Path) -> DiskError | None:
    probe = folder / f".probe.{os.getpid()}.partial"
    try:
        with open(probe, "wb") as file:
            with suppress(OSError):  # a system may refuse to remove what is open
                probe.unlink()  # at once, so that nothing is left of it where this process is killed
            file.write(bytes(PROBE))
            file.flush()  # until all is written: a disk that is nearly full takes a part of it without an error
            os.fsync(file.fileno())
    except OSError as error:
        return refusal(error, folder)
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)
    return None
