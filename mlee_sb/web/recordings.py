"""Recordings that visitors send: files for as long as the answer takes, under names that no visitor chooses."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from mlee_sb.errors import InputError

LONGEST_NAME = 120  # characters
UNNAMED = "recording"
PREFIX = "mlee_serve_"  # of temporary folders


@dataclass(frozen=True)
class Recording:
    """A recording that a visitor sent.

    Attributes
    ----------
    name : what the visitor calls it, for people
    path : the file, as long as the answer takes
    """

    name: str
    path: Path


@contextmanager
def kept_for_the_answer(uploads: Sequence[tuple[str | None, BinaryIO]], below: Path | None = None) -> Iterator[list[Recording]]:
    """Yield recordings as files, and remove them at the end of the block, whatever happens in it.

    An InputError in the block is raised again with the visitors' names of the files.

    Parameters
    ----------
    uploads : the name that the visitor gave, and the content
    below : the folder where they lie; None: where temporary files lie
    """
    with TemporaryDirectory(prefix=PREFIX, dir=below) as folder:
        found = []
        for number, (name, content) in enumerate(uploads):
            path = Path(folder, f"{number}.recording")  # libsndfile tells formats by their content
            with open(path, "wb") as file:
                shutil.copyfileobj(content, file)
            found.append(Recording(shown_name(name), path))
        try:
            yield found
        except InputError as error:
            raise InputError(told(error, found)) from error


def told(error: InputError, recordings: Sequence[Recording]) -> str:
    """Return the message of an error with the visitors' names of files: where they lie on this machine is nobody's business."""
    message = str(error)
    for recording in recordings:
        message = message.replace(str(recording.path), recording.name)
    return message


def shown_name(name: str | None) -> str:
    r"""Return the file name that a visitor gave as text of one line, without folders.

    >>> shown_name("C:\\sounds\\a\nb.wav"), shown_name("../../etc/passwd"), shown_name(None)
    ('a b.wav', 'passwd', 'recording')
    """
    last = (name or "").replace("\\", "/").split("/")[-1]
    printable = "".join(character if character.isprintable() else " " for character in last).strip()
    return printable[:LONGEST_NAME] or UNNAMED
