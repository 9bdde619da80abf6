"""A cache of the checks of recordings: a corpus that is prepared a second time is not read again as a whole.

It lies in a cache folder of the user, a file for each data folder: that is the only place that all runs of `prepare` share. If the file
or its folder cannot be used, the recordings are read again. Of two runs at the same time, the one that ends last writes its answers.
"""

import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from mlee_sb.disk import DiskError
from mlee_sb.files import write_text

PLACE = "MLEE_CACHE"  # environment variable that names the folder

SETTLED = 2 * 10**9
"""Nanoseconds for which a file must not have changed before its answer is kept: a coarse clock could hide a change after the look."""


class AudioCache:
    """The answers that are known for some recordings, and pieces of them.

    Make it before the recordings are read: then a change after that is noticed in the next run.

    Parameters
    ----------
    data_folder : of the corpus
    pieces : (path below it, begin, end in seconds) of each; None, None for the whole recording
    rules : what an answer depends on besides the file; answers of other rules are not used

    Attributes
    ----------
    known : the answer for each recording, as JSON holds it; None where there is none, or the recording has changed since
    """

    def __init__(self, data_folder: str | Path, pieces: Sequence[tuple[str, float | None, float | None]], rules: str):
        self._names, self._file, self._rules = [_name(*piece) for piece in pieces], _file_of(data_folder), rules
        self._kept = _read(self._file, rules)
        now = time.time_ns()
        looks = {wav: _look(f"{data_folder}/{wav}", now) for wav in dict.fromkeys(wav for wav, *_ in pieces)}
        self._looks = [looks[wav] for wav, *_ in pieces]
        entries = (self._kept.get(name, (None, None)) for name in self._names)
        pairs = zip(entries, self._looks, strict=True)
        self.known = [answer if look and look == then else None for (then, answer), look in pairs]

    def keep(self, answers: Sequence[list | None]) -> None:
        """Keep the answers for the recordings; None for those that must be read again."""
        found = zip(self._names, self._looks, self.known, answers, strict=True)
        new = {name: [look, answer] for name, look, known, answer in found if look and answer and not known}
        if self._file and new:
            _write(self._file, self._kept | new, self._rules)


def _name(wav: str, start: float | None, end: float | None) -> str:
    """Return what the answer for a piece is kept under: a path has no zero byte."""
    return wav if (start, end) == (None, None) else f"{wav}\0{start}\0{end}"


def _look(path: str, now: int) -> list[int] | None:
    """Return the size in bytes, and the nanoseconds of the last change of the content and of anything (no program can set back the latter).

    None if the file is missing, or changed a moment ago.
    """
    try:
        found = os.stat(path)
    except OSError:
        return None
    settled = now - max(found.st_mtime_ns, found.st_ctime_ns) > SETTLED
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns] if settled else None


def _file_of(data_folder: str | Path) -> Path | None:
    """Return the file of the cache for a data folder; None for a user without a home folder."""
    try:
        place = Path(os.environ.get(PLACE) or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlee_sb")
    except RuntimeError:
        return None
    return place / "recordings" / f"{sha256(os.fsencode(Path(data_folder).resolve())).hexdigest()[:32]}.json"


def _read(file: Path | None, rules: str) -> dict[str, list]:
    """Return what `_look` saw and the answer, by path below the data folder; nothing if the file cannot be read or is damaged."""
    try:
        about, _, content = file.read_text(encoding="utf-8").partition("\n") if file else ("", "", "")
        return json.loads(content) if about == _about(content, rules) else {}
    except (OSError, ValueError):
        return {}


def _write(file: Path, entries: dict[str, list], rules: str) -> None:
    content = json.dumps(entries, allow_nan=False) + "\n"  # names of files may be no UTF-8: they stay escaped
    with suppress(OSError, DiskError):  # where there is no place to write, everything is read again
        write_text(file, f"{_about(content, rules)}\n{content}")


def _about(content: str, rules: str) -> str:
    """Return the first line of the file: the rules, and a checksum that shows damage."""
    return f"{rules} {sha256(content.encode()).hexdigest()}"
