"""The columns of a table of votes: which are read, and what becomes of those that are not."""

import csv
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import pandas as pd

from mlee_sb.corpora.manifest.columns import VOTES_FOR
from mlee_sb.corpora.text_table import TextTable, folded_column
from mlee_sb.errors import InputError, choose

WAV, SPEAKER, SESSION, ID, START, END, SPLIT, FOLD = "wav", "speaker", "session", "ID", "start", "end", "split", "fold"
SCRIPT, DOMINANT, N_ANNOTATORS, ANNOTATOR, LABEL = "script", "dominant", "n_annotators", "annotator", "label"
OF_AN_UTTERANCE = (WAV, START, END, SPEAKER, SESSION, SCRIPT, SPLIT, FOLD, DOMINANT, N_ANNOTATORS)
KNOWN = (ID, *OF_AN_UTTERANCE, ANNOTATOR, LABEL)
LABELS_OF = "annotator_"  # before the name of an annotator: the cells are labels
FORMS = f"{VOTES_FOR}<code> columns (a row an utterance), {ANNOTATOR} and {LABEL} (a row a vote), or {LABELS_OF}<name> columns with labels"

OTHER_WORDS = {  # what other tables call these columns: to say it is better than to leave them out
    **dict.fromkeys(("file", "filename", "file_name", "path", "audio", "clip"), WAV),
    **dict.fromkeys(("begin", "onset", "from"), START),
    **dict.fromkeys(("stop", "offset", "finish", "to"), END),
    **dict.fromkeys(("spk", "spkr", "actor", "talker", "subject", "participant"), SPEAKER),
    **dict.fromkeys(("sess", "dialog", "dialogue", "conversation"), SESSION),
    **dict.fromkeys(("utt_id", "utterance_id", "segment_id", "clip_id"), ID),
    **dict.fromkeys(("partition", "subset", "set"), SPLIT),
    **dict.fromkeys(("rater", "worker", "evaluator", "listener", "coder"), ANNOTATOR),
    **dict.fromkeys(("votes_total", "votes_sum", "votes_all", "votes_n", "n_votes", "num_votes", "n_raters", "num_raters"), N_ANNOTATORS),
}
LENGTHS = ("duration", "dur", "length")  # beside a start, they tell the end
NEAR = 0.8  # [choice] similarity from which a name is a misspelling
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")  # of a name such as cv_fold, StartTime or segment-end
NO_MISSPELLING = ("dominance",)  # a dimension of emotions, beside valence and arousal


@dataclass(frozen=True)
class Rows:
    """The cells of the columns that are read, as text.

    Attributes
    ----------
    path : the file
    written : names of all columns of the file, as it writes them
    cells : a row each; the index is the line in the file. Columns: of `KNOWN`, ``votes_<label>``, ``annotator_<name>``
    remarks : what a person must know of the columns and the file
    """

    path: Path
    written: Sequence[str]
    cells: pd.DataFrame
    remarks: list[str]

    @property
    def what_there_is(self) -> str:
        """The columns of the file, for errors."""
        return f"it has the columns {', '.join(self.written)}"

    def refuse(self, bad: pd.Series, column: str, why: str) -> None:
        """Raise an InputError for the first row that is `bad`; it names the line, and the cell in `column`."""
        if bad.any():
            line = bad.idxmax()
            raise InputError(f"{self.path}, line {line}: {column} {self.cells[column][line]!r} {why}")

    def of(self, *columns: str) -> list[list[str]]:
        """Return the cells of columns; "" in each row for a column that the table does not have."""
        return [self.cells[column].tolist() if column in self.cells else [""] * len(self.cells) for column in columns]

    def starting_with(self, prefix: str) -> list[str]:
        """Return the columns that have a prefix, in their order."""
        return [column for column in self.cells if column.startswith(prefix)]


def read_columns(table: TextTable, ignore: str = "", annotators: str = "") -> Rows:
    """Return the columns of a table that are read.

    Parameters
    ----------
    table : as it lies on disk
    ignore : names of columns that are left out, separated by commas
    annotators : names of columns that hold the labels of an annotator each, separated by commas

    Raises
    ------
    InputError
        for a column that may be meant as one that is read and is not spelt so, and for a name in `ignore` or `annotators` that is none
    """
    ignored, of_annotators = (_given(table, flag, text) for flag, text in (("ignore", ignore), ("annotators", annotators)))
    names, unused = {}, []
    for folded, written in table.names.items():
        if folded in of_annotators:
            names[folded] = LABELS_OF + written
        elif folded in ignored:
            unused.append(written)
        else:
            names[folded] = _read_as(folded, written, table.names)
    near = {table.names[folded]: _nearest(folded, table.names[folded], names.values()) for folded, name in names.items() if not name}
    for written, nearest in near.items():
        if nearest:
            remedy = f"--ignore {shlex.quote(written)}"
            raise InputError(f"{table.path}: the column {written!r} is not read; did you mean {nearest!r}? Rename it, or give {remedy}")
    remarks, unused = table.remarks(), [*unused, *near]
    if unused:
        remarks.append(f"{table.path.name}: columns that are not used: {', '.join(unused)}")
    read = {folded: name for folded, name in names.items() if name}
    for name, n in Counter(read.values()).items():
        if n > 1:
            raise InputError(f"{table.path}: {n} columns are read as {name!r}: leave one out with --ignore")
    return Rows(table.path, list(table.names.values()), table.cells[list(read)].rename(columns=read), remarks)


