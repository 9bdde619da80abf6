"""Whether the files of a finished stage are those that training wrote: what a power loss or a copy left empty, half or changed is found."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from mlee_sb.errors import InputError
from mlee_sb.files import json_text, sha256_of, write_json
from mlee_sb.models.bundle_files import WEIGHTS
from mlee_sb.stage_folder import StageFolder
from mlee_sb.typed_files import read_typed


def note_files(files: StageFolder) -> None:
    """Write the sha256 of each file of a stage that training has written. The summary is not among them: it is written last."""
    notes = [path for path in (*files.model.iterdir(), *files.uses.glob("*")) if path.is_file()]
    of_annotators = [files.annotators] if files.annotators.is_file() else []
    paths = sorted([files.predictions, *of_annotators, files.hyperparams, files.identity, *notes])
    write_json(files.digests, {path.relative_to(files.path).as_posix(): sha256_of(path) for path in paths})


def damaged_file(files: StageFolder) -> Path | None:
    """Return the first file of a stage that is missing or is not as training wrote it; None if the stage is finished and whole.

    Of a stage that an earlier version trained, it is known only which files there must be, and that none of them is empty.
    """
    needed = (files.summary, files.predictions, files.config, files.model / WEIGHTS)
    for path in needed:
        if not path.is_file() or not path.stat().st_size:
            return path
    try:
        files.read_summary()
    except InputError:
        return files.summary
    noted = _noted(files)
    if not noted and files.digests.is_file():
        return files.digests
    for name, sha256 in noted.items():
        path = files.path / name
        if not path.is_file() or sha256_of(path) != sha256:
            return path
    return None


def holds(files: StageFolder, identity: Mapping) -> bool:
    """Tell whether a finished stage had this identity, from what `note_files` noted: its identity.json may be damaged."""
    text = json_text(identity, indent=2) + "\n"  # as `write_json` writes it
    noted = _noted(files).get(files.identity.relative_to(files.path).as_posix())
    return noted == hashlib.sha256(text.encode()).hexdigest()


def _noted(files: StageFolder) -> dict[str, str]:
    try:
        return read_typed(files.digests, dict[str, str], "")
    except InputError:  # an earlier version wrote none, or it is damaged
        return {}
