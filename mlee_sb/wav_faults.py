"""Faults of recordings that libsndfile does not report: a wav that was cut off, and samples that cannot be sound."""

import math
import os
import struct
from pathlib import Path

CHUNK_HEADER = struct.Struct("<4sI")
UNKNOWN_SIZE = 0xFFFFFFFF  # written by programs that stream a wav and cannot go back to fill in its size
LOUDEST = 64.0
"""Largest sample of a recording; full scale is 1. Floats may overshoot: resampling by a little, a mix of many by a factor of a few, a
field recorder of 32-bit floats by about 30 dB. This limit is 36 dB. Integers that were cast to floats are above it in all but very
quiet recordings: for 16-bit integers, a peak of 64 is -54 dB."""

LARGEST_INTEGER = 2.0**31  # the largest integer that people cast to floats


def why_no_sound(peak: float) -> str:
    """Say what is wrong with samples that no recording has, and what to do about it; "" if nothing is wrong.

    Parameters
    ----------
    peak : the largest magnitude of a sample; NaN where one of them is NaN

    >>> why_no_sound(1.5)
    ''
    >>> why_no_sound(float("nan"))
    'samples that are not finite (NaN or infinity): write it again without them'
    >>> why_no_sound(32767.0)
    'samples beyond full scale: up to 32767, and 64 is the most; integers that were cast to floats? divide 16-bit ones by 32768'
    """
    if not math.isfinite(peak):
        return "samples that are not finite (NaN or infinity): write it again without them"
    if peak <= LOUDEST:
        return ""
    may_be_cast = peak <= LARGEST_INTEGER
    remedy = "integers that were cast to floats? divide 16-bit ones by 32768" if may_be_cast else "full scale is 1: write it again"
    return f"samples beyond full scale: up to {peak:.6g}, and {LOUDEST:g} is the most; {remedy}"


def why_cut_off(path: str | Path) -> str:
    """Say that a RIFF wav has fewer samples than its header promises; "" for all other files."""
    promised, present = _data_bytes(path)
    return f"truncated: the header promises {promised} bytes of samples, the file has {present}" if promised > present else ""


def _data_bytes(path: str | Path) -> tuple[int, int]:
    """Return the bytes of samples that a RIFF wav promises and has; (0, 0) for other formats, or if the header does not say it."""
    with open(path, "rb") as file:
        riff, _ = CHUNK_HEADER.unpack(file.read(CHUNK_HEADER.size).ljust(CHUNK_HEADER.size, b"\0"))
        if riff != b"RIFF" or file.read(4) != b"WAVE":
            return 0, 0
        while len(header := file.read(CHUNK_HEADER.size)) == CHUNK_HEADER.size:
            chunk, size = CHUNK_HEADER.unpack(header)
            if chunk == b"data":
                present = os.fstat(file.fileno()).st_size - file.tell()
                return (0, 0) if size == UNKNOWN_SIZE else (size, present)
            file.seek(size + size % 2, os.SEEK_CUR)  # chunks are padded to an even size
    return 0, 0
