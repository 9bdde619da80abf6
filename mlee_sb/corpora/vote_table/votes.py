"""The votes of a table, in each of its forms, as the votes of utterances."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlee_sb.corpora.labels_file import Labels
from mlee_sb.corpora.manifest.columns import VOTES_FOR
from mlee_sb.corpora.vote_table.columns import ANNOTATOR, ID, LABEL, LABELS_OF, N_ANNOTATORS, OF_AN_UTTERANCE, Rows
from mlee_sb.corpora.vote_table.counts import AUTO, COUNTS, annotators_of, read_counts
from mlee_sb.corpora.vote_table.labels import Codes, read_codes
from mlee_sb.errors import InputError

Annotations = tuple[tuple[str, str], ...]  # (annotator, code), one a vote


@dataclass(frozen=True)
class Votes:
    """The votes of the utterances of a table, in its order.

    Attributes
    ----------
    codes : everything that the table has votes for
    merged : which labels got which codes from a file, as a sentence says it
    remarks : how the votes were read, where that is not plain
    first : of each utterance, the number (from 0) of its (first) row
    counts : of each utterance, code -> number of votes
    n_annotators : of each utterance
    annotations : of each utterance; () where the annotators are not named
    """

    codes: Sequence[str]
    merged: str
    remarks: Sequence[str]
    first: Sequence[int]
    counts: Sequence[dict[str, int]]
    n_annotators: Sequence[int]
    annotations: Sequence[Annotations]


@dataclass(frozen=True)
class HowVotesAre:
    """What the options say of the votes; see the options of the reader. `comma`: whether numbers have a decimal comma."""

    labels: Labels | None = None
    kind: str = AUTO
    n_annotators: int = 0
    comma: bool = False


def read_votes(rows: Rows, form: str, how: HowVotesAre) -> Votes:
    """Return the votes of a table with the column ID, of the form that `form_of` gave.

    Raises
    ------
    InputError
        for what is no vote, and where it is not certain what it is
    """
    if form == VOTES_FOR:
        return _of_counts(rows, how)
    if how.kind != AUTO:
        raise InputError(f"--votes {how.kind}: {rows.path} has no {VOTES_FOR}... columns: leave the option out")
    return _of_rows(rows, how) if form == LABEL else _of_annotators(rows, how)


def _of_counts(rows: Rows, how: HowVotesAre) -> Votes:
    columns = rows.starting_with(VOTES_FOR)
    labels = [column.removeprefix(VOTES_FOR) for column in columns]
    codes = read_codes(rows.path, labels, how.labels, several=False)
    columns_of: dict[str, list[str]] = {}
    for column, label in zip(columns, labels, strict=True):
        columns_of.setdefault(codes.of_cell[label][0], []).append(column)
    for code, same in columns_of.items():
        if len(same) > 1 and how.labels is None:
            raise InputError(f"{rows.path}: columns {' and '.join(same)} are both of {code!r}: give one column for each code")
    found, annotators, kind = read_counts(rows, columns, how.kind, how.n_annotators, how.comma)
    counts = {code: _merged(found[same], annotators).tolist() for code, same in columns_of.items()}
    what = f"{rows.path.name}: its votes are {kind} of the annotators; they were turned into numbers of votes"
    of_utterances = [dict(zip(counts, row, strict=True)) for row in zip(*counts.values(), strict=True)]
    n = len(rows.cells)
    return Votes(tuple(counts), codes.merged, [] if kind == COUNTS else [what], range(n), of_utterances, annotators.tolist(), [()] * n)


def _merged(counts: pd.DataFrame, annotators: pd.Series) -> pd.Series:
    """Return the votes for labels of one code: their sum, and no more than the annotators, who may have voted for several of them."""
    total = counts.sum(axis=1)
    if len(counts.columns) == 1:
        return total
    good = (counts.max(axis=1) <= annotators) & (total > annotators)  # a row that is wrong stays so, to be found
    return total.where(~good, annotators)


def _of_rows(rows: Rows, how: HowVotesAre) -> Votes:
    """Return votes of the form with a row a vote. A row that is there twice is one vote."""
    for column in (ANNOTATOR, LABEL):
        rows.refuse(rows.cells[column] == "", column, "is empty")
    by_id = rows.cells.groupby(ID, sort=False)
    for column in (column for column in OF_AN_UTTERANCE if column in rows.cells):
        another = rows.cells[column] != by_id[column].transform("first")
        rows.refuse(another, column, "is another one on an earlier line of this utterance")
    codes = read_codes(rows.path, rows.cells[LABEL], how.labels)
    rows.refuse(rows.cells[LABEL].map(codes.of_cell).map(len) == 0, LABEL, "names no label")
    found: dict[str, dict[tuple[str, str], None]] = {}
    for utterance, annotator, label in zip(*rows.of(ID, ANNOTATOR, LABEL), strict=True):
        votes = found.setdefault(utterance, {})
        for code in codes.of_cell[label]:
            votes[annotator, code] = None
    first = np.flatnonzero(~rows.cells[ID].duplicated())
    return _of_annotations(rows, how, codes, first, list(map(tuple, found.values())))


def _of_annotators(rows: Rows, how: HowVotesAre) -> Votes:
    """Return votes of the form with a column an annotator. An empty cell is an utterance that this annotator did not judge."""
    columns = rows.starting_with(LABELS_OF)
    names = [column.removeprefix(LABELS_OF) for column in columns]
    codes = read_codes(rows.path, (cell for column in columns for cell in rows.cells[column].unique()), how.labels)
    annotations = [
        tuple((name, code) for name, cell in zip(names, cells, strict=True) for code in codes.of_cell[cell])
        for cells in zip(*rows.of(*columns), strict=True)
    ]
    return _of_annotations(rows, how, codes, np.arange(len(rows.cells)), annotations)


def _of_annotations(rows: Rows, how: HowVotesAre, codes: Codes, first: np.ndarray, annotations: Sequence[Annotations]) -> Votes:
    counts = [Counter(code for _, code in of_one) for of_one in annotations]
    voted = pd.Series([len({annotator for annotator, _ in of_one}) for of_one in annotations], index=rows.cells.index[first])
    told = annotators_of(rows, how.n_annotators, how.comma).iloc[first]
    few = told < voted
    if few.any():
        line = few.idxmax()
        raise InputError(f"{rows.path}, line {line}: {voted[line]} annotators voted, and {N_ANNOTATORS} is {told[line]:.0f}")
    n_annotators = told.fillna(voted).astype(int)
    return Votes(codes.all(), codes.merged, (), first.tolist(), counts, n_annotators.tolist(), annotations)
