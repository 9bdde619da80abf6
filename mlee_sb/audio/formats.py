"""What is a recording and what is not: endings of names for folders, and the first bytes for all else."""

import os
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import soundfile

from mlee_sb.audio.layout import Content

OTHER_ENDINGS = ".opus .oga .aif .aifc .snd .rf64 .bwf .wave .mp2 .mp1 .mpga .mpeg3 .sph .iff .8svx .sf"
"""Endings that people use besides the names of the formats of libsndfile."""

ENDINGS = frozenset({f".{name.lower()}" for name in soundfile.available_formats()} - {".raw"}) | set(OTHER_ENDINGS.split())
"""Endings of recordings that libsndfile reads. Raw samples have no header that tells their rate: they are none of them."""

OF_FFMPEG = ".m4a .m4b .mp4 .webm .amr .awb .wma .aac .mkv .mka .mov .3gp .3g2 .ac3 .ape .wv"
FFMPEG_ENDINGS = frozenset(OF_FFMPEG.split())
FFMPEG = "ffmpeg"
WANTED = f"give a wav, flac, ogg or mp3 file, or another format that libsndfile or {FFMPEG} reads"
INSTALL = f"install {FFMPEG} (https://ffmpeg.org, or your system's package), or convert it to wav or flac"


@dataclass(frozen=True)
class Kind:
    """A kind of file, told by its first bytes.

    Attributes
    ----------
    name : for people
    demuxer : the reader of ffmpeg for it; "" if it is no recording that ffmpeg is asked to read
    """

    name: str
    demuxer: str = ""


SIGNATURES = (  # place in the file, bytes there, what it is
    (0, b"\x1a\x45\xdf\xa3", Kind("webm or mkv (Matroska)", "matroska")),
    (0, b"#!AMR", Kind("amr", "amr")),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Kind("wma (ASF)", "asf")),
    (0, b"ADIF", Kind("aac (ADIF)", "aac")),
    (0, b"\x0b\x77", Kind("ac3", "ac3")),
    (0, b"MAC ", Kind("ape (Monkey's Audio)", "ape")),
    (0, b"wvpk", Kind("WavPack", "wv")),
    (0, b"\x89PNG", Kind("a picture (PNG)")),
    (0, b"\xff\xd8\xff", Kind("a picture (JPEG)")),
    (0, b"GIF8", Kind("a picture (GIF)")),
    (0, b"%PDF", Kind("a PDF")),
    (0, b"PK\x03\x04", Kind("a zip archive: unpack it")),
    (0, b"\x1f\x8b", Kind("a gzip archive: unpack it")),
    (0, b"BZh", Kind("a bzip2 archive: unpack it")),
    (0, b"7z\xbc\xaf", Kind("a 7z archive: unpack it")),
    (0, b"Rar!", Kind("a rar archive: unpack it")),
    (0, b"\x7fELF", Kind("a program")),
    (0, b"version https://git-lfs", Kind("a pointer of Git LFS and not the recording: run git lfs pull")),
    (0, b"/annex/objects/", Kind("a pointer of git-annex and not the recording: run git annex get")),
    (257, b"ustar", Kind("a tar archive: unpack it")),
    (8, b"AVI ", Kind("a film (AVI)")),
)
OF_LIBSNDFILE = (b"RIFF", b"fLaC", b"OggS")  # first bytes of most recordings
BRANDS = {b"M4A": "m4a (AAC)", b"M4B": "m4b (AAC)", b"qt ": "mov", b"3gp": "3gp", b"3g2": "3g2"}  # of files of the family of mp4
SNIFFED = 512  # bytes


def kind_of(content: Content) -> Kind | None:
    """Return what a file is, of the kinds that libsndfile does not read; None for others.

    >>> kind_of(b"....ftypM4A ....").name
    'm4a (AAC)'
    """
    first = bytes(content[:SNIFFED])
    if first[4:8] == b"ftyp":
        return Kind(BRANDS.get(first[8:11], "mp4"), "mov")
    if len(first) > 1 and first[0] == 0xFF and first[1] & 0xF6 == 0xF0:  # where an mp3 has its layer, aac has zeros
        return Kind("aac (ADTS)", "aac")
    return next((kind for place, magic, kind in SIGNATURES if first[place : place + len(magic)] == magic), None)


def kind_for_ffmpeg(content: Content) -> Kind | None:
    """Return what a file is, if ffmpeg is asked to read it; None if libsndfile is."""
    kind = None if bytes(content[:4]) in OF_LIBSNDFILE else kind_of(content)
    return kind if kind and kind.demuxer else None


def why_not_audio_content(content: Content, error: Exception | None = None) -> str:
    """Return why bytes cannot be read as a recording, by what they are and not by the name of the file, and what to do.

    >>> why_not_audio_content(b"%PDF-1.4")
    'a PDF, and no recording: give a wav, flac, ogg or mp3 file, or another format that libsndfile or ffmpeg reads'
    """
    if not len(content):
        return "cannot be read as audio: an empty file: get the recording again"
    kind = kind_of(content)
    if kind and kind.demuxer:
        return f"{kind.name}, which is read through {FFMPEG}, and {FFMPEG} is not installed: {INSTALL}"
    if kind:
        return kind.name if ":" in kind.name else f"{kind.name}, and no recording: {WANTED}"
    if _is_text(bytes(content[:SNIFFED])):
        return f"cannot be read as audio: it is text, and no recording: {WANTED}"
    if not any(content[:SNIFFED]):
        return "cannot be read as audio: it begins with zeros and no header: the copy did not end? copy it again"
    told = f" ({getattr(error, 'error_string', error)})" if error else ""
    return f"cannot be read as audio{told}: {WANTED}"


def _is_text(first: bytes) -> bool:
    return all(byte >= 32 or byte in b"\t\n\r\f" for byte in first) and first.isascii()


def has_ffmpeg() -> bool:
    """Return whether ffmpeg is installed."""
    return shutil.which(FFMPEG) is not None


def is_recording_name(name: str | Path) -> bool:
    """Return whether a name ends as that of a recording of any format that is known, read or not.

    >>> is_recording_name("a.WAV"), is_recording_name("a.m4a"), is_recording_name("a.txt")
    (True, True, False)
    """
    stem, dot, last = os.fspath(name).rpartition(".")  # three times as fast as splitext, for corpora of a hundred thousand
    ending = dot + last.lower()
    return stem != "" and stem[-1] != os.sep and (ending in ENDINGS or ending in FFMPEG_ENDINGS)


def audio_files_below(folder: str | Path) -> tuple[list[Path], dict[str, int]]:
    """Find the recordings in a folder and in the folders below it, by the endings of their names.

    Returns
    -------
    files : sorted
    passed_over : how many files were passed over, by reason in words
    """
    found, passed_over, ffmpeg = [], Counter(), has_ffmpeg()
    for path in sorted(Path(folder).rglob("*")):
        if path.is_dir():
            continue
        reason = _why_passed_over(path, ffmpeg)
        if reason:
            passed_over[reason] += 1
        else:
            found.append(path)
    return found, dict(passed_over)


def _why_passed_over(path: Path, ffmpeg: bool) -> str:
    ending = path.suffix.lower()
    if path.name.startswith("."):
        return "hidden"
    if not path.is_file():
        return "a link to nothing" if path.is_symlink() else "no file"
    if ending in ENDINGS or (ending in FFMPEG_ENDINGS and ffmpeg):
        return ""
    if ending in FFMPEG_ENDINGS:
        return f"{ending}: {FFMPEG} is not installed: {INSTALL}"
    return f"{ending}: no ending of a recording" if ending else "no ending in the name"
