"""Formats that libsndfile does not read, such as m4a and webm, are decoded by the program ffmpeg, where it is installed.

The program and not a library [choice]: torchcodec needs the libraries of ffmpeg besides itself, and is bound to one version of torch.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from mlee_sb.audio.bytes_of import Source
from mlee_sb.audio.faults import NoRecording
from mlee_sb.audio.formats import FFMPEG, Kind
from mlee_sb.audio.layout import Content

LONGEST = 900  # seconds that it may take [choice]
LARGEST = 8 * 10**9  # bytes of decoded samples: about 5 h of stereo at 48 kHz [choice]
ADDRESS = re.compile(r"\[[^\[\]]* @ 0x[0-9a-f]+\] *")  # of its parts in memory: another one each time, and a reason must stay the same
CUT_OFF = ("partial file", "ended prematurely", "truncat", "moov atom not found", "end of file", "invalid data", "corrupt")
"""What it says of a recording that was cut off or is damaged, of which it gives what is there."""


@contextmanager
def decoded(source: Source, content: Content, kind: Kind, name: str) -> Iterator[Path]:
    """Yield a recording decoded into a file of floats of its own rate and channels, which is removed at the end of the block.

    ffmpeg gets no network, and only the reader for what the bytes of the file are: no playlist that names other files.

    Raises
    ------
    NoRecording
        if it cannot be decoded to its end, in `LONGEST` seconds and `LARGEST` bytes
    """
    with NamedTemporaryFile(suffix=".wav") as output, _on_disk(source, content) as path:
        command = [FFMPEG, "-nostdin", "-hide_banner", "-loglevel", "error", "-protocol_whitelist", "file", "-f", kind.demuxer]
        command += [b"-i", b"file:" + path, "-map", "0:a:0", "-vn", "-sn", "-dn", "-c:a", "pcm_f32le", "-fs", str(LARGEST)]
        command += ["-f", "wav", "-rf64", "auto", "-y", f"file:{output.name}"]  # libsndfile takes floats for integers in its w64 of 5.1
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=LONGEST)
        except subprocess.TimeoutExpired:
            raise NoRecording(name, f"{kind.name}: {FFMPEG} took more than {LONGEST} s: convert it to wav or flac first") from None
        said = ADDRESS.sub("", done.stderr.decode(errors="replace").strip()).replace(os.fsdecode(path), name)
        if done.returncode or any(words in said.lower() for words in CUT_OFF):
            last = said.splitlines()[-1] if said else f"status {done.returncode}"
            raise NoRecording(name, f"truncated: this {kind.name} cannot be read to its end ({FFMPEG}: {last}): copy it again")
        if os.path.getsize(output.name) >= LARGEST * 0.99:
            raise NoRecording(name, f"{kind.name}: too long to be decoded at once: cut it, or convert it to wav or flac first")
        yield Path(output.name)


@contextmanager
def _on_disk(source: Source, content: Content) -> Iterator[bytes]:
    """Yield the path of a file with these bytes: what ends with the place of everything in it must be read from its end first."""
    if isinstance(source, str | Path) and Path(source).is_file():
        yield os.path.abspath(os.fsencode(source))
        return
    with NamedTemporaryFile() as copy:
        copy.write(content)
        copy.flush()
        yield os.fsencode(copy.name)
