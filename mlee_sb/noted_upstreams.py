"""Notes beside the results of a corpus: which pretrained networks its stages stand on, and where they lie on this machine.

They are never published. They pin a model of the hub to the commit that was used first, and a stage on a folder finds it again.
"""

from pathlib import Path

from mlee_sb.files import read_json, write_json
from mlee_sb.stage_folder import UPSTREAM, above_rows

NOTES = "upstreams.json"  # in the folder `UPSTREAM` below the results of a corpus
STAGE_DEPTH = 4  # folders from a stage up to the results of its corpus


def note_upstream(results: Path, sha256: str, name: str, commit: str | None, folder: Path) -> None:
    """Write which pretrained network stages of a corpus stand on, and where it lies on this machine. This is never published.

    Parameters
    ----------
    results : the folder of the results of the corpus
    sha256 : of its weights
    name, commit : on the hub; for a folder its name, and None
    folder : with its files
    """
    noted = {**_noted(results), sha256: {"name": name, "commit": commit, "folder": str(folder)}}
    if noted != _noted(results):
        write_json(results / UPSTREAM / NOTES, noted)


def pinned_commit(results: Path, name: str) -> str | None:
    """Return the commit of a model of the hub that stages of a corpus stand on; None if they stand on none of this name."""
    return next((noted["commit"] for noted in _noted(results).values() if noted["name"] == name), None)


def _noted(results: Path) -> dict[str, dict]:
    path = results / UPSTREAM / NOTES
    return (
        read_json(path, "remove it: training writes it again, and takes the newest commit of a model of the hub") if path.is_file() else {}
    )


def upstream_folders(stage: Path) -> list[Path]:
    """Return the folders of the pretrained networks that the stages of a corpus stand on, from the folder of one of its stages."""
    stage = stage.absolute()
    return [Path(noted["folder"]) for noted in _noted(above_rows(stage)).values()] if len(stage.parents) >= STAGE_DEPTH else []