def form_of(rows: Rows) -> str:
    """Return the prefix of the columns that hold the votes, or `LABEL` for a row a vote.

    Raises
    ------
    InputError
        if the table has no form, or two, or lacks a column of its form
    """
    columns = rows.cells.columns
    found = rows.what_there_is
    forms = [prefix for prefix in (VOTES_FOR, LABELS_OF) if rows.starting_with(prefix)]
    forms += [LABEL] if {ANNOTATOR, LABEL} & set(columns) else []
    if len(forms) != 1:
        raise InputError(f"{rows.path}: {found}; give either {FORMS}")
    for column in (WAV, *((ANNOTATOR, LABEL) if forms == [LABEL] else ())):
        if column not in columns:
            remedy = f"; if each row has one label, give --annotators {LABEL}" if column == ANNOTATOR else ""
            raise InputError(f"{rows.path}: no column {column!r}; {found}{remedy}")
    if {SPLIT, FOLD} <= set(columns):
        raise InputError(f"{rows.path}: the columns {SPLIT} and {FOLD} both divide the utterances: leave one out with --ignore {FOLD}")
    return forms[0]


def _given(table: TextTable, flag: str, text: str) -> list[str]:
    """Return the folded names of the columns that an option names."""
    given = [folded_column(name) for name in next(csv.reader([text], skipinitialspace=True), []) if name.strip()]
    return [choose(name, table.names, f"column of {table.path} in --{flag}") for name in given]


def _read_as(folded: str, written: str, names: Iterable[str]) -> str:
    """Return the name under which a column is read; "" if it is not."""
    for known in KNOWN:
        if folded == known.lower():
            return known
    if folded in OTHER_WORDS:
        return ""
    for prefix in (VOTES_FOR, LABELS_OF):
        if folded.startswith(prefix) and len(folded) > len(prefix) and (prefix == VOTES_FOR or ANNOTATOR not in names):
            begin = re.match(rf"{prefix[:-1]}[_\s]\s*", written, re.IGNORECASE)
            return prefix + (written[begin.end() :] if begin else folded[len(prefix) :])
    return ""


def _nearest(folded: str, written: str, read: Iterable[str]) -> str:
    """Return the column that may be meant by a name that is none; "" if there is none. A column that the table has is not meant."""
    if folded in NO_MISSPELLING:
        return ""
    missing = [name for name in KNOWN if name not in read]
    if folded in LENGTHS and END in missing and START not in missing:
        return END
    for prefix, shown in ((VOTES_FOR, f"{VOTES_FOR}<code>"), (LABELS_OF, f"{LABELS_OF}<name>")):
        if (prefix == VOTES_FOR or ANNOTATOR in missing) and OTHER_WORDS.get(folded) is None and _alike(folded[: len(prefix)], prefix):
            return shown
    near = [name for name in missing if folded.startswith(f"{name.lower()}_") or _alike(folded, name.lower())]
    near += [name for name in missing if OTHER_WORDS.get(folded) == name]
    near = near or _words_in(written, missing)
    return max(near, key=lambda name: _similarity(folded, name.lower()), default="")


def _words_in(written: str, missing: Iterable[str]) -> list[str]:
    """Return the columns of an utterance that are a word of a name: ``fold`` in ``cv_fold``, votes in ``sad_votes``."""
    found = {word.lower() for word in WORD.findall(written)}
    of_votes = [f"{VOTES_FOR}<code>"] if found & {"vote", VOTES_FOR.rstrip("_")} else []
    return of_votes or [name for name in missing if name in OF_AN_UTTERANCE and name in found]


def _alike(one: str, other: str) -> bool:
    return one[:1] == other[:1] and _similarity(one, other) >= NEAR


def _similarity(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()


def words(names: Sequence[str], most: int = 5) -> str:
    """Return names for a message, the first few in quotes.

    >>> words(["a", "b", "c"], most=2)
    "'a', 'b' and 1 more"
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(repr(name) for name in names[:most]) + more
