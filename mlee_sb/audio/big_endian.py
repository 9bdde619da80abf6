"""Where the samples of AIFF, AU and CAF (of Apple, Sun and NeXT, with the large part of a number first) and of NIST SPHERE lie."""

import struct
from functools import partial

from mlee_sb.audio.layout import Content
from mlee_sb.audio.sized import Samples

NOT_TOLD = 0x7F000000  # sizes from this are those of a stream, in 32 bits
AIFF_BYTES = {
    b"NONE": 0,
    b"twos": 0,
    b"sowt": 0,
    b"fl32": 4,
    b"FL32": 4,
    b"fl64": 8,
    b"FL64": 8,
    b"alaw": 1,
    b"ulaw": 1,
    b"ALAW": 1,
    b"ULAW": 1,
}
"""Bytes of a sample by the name of its kind; 0: as its bits say."""

SPHERE = 1024  # bytes of the header of a NIST SPHERE file
AU_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}  # bytes of a sample by its code


def aiff_samples(content: Content) -> Samples | None:
    """Return what the header of an AIFF or AIFF-C says of the samples. It tells its length twice: in bytes, and in frames."""
    at, common = 12, None
    while at + 8 <= len(content):
        name, size = struct.unpack_from(">4sI", content, at)
        begin = at + 8
        if name == b"COMM" and begin + 18 <= len(content):
            common = begin
        elif name == b"SSND" and common is not None:
            return _of_aiff(content, common, begin + 8, size - 8)
        at = begin + size + size % 2
    return None


def _of_aiff(content: Content, common: int, data: int, size: int) -> Samples | None:
    channels, frames, bits, exponent, mantissa = struct.unpack_from(">HIHHQ", content, common)
    rate = mantissa * 2.0 ** (exponent - 16383 - 63)
    kind = bytes(content[common + 18 : common + 22]) if content[8:12] == b"AIFC" else b"NONE"
    if kind not in AIFF_BYTES or not channels or not 0 < rate < 1e7 or content[data - 8 : data] != bytes(8):
        return None
    align = channels * (AIFF_BYTES[kind] or -(-bits // 8)) or 1
    promised = None if size >= NOT_TOLD or (size <= 0 and len(content) > data) else size
    is_equal = promised is not None and promised <= len(content) - data
    if is_equal and frames < promised // align and (promised // align - frames) / rate > 0.001:
        promised = frames * align  # the number of frames was not filled in, or is too small: what follows is looked at

    def head(n: int) -> bytes:
        changed = bytearray(content[:data])
        struct.pack_into(">I", changed, 4, data - 8 + n)
        struct.pack_into(">I", changed, common + 2, n // align)
        struct.pack_into(">I", changed, data - 12, n + 8)
        return bytes(changed)

    return Samples(data, promised, align * rate, align, head, partial(_is_chunks, content))


def _is_chunks(content: Content, end: int) -> bool:
    at = end + end % 2
    while at + 8 <= len(content):
        name, size = struct.unpack_from(">4sI", content, at)
        if not all(32 <= byte < 127 for byte in name) or at + 8 + size > len(content) + 1:
            return False
        at += 8 + size + size % 2
    return True


def au_samples(content: Content) -> Samples | None:
    """Return what the header of an AU file (also .snd) says of the samples."""
    if len(content) < 24:
        return None
    data, size, kind, rate, channels = struct.unpack_from(">5I", content, 4)
    align = AU_BYTES.get(kind, 0) * channels
    if not align or not rate or not 24 <= data <= len(content):
        return None
    told = size < NOT_TOLD and (size > 0 or len(content) == data)

    def head(n: int) -> bytes:
        return bytes(content[:8]) + struct.pack(">I", n) + bytes(content[12:data])

    return Samples(data, size if told else None, align * rate, align, head)


def caf_samples(content: Content) -> Samples | None:
    """Return what the header of a CAF says of the samples. It may say -1 for the bytes of samples, which then go to the end of the file."""
    at, align, byte_rate = 8, 0, 0.0
    while at + 12 <= len(content):
        name, size = struct.unpack_from(">4sq", content, at)
        begin = at + 12
        if name == b"desc" and begin + 32 <= len(content):
            rate, _, _, align, frames, _, _ = struct.unpack_from(">d4sIIIII", content, begin)
            byte_rate = rate * align / frames if frames else 0.0
        elif name == b"data" and align and byte_rate > 0:
            data = begin + 4  # after the number of edits

            def head(n: int, data: int = data) -> bytes:
                return bytes(content[: data - 12]) + struct.pack(">q", n + 4) + bytes(content[data - 4 : data])

            promised = size - 4 if size > 4 or (size == 4 and len(content) == data) else None
            return Samples(data, promised, byte_rate, align, head, partial(_is_caf_chunks, content))
        if size < 0:
            return None
        at = begin + size
    return None


def _is_caf_chunks(content: Content, at: int) -> bool:
    while at + 12 <= len(content):
        name, size = struct.unpack_from(">4sq", content, at)
        if not all(32 <= byte < 127 for byte in name) or size < 0 or at + 12 + size > len(content):
            return False
        at += 12 + size
    return True


def nist_samples(content: Content) -> Samples | None:
    """Return what the header of a NIST SPHERE file (.sph) says of the samples: lines of text."""
    words = [line.split() for line in bytes(content[:SPHERE]).decode("latin-1").splitlines()]
    told = {line[0]: line[2] for line in words if len(line) == 3}
    try:
        head = int(words[1][0])
        frames, rate = (int(told[name]) for name in ("sample_count", "sample_rate"))
        align = int(told["sample_n_bytes"]) * int(told.get("channel_count", 1))
    except (KeyError, ValueError, IndexError):
        return None
    if not align or not rate or head > len(content) or told.get("sample_coding", "pcm") not in ("pcm", "ulaw", "alaw", "mu-law"):
        return None
    return Samples(head, frames * align, align * rate, align, lambda n: bytes(content[:head]))  # libsndfile reads to the end all the same
