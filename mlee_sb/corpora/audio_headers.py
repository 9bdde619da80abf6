"""Check whether a recording can be used, without decoding more of it than the answer needs, and take its fingerprint."""

import inspect
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import soundfile
from joblib import Parallel, delayed
from tqdm import tqdm

from mlee_sb.corpora.audio_cache import AudioCache
from mlee_sb.files import sha256_of
from mlee_sb.wav_faults import why_cut_off, why_no_sound
from mlee_sb.workers import leave_with_the_starter

SHORTEST = 0.040
"""Seconds of the shortest recording: the window of the model's spectrogram."""

SILENCE = 1e-4
"""A recording is silent if its largest minus its smallest sample is not above this (full scale is 2): -80 dB, one bit of dither in 16."""

BLOCK = 2048
"""Frames read at a time: few, and still enough to hear in most recordings that they are not silent."""


FILES_A_TASK = 256  # a task for every file would cost more than the check of a file
WORKERS = 2  # processes: threads would fight for the interpreter, and take longer than one alone
WORTH_WORKERS = 1.5  # seconds of work; to start workers takes half a second, so less is done sooner without
IDLE = 10  # seconds that workers wait for more to do before they end


@dataclass(frozen=True)
class Audio:
    """A recording: seconds, Hz, channels. `reason` says why it cannot be used; it is "" if it can.

    `fingerprint` is the SHA-256 of the whole file, "" if it cannot be used. It tells another recording under the same name.
    """

    duration: float = 0.0
    sample_rate: int = 0
    channels: int = 0
    reason: str = ""
    fingerprint: str = field(default="", compare=False)


def check_audio(path: str | Path) -> Audio:
    """Check that a file is there, readable, whole, not empty, finite, not silent and not too short."""
    try:
        if cut_off := why_cut_off(path):
            return Audio(reason=cut_off)
        with soundfile.SoundFile(path) as file:
            reason = _what_is_wrong(file)
            found = file.frames / file.samplerate, file.samplerate, file.channels, reason
        return Audio(*found, fingerprint="" if reason else sha256_of(path))
    except FileNotFoundError:
        return Audio(reason="annotation without a wav: no such file")
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        return Audio(reason=f"unreadable: {error}".replace(str(path), Path(path).name))


def check_below(data_folder: str | Path, pieces: Sequence[tuple[str, float | None, float | None]]) -> list[Audio]:
    """Check pieces."""
    wavs = list(dict.fromkeys(wav for wav, *_ in pieces))
    found = dict(zip(wavs, _check_below(data_folder, wavs), strict=True))
    checked = []
    for wav, start, end in pieces:
        one = found[wav]
        if (start, end) != (None, None) and not one.reason:
            one = replace(one, duration=(one.duration if end is None else end) - (start or 0))
        checked.append(one)
    return checked


def _check_below(data_folder: str | Path, wavs: Sequence[str]) -> list[Audio]:
    """Check files below a data folder as `check_all` does. The answer for a usable file is kept until the file changes."""
    cache = AudioCache(data_folder, wavs, _rules())
    checked = iter(check_all([f"{data_folder}/{wav}" for wav, known in zip(wavs, cache.known, strict=True) if known is None]))
    found = [next(checked) if known is None else Audio(*known) for known in cache.known]
    cache.keep([None if one.reason else [one.duration, one.sample_rate, one.channels, "", one.fingerprint] for one in found])
    return found


def check_all(paths: Sequence[str | Path]) -> list[Audio]:
    """Check many files, in the order of `paths`, with a progress bar where a person can see it."""
    tasks = [paths[start : start + FILES_A_TASK] for start in range(0, len(paths), FILES_A_TASK)]
    results: list[Audio] = []
    with tqdm(total=len(paths), desc="checking audio", unit="file", disable=None) as bar:
        for checked in _in_workers_where_worth_it(tasks):
            results += checked
            bar.update(len(checked))
    return results


def _rules() -> str:
    """Return what an answer depends on besides the file: if the code of a check changes, everything is checked again."""
    code = [inspect.getsource(sys.modules[name]) for name in (__name__, why_cut_off.__module__)]
    return sha256("".join([soundfile.__libsndfile_version__, *code]).encode()).hexdigest()


def _in_workers_where_worth_it(tasks: Sequence[Sequence[str | Path]]) -> Iterator[list[Audio]]:
    """Yield the results of the tasks, in order. The first task is done here, to see whether the others are worth workers."""
    begun = time.perf_counter()
    yield from map(_check_each, tasks[:1])
    seconds_left = (time.perf_counter() - begun) * (len(tasks) - 1)
    workers = WORKERS if seconds_left > WORTH_WORKERS else 1
    yield from Parallel(workers, return_as="generator", idle_worker_timeout=IDLE, initializer=leave_with_the_starter)(
        delayed(_check_each)(task) for task in tasks[1:]
    )


def _check_each(paths: Sequence[str | Path]) -> list[Audio]:
    return [check_audio(path) for path in paths]


def _what_is_wrong(file: soundfile.SoundFile) -> str:
    """Return what is wrong with the samples of `file`, "" for nothing. It is read only as far as is needed to know.

    Integer samples of a wav cannot be NaN, and its header tells the size of its data: there the first sound is enough. Any other file
    is read to its end.
    """
    if file.frames == 0:
        return "zero samples"
    if file.frames < round(SHORTEST * file.samplerate):
        return f"shorter than {SHORTEST * 1000:.0f} ms: {file.frames} samples at {file.samplerate} Hz"
    first_sound_is_enough = file.format in ("WAV", "WAVEX") and file.subtype.startswith(("PCM", "ULAW", "ALAW"))
    low, high, frames = np.inf, -np.inf, 0
    while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):  # [frames, channels]
        frames += len(block)
        if wrong := _why_no_sound(block):
            return wrong
        mono = block.mean(axis=1) if file.channels > 1 else block
        low, high = min(low, mono.min()), max(high, mono.max())
        if first_sound_is_enough and high - low > SILENCE:
            return ""
    if frames < file.frames:
        return f"truncated: the header promises {file.frames} frames, the file has {frames}"
    return "" if high - low > SILENCE else "silence only"


def _why_no_sound(block: np.ndarray) -> str:
    """Return what `mlee_sb.wav_faults.why_no_sound` says of all channels of a block [frames, channels]."""
    return why_no_sound(float(np.abs(block).max()))
