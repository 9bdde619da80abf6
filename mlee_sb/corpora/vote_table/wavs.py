"""The recordings that a table names: found on disk where the name differs in its ending, case, or way of writing."""

import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

from mlee_sb.audio.formats import is_recording_name
from mlee_sb.corpora.manifest.columns import why_not_inside
from mlee_sb.corpora.manifest.identities import folded
from mlee_sb.corpora.vote_table.columns import words
from mlee_sb.errors import InputError


class Recordings:
    """The files below a data folder. Each folder is listed once, and only if it is needed."""

    def __init__(self, data_folder: Path):
        self.data_folder = data_folder
        self._prefixes = {f"{folder.as_posix()}/" for folder in (data_folder.absolute(), data_folder.resolve())}
        self._listed: dict[str, set[str]] = {}
        self._by_name: dict[str, dict[str, list[str]]] = {}
        self._folders: dict[str, str] = {"": ""}

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
        return [_joined(folder, name) for name in sorted(self.names(folder)) if is_recording(name)]

    def find(self, cells: Iterable[str], path: Path) -> tuple[dict[str, str], dict[str, str]]:
        """Return the path below the data folder for each cell, and the same for the cells alone that are written in another way.

        What is not found keeps the path that the cell has. A file that a cell names exactly is not taken for another cell, unless that
        cell has no ending.

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
        # A folder may be called as a recording without its ending is.
        return name in self.names(folder) and (is_recording_name(name) or not (self.data_folder / wav).is_dir())

    def _near(self, cell: str, wav: str, exact: set[str], path: Path) -> str:
        """Return the one recording that a cell can mean."""
        folder, name = os.path.split(wav)
        folder = self._folder(folder)
        files = self._keys(folder)
        taken = exact if is_recording_name(name) else set()
        for key in (_key(name), _stem(name)):
            found = [_joined(folder, file) for file in files.get(key, []) if is_recording(file)]
            found = [file for file in found if file not in taken]
            if len(found) > 1:
                raise InputError(f"{path}: wav {cell!r} can be {words(sorted(found))}: write the name of the file as it is on disk")
            if found:
                return found[0]
        return wav

    def _folder(self, folder: str) -> str:
        """Return a folder as it is called on disk, where its parts differ in case or way of writing only."""
        if folder not in self._folders:
            above, name = os.path.split(folder)
            above = self._folder(above)
            same = [name] if name in self.names(above) else self._keys(above).get(_key(name), [])
            self._folders[folder] = _joined(above, same[0] if len(same) == 1 else name)
        return self._folders[folder]

    def _keys(self, folder: str) -> dict[str, list[str]]:
        """Return the names in a folder by their keys, and those of recordings by their keys without the ending, too."""
        if folder not in self._by_name:
            by_name: dict[str, list[str]] = {}
            for name in self.names(folder):
                by_name.setdefault(_key(name), []).append(name)
                if is_recording(name):
                    by_name.setdefault(_stem(name), []).append(name)
            self._by_name[folder] = by_name
        return self._by_name[folder]


def is_recording(name: str) -> bool:
    """Tell whether a file of this name is taken for a recording: hidden files are not."""
    return is_recording_name(name) and not name.startswith(".")


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _key(name: str) -> str:
    return folded(unquote(name))


def _stem(name: str) -> str:
    """Return the key of a name without its ending, with a sign that no name of a file has."""
    return _key(os.path.splitext(name)[0] if is_recording_name(name) else name) + "/"
