"""Open a recording, whoever gives it and however, and read all samples that it has."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from mlee_sb.audio.bytes_of import Source, bytes_of, named
from mlee_sb.audio.channels import MOST_CHANNELS, Mix, chosen, loudness, mix_of
from mlee_sb.audio.faults import UNREADABLE, NoRecording, why_no_sound
from mlee_sb.audio.ffmpeg import decoded
from mlee_sb.audio.formats import has_ffmpeg, kind_for_ffmpeg, why_not_audio_content
from mlee_sb.audio.layout import TOLERANCE, Content, Parts, missing_seconds
from mlee_sb.audio.layout_of import layout_after_junk, layout_of

BLOCK_SECONDS = 10  # length of the part of a recording that is in memory at one time
LOWEST_RATE, HIGHEST_RATE = 2_000, 384_000  # Hz of recordings that are read [choice]: others are no speech, or a header that lies
KEPT_MIXES = 4096  # recordings with several channels whose mix is remembered, for pieces of them

SEEKABLE = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC")
"""Formats in which the place of a sample is exact."""

BELIEVED = (b".mp3", b".au", b".snd", b".vox", b".gsm")
"""Endings of names that libsndfile believes more than the bytes of a file: they are not shown to it."""

EXACT = ("PCM", "FLOAT", "DOUBLE", "ULAW", "ALAW")  # kinds of samples of which each has a place of its own


class _Steady(soundfile.SoundFile):
    """A file that is read on: soundfile seeks after each block, and a decoder of mp3 forgets there what it kept of the frames before."""

    def seekable(self) -> bool:
        return False


class _Link:
    """One of the recordings that follow one another in a file: mostly the only one."""

    def __init__(self, opens: bytes | Parts):
        self._opens = opens
        self.file = _Steady(opens)
        self.frames = self.file.frames
        self._at = 0
        self._is_exact = self.file.format in SEEKABLE and self.file.subtype.startswith(EXACT)

    def __enter__(self) -> "_Link":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def go(self, start: int) -> int:
        """Take a frame as the next one, or the first one if the format has no exact places; return which."""
        wanted = start if self._is_exact else 0
        if wanted != self._at and self._is_exact:
            self.file.seek(wanted)
        elif wanted != self._at:
            self.file.close()
            if isinstance(self._opens, Parts):
                self._opens.seek(0)
            self.file = _Steady(self._opens)  # no decoder keeps anything of what it read before
        self._at = wanted
        return wanted

    def read(self, frames: int) -> np.ndarray:
        """Read up to a number of frames: [frames, channels]; nothing at the end."""
        block = self.file.read(frames, dtype="float32", always_2d=True)
        self._at += len(block)
        return block


@dataclass
class Recording:
    """A recording that is open.

    Attributes
    ----------
    name : for errors
    sample_rate : Hz
    channels : their number
    frames : samples of each channel
    remarks : what a person is told of it: a wrong header, several recordings in one file
    is_ogg : the order of its channels is that of Vorbis and Opus
    is_plain : a wav of integers: none of them is NaN, and its bytes tell how many there are, so that nothing needs to be decoded
    """

    name: str
    sample_rate: int
    channels: int
    frames: int
    remarks: list[str]
    is_ogg: bool
    is_plain: bool
    links: list["_Link"] = field(repr=False)

    def blocks(self, start: int = 0, end: int | None = None, size: int | None = None) -> Iterator[np.ndarray]:
        """Yield the samples [frames, channels] from frame `start` to before `end`, float32, full scale is 1.

        Parameters
        ----------
        start, end : frames
        size : frames of a block, at most

        Raises
        ------
        InputError
            if the file cannot be decoded, has fewer samples than it promises, or samples that no recording has
        """
        size = size or BLOCK_SECONDS * self.sample_rate
        end = self.frames if end is None else min(end, self.frames)
        before = 0  # frames of the links before
        for link in self.links:
            if before < end and start < before + link.frames:
                yield from self._of_link(link, max(start - before, 0), min(end - before, link.frames), size)
            before += link.frames

    def _of_link(self, link: "_Link", start: int, end: int, size: int) -> Iterator[np.ndarray]:
        try:
            at = link.go(start)
            while at < end:
                block = link.read(min(size, (end if at >= start else start) - at))
                if not len(block):
                    break
                at += len(block)
                if at > start:
                    self._check_sound(block)
                    yield block
        except soundfile.SoundFileError as error:
            told = f"truncated: cannot be read to its end ({error}), so it was cut off or is damaged: copy it again"
            raise NoRecording(self.name, told) from error
        if cut := missing_seconds((end - at) / self.sample_rate, f"{end} samples", at):
            raise NoRecording(self.name, cut)

    def _check_sound(self, block: np.ndarray) -> None:
        if wrong := why_no_sound(float(max(-block.min(), block.max()))):
            raise NoRecording(self.name, wrong)

    def frames_of(self, start: float | None, end: float | None) -> tuple[int, int]:
        """Return the first frame of a piece, and the first one after it.

        Parameters
        ----------
        start, end : seconds; None for the begin and the end of the recording

        Raises
        ------
        InputError
            if the piece is empty, or goes beyond the recording by more than `TOLERANCE`
        """
        first = round((start or 0) * self.sample_rate)
        last = self.frames if end is None else round(end * self.sample_rate)
        if last > self.frames + TOLERANCE * self.sample_rate:
            told = f"a piece ends at {end:g} s, and the recording at {self.seconds:.3f} s: repair the piece"
            raise NoRecording(self.name, told)
        last = min(last, self.frames)
        if not 0 <= first < last and (start, end) != (None, None):
            told = f"no samples from {start or 0:g} s to {last / self.sample_rate:g} s: repair the piece"
            raise NoRecording(self.name, told)
        return first, last

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return self.frames / self.sample_rate

    def mix(self) -> Mix:
        """Compute which channels are heard, from the whole recording."""
        if self.channels == 1:
            return Mix((0,))
        if self.channels > MOST_CHANNELS:
            raise NoRecording(self.name, f"{self.channels} channels, and {MOST_CHANNELS} are mixed at most: choose one of them")
        return mix_of(loudness(self.blocks(), self.channels), self.is_ogg)


@contextmanager
def opened(source: Source) -> Iterator[Recording]:
    """Open a recording: the path of a file or a named pipe, or a file that is open for reading bytes.

    Raises
    ------
    InputError
        if the file is missing, no recording, or was cut off; or if it has no samples, or a sample rate that no recording has
    """
    name = named(source)
    with ExitStack() as stack:
        content = stack.enter_context(bytes_of(source))
        if (kind := kind_for_ffmpeg(content)) and has_ffmpeg():
            source = stack.enter_context(decoded(source, content, kind, name))
            content = stack.enter_context(bytes_of(source))
        layout = layout_of(content)
        if layout.cut:
            raise NoRecording(name, layout.cut)
        try:
            links = [stack.enter_context(_Link(file)) for file in _files(source, content, layout.links)]
        except soundfile.SoundFileError as error:
            layout = layout_after_junk(content)
            if not layout.links:
                raise NoRecording(name, why_not_audio_content(content, error), UNREADABLE) from error
            links = [stack.enter_context(_Link(file)) for file in _files(source, content, layout.links)]
        yield _recording(name, links, layout.remark)


def _files(source: Source, content: Content, links) -> list[bytes | Parts]:
    """Return what libsndfile opens: a path where it can, which is the fastest way."""
    if links:
        return [Parts(content, parts) for parts in links]
    if isinstance(source, str | Path) and Path(source).is_file() and not os.fsencode(source).lower().endswith(BELIEVED):
        return [os.fsencode(source)]  # soundfile does not open a str that is no UTF-8
    return [Parts(content, [(0, len(content))])]


def _recording(name: str, links: list["_Link"], remark: str) -> Recording:
    first = links[0].file
    kinds = {(link.file.samplerate, link.file.channels) for link in links}
    if len(kinds) > 1:
        told = " and ".join(f"{channels} channels at {rate} Hz" for rate, channels in sorted(kinds))
        raise NoRecording(name, f"recordings of several kinds in one file ({told}): give them one by one")
    if not LOWEST_RATE <= first.samplerate <= HIGHEST_RATE:
        told = f"{first.samplerate} Hz: give a sample rate from {LOWEST_RATE} to {HIGHEST_RATE} Hz: convert it first"
        raise NoRecording(name, told)
    integers = first.format in ("WAV", "WAVEX") and first.subtype.startswith(("PCM", "ULAW", "ALAW"))
    return Recording(
        name,
        first.samplerate,
        first.channels,
        sum(link.frames for link in links),
        [remark] if remark else [],
        is_ogg=first.format == "OGG",
        is_plain=integers,
        links=links,
    )


def heard(recording: Recording, source: Source, channel: int | None) -> Mix:
    """Return which channels of an open recording are heard: the one that a person chooses (from 1), or as `Recording.mix` says.

    What is known of a file is remembered until the file changes.
    """
    if channel is not None:
        return chosen(channel, recording.channels, recording.name)
    if recording.channels == 1 or not isinstance(source, str | Path):
        return recording.mix()
    look = os.stat(source)
    key = (os.fsencode(source), look.st_size, look.st_mtime_ns)
    if key not in _mixes:
        while len(_mixes) >= KEPT_MIXES:
            _mixes.pop(next(iter(_mixes)))
        _mixes[key] = recording.mix()
    return _mixes[key]


_mixes: dict[tuple, Mix] = {}


def n_channels(source: Source) -> int:
    """Return the number of channels of a recording. Errors are those of `opened`."""
    with opened(source) as recording:
        return recording.channels


def seconds_of(source: Source) -> float:
    """Return the seconds of a recording that its bytes hold; 0 if it cannot be read, or if `source` can be read only once."""
    if not isinstance(source, str | Path) or not Path(source).is_file():
        return 0.0
    try:
        with opened(source) as recording:
            return recording.seconds
    except NoRecording:
        return 0.0


def why_not_audio(path: str | Path) -> str:
    """Return why a file cannot be read as a recording, as a sentence for a person that names it; "" if it can be opened."""
    try:
        with opened(path):
            return ""
    except NoRecording as error:
        return str(error)
