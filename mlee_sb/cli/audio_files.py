"""The recordings that a person names on the command line: files, folders, standard input."""

import io
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import soundfile

from mlee_sb.cli.file_lists import files_in, has_mark, is_text
from mlee_sb.errors import InputError
from mlee_sb.inference.audio_input import Sound
from mlee_sb.inference.timeline import check_plot

AUDIO = (".wav", ".flac", ".ogg", ".mp3")
STANDARD_INPUT = "-"
EACH = "each"  # in the place of the number of a channel
PIPE = "standard input"  # what errors call it
SNIFFED = 4096  # bytes by which audio on standard input is told from a list of files
BEGINNINGS = (*b"RIFF RIFX RF64 fLaC OggS ID3 FORM caff .snd wvpk #!AMR".split(), b"\x1aE\xdf\xa3")  # of audio; the last of webm
BOX = b"ftyp"  # from the fifth byte on in mp4 and its kin

Input = Path | BinaryIO


def inputs(words: Sequence[str], column: str | None = None) -> list[tuple[str, Input]]:
    """Return the audio that a person named, as (name, file): files, all audio files below folders, standard input for ``-``.

    On standard input comes either audio, or a list of files (`mlee_sb.cli.file_lists.files_in`), from the working folder on.

    Parameters
    ----------
    words : names of files and folders, or ``-``
    column : of a table on standard input, the one with the files

    Raises
    ------
    InputError
        if a folder holds no audio file, standard input nothing, or `column` is given without a table
    """
    if column is not None and STANDARD_INPUT not in words:
        raise InputError(f"--column {column}: of which table? It is read from standard input, for the word {STANDARD_INPUT}")
    found: list[tuple[str, Input]] = []
    for word in words:
        path = Path(word)
        if word == STANDARD_INPUT:
            found += _standard_input(column)
        elif path.is_dir():
            files = sorted(file for file in path.rglob("*") if file.suffix.lower() in AUDIO and file.is_file())
            if not files:
                raise InputError(f"{path}: no {', '.join(AUDIO)} file in this folder")
            found += [(str(file), file) for file in files]
        else:
            found.append((word, path))
    return found


def sounds(words: Sequence[str], column: str | None, channel: str | None) -> list[tuple[str, Sound]]:
    """Return the audio that a person named, as (name, sound): for each channel, if all are asked for.

    Parameters
    ----------
    words, column : as for `inputs`
    channel : the number of a channel, from 1; `EACH`; or None for the mix of those with sound

    Raises
    ------
    InputError
        as `inputs`, or if `channel` is something else
    """
    if channel not in (None, EACH) and not (channel.isdecimal() and int(channel) > 0):
        raise InputError(f"--channel {channel}: give the number of a channel, from 1, or the word {EACH}")
    found = inputs(words, column)
    if channel == EACH:
        return [(name, sound) for name, audio in found for sound in _in_channels(audio)]
    return [(name, Sound(audio, channel=channel and int(channel))) for name, audio in found]


def _in_channels(audio: Input) -> list[Sound]:
    try:
        found = Sound(audio).each_channel()
    except InputError:  # it is told where the recording is read
        return [Sound(audio)]
    return [replace(sound, audio=io.BytesIO(audio.getvalue())) for sound in found] if isinstance(audio, io.BytesIO) else found


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


def _standard_input(column: str | None) -> list[tuple[str, Input]]:
    content = sys.stdin.buffer.read()
    if not content.strip():
        raise InputError(f"{PIPE} is empty: pipe in an audio file, or a list of files")
    if _is_audio(content):
        if column is not None:
            raise InputError(f"--column {column}: {PIPE} is audio, and no table")
        audio = io.BytesIO(content)
        audio.name = PIPE  # what errors call it
        return [(STANDARD_INPUT, audio)]
    return [(name, Path(name)) for name in files_in(content, PIPE, column)]


def _is_audio(content: bytes) -> bool:
    """Tell audio from a list of files: by how audio begins, by bytes that are in no text, and otherwise by whether libsndfile reads it."""
    if has_mark(content):
        return False
    begins_so = content.startswith(BEGINNINGS) or content[4:8] == BOX or (content[0] == 0xFF and content[1:2] >= b"\xe0")
    if begins_so or not is_text(content[:SNIFFED]):
        return True
    try:
        soundfile.info(io.BytesIO(content))
    except soundfile.SoundFileError:
        return False
    return True
