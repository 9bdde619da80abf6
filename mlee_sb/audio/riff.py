"""Where the samples of a wav lie: RIFF, and RF64 for files of more than 4 GB."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from mlee_sb.audio.layout import AS_IT_IS, TOLERANCE, Content, Layout, missing_seconds

CHUNK = struct.Struct("<4sI")
FIRST = 12  # bytes before the first chunk: RIFF, size, WAVE
STREAMED = 0x7FFFF000
"""Sizes from this are written by programs that stream a wav and cannot go back to fill in its size: sox writes this one, others 0x7fffffff,
0x80000000 or 0xffffffff. 0 is written, too."""

PADDING = 4096  # bytes of zeros after the last chunk that are no samples: some programs write whole blocks of a disk
COMPRESSED = {2, 0x11, 0x31, 0x55}  # codes of kinds of samples (ADPCM, GSM, MP3) with a length that is not told by bytes alone


@dataclass(frozen=True)
class _Wav:
    """What the header says: bytes a second and of a frame, code of the kind of samples, their place and bytes, place of 64-bit sizes."""

    byte_rate: int
    align: int
    kind: int
    data: int
    promised: int
    ds64: int | None


def riff_layout(content: Content) -> Layout:
    """Return how a wav is to be read: with the samples that it has, whatever its header says about their number."""
    found = _header(content)
    if found is None or not (found.byte_rate and found.align):
        return AS_IT_IS
    present = len(content) - found.data
    if found.promised == present:
        return AS_IT_IS
    if _is_streamed(content, found):
        return _with(content, found, present, "the header does not tell the number of samples, as in a stream: all are used")
    if found.promised > present:
        cut = missing_seconds((found.promised - present) / found.byte_rate, f"{found.promised} bytes of samples", present)
        return Layout(cut=cut) if cut else _with(content, found, present, "")
    return _with_what_follows(content, found)


def _is_streamed(content: Content, found: _Wav) -> bool:
    if found.promised == 0:
        return len(content) > found.data and not _is_chunks(content, found.data)
    return found.promised >= STREAMED and found.promised > len(content) - found.data and found.ds64 is None


def _with_what_follows(content: Content, found: _Wav) -> Layout:
    end = found.data + found.promised
    if any(_is_chunks(content, end + pad) for pad in (found.promised % 2, 0)):
        return AS_IT_IS
    joined = end + found.promised % 2
    if content[joined : joined + 4] in (b"RIFF", b"RF64"):
        return _joined(content, found, joined)
    rest = len(content) - end
    if rest / found.byte_rate <= TOLERANCE or (rest < PADDING and not any(content[end:])):
        return AS_IT_IS
    promised, more = found.promised / found.byte_rate, rest / found.byte_rate
    told = f"the header promises {promised:.3f} s, and samples go on for {more:.3f} s: all are used"
    return _with(content, found, found.promised + rest, told)


def _joined(content: Content, found: _Wav, second: int) -> Layout:
    """Return the layout of several wavs that were written one after the other into one file."""
    rest = content[second:]
    layout = riff_layout(rest)
    links = layout.links or (((0, len(rest)),),)
    moved = tuple(tuple(part if isinstance(part, bytes) else (part[0] + second, part[1]) for part in link) for link in links)
    return Layout((((0, second),), *moved), "several recordings joined in one file: all are read", layout.cut)


def _with(content: Content, found: _Wav, size: int, remark: str) -> Layout:
    """Return the layout with another number of bytes of samples in the header."""
    size -= size % found.align if found.kind not in COMPRESSED else 0
    samples = (found.data, size)
    if found.ds64 is not None or size > STREAMED:
        return Layout(((content[: found.data], samples),), remark)
    head = bytearray(content[: found.data])
    struct.pack_into("<I", head, 4, len(head) - 8 + size)
    struct.pack_into("<I", head, len(head) - 4, size)
    return Layout(((bytes(head), samples),), remark)


def _header(content: Content) -> _Wav | None:
    """Return what the header says up to the samples; None where there are no samples, or what it says cannot be."""
    ds64, byte_rate, align, kind = None, 0, 0, 0
    sizes = 0
    for name, size, at in _chunks(content, FIRST):
        if name == b"ds64" and size >= 24:
            ds64, sizes = at, struct.unpack_from("<Q", content, at + 8)[0]
        elif name == b"fmt " and size >= 16 and at + 16 <= len(content):
            kind, _, _, byte_rate, align, _ = struct.unpack_from("<HHIIHH", content, at)
        elif name == b"data":
            return _Wav(byte_rate, align, kind, at, sizes if ds64 is not None and size == 0xFFFFFFFF else size, ds64)
    return None


def _chunks(content: Content, at: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name, size and place of the content of each chunk."""
    while at + CHUNK.size <= len(content):
        name, size = CHUNK.unpack_from(content, at)
        yield name, size, at + CHUNK.size
        at += CHUNK.size + size + size % 2  # chunks are padded to an even size


def _is_chunks(content: Content, at: int) -> bool:
    """Return whether the rest of the bytes is chunks to the end, and no samples; so is no rest."""
    if content[at : at + 4] in (b"RIFF", b"RF64"):
        return False  # another recording
    for name, size, begin in _chunks(content, at):
        if not all(32 <= byte < 127 for byte in name) or begin + size > len(content) + 1:
            return False
        at = begin + size + size % 2
    return len(content) - at < CHUNK.size or content[at : at + 3] == b"TAG"
