"""Any corpus, as a CSV of votes beside its recordings. The columns tell which of two forms it has:

- wide, a row an utterance with the number of votes for each emotion::

      wav,speaker,votes_neu,votes_hap,votes_other
      wavs/a.wav,anna,2,1,0

- long, a row a vote::

      wav,speaker,annotator,label
      wavs/a.wav,anna,ear1,neu
      wavs/a.wav,anna,ear2,hap

Both may have the columns ``ID`` (by default the path of the wav without its ending), ``session`` and ``dominant`` (a code, or empty
for none; it replaces the rule of most votes). The wide form may have ``n_annotators`` (by default the sum of the votes). An empty
count is 0. The text after ``votes_`` or in ``label`` is the code of an emotion; ``other`` or ``oth`` is a vote for no emotion.
"""

import csv
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import pandas as pd

from mlee_sb.corpora.base import OTHER, Corpus, Fold, Skipped, Utterance, grouped_folds, plurality
from mlee_sb.corpora.manifest.columns import MOST_VOTES, why_not_inside
from mlee_sb.corpora.own_name import own_name
from mlee_sb.errors import InputError

PREFIX = "votes_"
NAMES_OF_OTHER = ("other", OTHER)
CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
"""What a code may be: it becomes part of the names of columns."""

FIRST_LINE = 2  # of the file, after the header
AUDIO_ENDINGS = (".wav", ".flac", ".ogg", ".mp3")


