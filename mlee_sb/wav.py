"""A wav that was cut off: libsndfile reads one without a word, up to where it ends."""

import os
import struct
from pathlib import Path

CHUNK_HEADER = struct.Struct("<4sI")
UNKNOWN_SIZE = 0xFFFFFFFF  # written by programs that stream a wav and cannot go back to fill in its size


def why_cut_off(path: str | Path) -> str:
    """Says so of a RIFF wav with fewer samples than its header promises; "" for all others."""
    promised, present = _data_bytes(path)
    return f"truncated: the header promises {promised} bytes of samples, the file has {present}" if promised > present else ""


def _data_bytes(path: str | Path) -> tuple[int, int]:
    """Bytes of samples that a RIFF wav promises and has; (0, 0) for other formats and where the header does not say."""
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
