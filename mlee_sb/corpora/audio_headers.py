"""Check whether recordings, and pieces of them, can be used, without decoding more than the answer needs; and take their fingerprints."""

import inspect
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import soundfile
from joblib import Parallel, delayed
from tqdm import tqdm

from mlee_sb import audio as audio_room
from mlee_sb.audio.bytes_of import bytes_of
from mlee_sb.audio.faults import MISSING, UNREADABLE, NoRecording
from mlee_sb.audio.layout import Content
from mlee_sb.audio.levels import block_size, has_sound
from mlee_sb.audio.rates import MODEL_RATE, why_not_resampled
from mlee_sb.audio.reading import HIGHEST_RATE, LOWEST_RATE, Recording, opened
from mlee_sb.audio.riff import plain_wav
from mlee_sb.corpora.audio_cache import AudioCache
from mlee_sb.workers import leave_with_the_starter

SHORTEST = 0.040
"""Seconds of the shortest recording: the window of the model's spectrogram."""

FILES_A_TASK = 256  # a task for every file would cost more than the check of a file
WORKERS = 2  # processes: threads would fight for the interpreter, and take longer than one alone
WORTH_WORKERS = 1.5  # seconds of work; to start workers takes half a second, so less is done sooner without
BEGINNINGS = {MISSING: "annotation without a wav: ", UNREADABLE: "unreadable: ", "": ""}  # of reasons
IDLE = 10  # seconds that workers wait for more to do before they end

Piece = tuple[str, float | None, float | None]
"""A recording below the data folder, and the seconds where a piece of it begins and ends; None, None for all of it."""


@dataclass(frozen=True)
class Audio:
    """A recording, or a piece of one: seconds, Hz, channels. `reason` says why it cannot be used; it is "" if it can.

    `fingerprint` is the SHA-256 of the whole file, "" if it cannot be used. It tells another recording under the same name. `remark`
    says what is wrong with the header of a recording that can be used all the same.
    """

    duration: float = 0.0
    sample_rate: int = 0
    channels: int = 0
    reason: str = ""
    fingerprint: str = field(default="", compare=False)
    remark: str = ""


def check_audio(path: str | Path) -> Audio:
    """Check that a file is there, readable, whole, not empty, finite, not silent and not too short."""
    return check_pieces(path, [(None, None)])[0]


def check_pieces(path: str | Path, pieces: Sequence[tuple[float | None, float | None]]) -> list[Audio]:
    """Check pieces of a recording, each as `check_audio` does. It is opened once, and its fingerprint is taken once.

    Parameters
    ----------
    path : of the recording
    pieces : begin and end of each in seconds; None for those of the recording
    """
    try:
        with bytes_of(path) as content:
            if heard := _heard_at_once(content, pieces):
                return [heard]
            found = _check_opened(path, pieces)
            fingerprint = "" if all(one.reason for one in found) else fingerprint_of(content)
        return [one if one.reason else replace(one, fingerprint=fingerprint) for one in found]
    except NoRecording as error:
        return [Audio(reason=BEGINNINGS[error.kind] + error.reason)] * len(pieces)
    except (OSError, ValueError) as error:
        return [Audio(reason=f"{BEGINNINGS[UNREADABLE]}{error}".replace(str(path), Path(path).name))] * len(pieces)


def check_below(data_folder: str | Path, pieces: Sequence[Piece | str]) -> list[Audio]:
    """Check pieces of recordings below a data folder. The answer for a usable one is kept until the file changes.

    Parameters
    ----------
    data_folder : of the corpus
    pieces : (path below the folder, begin, end in seconds) of each, or the path alone for the whole recording; any number of one recording,
        which is opened and fingerprinted once

    Returns
    -------
    list of Audio
        in the order of `pieces`; the duration is that of the piece
    """
    pieces = [(piece, None, None) if isinstance(piece, str) else tuple(piece) for piece in pieces]
    cache = AudioCache(data_folder, pieces, _rules())
    unknown = dict.fromkeys(wav for (wav, *_), known in zip(pieces, cache.known, strict=True) if known is None)
    asked: dict[str, dict[tuple, None]] = {wav: {} for wav in unknown}
    for (wav, *times), known in zip(pieces, cache.known, strict=True):
        if known is None:
            asked[wav][tuple(times)] = None
    answers = check_all([(f"{data_folder}/{wav}", list(times)) for wav, times in asked.items()])
    new = {
        (wav, *piece): one
        for (wav, times), found in zip(asked.items(), answers, strict=True)
        for piece, one in zip(times, found, strict=True)
    }
    found = [new[piece] if known is None else Audio(*known) for piece, known in zip(pieces, cache.known, strict=True)]
    cache.keep([None if one.reason else _kept(one) for one in found])
    return found


