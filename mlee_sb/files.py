"""Write files beside their place and rename them into it, so that nobody ever reads half a file."""

import codecs
import hashlib
import io
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlee_sb.errors import InputError

BLOCK = 1 << 17  # bytes read at a time
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

    If the block raises an error, the new file or folder is removed, and the old one at `path` stays as it was.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "scores.json"
    >>> with written_beside(target) as beside:
    ...     _ = beside.write_text("{}")
    >>> target.read_text()
    '{}'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{platform.node()}.{os.getpid()}.partial")  # machines may share the folder
    _remove(beside)
    try:
        yield beside
        if path.is_dir():  # a folder cannot be renamed onto a full one
            old = beside.with_suffix(".old")
            path.rename(old)
            beside.rename(path)
            _remove(old)
        else:
            os.replace(beside, path)
    finally:
        _remove(beside)


def clear_partial(folder: Path, name: str = "*") -> None:
    """Remove unfinished files that killed processes left in `folder`. Call it only if no other process writes there.

    Parameters
    ----------
    folder : where they lie
    name : of the finished file; by default of any
    """
    for left in folder.glob(f".{name}.*.partial"):
        _remove(left)


def write_all_that_is_printed() -> None:
    """Let nothing that is printed end the program: what the terminal or the pipe cannot take is escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ESCAPED)


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
    except (ValueError, RecursionError) as error:
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
