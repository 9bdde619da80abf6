"""Where the utterances of a table are: the pieces of recordings, and the sets that the corpus divides itself into."""

from collections.abc import Iterable, Sequence
from os.path import splitext

import pandas as pd

from mlee_sb.audio.formats import is_recording_name
from mlee_sb.corpora.manifest.columns import TRAIN
from mlee_sb.corpora.manifest.identities import folded, listed, near_equal
from mlee_sb.corpora.own_split import NAMES, own_split
from mlee_sb.corpora.vote_table.columns import END, FOLD, SPLIT, START, Rows
from mlee_sb.corpora.vote_table.numbers import number, numbers, seconds
from mlee_sb.errors import InputError

NO_TIME = "is no time from 0 on: give seconds, minutes:seconds or hours:minutes:seconds"
Times = Sequence[float | None]


def read_pieces(rows: Rows, comma: bool) -> tuple[Times, Times]:
    """Return where each row begins and ends in its recording, in seconds; None for the beginning and the end of the recording.

    Raises
    ------
    InputError
        for a cell that is no time, and a piece that ends before it begins
    """
    times = {}
    for column in (START, END):
        if column in rows.cells:
            times[column] = numbers(rows.cells[column], comma, seconds)
            rows.refuse(times[column].isna(), column, NO_TIME)
    if END in times:
        begins = times.get(START, 0.0)
        rows.refuse((rows.cells[END] != "") & (times[END] <= begins), END, "is not after the start: a piece must have a length")
    starts, ends = ([None] * len(rows.cells) if column not in times else times[column].tolist() for column in (START, END))
    ends = [end or None for end in ends]  # nothing ends at 0
    return [None if not start and end is None else start for start, end in zip(starts, ends, strict=True)], ends


def read_sets(rows: Rows) -> list[str]:
    """Return the set of the corpus's own division, or the fold, that each row is in; "" for none.

    Raises
    ------
    InputError
        for a name that is none of a set, and names of folds that differ in nothing but how they are written
    """
    if FOLD in rows.cells and not _are_sets(rows.cells[FOLD]):
        names = set(rows.cells[FOLD])
        same = near_equal(names) or _same_numbers(names)
        if same:
            raise InputError(f"{rows.path}: names of folds that differ in nothing but how they are written: {listed(same)}")
        return rows.cells[FOLD].tolist()
    column = next((column for column in (FOLD, SPLIT) if column in rows.cells), "")
    if not column:
        return [""] * len(rows.cells)
    sets = {}
    for cell in rows.cells[column].unique():
        try:
            sets[cell] = own_split(cell) if cell else ""
        except InputError as error:
            line = (rows.cells[column] == cell).idxmax()
            raise InputError(f"{rows.path}, line {line}: {error}; an utterance that is in no set has an empty cell") from error
    return rows.cells[column].map(sets).tolist()


def _are_sets(folds: pd.Series) -> bool:
    """Tell whether a column of folds holds names of sets: one that trains is among them."""
    names = [folded(name) for name in folds.unique()]
    return any(NAMES.get(name) == TRAIN for name in names)


def _same_numbers(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the groups of names that write one number: 1, 01 and 1.0."""
    by_number: dict[float, list[str]] = {}
    for name in sorted(names):
        value = number(name)
        if value == value:
            by_number.setdefault(value, []).append(name)
    return [tuple(same) for same in by_number.values() if len(same) > 1]


def written_times(times: Times) -> list[str]:
    """Return times as text, each in one way: seconds to the microsecond; "" for None.

    >>> written_times([1.50, None, 83.0])
    ['1.5', '', '83']
    """
    return ["" if time is None else _short(time) for time in times]


def default_ids(wavs: Sequence[str], starts: Times, ends: Times) -> list[str]:
    """Return the path of each recording without its ending, and for a piece where it begins and ends.

    >>> default_ids(["wavs/a.wav", "wavs/a.wav"], [None, 1.5], [None, 2.0])
    ['wavs/a', 'wavs/a_1.5-2']
    """
    stems = {wav: splitext(wav)[0] if is_recording_name(wav) else wav for wav in dict.fromkeys(wavs)}
    return [f"{stems[wav]}{_piece(start, end)}" for wav, start, end in zip(wavs, starts, ends, strict=True)]


def _piece(start: float | None, end: float | None) -> str:
    if start is None and end is None:
        return ""
    return f"_{_short(start or 0.0)}-{'end' if end is None else _short(end)}"


def _short(time: float) -> str:
    return f"{time:.6f}".rstrip("0").rstrip(".")
