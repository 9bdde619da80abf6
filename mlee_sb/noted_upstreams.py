"""Notes beside the results of a corpus: which pretrained networks its stages stand on, and where they lie on this machine.

They are never published. They pin a model of the hub to the commit that was used first, and a stage on a folder finds it again. Each note
is a file of its own, so that runs side by side lose none.
"""

import hashlib
from contextlib import suppress
from pathlib import Path

from mlee_sb.errors import InputError
from mlee_sb.files import json_text, read_json, write_json
from mlee_sb.stage_folder import UPSTREAM, above_rows

NOTES = "notes"  # the folder in the folder `UPSTREAM` below the results of a corpus
DIGITS = 16  # of the hash in the name of a note


def note_upstream(results: Path, sha256: str, name: str, commit: str | None, folder: Path) -> None:
    """Write which pretrained network stages of a corpus stand on, and where it lies on this machine.

    Parameters
    ----------
    results : the folder of the results of the corpus
    sha256 : of its weights
    name, commit : on the hub; for a folder its name, and None
    folder : with its files
    """
    note = {"sha256": sha256, "name": name, "commit": commit, "folder": str(folder)}
    path = results / UPSTREAM / NOTES / f"{hashlib.sha256(json_text(note).encode()).hexdigest()[:DIGITS]}.json"
    if not path.is_file():
        write_json(path, note)


def pinned_commit(results: Path, name: str) -> str | None:
    """Return the commit of a model of the hub that stages of a corpus stand on; None if they stand on none of this name."""
    return next((note["commit"] for note in _notes(results) if note["name"] == name and note["commit"]), None)


def upstream_folders(stage: Path) -> list[Path]:
    """Return the folders of the pretrained networks that the stages of a corpus stand on, from the folder of one of its stages.

    A damaged note is passed over: the upstream may be found elsewhere, and a wrong one is refused by its hash.
    """
    results = above_rows(stage.absolute())
    folders = []
    for path in [] if results is None else _paths(results):
        with suppress(InputError):
            folders.append(Path(_read(path)["folder"]))
    return folders


def _notes(results: Path) -> list[dict]:
    """Return all notes, the oldest first."""
    return [_read(path) for path in _paths(results)]


def _paths(results: Path) -> list[Path]:
    return sorted((results / UPSTREAM / NOTES).glob("*.json"), key=lambda path: (path.stat().st_mtime, path.name))


def _read(path: Path) -> dict:
    remedy = "remove it, and name the upstream again in a training on the same results"
    note = read_json(path, remedy)
    if not isinstance(note.get("folder"), str) or not isinstance(note.get("name"), str) or "commit" not in note:
        raise InputError(f"{path}: damaged: {remedy}")
    return note
