"""Where the samples of a wav lie: RIFF; RF64 and Wave64, for files of more than 4 GB."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from mlee_sb.audio.layout import Content
from mlee_sb.audio.sized import Samples

CHUNK = struct.Struct("<4sI")
PLAIN = struct.Struct("<4sIHHIIHH")  # the chunk that tells the kind of samples
FIRST = 12  # bytes before the first chunk: RIFF, size, WAVE
IN_DS64 = 0xFFFFFFFF  # a size that stands in 64 bits elsewhere
NOT_TOLD = 0x7FFFF000
"""Sizes from this are written by programs that stream a wav and cannot go back to fill in its size: sox writes this one, others 0x7fffffff,
0x80000000 or 0xffffffff. 0 is written, too."""

MOST = 1 << 62  # bytes; a larger size says that nobody knew it
MP3_KIND = b"\x55\x00"  # the kind of samples of an mp3 in a wav, of which libsndfile estimates the length
WAVE64 = 24  # bytes of a name (16) and a size that counts them, too


def riff_samples(content: Content) -> Samples | None:
    """Return what the header of a wav says of the samples; None where there are none, or where it makes no sense."""
    ds64, byte_rate, align = None, 0, 0
    for name, size, at in _chunks(content, FIRST):
        if name == b"ds64" and size >= 24:
            ds64 = at
        elif name == b"fmt " and size >= 16 and at + 16 <= len(content):
            _, _, _, byte_rate, align, _ = struct.unpack_from("<HHIIHH", content, at)
        elif name == b"data" and byte_rate and align:
            promised = _promised(content, size, at, ds64)
            return Samples(at, promised, byte_rate, align, partial(_head, content, at, ds64), partial(_is_more, content))
    return None


def mp3_in_wav(content: Content) -> tuple[int, int] | None:
    """Return the place and the bytes of an mp3 that has the head of a wav; None for all others."""
    is_mp3 = False
    for name, size, at in _chunks(content, FIRST):
        if name == b"fmt ":
            is_mp3 = content[at : at + 2] == MP3_KIND
        elif name == b"data":
            return (at, min(size or len(content), len(content) - at)) if is_mp3 else None
    return None


@dataclass(frozen=True)
class PlainWav:
    """A wav of 16-bit integers whose header is right: Hz, channels, frames, and its bytes from the first sample."""

    sample_rate: int
    channels: int
    frames: int
    content: Content
    at: int

    def first(self, frames: int) -> np.ndarray:
        """Return the first samples [frames, channels], full scale is 1."""
        part = self.content[self.at : self.at + 2 * self.channels * frames]
        return np.frombuffer(part, "<i2").reshape(-1, self.channels) / np.float32(2**15)


def plain_wav(content: Content) -> PlainWav | None:
    """Return what a plain wav tells, the most frequent recording of a corpus, where its header is right; None for all others."""
    if content[:4] != b"RIFF" or content[12:16] != b"fmt " or len(content) < PLAIN.size + FIRST:
        return None
    _, size, kind, channels, rate, byte_rate, align, bits = PLAIN.unpack_from(content, FIRST)
    samples = riff_samples(content)
    if (size, kind, bits, align, byte_rate) != (16, 1, 16, 2 * channels, 2 * channels * rate) or not channels or samples is None:
        return None
    frames, rest = divmod(len(content) - samples.at, align)
    return PlainWav(rate, channels, frames, content, samples.at) if samples.promised == frames * align and not rest else None


def _promised(content: Content, size: int, at: int, ds64: int | None) -> int | None:
    """Return the bytes of samples; None where the header does not tell."""
    present = len(content) - at
    if ds64 is not None and size == IN_DS64:
        size = struct.unpack_from("<Q", content, ds64 + 8)[0]
        return size if 0 < size < MOST else None
    if size == 0:
        return 0 if _is_chunks(content, at) else None
    return size if size < NOT_TOLD or size <= present else None


def _is_more(content: Content, end: int) -> bool:
    return _is_chunks(content, end + end % 2) or _is_chunks(content, end)


def _head(content: Content, data: int, ds64: int | None, size: int) -> bytes:
    head = bytearray(content[:data])
    if ds64 is not None:
        struct.pack_into("<QQ", head, ds64, data - 8 + size, size)
    elif size < NOT_TOLD:
        struct.pack_into("<I", head, 4, data - 8 + size)
        struct.pack_into("<I", head, data - 4, size)
    return bytes(head)


def _chunks(content: Content, at: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name, size and place of the content of each chunk."""
    while at + CHUNK.size <= len(content):
        name, size = CHUNK.unpack_from(content, at)
        yield name, size, at + CHUNK.size
        at += CHUNK.size + size + size % 2  # chunks are padded to an even size


def _is_chunks(content: Content, at: int) -> bool:
    """Return whether the rest of the bytes is chunks to the end, and no samples; so is no rest."""
    for name, size, begin in _chunks(content, at):
        if not all(32 <= byte < 127 for byte in name) or begin + size > len(content) + 1:
            return False
        at = begin + size + size % 2
    return len(content) - at < CHUNK.size or content[at : at + 3] == b"TAG"


def wave64_samples(content: Content) -> Samples | None:
    """Return what the header of a Wave64 says of the samples; its chunks are padded to eight bytes."""
    at, byte_rate, align = 40, 0, 0
    while at + WAVE64 <= len(content):
        name, size = content[at : at + 4], struct.unpack_from("<Q", content, at + 16)[0]
        begin = at + WAVE64
        if name == b"fmt " and begin + 16 <= len(content):
            _, _, _, byte_rate, align, _ = struct.unpack_from("<HHIIHH", content, begin)
        elif name == b"data" and byte_rate and align:
            promised = size - WAVE64 if WAVE64 < size < MOST else None
            return Samples(begin, promised, byte_rate, align, partial(_wave64_head, content, begin), partial(_is_wave64_chunk, content))
        at += max(size + -size % 8, WAVE64)
    return None


def _is_wave64_chunk(content: Content, end: int) -> bool:
    at = end + -end % 8
    return at + WAVE64 <= len(content) and at + struct.unpack_from("<Q", content, at + 16)[0] <= len(content) + 8


def _wave64_head(content: Content, data: int, size: int) -> bytes:
    head = bytearray(content[:data])
    struct.pack_into("<Q", head, 16, data + size)
    struct.pack_into("<Q", head, data - 8, size + WAVE64)
    return bytes(head)
