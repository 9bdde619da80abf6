"""A table in a text file, as people and spreadsheets write them: its dialect is recognised where it is certain, and told.

Read are fields between commas, semicolons, tabs or ``|``; lines that end in LF, CR LF or CR; fields in double quotes, also with line
ends in them; comment lines (``#``) and Excel's line ``sep=;`` before the header.
"""

import csv
import io
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mlee_sb.corpora.manifest.identities import folded
from mlee_sb.corpora.text_file import UTF_8, read_text
from mlee_sb.errors import InputError

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars (|)"}
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[\s,;|]*', re.IGNORECASE)
COMMENT = "#"
MOST_BEFORE = 20  # lines in which a header is looked for that is not the first one
SHOWN = 80  # characters of a line that an error shows


@dataclass(frozen=True)
class TextTable:
    """The cells of a table as text, without the spaces around them.

    Attributes
    ----------
    path : the file
    cells : a row each that is not blank; the index is the number of the line in the file. Columns are called as `folded_column` says
    names : name of a column as `folded_column` gives it -> as the file writes it
    separator : of the fields
    encoding : of the file
    unnamed : numbers (from 1) of the columns that have cells and no name; they are not in `cells`
    """

    path: Path
    cells: pd.DataFrame
    names: dict[str, str]
    separator: str
    encoding: str
    unnamed: tuple[int, ...]

    def remarks(self) -> list[str]:
        """Return what is unusual in how the file is written, a sentence each."""
        found = []
        if self.separator != "," or self.encoding != UTF_8:
            found.append(f"{self.path.name} was read as {self.encoding.upper()} with fields between {SEPARATORS[self.separator]}")
        found += [f"{self.path.name}: column {number} has no name and is not used" for number in self.unnamed]
        return found


def folded_column(name: str) -> str:
    """Return the name of a column without the ways to write it.

    >>> folded_column(" N  Annotators ")
    'n_annotators'
    """
    return folded(name).replace(" ", "_")


def read_text_table(path: Path, needed: Collection[str], encoding: str = "", flag: str = "") -> TextTable:
    """Return the table in a file.

    Parameters
    ----------
    path : the file
    needed : names of columns (folded) that tell the header; it is not an error if they are missing
    encoding, flag : as for `read_text`

    Raises
    ------
    InputError
        if it is not certain what the file says; the message names the file and the line
    """
    text, encoding = read_text(path, encoding, flag)
    lines = list(io.StringIO(text, newline=""))  # with their ends: a field in quotes may have some in it
    told, first = _before_the_header(path, lines, needed)
    separator = _separator(path, lines[first:], first, needed, told)
    rows = _rows(path, lines[first:], first, separator)
    _, header = next(rows)
    header = [name.strip() for name in header]
    names = _names(path, header)
    numbers, body = _body(path, rows, header)
    if not body:
        raise InputError(f"{path}: no row after the header")
    columns = [[cell.strip() for cell in column] for column in zip(*body, strict=True)]
    unnamed = tuple(number for number, (name, column) in enumerate(zip(header, columns, strict=True), 1) if not name and any(column))
    cells = pd.DataFrame({folded_column(n): column for n, column in zip(header, columns, strict=True) if n}, index=numbers, dtype=object)
    return TextTable(path, cells, names, separator, encoding, unnamed)


def _before_the_header(path: Path, lines: Sequence[str], needed: Collection[str]) -> tuple[str, int]:
    """Return the separator that a line ``sep=`` names ("" without one), and the index of the header."""
    told = ""
    for index, line in enumerate(lines):
        if found := SEPARATOR_LINE.fullmatch(line.rstrip("\r\n")):
            told = found[1]
            if told not in SEPARATORS:
                raise InputError(f"{path}, line {index + 1}: fields between {told!r} cannot be read: export the table with commas")
        elif line.strip() and not line.lstrip().startswith(COMMENT):
            return told, index
        elif _separators_of(line.lstrip().lstrip(COMMENT), needed):
            raise InputError(f"{path}, line {index + 1}: it names the columns and is a comment: remove the {COMMENT}")
    raise InputError(f"{path}: the file is empty: its first line must name the columns")


def _separator(path: Path, lines: Sequence[str], before: int, needed: Collection[str], told: str) -> str:
    """Return the separator that was told; else the one with which the header has the columns that are `needed`, or has most columns."""
    fitting = _separators_of(lines[0], needed)
    if not fitting:
        _refuse_a_header_below(path, lines, before, needed)
    best = told or next(iter(fitting), "") or max(SEPARATORS, key=lambda separator: len(_columns(lines[0], separator)))
    if len(_columns(lines[0], best)) < 2:
        found = f"{path}: its header is one column, {lines[0].strip()[:SHOWN]!r}"
        why = f"and a line before says sep={told}: remove that line" if told else f"separate the fields by {', '.join(SEPARATORS.values())}"
        raise InputError(f"{found}: {why}")
    return best


def _refuse_a_header_below(path: Path, lines: Sequence[str], before: int, needed: Collection[str]) -> None:
    for number, line in enumerate(lines[1:MOST_BEFORE], before + 2):
        if _separators_of(line, needed):
            remedy = f"remove the lines before it, or begin them with {COMMENT}"
            raise InputError(f"{path}, line {number}: it names the columns, and there are lines before it: {remedy}")


def _separators_of(line: str, needed: Collection[str]) -> list[str]:
    """Return the separators with which a line names the columns that are needed, and others."""
    columns = {separator: _columns(line, separator) for separator in SEPARATORS}
    return [separator for separator, found in columns.items() if set(needed) <= found and len(found) > 1]


def _columns(line: str, separator: str) -> set[str]:
    try:
        return set(map(folded_column, next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])))
    except csv.Error:
        return set()


def _rows(path: Path, lines: Sequence[str], before: int, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the line where a row begins, and its fields. `before` is the number of lines before the first."""
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    while True:
        begins = before + reader.line_num + 1
        try:
            yield begins, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InputError(
                f"{path}, line {begins}: {error}: a field in quotes must end with a quote, and quotes in it are doubled"
            ) from error


def _names(path: Path, header: Sequence[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for name in filter(None, header):
        first = names.setdefault(folded_column(name), name)
        if header.count(name) > 1:
            raise InputError(f"{path}: {header.count(name)} columns are called {name!r}: leave one")
        if first != name:
            raise InputError(f"{path}: the columns {first!r} and {name!r} have one name: leave one")
    return names


def _body(path: Path, rows: Iterator[tuple[int, list[str]]], header: Sequence[str]) -> tuple[list[int], list[list[str]]]:
    """Return the rows that are not blank, each with as many fields as the header, and the numbers of their lines."""
    numbers, body, n = [], [], len(header)
    for number, fields in rows:
        if len(fields) > n and not any(map(str.strip, fields[n:])):
            fields = fields[:n]
        if not any(map(str.strip, fields)):
            continue
        if len(fields) != n:
            hint = "; a field that has the separator in it, as a decimal comma, must be in quotes" if len(fields) > n else ""
            raise InputError(f"{path}, line {number}: {len(fields)} field{'s' * (len(fields) > 1)}, and the header names {n} columns{hint}")
        if fields[0].strip() == header[0] and [field.strip() for field in fields] == header:
            raise InputError(f"{path}, line {number}: the header again; are these two tables in one file? Give one")
        numbers.append(number)
        body.append(fields)
    return numbers, body
