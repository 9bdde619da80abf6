"""Find where the samples of a recording lie, by what its first bytes say it is."""

from mlee_sb.audio.big_endian import aiff_samples, au_samples, caf_samples, nist_samples
from mlee_sb.audio.flac import MARK as FLAC
from mlee_sb.audio.flac import flac_layout
from mlee_sb.audio.formats import kind_of
from mlee_sb.audio.layout import AS_IT_IS, JOINED, Content, Layout, Part
from mlee_sb.audio.mpeg import after_tag, frame_at, mpeg_layout
from mlee_sb.audio.ogg import MARK as OGG
from mlee_sb.audio.ogg import ogg_layout
from mlee_sb.audio.riff import mp3_in_wav, riff_samples, wave64_samples
from mlee_sb.audio.sized import Samples, second_recording, settled

FRAMES_AFTER_JUNK = 8  # of an mp3: bytes of anything else look like a few frames, and not like so many

SIZED = {
    b"RIFF": riff_samples,
    b"RF64": riff_samples,
    b"riff": wave64_samples,
    b"FORM": aiff_samples,
    b".snd": au_samples,
    b"caff": caf_samples,
    b"NIST": nist_samples,
}


def layout_of(content: Content) -> Layout:
    """Return how the bytes of a recording are to be read; `AS_IT_IS` for those of an unknown format."""
    mark = bytes(content[:4])
    if mark == b"RIFF" and (mp3 := mp3_in_wav(content)):
        return _of_mp3_in_wav(content, *mp3)
    if mark in SIZED:
        samples = SIZED[mark](content)
        return AS_IT_IS if samples is None else _of_sized(content, samples)
    if mark == OGG:
        return ogg_layout(content)
    begin = after_tag(content, 0)
    if content[begin : begin + 4] == FLAC:
        return flac_layout(content, begin)
    return mpeg_layout(content, begin) if begin or frame_at(content, begin) else AS_IT_IS


def _of_sized(content: Content, samples: Samples) -> Layout:
    second = second_recording(content, samples)
    if second is None:
        return settled(content, samples)
    rest = layout_of(content[second:])
    links = rest.links or (((0, len(content) - second),),)
    return Layout((((0, second),), *(tuple(_moved(part, second) for part in link) for link in links)), JOINED, rest.cut)


def _of_mp3_in_wav(content: Content, place: int, size: int) -> Layout:
    found = mpeg_layout(content[place : place + size], 0)
    links = found.links or (((0, size),),)
    return Layout(tuple(tuple(_moved(part, place) for part in link) for link in links), found.remark, found.cut)


def _moved(part: Part, by: int) -> Part:
    return part if isinstance(part, bytes) else (part[0] + by, part[1])


def layout_after_junk(content: Content) -> Layout:
    """Return how an mp3 is to be read before whose first frame other bytes stand; `AS_IT_IS` where there is no such thing."""
    return mpeg_layout(content, 0, FRAMES_AFTER_JUNK) if kind_of(content) is None else AS_IT_IS