def _kept(one: Audio) -> list:
    return [one.duration, one.sample_rate, one.channels, one.reason, one.fingerprint, one.remark]


def check_all(asked: Sequence[tuple[str, Sequence[tuple[float | None, float | None]]]]) -> list[list[Audio]]:
    """Check pieces of many recordings, as `check_pieces` does, with a progress bar where a person can see it."""
    tasks = [asked[start : start + FILES_A_TASK] for start in range(0, len(asked), FILES_A_TASK)]
    results: list[list[Audio]] = []
    with tqdm(total=len(asked), desc="checking audio", unit="file", disable=None) as bar:
        for checked in _in_workers_where_worth_it(tasks):
            results += checked
            bar.update(len(checked))
    return results


def _rules() -> str:
    """Return what an answer depends on besides the file: if the code of a check changes, everything is checked again."""
    rooms = sorted(name for name in sys.modules if name.startswith(f"{audio_room.__name__}."))
    code = [inspect.getsource(sys.modules[name]) for name in (__name__, *rooms)]
    return sha256("".join([soundfile.__libsndfile_version__, *code]).encode()).hexdigest()


def _in_workers_where_worth_it(tasks: Sequence[Sequence]) -> Iterator[list[list[Audio]]]:
    """Yield the results of the tasks, in order. The first task is done here, to see whether the others are worth workers."""
    begun = time.perf_counter()
    yield from map(_check_each, tasks[:1])
    seconds_left = (time.perf_counter() - begun) * (len(tasks) - 1)
    workers = WORKERS if seconds_left > WORTH_WORKERS else 1
    yield from Parallel(workers, return_as="generator", idle_worker_timeout=IDLE, initializer=leave_with_the_starter)(
        delayed(_check_each)(task) for task in tasks[1:]
    )


def _check_each(task: Sequence[tuple[str, Sequence]]) -> list[list[Audio]]:
    return [check_pieces(path, pieces) for path, pieces in task]


def fingerprint_of(content: Content) -> str:
    """Return the SHA-256 of the bytes of a recording."""
    return sha256(content).hexdigest()


def _heard_at_once(content: Content, pieces: Sequence[tuple[float | None, float | None]]) -> Audio | None:
    """Return the answer for a plain wav that begins with a sound, without a decoder: it takes longer than all else. None for others."""
    plain = plain_wav(content) if list(pieces) == [(None, None)] else None
    if plain is None or plain.frames < round(SHORTEST * plain.sample_rate) or not LOWEST_RATE <= plain.sample_rate <= HIGHEST_RATE:
        return None
    if why_not_resampled(plain.sample_rate, MODEL_RATE) or not has_sound(plain.first(block_size(plain.sample_rate)), plain.sample_rate):
        return None
    return Audio(plain.frames / plain.sample_rate, plain.sample_rate, plain.channels, fingerprint=fingerprint_of(content))


def _check_opened(path: str | Path, pieces: Sequence[tuple[float | None, float | None]]) -> list[Audio]:
    with opened(path) as recording:
        return [_check_piece(recording, start, end) for start, end in pieces]


def _check_piece(recording: Recording, start: float | None, end: float | None) -> Audio:
    try:
        first, last = recording.frames_of(start, end)
        reason = _what_is_wrong(recording, first, last)
    except NoRecording as error:
        first, last, reason = 0, 0, error.reason
    seconds = (last - first) / recording.sample_rate
    return Audio(seconds, recording.sample_rate, recording.channels, reason, remark="; ".join(recording.remarks))


def _what_is_wrong(recording: Recording, first: int, last: int) -> str:
    """Return what is wrong with the samples of a piece, "" for nothing. They are read only as far as is needed to know.

    Integer samples of a wav cannot be NaN, and the bytes tell how many there are: there the first sound is enough. Any other file is read
    to its end. What is heard is never silent where a channel has a sound (`mlee_sb.audio.channels.mix_of`).
    """
    if first == last:
        return "zero samples"
    if wrong := why_not_resampled(recording.sample_rate, MODEL_RATE):
        return wrong
    if last - first < round(SHORTEST * recording.sample_rate):
        return f"shorter than {SHORTEST * 1000:.0f} ms: {last - first} samples at {recording.sample_rate} Hz"
    heard = False
    for block in recording.blocks(first, last, block_size(recording.sample_rate)):  # [frames, channels]
        heard = heard or has_sound(block, recording.sample_rate)
        if heard and recording.is_plain:
            return ""
    return "" if heard else "silence only"
