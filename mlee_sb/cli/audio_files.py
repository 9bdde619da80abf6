"""The recordings that a person names on the command line: files, folders, standard input."""

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from mlee_sb.errors import InputError
from mlee_sb.inference.timeline import check_plot

AUDIO = (".wav", ".flac", ".ogg", ".mp3")
STANDARD_INPUT = "-"
SNIFFED = 4096  # bytes by which audio on standard input is told from a list of files

Input = Path | BinaryIO


def inputs(words: Sequence[str]) -> list[tuple[str, Input]]:
    """Return the audio that a person named, as (name, file): files, all audio files below folders, standard input for ``-``.

    On standard input comes either audio, or a list of files, one a line.

    Raises
    ------
    InputError
        if a folder holds no audio file, or standard input nothing
    """
    found: list[tuple[str, Input]] = []
    for word in words:
        path = Path(word)
        if word == STANDARD_INPUT:
            found += _standard_input()
        elif path.is_dir():
            files = sorted(file for file in path.rglob("*") if file.suffix.lower() in AUDIO and file.is_file())
            if not files:
                raise InputError(f"{path}: no {', '.join(AUDIO)} file in this folder")
            found += [(str(file), file) for file in files]
        else:
            found.append((word, path))
    return found


def check_outputs(source: Input, labels: Path | None, plot: Path | None) -> None:
    """Look at the names of what is to be written before a long recording is read.

    Raises
    ------
    InputError
        if one is that of the recording, labels would look like a recording, or a plot has no known ending
    """
    for path in filter(None, (labels, plot)):
        if isinstance(source, Path) and path.resolve() == source.resolve():
            raise InputError(f"{path}: the recording itself, which would be lost: give another name")
    if labels and labels.suffix.lower() in AUDIO:
        raise InputError(f"{labels}: labels are text, and this is the name of a recording: give it the ending .txt")
    if plot:
        check_plot(plot)


def _standard_input() -> list[tuple[str, Input]]:
    content = sys.stdin.buffer.read()
    if not content.strip():
        raise InputError("standard input is empty: pipe in an audio file, or a list of files")
    if b"\0" in content[:SNIFFED]:
        audio = io.BytesIO(content)
        audio.name = "standard input"  # what errors call it
        return [(STANDARD_INPUT, audio)]
    return [(line, Path(line)) for line in content.decode("utf-8", errors="surrogateescape").splitlines() if line.strip()]
