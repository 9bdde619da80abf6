"""The recordings that a table names: found on disk where the name differs in its ending, case, or way of writing."""

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from mlee_sb.corpora.manifest.columns import why_not_inside
from mlee_sb.corpora.manifest.identities import folded
from mlee_sb.corpora.vote_table.columns import words
from mlee_sb.errors import InputError

AUDIO_ENDINGS = (".wav", ".flac", ".ogg", ".mp3")


class Recordings:
    """The files below a data folder. Each folder is listed once, and only if it is needed."""

    def __init__(self, data_folder: Path):
        self.data_folder = data_folder
        self._prefixes = {f"{folder.as_posix()}/" for folder in (data_folder.absolute(), data_folder.resolve())}
        self._listed: dict[str, set[str]] = {}
        self._by_name: dict[str, dict[str, list[str]]] = {}

    def names(self, folder: str) -> set[str]:
        """Return the names of the files and folders in `folder` ("" for the data folder); none if there is no such folder."""
        if folder not in self._listed:
            try:
                self._listed[folder] = set(os.listdir(self.data_folder / folder))
            except OSError:
                self._listed[folder] = set()
        return self._listed[folder]

    def recordings(self, folder: str) -> list[str]:
        """Return the paths of the recordings in `folder`, sorted."""
        found = [name for name in self.names(folder) if is_audio(name) and not name.startswith(".")]
        return [_joined(folder, name) for name in sorted(found)]

    def find(self, cells: Iterable[str], path: Path) -> tuple[dict[str, str], dict[str, str]]:
        """Return the path below the data folder for each cell, and the same for the cells alone that are written in another way.

        What is not found keeps the path that the cell has.
        A file that a cell names exactly is not taken for another cell, unless that cell has no ending.

        Parameters
        ----------
        cells : of the column ``wav``
        path : the table, for errors

        Raises
        ------
        InputError
            for a cell that two files match
        """
        wavs = {cell: self._inside(cell) for cell in dict.fromkeys(cells)}
        outside = {wav for wav in wavs.values() if why_not_inside(wav)}
        exact = {wav for wav in wavs.values() if wav not in outside and self._is_there(wav)}
        known = exact | outside
        found = {cell: wav if wav in known else self._near(cell, wav, exact, path) for cell, wav in wavs.items()}
        return found, {cell: wav for cell, wav in found.items() if wav != wavs[cell]}

    def _inside(self, cell: str) -> str:
        """Return a cell as a path with ``/``, below the data folder if it is an absolute one in it."""
        wav = cell.replace("\\", "/").removeprefix("file://")
        for prefix in self._prefixes:
            wav = wav.removeprefix(prefix)
        return wav if wav.startswith("/") else "/".join(part for part in wav.split("/") if part not in ("", "."))

    def _is_there(self, wav: str) -> bool:
        folder, name = os.path.split(wav)
        return name in self.names(folder)

    def _near(self, cell: str, wav: str, exact: set[str], path: Path) -> str:
        """Return the one recording that a cell can mean."""
        folder, name = os.path.split(wav)
        folder = self._folder(folder)
        files = self._keys(folder)
        taken = exact if is_audio(name) else set()
        for key in (_key(name), _stem(name)):
            found = [file for file in files.get(key, []) if file not in taken]
            if len(found) > 1:
                raise InputError(f"{path}: wav {cell!r} can be {words(sorted(found))}: write the name of the file as it is on disk")
            if found:
                return found[0]
        return wav

    def _folder(self, folder: str) -> str:
        """Return a folder as it is called on disk, where its parts differ in case or way of writing only."""
        found = ""
        for part in PurePosixPath(folder).parts:
            names = self.names(found)
            same = [part] if part in names else [name for name in names if _key(name) == _key(part)]
            found = _joined(found, same[0] if len(same) == 1 else part)
        return found

    def _keys(self, folder: str) -> dict[str, list[str]]:
        """Return the recordings of a folder by their names, and by their names without the ending."""
        if folder not in self._by_name:
            by_name: dict[str, list[str]] = {}
            for wav in self.recordings(folder):
                name = os.path.basename(wav)
                by_name.setdefault(_key(name), []).append(wav)
                by_name.setdefault(_stem(name), []).append(wav)
            self._by_name[folder] = by_name
        return self._by_name[folder]


def is_audio(name: str) -> bool:
    """Tell whether a name ends as recordings do."""
    return name.lower().endswith(AUDIO_ENDINGS)


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _key(name: str) -> str:
    return folded(unquote(name))


def _stem(name: str) -> str:
    """Return the key of a name without its ending, with a sign that no name of a file has."""
    return _key(os.path.splitext(name)[0] if is_audio(name) else name) + "/"
