"""Write files beside their place and rename them into it, so that nobody ever reads half a file, also not after a power loss."""

import codecs
import errno
import functools
import hashlib
import json
import os
import platform
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlee_sb.disk import told
from mlee_sb.errors import InputError

BLOCK = 1 << 17  # bytes read at a time
NEW, BEFORE = "partial", "old"  # endings of what is written beside a file or folder, and of what it takes the place of
ENDINGS = (f".{NEW}", f".{BEFORE}")
LEFT = re.compile(rf"\.(?P<name>.+?)(\.(?P<host>[^.]+))?\.(?P<process>\d{{1,9}})\.(?P<ending>{NEW}|{BEFORE})")
CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP)  # some network disks say so of a folder
ABANDONED = 24 * 3600  # [choice] seconds after which what another machine left is taken for that of a killed run
ESCAPED = "mlee_sb.escaped"  # what is done where a text cannot be encoded: a file name may have bytes that are no UTF-8


def _escaped(error: UnicodeError) -> tuple[str, int]:
    r"""Replace what cannot be encoded by the escapes of JSON, \uXXXX, so that JSON stays JSON whatever a terminal or a pipe takes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4)), error.end


codecs.register_error(ESCAPED, _escaped)


@contextmanager
def written_beside(path: str | Path) -> Iterator[Path]:
    """Yield a path beside `path` to write a file or a folder at; rename it to `path` if the block succeeds.

    If the block raises an error, the new file or folder is removed, and the old one at `path` stays as it was. All is on the disk before
    it gets its name: after a power loss, the old or the new content is there as a whole. What a killed run left for this path is cleared.

    Raises
    ------
    DiskError
        if the disk is full, read-only, or refuses to write for another reason. The message names the folder

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "scores.json"
    >>> with written_beside(target) as beside:
    ...     _ = beside.write_text("{}")
    >>> target.read_text()
    '{}'
    """
    path = Path(path)
    with told(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_left(path.parent, path.name)
        with _removed_at_the_end(_beside(path, NEW)) as beside:
            yield beside
            sync(beside)
            put_in_place(beside, path)


@contextmanager
def folder_beside(path: str | Path) -> Iterator[Path]:
    """Yield a new hidden folder beside `path`, to try something in. It is removed at the end, or by a later run."""
    path = Path(path)
    with told(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_left(path.parent, path.name)
        with _removed_at_the_end(_beside(path, NEW)) as beside:
            beside.mkdir()
            yield beside


@contextmanager
def _removed_at_the_end(beside: Path) -> Iterator[Path]:
    _remove(beside)  # of an earlier process with this number
    try:
        with told(beside.parent):  # before it is removed: it may be what filled the disk
            yield beside
    finally:
        _remove(beside)


def put_in_place(new: Path, path: Path) -> None:
    """Rename a file or a folder, which is on the disk (`sync`), to `path` on the same disk, in the place of what is there."""
    if path.is_dir():  # a folder cannot be renamed onto a full one
        old = _beside(path, BEFORE)
        path.rename(old)
        new.rename(path)
        sync(path.parent, whole=False)
        _remove(old)
    else:
        os.replace(new, path)
        sync(path.parent, whole=False)


def sync(path: Path, whole: bool = True) -> None:
    """Wait until a file or a folder is on the disk, and not only in the memory of the system.

    Parameters
    ----------
    path : the file or folder; links are passed over
    whole : whether everything in a folder is meant, or only which names are in it
    """
    if path.is_symlink():
        return
    if not path.is_dir():
        return _sync(path)
    for inside in path.iterdir() if whole else ():
        sync(inside)
    with suppress(PermissionError):  # a folder in which this user may write, but which he may not read
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in CANNOT_SYNC:
            raise
    finally:
        os.close(descriptor)


def clear_left(folder: Path, name: str = "", alone: bool = False) -> None:
    """Clear away what killed runs left in `folder`: files and folders that they did not finish.

    If a run was killed after it had moved a folder aside, and before the new one had its name, the old one comes back.

    Parameters
    ----------
    folder : where they lie
    name : of the finished file or folder; by default of any
    alone : whether no other process writes there, for example because this one holds a lock. Otherwise what a living process of this
        machine writes is left alone, and for a day what another machine writes
    """
    beginning = f".{name}." if name else "."
    for left in [folder / entry for entry in os.listdir(folder) if entry.startswith(beginning) and entry.endswith(ENDINGS)]:
        found = LEFT.fullmatch(left.name)
        with suppress(OSError):  # another run clears it at the same time, or it is another user's
            if found and (alone or _is_dead(found["host"], int(found["process"]), left)):
                whole = folder / found["name"]
                if found["ending"] == BEFORE and not whole.exists():
                    left.rename(whole)
                else:
                    _remove(left)


def is_hidden(path: Path, below: Path) -> bool:
    """Tell whether a path lies in something hidden below a folder, as what a killed run left there.

    >>> is_hidden(Path("r/.new.host.1.partial/summary.json"), Path("r")), is_hidden(Path("r/new/summary.json"), Path("r"))
    (True, False)
    """
    return any(part.startswith(".") for part in path.relative_to(below).parts)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(f".{path.name}.{_host()}.{os.getpid()}.{ending}")  # machines may share the folder


@functools.cache
def _host() -> str:
    """Return the name of this machine, and of the numbers of processes that are valid here: containers may share the name only."""
    with suppress(OSError):
        return f"{platform.node().replace('.', '-')}-{os.stat('/proc/self/ns/pid').st_ino}"
    return platform.node().replace(".", "-")


def _is_dead(host: str | None, process: int, left: Path) -> bool:
    """Tell whether the process that wrote something has ended; of another machine, whether nothing was written for long."""
    if host != _host():
        return time.time() - left.stat().st_mtime > ABANDONED
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it runs, for another user
        pass
    return False


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all."""
    with written_beside(path) as beside:
        beside.write_text(text, encoding="utf-8", errors=ESCAPED, newline="\n")


def json_text(content, indent: int | None = None) -> str:
    r"""Return `content` as JSON. Raise a ValueError for NaN: it is not JSON, and other programs cannot read it.

    A byte of a file name that is no UTF-8 is escaped, so that whoever reads the JSON with Python has the name again.

    >>> print(json_text("M\udcfcller.wav"))
    "M\udcfcller.wav"
    """
    text = json.dumps(content, indent=indent, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", ESCAPED).decode()


def write_json(path: str | Path, content) -> None:
    """Write `content` as indented JSON to `path`, whole or not at all. Raise a ValueError for NaN: it is not JSON."""
    write_text(path, json_text(content, indent=2) + "\n")


def read_json(path: str | Path, remedy: str) -> dict:
    """Read an object that `write_json` wrote.

    Parameters
    ----------
    path : the file
    remedy : what a person can do if the file is missing or damaged

    Raises
    ------
    InputError
        if the file is missing, is not JSON, or does not hold an object
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: missing: {remedy}") from error
    except (ValueError, RecursionError, IsADirectoryError) as error:
        raise InputError(f"{path}: damaged ({error}): {remedy}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: damaged ({content!r:.40} is no object): {remedy}")
    return content


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of all bytes of a file, as 64 hexadecimal digits.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "empty"
    >>> target.touch()
    >>> sha256_of(target)[:16]
    'e3b0c44298fc1c14'
    """
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:  # hashlib.file_digest takes twice the time for the small files of a corpus
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
