"""What is known of recordings, kept between runs, so that preparing a corpus a second time does not read all of it again.

It lies in a folder of the user, a file for each data folder: `prepare` has no other place that its runs share, and results hold only
what they are made of. Whatever is wrong with that file or its folder, the recordings are read again. Of two runs at once, the last one
to end leaves what it knows.
"""

import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from mlee_sb.files import write_text

PLACE = "MLEE_CACHE"  # environment variable that names the folder

SETTLED = 2 * 10**9
"""Nanoseconds that a file must have been left alone before it is looked at: a clock of coarser steps could hide a change after the look."""


class Kept:
    """What is known of some recordings.

    Make it before the recordings are read: what changes afterwards is noticed the next time.

    Parameters
    ----------
    data_folder : of the corpus
    wavs : paths below it
    rules : what an answer depends on besides the file; answers that other rules gave are not known

    Attributes
    ----------
    known : the answer for each recording, as JSON holds it; None where there is none, or the recording has changed since
    """

    def __init__(self, data_folder: str | Path, wavs: Sequence[str], rules: str):
        self._wavs, self._file, self._rules = wavs, _file_of(data_folder), rules
        self._kept = _read(self._file, rules)
        now = time.time_ns()
        self._looks = [_look(f"{data_folder}/{wav}", now) for wav in wavs]
        entries = (self._kept.get(wav, (None, None)) for wav in wavs)
        pairs = zip(entries, self._looks, strict=True)
        self.known = [answer if look and look == then else None for (then, answer), look in pairs]

    def keep(self, answers: Sequence[list | None]) -> None:
        """Keep what was found of the recordings, None of those that are to be read again."""
        found = zip(self._wavs, self._looks, self.known, answers, strict=True)
        new = {wav: [look, answer] for wav, look, known, answer in found if look and answer and not known}
        if self._file and new:
            _write(self._file, self._kept | new, self._rules)


def _look(path: str, now: int) -> list[int] | None:
    """Size in bytes, and nanoseconds of the last change of content and, which no program can set back, of anything.

    None where the file is not there, or was changed a moment ago.
    """
    try:
        found = os.stat(path)
    except OSError:
        return None
    settled = now - max(found.st_mtime_ns, found.st_ctime_ns) > SETTLED
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns] if settled else None


def _file_of(data_folder: str | Path) -> Path | None:
    """Where that of a data folder is kept; None for a user without a home."""
    try:
        place = Path(os.environ.get(PLACE) or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlee_sb")
    except RuntimeError:
        return None
    return place / "recordings" / f"{sha256(os.fsencode(Path(data_folder).resolve())).hexdigest()[:32]}.json"


def _read(file: Path | None, rules: str) -> dict[str, list]:
    """Path below the data folder -> what `_look` saw, and the answer; nothing where the file cannot be read or is damaged."""
    try:
        about, _, content = file.read_text(encoding="utf-8").partition("\n") if file else ("", "", "")
        return json.loads(content) if about == _about(content, rules) else {}
    except (OSError, ValueError):
        return {}


def _write(file: Path, entries: dict[str, list], rules: str) -> None:
    content = json.dumps(entries, allow_nan=False) + "\n"  # names of files may be no UTF-8: they stay escaped
    with suppress(OSError):  # where there is no place to write, everything is read again
        write_text(file, f"{_about(content, rules)}\n{content}")


def _about(content: str, rules: str) -> str:
    """The first line: the rules, and a sum by which damage shows."""
    return f"{rules} {sha256(content.encode()).hexdigest()}"
