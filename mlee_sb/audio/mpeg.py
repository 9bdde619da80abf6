"""Where the frames of an mp3 (also mp2 and mp1) lie: libsndfile estimates their number, or believes what the file says of it."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from mlee_sb.audio.layout import AS_IT_IS, JOINED, Content, Layout, Part

HEADER = 4  # bytes
MOST_JUNK = 1 << 16  # bytes before the first frame, or between frames, that are searched for the next
RATES = (44100, 48000, 32000)  # Hz in MPEG 1; half in MPEG 2, a quarter in MPEG 2.5
KILOBITS = {  # a second, by (MPEG 1?, layer)
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
INFO = (b"Xing", b"Info")  # in a first frame that has no sound, and tells how many follow
HAS_FRAMES, HAS_BYTES = 1, 2  # flags in it
FIELDS = 16  # bytes of an `INFO` and of the numbers in it: its flags, the frames and the bytes
TAG = 128  # bytes of an old tag at the end
VBRI_AT = 36  # place of another mark in a frame, with the same meaning
LAME_DELAYS = 21  # bytes from the name of the encoder to the samples to leave out at the begin and at the end


@dataclass(frozen=True)
class Frame:
    """A frame: its place and bytes, samples, Hz, the place of an `INFO` in it, what it shares with its neighbours, its layer."""

    at: int
    size: int
    samples: int
    rate: int
    info: int
    kind: int
    layer: int


@dataclass
class Run:
    """Frames that belong together: the `INFO` frame before them, if there is one, their number and their parts of the file."""

    first: Frame
    told: int | None
    frames: int
    parts: list[Part]


def frame_at(content: Content, at: int) -> Frame | None:
    """Return the frame whose header stands at a place; None if none can, or if its size is not told (free format).

    >>> frame_at(bytes.fromhex("fffb9064"), 0).size
    417
    """
    if at + HEADER > len(content):
        return None
    word = int.from_bytes(content[at : at + HEADER], "big")
    version, layer, kilobits, rate = word >> 19 & 3, 4 - (word >> 17 & 3), word >> 12 & 15, word >> 10 & 3
    if word >> 21 != 0x7FF or version == 1 or layer == 4 or kilobits in (0, 15) or rate == 3:
        return None
    is_1 = version == 3
    hertz = RATES[rate] // {3: 1, 2: 2, 0: 4}[version]
    bits, padding = 1000 * KILOBITS[is_1, layer][kilobits], word >> 9 & 1
    samples = 384 if layer == 1 else 576 if layer == 3 and not is_1 else 1152
    size = 4 * (12 * bits // hertz + padding) if layer == 1 else samples // 8 * bits // hertz + padding
    mono = word >> 6 & 3 == 3
    side = (17 if mono else 32) if is_1 else (9 if mono else 17)
    return Frame(at, size, samples, hertz, at + HEADER + side, (word >> 17 & 15) << 4 | rate << 1 | mono, layer)


def mpeg_layout(content: Content, begin: int, least: int = 1) -> Layout:
    """Return how an mp3 is to be read: all frames that are there, by their own headers.

    Parameters
    ----------
    begin : the place after a tag (ID3) at the begin of the file
    least : frames, or it is no mp3
    """
    runs, cut = _runs(content, begin)
    if sum(run.frames for run in runs) < least:
        return AS_IT_IS
    is_plain = len(runs) == 1 and len(runs[0].parts) == 1 and runs[0].first.at == begin and len(content) - sum(runs[0].parts[0]) <= TAG
    if is_plain and runs[0].told == runs[0].frames and not cut:
        return AS_IT_IS
    remarks, links = [], []
    for run in runs:
        if run.told is not None and run.told > run.frames + 1:
            cut = cut or f"its header promises {run.told} frames, and the file has {run.frames}"
        if run.told is not None and run.told < run.frames - 1:
            promised, present = (n * run.first.samples / run.first.rate for n in (run.told, run.frames))
            remarks.append(f"its header promises {promised:.3f} s, and it has {present:.3f} s: all are used")
        is_mp3 = run.first.layer == 3  # for others there is no such frame, and their frames are of one size, from which the length is told
        links.append((_info_frame(content, run), *run.parts) if is_mp3 else tuple(run.parts))
    if len(runs) > 1:
        remarks.append(JOINED)
    if cut:
        return Layout(cut=f"truncated: {cut}: copy it again")
    return Layout(tuple(links), "; ".join(remarks))


def _runs(content: Content, begin: int) -> tuple[list[Run], str]:
    """Return the runs of frames, and what is missing of the last one; "" for nothing."""
    runs: list[Run] = []
    for frame, after_junk in _frames(content, begin):
        told = _told(content, frame)
        run = runs[-1] if runs else None
        if told is not None or run is None or frame.kind != run.first.kind:
            runs.append(Run(frame, told, 0 if told is not None else 1, [] if told is not None else [(frame.at, frame.size)]))
            continue
        run.frames += 1
        at, size = run.parts[-1] if run.parts else (0, -1)
        if at + size == frame.at and not after_junk:
            run.parts[-1] = (at, size + frame.size)
        else:
            run.parts.append((frame.at, frame.size))
    missing = 0
    if runs and runs[-1].parts:
        at, size = runs[-1].parts[-1]
        missing = max(0, at + size - len(content))
    runs = [run for run in runs if run.frames]
    return runs, f"{missing} bytes of the last frame are missing" if missing else ""


def _frames(content: Content, at: int) -> Iterator[tuple[Frame, bool]]:
    """Yield the frames, and whether other bytes stand before each. Tags and what is no frame are left out."""
    junk = False
    while at < len(content):
        frame = frame_at(content, at)
        if frame is None:
            at, junk = _next_frame(content, at), True
            continue
        yield frame, junk
        at, junk = at + frame.size, False


def _next_frame(content: Content, at: int) -> int:
    """Return the place of the next frame that is followed by another one of its kind, or by the end; the end where there is none."""
    place, end = at, min(len(content), at + MOST_JUNK)
    if (tag := _next_tag(content, at, end)) is not None:  # a picture in it may hold what looks like frames
        end = min(end, tag)
    while (place := content.find(b"\xff", place + 1, end)) >= 0:
        frame = frame_at(content, place)
        if frame is None:
            continue
        follower = frame_at(content, place + frame.size)
        if follower is not None and follower.kind == frame.kind:
            return place
    return len(content) if tag is None else after_tag(content, tag)


def _next_tag(content: Content, at: int, end: int) -> int | None:
    while (at := content.find(b"ID3", at, end)) >= 0:
        if max(content[at + 6 : at + 10], default=255) < 128 and content[at + 3] < 5:
            return at
        at += 1
    return None


def after_tag(content: Content, at: int) -> int:
    """Return the place after an ID3 tag, whose size is written in four numbers of seven bits; its own place where there is none."""
    if content[at : at + 3] != b"ID3" or at + 10 > len(content):
        return at
    a, b, c, d = content[at + 6 : at + 10]
    footer = 10 if content[at + 5] & 0x10 else 0
    return at + 10 + (a << 21 | b << 14 | c << 7 | d) + footer


def _info_frame(content: Content, run: Run) -> bytes:
    """Return a frame without sound that tells the number of frames of a run: that of the file, or a new one.

    What the encoder says of samples to leave out at the begin and at the end stays, if the recording ends where it did then.
    """
    first = run.first
    if run.told is None or run.told < 0 or content[first.info : first.info + 4] not in INFO:
        return _new_info_frame(content, run)
    frame = bytearray(content[first.at : first.at + first.size])
    info = first.info - first.at
    struct.pack_into(">I", frame, info + 8, run.frames)
    if frame[info + 7] & 3 == HAS_FRAMES | HAS_BYTES:
        struct.pack_into(">I", frame, info + 12, len(frame) + sum(size for _, size in run.parts))
    lame = info + 120 + LAME_DELAYS
    if abs(run.told - run.frames) > 1 and frame[info + 7] & 15 == 15 and lame + 3 <= len(frame):
        frame[lame + 1] &= 0xF0  # twelve bits for the begin, twelve for the end
        frame[lame + 2] = 0
    return bytes(frame)


def _new_info_frame(content: Content, run: Run) -> bytes:
    first = run.first
    word = int.from_bytes(content[first.at : first.at + HEADER], "big") & ~(15 << 12 | 1 << 9) | 1 << 16  # no padding, no checksum
    for kilobits in range(1, 15):
        head = (word | kilobits << 12).to_bytes(HEADER, "big")
        size = frame_at(head, 0).size
        if size >= first.info - first.at + 16:
            break
    told = INFO[0] + struct.pack(">II", HAS_FRAMES, run.frames)
    return head + bytes(first.info - first.at - HEADER) + told + bytes(size - (first.info - first.at) - len(told))


def _told(content: Content, frame: Frame) -> int | None:
    """Return how many frames follow one that has no sound; None for a frame of sound."""
    if content[frame.at + VBRI_AT : frame.at + VBRI_AT + 4] == b"VBRI":
        return int.from_bytes(content[frame.at + VBRI_AT + 14 : frame.at + VBRI_AT + 18], "big")
    if content[frame.info : frame.info + 4] not in INFO or min(frame.at + frame.size, len(content)) < frame.info + FIELDS:
        return None
    flags, frames = struct.unpack_from(">II", content, frame.info + 4)
    return frames if flags & HAS_FRAMES else -1
