"""The recordings that a person names on the command line: files, folders, standard input."""

import io
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import soundfile

from mlee_sb.audio.bytes_of import STANDARD_INPUT
from mlee_sb.audio.formats import audio_files_below, is_recording_name, kind_of
from mlee_sb.cli.file_lists import files_in, has_mark, is_text
from mlee_sb.errors import InputError, printable
from mlee_sb.files import BLOCK
from mlee_sb.inference.audio_input import Sound
from mlee_sb.inference.timeline import check_plot

DASH = "-"  # the word for standard input
EACH = "each"  # in the place of the number of a channel
MOST_PIPED = 2**28  # [choice] bytes of standard input, which are kept in memory: two hours at 16 kHz, and not what never ends
SNIFFED = 4096  # bytes by which audio on standard input is told from a list of files
BEGINNINGS = tuple(b"RIFF RIFX RF64 fLaC OggS ID3 FORM caff .snd".split())  # of audio

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
    if column is not None and DASH not in words:
        raise InputError(f"--column {column}: of which table? It is read from standard input, for the word {DASH}")
    found: list[tuple[str, Input]] = []
    for word in words:
        path = Path(word)
        if word == DASH:
            found += _standard_input(column)
        elif path.is_dir():
            found += [(str(file), file) for file in _below(path)]
        else:
            found.append((word, path))
    return found


def _below(folder: Path) -> list[Path]:
    files, passed_over = audio_files_below(folder)
    told = ", ".join(f"{printable(reason)} ({n})" for reason, n in sorted(passed_over.items()))
    if not files:
        raise InputError(f"{folder}: no recording in this folder" + (f"; passed over: {told}" if told else ""))
    if told:
        print(f"{printable(folder)}: files passed over: {told}", file=sys.stderr)
    return files


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
    if labels and is_recording_name(labels):
        raise InputError(f"{labels}: labels are text, and this is the name of a recording: give it the ending .txt")
    if plot:
        check_plot(plot)


def _standard_input(column: str | None) -> list[tuple[str, Input]]:
    content = _all_that_comes()
    if not content.strip():
        raise InputError(f"{STANDARD_INPUT} is empty: pipe in an audio file, or a list of files")
    if _is_audio(content):
        if column is not None:
            raise InputError(f"--column {column}: {STANDARD_INPUT} is audio, and no table")
        audio = io.BytesIO(content)
        audio.name = STANDARD_INPUT  # what errors call it
        return [(DASH, audio)]
    return [(name, Path(name)) for name in files_in(content, STANDARD_INPUT, column)]


def _all_that_comes() -> bytes:
    found = io.BytesIO()  # which gives its content away without a copy
    while block := sys.stdin.buffer.read(BLOCK):
        if found.tell() + len(block) > MOST_PIPED:
            raise InputError(f"{STANDARD_INPUT}: more than {MOST_PIPED:,} bytes: write them to a file, and give its name")
        found.write(block)
    return found.getvalue()


def _is_audio(content: bytes) -> bool:
    """Tell audio from a list of files: by how audio begins, by bytes that are in no text, and otherwise by whether libsndfile reads it."""
    if has_mark(content):
        return False
    begins_so = kind_of(content) or content.startswith(BEGINNINGS) or (content[0] == 0xFF and content[1:2] >= b"\xe0")
    if begins_so or not is_text(content[:SNIFFED]):
        return True
    try:
        soundfile.info(io.BytesIO(content))
    except soundfile.SoundFileError:
        return False
    return True
