"""The names of the files of a manifest folder, and the columns of their rows."""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

SPLITS = TRAIN, VALID, TEST = ("train", "valid", "test")
GROUPINGS = SPEAKER, SESSION, SPLIT = ("speaker", "session", "split")  # columns; the folds keep together what has one value there
SCRIPT = "script"  # the text that is spoken
NEW_COLUMNS = ("start", "end", SCRIPT, SPLIT)  # not in the manifests of earlier versions
PROTOCOL, UTTERANCES, VOTES, SKIPPED = "protocol.json", "utterances.csv", "votes.csv", "skipped.csv"
FINGERPRINTS = "fingerprints.csv"  # a file of its own: protocol.json stays short enough for a person, and utterances.csv has no such column
FILES = (PROTOCOL, UTTERANCES, VOTES, SKIPPED, FINGERPRINTS)

OTHER = "oth"
"""The code of a vote for no emotion that the corpus has a name for ("Other")."""

VOTE_COLUMNS = ("ID", "annotator", "label")  # of votes.csv

MOST_VOTES = 1_000_000  # for an emotion: more is a mistake

RUN_PREPARE = "run mlee prepare (again)"

VOTES_FOR = "votes_"  # before the code of a category
LUMPED = "other"  # where earlier versions counted all votes for no target, of whatever category; today the votes for none at all are "oth"

DRIVE = re.compile(r"[A-Za-z]:")


def vote_columns(categories: Sequence[str]) -> list[str]:
    """Return the columns with the number of votes for each category, in the order of `categories`.

    >>> vote_columns(["neu", "hap"])
    ['votes_neu', 'votes_hap']
    """
    return [VOTES_FOR + category for category in categories]


def vote_columns_in(columns: Iterable[str]) -> list[str]:
    """Return those columns that hold numbers of votes: of every category of the corpus, the targets first.

    >>> vote_columns_in(["ID", "votes_neu", "votes_hap", "votes_oth", "dominant"])
    ['votes_neu', 'votes_hap', 'votes_oth']
    """
    return [column for column in columns if column.startswith(VOTES_FOR)]


def existence_columns(emotions: Sequence[str]) -> list[str]:
    """Return the columns that are 1 where a target emotion has at least `min_votes` votes, and 0 elsewhere.

    >>> existence_columns(["neu", "hap"])
    ['exist_neu', 'exist_hap']
    """
    return [f"exist_{emotion}" for emotion in emotions]


def column_types(emotions: Sequence[str], others: Sequence[str] = ()) -> dict[str, type]:
    """Return all columns of a manifest in their order, each with the type of its values.

    ``wav`` is relative to the data folder. ``start``, ``end`` (where a piece of the recording begins and ends; empty for the beginning
    and the end of the recording) and ``duration`` are in seconds. ``dominant`` is a code of the corpus, also of an emotion that is no
    target, or "" for none.

    Parameters
    ----------
    emotions : the target emotions
    others : the categories of the corpus that are no target

    >>> [column for column in column_types(["neu", "hap"], ["exc", "oth"]) if column.startswith("votes_")]
    ['votes_neu', 'votes_hap', 'votes_exc', 'votes_oth']
    """
    return {
        **dict.fromkeys(["ID", "wav"], str),
        **dict.fromkeys(["start", "end", "duration"], float),
        **dict.fromkeys(["speaker", "session", SCRIPT, "split"], str),
        "n_annotators": int,
        **dict.fromkeys(vote_columns([*emotions, *others]), int),
        "dominant": str,
        **dict.fromkeys(existence_columns(emotions), int),
    }


def why_not_inside(wav: str) -> str:
    """Return why `wav` is no path below the data folder; "" if it is one.

    >>> why_not_inside("wavs/a.wav")
    ''
    >>> why_not_inside("../a.wav")
    "wav path leaves the data folder: it has '..' in it"
    """
    if not wav:
        return "no wav path"
    parts = wav.replace("\\", "/").split("/")  # a table may come from Windows; pathlib would take half of prepare's time
    if not parts[0] or DRIVE.match(wav):
        return "wav path leaves the data folder: it is absolute"
    if ".." in parts:
        return "wav path leaves the data folder: it has '..' in it"
    return ""


@dataclass
class _Lines:
    """A file for `csv.writer` that keeps each line as an item of a list."""

    lines: list[str] = field(default_factory=list)

    def write(self, line: str) -> None:
        self.lines.append(line)


def csv_lines(rows: Iterable[Sequence]) -> list[str]:
    """Return each row as a line of CSV with its end. A line is made once and written to a file of every fold.

    Values that were read as text give the line that `prepare` wrote, also if a spreadsheet has quoted them in another way since.

    >>> csv_lines([["a", 1], ["b,c", 2.5]])
    ['a,1\\n', '"b,c",2.5\\n']
    """
    kept = _Lines()
    csv.writer(kept, lineterminator="\n").writerows(rows)
    return kept.lines