class VoteTable(Corpus):
    """The corpus of a person who has a table of votes."""

    name = "vote_table"
    dominant_rule = "the column `dominant`; where there is none, the one emotion with the most votes, none on a tie"
    fold_options = ("folds",)

    def __init__(
        self,
        data_folder: str | Path,
        *,
        table: Annotated[str, "the CSV of votes, in the data folder"] = "votes.csv",
        folds: Annotated[int, "groups of speakers; each speaker is one if there are no more speakers than this"] = 10,
        name: Annotated[str, "what the corpus is called in paths, reports and on cards; by default as its folder"] = "",
    ):
        super().__init__(data_folder)
        self.name = own_name(name, data_folder)
        self.n_groups = folds
        self.path = self.data_folder / table
        self.table = self._read()
        self.names_dominant = "dominant" in self.table
        self.is_long = self._form() == "long"
        self.table["ID"] = self._ids()
        if self.is_long:
            self._check_long()
            codes = sorted(set(self.table["label"]))
        else:
            codes = self._count_columns()
        self.emotions = self.default_emotions = tuple(code for code in codes if code != OTHER)
        self.has_other = OTHER in codes
        self._check_codes()

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories that the table counts votes for."""
        return (*self.emotions, OTHER) if self.has_other else self.emotions

    def utterances(self) -> Iterator[Utterance | Skipped]:
        """Yield the utterances of the table, then the recordings in the same folders that no row names."""
        yield from self._long_utterances() if self.is_long else self._wide_utterances()
        yield from self._not_in_the_table()

    def folds(self, speakers: Sequence[str]) -> list[Fold]:
        """Make groups of speakers; fold k tests group k and validates on group k+1. With few speakers, each is a group."""
        return grouped_folds(speakers, self.n_groups)

    def _read(self) -> pd.DataFrame:
        if not self.path.is_file():
            raise InputError(f"{self.path}: no such file; it must hold the votes (another name is given with --table)")
        try:
            self._check_fields()
            # Blank lines are kept until here, so that the n-th row is the n-th line; a speaker may be called NA or 007.
            table = pd.read_csv(self.path, dtype=str, keep_default_na=False, skip_blank_lines=False, encoding="utf-8")
        except ValueError as error:
            raise InputError(f"{self.path}: cannot be read as a CSV in UTF-8: {error}") from error
        if not isinstance(table.index, pd.RangeIndex):
            raise InputError(f"{self.path}: the lines have more fields than the first one names columns")
        table.columns = table.columns.str.strip()
        table = table.fillna("").apply(lambda column: column.str.strip())
        return table[(table != "").any(axis=1)].copy()

    def _check_fields(self) -> None:
        """Refuse what pandas would change unnoticed: two columns of one name, and a line with too few fields."""
        with open(self.path, encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file)
            names = [name.strip() for name in next(lines, [])]
            for name, n in Counter(names).items():
                if name and n > 1:
                    raise InputError(f"{self.path}: {n} columns are called {name!r}: leave one")
            for fields in lines:
                if len(fields) < len(names) and any(map(str.strip, fields)):
                    found = f"{len(fields)} fields, and the first line names {len(names)} columns"
                    raise InputError(f"{self.path}, line {lines.line_num}: {found}")

    def _form(self) -> str:
        columns = set(self.table.columns)
        counted = [column for column in columns if column.startswith(PREFIX)]
        found = f"it has the columns {', '.join(self.table.columns)}"
        if len(columns) == 1 and ";" in self.table.columns[0]:
            raise InputError(f"{self.path}: its fields are separated by semicolons: separate them by commas")
        if bool(counted) == bool(columns & {"annotator", "label"}):
            remedy = "give either votes_<code> columns (a row an utterance) or annotator and label (a row a vote)"
            raise InputError(f"{self.path}: {found}; {remedy}")
        needed = ("wav", "speaker") if counted else ("wav", "speaker", "annotator", "label")
        for column in needed:
            if column not in columns:
                raise InputError(f"{self.path}: no column {column!r}; {found}")
        return "wide" if counted else "long"

    def _ids(self) -> list[str]:
        wavs = [wav.replace("\\", "/").removeprefix("./") for wav in self.table["wav"].tolist()]
        self.table["wav"] = wavs
        return self.table["ID"].tolist() if "ID" in self.table else [os.path.splitext(wav)[0] for wav in wavs]

    def _count_columns(self) -> list[str]:
        """Turn the counts of the wide form into whole numbers, name their columns by code, and return the codes."""
        columns = [column for column in self.table if column.startswith(PREFIX)]
        codes = [_code(column.removeprefix(PREFIX)) for column in columns]
        for column, code in zip(columns, codes, strict=True):
            first = columns[codes.index(code)]
            if first != column:
                raise InputError(f"{self.path}: columns {first} and {column} are both of {code!r}: give one column for each code")
        for column in [*columns, *({"n_annotators"} & set(self.table))]:
            counts = pd.to_numeric(self.table[column].replace("", "0"), errors="coerce")
            is_count = (counts >= 0) & (counts % 1 == 0) & (counts <= MOST_VOTES)
            self._refuse(~is_count, column, f"is no number of votes: a whole number from 0 to {MOST_VOTES:,}")
            self.table[column] = counts.astype(int)
        self.table = self.table.rename(columns=dict(zip(columns, (PREFIX + code for code in codes), strict=True)))
        return codes

    def _check_long(self) -> None:
        """Check that every vote says who gave it and for what, and that the rows of an utterance agree on everything else."""
        self._refuse(self.table["annotator"] == "", "annotator", "is empty")
        self._refuse(self.table["label"] == "", "label", "is empty")
        self.table["label"] = [_code(label) for label in self.table["label"]]
        by_id = self.table.groupby("ID", sort=False)
        for column in ("wav", "speaker", "session", "dominant"):
            if column in self.table:
                self._refuse(
                    self.table[column] != by_id[column].transform("first"), column, "is another one on an earlier line of this utterance"
                )

    def _check_codes(self) -> None:
        seen: dict[str, str] = {}
        for code in self.emotions:
            if not CODE.fullmatch(code):
                raise InputError(f"{self.path}: {code!r} cannot be a code: letters, digits, _ and - only, and not empty")
            if code.lower() in seen:
                raise InputError(
                    f"{self.path}: {seen[code.lower()]!r} and {code!r} are two codes; write an emotion in one way, in one column"
                )
            seen[code.lower()] = code
        if self.names_dominant:
            self.table["dominant"] = [_code(code) if code else "" for code in self.table["dominant"]]
            self._refuse(
                ~self.table["dominant"].isin(["", OTHER, *self.emotions]), "dominant", f"has no votes (codes: {', '.join(self.emotions)})"
            )

    def _refuse(self, bad: pd.Series, column: str, why: str) -> None:
        """Raise for the first row that is `bad`."""
        if bad.any():
            row = bad.idxmax()
            raise InputError(f"{self.path}, line {row + FIRST_LINE}: {column} {self.table[column][row]!r} {why}")

    def _columns(self, table: pd.DataFrame, *names: str) -> list[Iterable[str]]:
        """Return the values of columns; "" in each row for a column that the table does not have."""
        return [table[name].tolist() if name in table else [""] * len(table) for name in names]

    def _wide_utterances(self) -> Iterator[Utterance]:
        codes = [column.removeprefix(PREFIX) for column in self.table if column.startswith(PREFIX)]
        counts = zip(*(self.table[PREFIX + code].tolist() for code in codes), strict=True)
        ids, wavs, speakers, sessions, dominants = self._columns(self.table, "ID", "wav", "speaker", "session", "dominant")
        annotators = self.table["n_annotators"].tolist() if "n_annotators" in self.table else [None] * len(ids)
        rows = zip(ids, wavs, speakers, sessions, dominants, annotators, counts, strict=True)
        for id_, wav, speaker, session, dominant, n_annotators, row in rows:
            votes = dict(zip(codes, row, strict=True))
            yield self._utterance(id_, wav, speaker, session, dominant, votes, sum(row) if n_annotators is None else n_annotators)

    def _long_utterances(self) -> Iterator[Utterance]:
        # An annotator votes for an emotion or not: a row that is there twice is one vote.
        votes: dict[str, dict[tuple[str, str], None]] = {}
        for id_, annotator, label in zip(*self._columns(self.table, "ID", "annotator", "label"), strict=True):
            votes.setdefault(id_, {})[annotator, label] = None
        first = self.table.drop_duplicates("ID")
        for id_, *rest in zip(*self._columns(first, "ID", "wav", "speaker", "session", "dominant"), strict=True):
            annotations = tuple(votes.pop(id_))
            counts = Counter(label for _, label in annotations)
            yield self._utterance(id_, *rest, counts, len({annotator for annotator, _ in annotations}), annotations)

    def _utterance(self, id_, wav, speaker, session, dominant, votes, n_annotators, annotations=()) -> Utterance:
        dominant = dominant if self.names_dominant else plurality(votes)
        return Utterance(id_, wav, speaker, session, votes, n_annotators, dominant, annotations)

    def _not_in_the_table(self) -> Iterator[Skipped]:
        listed = {wav for wav in self.table["wav"].unique() if not why_not_inside(wav)}
        for folder in sorted({os.path.dirname(wav) for wav in listed}):
            if not (self.data_folder / folder).is_dir():
                continue
            for file in sorted(os.listdir(self.data_folder / folder)):
                wav = f"{folder}/{file}" if folder else file
                if file.lower().endswith(AUDIO_ENDINGS) and not file.startswith(".") and wav not in listed:
                    yield Skipped(os.path.splitext(wav)[0], wav, f"wav without an annotation: not in {self.path.name}")


def _code(text: str) -> str:
    """Return the code that a label, or the end of the name of a column, stands for."""
    return OTHER if text.lower() in NAMES_OF_OTHER else text
