"""How many samples a FLAC has: its header may not tell it, or recordings may follow one another in one file."""

from functools import cache

from mlee_sb.audio.layout import AS_IT_IS, JOINED, TOLERANCE, Content, Layout, Part
from mlee_sb.audio.sized import STREAMED

MARK = b"fLaC"
INFO = 34  # bytes of the first block, which tells rate, channels and the number of samples
STARTS = (MARK + b"\x00\x00\x00\x22", MARK + b"\x80\x00\x00\x22")  # of a recording
TOTAL = 21  # place of the byte with the first 4 of the 36 bits of the number of samples
SEARCHED = 1 << 18  # bytes at the end that are searched for the last frame
BLOCKS = {1: 192, **{code: 576 << (code - 2) for code in range(2, 6)}, **{code: 256 << (code - 8) for code in range(8, 16)}}
CRC_8, CRC_16 = 0x107, 0x18005  # polynomials
TAG = 128  # bytes of an ID3 tag at the end


def flac_layout(content: Content, begin: int) -> Layout:
    """Return how a FLAC is to be read: with all samples of all recordings in it.

    Parameters
    ----------
    begin : the place after a tag (ID3) at the begin of the file
    """
    starts = _starts(content, begin)
    if not starts:
        return AS_IT_IS
    links, remarks = [], []
    for start, end in zip(starts, [*starts[1:], len(content)], strict=True):
        parts, remark, cut = _of_recording(content, start, end)
        if cut:
            return Layout(cut=f"truncated: {cut}: copy it again")
        links.append(parts)
        remarks += [remark] if remark and remark not in remarks else []
    if len(starts) > 1:
        remarks.append(JOINED)
    return Layout(tuple(links), "; ".join(remarks)) if remarks else AS_IT_IS


def _starts(content: Content, begin: int) -> list[int]:
    found = []
    for start in STARTS:
        at = begin - 1
        while (at := content.find(start, at + 1)) >= 0:
            found.append(at)
    return sorted(found)


def _of_recording(content: Content, start: int, end: int) -> tuple[tuple[Part, ...], str, str]:
    """Return the parts of one recording, what to tell of it, and what is missing."""
    rate = int.from_bytes(content[start + 18 : start + 21], "big") >> 4
    promised = int.from_bytes(content[start + TOTAL : start + TOTAL + 5], "big") & (1 << 36) - 1
    unchanged = ((start, end - start),)
    if content[end - TAG : end - TAG + 3] == b"TAG":
        end -= TAG
    present, is_whole = _last_sample(content, start, end, promised)
    if promised == 0 and not is_whole:
        return (), "", "it ends in the middle of a frame"
    if present == promised or not is_whole or not rate:
        return unchanged, "", ""  # where the last frame is not found, reading it to its end shows whether it is whole
    if promised and present < promised and (promised - present) / rate > TOLERANCE:
        return (), "", f"its header promises {promised} samples, and the file has {present}"
    head = bytearray(content[start : start + TOTAL + 5])
    head[TOTAL] = head[TOTAL] & 0xF0 | present >> 32
    head[TOTAL + 1 :] = (present & 0xFFFFFFFF).to_bytes(4, "big")
    told = STREAMED if not promised else f"its header promises {promised / rate:.3f} s, and it has {present / rate:.3f} s: all are used"
    return (bytes(head), (start + len(head), end - start - len(head))), told, ""


def _last_sample(content: Content, start: int, end: int, promised: int) -> tuple[int, bool]:
    """Return the number of samples before the end of the last frame, and whether that frame is whole."""
    fixed = int.from_bytes(content[start + 10 : start + 12], "big")  # samples of a block, the largest
    tail = bytes(content[max(start + len(MARK) + 4 + INFO, end - SEARCHED) : end])
    at = len(tail)
    while (at := tail.rfind(b"\xff", 0, at)) >= 0:
        samples = _end_of_frame(tail[at : at + 16], fixed)
        if samples and (samples == promised or _crc(tail[at:], CRC_16, 16) == 0):
            return samples, True
    return 0, False


def _end_of_frame(head: bytes, fixed: int) -> int:
    """Return the number of samples before the end of a frame, from its header; 0 if these bytes are no header."""
    if len(head) < 6 or head[1] & 0xFE != 0xF8 or head[3] & 1 or head[2] >> 4 == 0 or head[2] & 15 == 15:
        return 0
    ones = 8 - (head[4] ^ 0xFF).bit_length()  # the number is written as a character of UTF-8 is
    length = max(ones, 1)
    if ones in (1, 8) or len(head) < 4 + length + 5:
        return 0
    number = head[4] & (0x7F >> ones)
    for byte in head[5 : 4 + length]:
        number = number << 6 | byte & 0x3F
    at, code = 4 + length, head[2] >> 4
    more = {6: 1, 7: 2}.get(code, 0)
    size = int.from_bytes(head[at : at + more], "big") + 1 if more else BLOCKS[code]
    at += more + {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    if _crc(head[: at + 1], CRC_8, 8):
        return 0
    return number + size if head[1] & 1 else number * fixed + size


@cache
def _table(polynomial: int, bits: int) -> list[int]:
    table = []
    for value in range(256):
        value <<= bits - 8
        for _ in range(8):
            value = value << 1 ^ (polynomial if value >> (bits - 1) & 1 else 0)
        table.append(value & (1 << bits) - 1)
    return table


def _crc(data: bytes, polynomial: int, bits: int) -> int:
    """Return the checksum; 0 for bytes that end with their own."""
    table, value, mask, shift = _table(polynomial, bits), 0, (1 << bits) - 1, bits - 8
    for byte in data:
        value = value << 8 & mask ^ table[value >> shift ^ byte]
    return value
