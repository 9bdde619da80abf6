"""Where hparams files are: in the folder of the person, in the checkout, or in the wheel."""

import shutil
from pathlib import Path

from mlee_sb.errors import InputError, choose
from mlee_sb.files import written_beside
from mlee_sb.training.hparams_tree import names_a_row

HPARAMS = "hparams"  # the folder, in the current folder as in a checkout and in the wheel
COMPARE = "compare"  # the folder of comparison files in it
ENDINGS = (".yaml", ".yml")


def shipped(name: str) -> Path:
    """Return a folder that comes with the package: ``"hparams"`` or ``"recipes"``.

    The wheel holds it inside of the package. In a checkout, and after an editable install, it lies beside the package.
    """
    package = Path(__file__).resolve().parents[1]
    return package / name if (package / name).is_dir() else package.parent / name


def hparams_folders() -> list[Path]:
    """Return the folders where rows are looked for, the first one first: ./hparams where it is there, then the shipped files."""
    here = Path(HPARAMS)
    return [*([here] if here.is_dir() else []), shipped(HPARAMS)]


def rows() -> dict[str, Path]:
    """Return the hparams file of each row by the row's name: those that say ``row:``, and not what they include."""
    files = [file for folder in reversed(hparams_folders()) for file in sorted(folder.glob("*.yaml"))]
    return {file.stem: file for file in files if names_a_row(file)}


def find_hparams(word: str | Path) -> Path:
    """Return the hparams file that `word` names.

    Parameters
    ----------
    word : the path of a YAML file (it may be missing: who reads it says so), or the name of a row: ``"mlee_fusion"``

    Raises
    ------
    InputError
        if there is no such row; the message names the nearest one and where rows were looked for

    >>> find_hparams("mlee_fusion").name
    'mlee_fusion.yaml'
    >>> find_hparams("my/own.yaml").as_posix()
    'my/own.yaml'
    """
    path = Path(word)
    if path.suffix in ENDINGS:
        return path
    known = rows()
    if path.suffix or len(path.parts) != 1:
        raise InputError(f"{word}: no hparams file (.yaml): give the path of one, or the name of a row: {', '.join(known)}")
    return known[choose(str(word), known, f"row in {' and '.join(map(str, hparams_folders()))}")]


def comparisons(folder: str | Path | None = None) -> dict[str, Path]:
    """Return the comparison files by name: those in the folder of the hparams files that is given, and the others."""
    folders = [*reversed(hparams_folders()), *([Path(folder)] if folder else [])]
    return {file.stem: file for place in folders for file in sorted((place / COMPARE).glob("*.yaml"))}


def find_comparison(word: str | Path, folder: str | Path | None = None) -> Path:
    """Return the comparison file that `word` names: its path, or its name in the folder compare of the hparams files.

    Raises
    ------
    InputError
        if there is no comparison of this name; the message names the nearest one

    >>> find_comparison("table3").name
    'table3.yaml'
    """
    path = Path(word)
    if path.suffix in ENDINGS:
        return path
    known = comparisons(folder)
    return known[choose(str(word), known, "comparison")]


def copy_hparams(folder: str | Path) -> None:
    """Write a copy of the shipped hparams files to a new folder, for a person to change.

    Raises
    ------
    InputError
        if `folder` exists: nothing is overwritten
    """
    folder = Path(folder)
    if folder.exists():
        raise InputError(f"{folder}: exists already, and nothing is overwritten: give the name of a new folder")
    with written_beside(folder) as beside:
        shutil.copytree(shipped(HPARAMS), beside)
