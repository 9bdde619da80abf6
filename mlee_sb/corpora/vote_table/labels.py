"""The labels of a table of votes, and the codes that they stand for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from mlee_sb.corpora.codes import OTHER, code_of, refuse_what_is_no_code
from mlee_sb.corpora.labels_file import CODE, LABEL, Labels
from mlee_sb.corpora.manifest.identities import folded, listed, near_equal
from mlee_sb.corpora.vote_table.columns import words
from mlee_sb.errors import InputError

BETWEEN_LABELS = (";", "|", ",")  # in one cell
NO_LABELS = ("na", "n/a", "nan", "null")
HOW = f"give each label its code with --labels FILE, a CSV with the columns {LABEL},{CODE}"


@dataclass(frozen=True)
class Codes:
    """The codes of all cells that hold labels.

    Attributes
    ----------
    of_cell : cell -> its codes, in order, without repetition; () for an empty cell
    merged : which labels got which codes from a file, as a sentence says it; "" for none
    """

    of_cell: dict[str, tuple[str, ...]]
    merged: str

    def all(self) -> list[str]:
        """Return all codes, sorted."""
        return sorted({code for codes in self.of_cell.values() for code in codes})


def read_codes(path: Path, cells: Iterable[str], labels: Labels | None, several: bool = True) -> Codes:
    """Return the codes of cells that hold one label, or several between ``;``, ``|`` or ``,``.

    Parameters
    ----------
    path : the table, for errors
    cells : of the table
    labels : what a file says about labels; None without such a file, where each label is a code
    several : whether a cell may hold several labels

    Raises
    ------
    InputError
        for labels that the file does not have, that cannot be codes, or that differ in nothing but how they are written
    """
    parts = {cell: _parts(path, cell, labels, several) for cell in dict.fromkeys(cells)}
    found = dict.fromkeys(part for of_cell in parts.values() for part in of_cell)
    code_of_label = _without_file(path, found) if labels is None else _by_file(path, found, labels)
    of_cell = {cell: tuple(dict.fromkeys(code_of_label[part] for part in of_cell)) for cell, of_cell in parts.items()}
    return Codes(of_cell, labels.words(found) if labels else "")


def _parts(path: Path, cell: str, labels: Labels | None, several: bool) -> list[str]:
    """Return the labels in a cell."""
    used = [separator for separator in BETWEEN_LABELS if separator in cell]
    if not several or not used or (labels and labels.code_of(cell)):
        return [cell] if cell else []
    if len(used) > 1:
        raise InputError(f"{path}: label {cell!r}: it has {' and '.join(map(repr, used))} in it: separate several labels in one way")
    return [part.strip() for part in cell.split(used[0]) if part.strip()]


def _without_file(path: Path, found: Sequence[str]) -> dict[str, str]:
    codes = {label: code_of(label) for label in found}
    same = near_equal(label for label, code in codes.items() if code != OTHER)
    if same:
        raise InputError(f"{path}: labels that differ in nothing but how they are written: {listed(same)}: write each in one way, or {HOW}")
    for label, code in codes.items():
        if folded(label) in NO_LABELS:
            raise InputError(f"{path}: label {label!r} is what programs write for an empty cell: leave the cell empty, or {HOW}")
        refuse_what_is_no_code(code, str(path), f"; {HOW}")
    return codes


def _by_file(path: Path, found: Sequence[str], labels: Labels) -> dict[str, str]:
    codes = {label: labels.code_of(label) or (OTHER if code_of(label) == OTHER else "") for label in found}
    unknown = sorted(label for label, code in codes.items() if not code)
    if unknown:
        near = get_close_matches(folded(unknown[0]), labels.codes, n=1)
        hint = f"; {unknown[0]!r} is near {near[0]!r}" if near else ""
        raise InputError(
            f"{labels.path}: no code for {len(unknown)} labels of {path}: {words(unknown, most=30)}{hint}: add a line for each"
        )
    return codes
