"""The reader of tables of votes."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from mlee_sb.corpora.base import OTHER, Corpus, Fold, Skipped, Utterance, grouped_folds, plurality
from mlee_sb.corpora.codes import code_of
from mlee_sb.corpora.labels_file import read_labels
from mlee_sb.corpora.manifest.columns import VOTES_FOR, why_not_inside
from mlee_sb.corpora.manifest.identities import UNKNOWN
from mlee_sb.corpora.own_name import own_name
from mlee_sb.corpora.text_table import read_text_table
from mlee_sb.corpora.vote_table.columns import (
    DOMINANT,
    END,
    FOLD,
    ID,
    N_ANNOTATORS,
    SCRIPT,
    SESSION,
    SPEAKER,
    SPLIT,
    START,
    WAV,
    form_of,
    read_columns,
)
from mlee_sb.corpora.vote_table.counts import AUTO, Kind
from mlee_sb.corpora.vote_table.numbers import has_decimal_commas
from mlee_sb.corpora.vote_table.places import default_ids, read_pieces, read_sets, written_times
from mlee_sb.corpora.vote_table.votes import HowVotesAre, read_votes
from mlee_sb.corpora.vote_table.wavs import Recordings
from mlee_sb.errors import InputError


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
        labels: Annotated[str, "a CSV with the columns label,code: your own words for emotions, and the codes they count for"] = "",
        encoding: Annotated[str, "what the table is written in, if not in Unicode, for example cp1252"] = "",
        ignore: Annotated[str, "columns to leave out, separated by commas"] = "",
        annotators: Annotated[str, "columns that hold the labels of an annotator each, separated by commas"] = "",
        votes: Annotated[Kind, "what the cells of votes_... are; auto: as their values say"] = AUTO,
        n_annotators: Annotated[int, "annotators of each utterance, where the table has no such column"] = 0,
    ):
        super().__init__(data_folder)
        self.name = own_name(name, data_folder)
        self.n_groups = folds
        self.path = self.data_folder / table
        if not self.path.is_file():
            raise InputError(f"{self.path}: no such file; it must hold the votes (another name is given with --table)")
        source = read_text_table(self.path, (WAV,), encoding, "--encoding")
        self.rows = read_columns(source, ignore, annotators)
        self.form = form_of(self.rows)
        self._remarks = list(self.rows.remarks)
        self.recordings = Recordings(self.data_folder)
        self._find_recordings()
        numeric = [*self.rows.starting_with(VOTES_FOR), *({N_ANNOTATORS, START, END} & set(self.rows.cells))]
        comma = has_decimal_commas(self.rows, numeric)
        self._remarks += [f"{self.path.name}: its numbers have a decimal comma"] if comma else []
        cells, (self._starts, self._ends) = self.rows.cells, read_pieces(self.rows, comma)
        self._sets = read_sets(self.rows)
        for column, times in ((START, self._starts), (END, self._ends)):
            if column in cells:
                cells[column] = written_times(times)  # one time may be written in several ways
        if ID not in cells:
            cells[ID] = default_ids(cells[WAV].tolist(), self._starts, self._ends)
        self._labels = read_labels(labels) if labels else None
        self.votes = read_votes(self.rows, self.form, HowVotesAre(self._labels, votes, n_annotators, comma))
        self._remarks += self.votes.remarks
        self.emotions = self.default_emotions = tuple(code for code in self.votes.codes if code != OTHER)
        self._dominants = self._read_dominants()
        self.grouping = SPLIT if {SPLIT, FOLD} & set(cells) else self.grouping
        if self.votes.merged:
            self.dominant_rule = f"{self.dominant_rule}; labels were changed before: {self.votes.merged}"

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories that the table counts votes for."""
        return (*self.emotions, OTHER) if OTHER in self.votes.codes else self.emotions

    def utterances(self) -> Iterator[Utterance | Skipped]:
        """Yield the utterances of the table, then the recordings in the same folders that no row names."""
        if SPEAKER not in self.rows.cells and self.speakers != UNKNOWN:
            remedy = f"give --speakers {UNKNOWN} if nobody knows who speaks"
            raise InputError(f"{self.path}: no column {SPEAKER!r}; {self.rows.what_there_is}; {remedy}")
        yield from self._utterances()
        yield from self._not_in_the_table()

    def folds(self, speakers: Sequence[str]) -> list[Fold]:
        """Make groups of speakers; fold k tests group k and validates on group k+1. With few speakers, each is a group."""
        return grouped_folds(speakers, self.n_groups)

    def remarks(self) -> list[str]:
        """Return how the table was read, where that is not plain, and the columns that were not."""
        return self._remarks

    def _find_recordings(self) -> None:
        """Turn the cells of the column wav into paths below the data folder, as the files are called on disk."""
        cells = self.rows.cells
        found, renamed = self.recordings.find(cells[WAV].tolist(), self.path)
        cells[WAV] = cells[WAV].map(found)
        if renamed:
            first = next(iter(renamed))
            names = f"{first!r} is {renamed[first]!r}{', ...' if len(renamed) > 1 else ''}"
            self._remarks.append(f"{self.path.name}: recordings with another name on disk, which were found: {len(renamed)} ({names})")

    def _read_dominants(self) -> list[str] | None:
        """Return the code in the column of dominant emotions in each row; None where there is no such column."""
        cells = self.rows.cells
        if DOMINANT not in cells:
            return None
        codes = {cell: (self._labels.code_of(cell) if self._labels else "") or code_of(cell) for cell in cells[DOMINANT].unique()}
        found = cells[DOMINANT].map(codes)
        known = ", ".join(self.emotions)
        self.rows.refuse(~found.isin(["", OTHER, *self.emotions]), DOMINANT, f"has no votes (codes: {known}); leave it empty for none")
        return found.tolist()

    def _utterances(self) -> Iterator[Utterance]:
        ids, wavs, speakers, sessions, scripts = self.rows.of(ID, WAV, SPEAKER, SESSION, SCRIPT)
        votes = self.votes
        for row, counts, n_annotators, annotations in zip(votes.first, votes.counts, votes.n_annotators, votes.annotations, strict=True):
            start, end = self._starts[row], self._ends[row]
            is_piece = start is not None or end is not None
            yield Utterance(
                id=ids[row],
                wav=wavs[row],
                speaker=speakers[row],
                session=sessions[row] or (wavs[row] if is_piece else ""),  # pieces of one recording are of one session
                votes=counts,
                n_annotators=n_annotators,
                dominant=plurality(counts) if self._dominants is None else self._dominants[row],
                annotations=annotations,
                start=start,
                end=end,
                script=scripts[row],
                split=self._sets[row],
            )

    def _not_in_the_table(self) -> Iterator[Skipped]:
        listed = {wav for wav in self.rows.cells[WAV].unique() if not why_not_inside(wav)}
        for folder in sorted({os.path.dirname(wav) for wav in listed}):
            for wav in self.recordings.recordings(folder):
                if wav not in listed:
                    yield Skipped(os.path.splitext(wav)[0], wav, f"wav without an annotation: not in {self.path.name}")
