"""Readers of manifests. They check everything against the protocol, so that no edited row is trained on unnoticed."""

import math
from collections.abc import Iterable
from functools import lru_cache
from itertools import combinations
from pathlib import Path

import pandas as pd

from mlee_sb.corpora.manifest.columns import (
    FINGERPRINTS,
    NEW_COLUMNS,
    PROTOCOL,
    RUN_PREPARE,
    SPEAKER,
    SPLIT,
    SPLITS,
    TEST,
    UTTERANCES,
    VOTE_COLUMNS,
    VOTES,
)
from mlee_sb.corpora.manifest.faults import Fault, faults_of_split, faults_of_utterances, faults_of_votes
from mlee_sb.corpora.manifest.identities import is_stand_in
from mlee_sb.corpora.manifest.protocol import VOTES_HASH, fold_numbers, group_column, read_protocol, types_of
from mlee_sb.errors import choose
from mlee_sb.files import sha256_of
from mlee_sb.typed_files import read_text_table

KEPT_FOLDS = 16  # that are kept in memory at most


def read_utterances(folder: str | Path) -> pd.DataFrame:
    """Return all utterances of the manifests in `folder`, a row each, with the columns and types of `types_of`.

    Raises
    ------
    InputError
        if a file is missing or damaged, a value is impossible, or anything was changed since it was prepared
    """
    protocol = read_protocol(folder)
    return _as_types(_checked_utterances(Path(folder), protocol), protocol)


def read_split(folder: str | Path, fold: int, split: str) -> pd.DataFrame:
    """Return the utterances of one split (train, valid or test) of one fold: the rows of `read_utterances` of its groups.

    Raises
    ------
    InputError
        as `read_utterances`; for a fold or split that does not exist, and where the file of the split does not hold exactly these rows
    """
    choose(split, SPLITS, "split")
    return _splits(Path(folder), fold, (split,))[split]


def read_fold(folder: str | Path, fold: int) -> dict[str, pd.DataFrame]:
    """Return the three splits of a fold by name, each as `read_split` does. They share no speaker and no utterance."""
    folder = Path(folder)
    files = [
        *(folder / name for name in (PROTOCOL, UTTERANCES, FINGERPRINTS, VOTES)),
        *(_split_file(folder, fold, name) for name in SPLITS),
    ]
    return {
        name: rows.copy() for name, rows in _read_fold(folder, fold, tuple(sha256_of(file) for file in files if file.is_file())).items()
    }


@lru_cache(maxsize=KEPT_FOLDS)
def _read_fold(folder: Path, fold: int, contents: tuple) -> dict[str, pd.DataFrame]:
    """Read a fold once, as long as its files are the same: a plan of many rows asks for each fold many times."""
    return _splits(folder, fold, SPLITS)


def pieces_of(frame: pd.DataFrame) -> list[tuple[str, float | None, float | None]]:
    """Return for each row the recording, and the seconds where the utterance begins and ends in it; None for its beginning and its end.

    Parameters
    ----------
    frame : with the columns wav, start and end (NaN where they are empty), as `read_utterances` returns them; without start and end,
        the utterances are whole recordings
    """
    columns = (frame[column].tolist() if column in frame else [math.nan] * len(frame) for column in ("start", "end"))
    times = ([None if math.isnan(time) else time for time in column] for column in columns)
    return list(zip(frame["wav"].tolist(), *times, strict=True))


def test_sets_in(frame: pd.DataFrame) -> list[str]:
    """Return the names of the test sets in rows of a test split, where the corpus has several; otherwise [].

    >>> test_sets_in(pd.DataFrame({"split": ["test2", "test1", "test1"]})), test_sets_in(pd.DataFrame({"split": ["test", "test"]}))
    (['test1', 'test2'], [])
    """
    names = sorted(frame[SPLIT].unique()) if SPLIT in frame else []
    return names if len(names) > 1 and all(name.startswith(TEST) for name in names) else []


def read_fingerprints(folder: str | Path) -> pd.DataFrame:
    """Return fingerprints.csv: the columns ID and fingerprint (of the whole recording)."""
    return read_table(Path(folder) / FINGERPRINTS, ("ID", "fingerprint"))


def read_votes(folder: str | Path) -> pd.DataFrame | None:
    """Return votes.csv: the columns ID, annotator and label, a row for each vote; no rows if the corpus does not name its annotators.

    Return None for manifests of an earlier version: it noted no hash of the file, so nothing tells whether the file was changed.

    Raises
    ------
    InputError
        if the file is missing or was changed since it was prepared
    """
    folder, protocol = Path(folder), read_protocol(folder)
    if protocol.get(VOTES_HASH) is None:
        return None
    _refuse(faults_of_votes(folder, protocol))
    return read_table(folder / VOTES, VOTE_COLUMNS)


def read_table(path: Path, columns: Iterable[str]) -> pd.DataFrame:
    """Return some columns of a CSV, all values as text (`read_text_table`)."""
    return read_text_table(path, columns := list(columns), RUN_PREPARE)[columns]


def _splits(folder: Path, fold: int, names: Iterable[str]) -> dict[str, pd.DataFrame]:
    protocol = read_protocol(folder)
    choose(str(fold), map(str, fold_numbers(protocol)), "fold")
    (entry,) = [entry for entry in protocol["folds"] if entry["fold"] == int(fold)]
    column = group_column(protocol)
    _refuse_shared(folder, fold, column, {split: set(entry[split]) for split in SPLITS})
    utterances = _checked_utterances(folder, protocol)
    of_split = {split: utterances[utterances[column].isin(entry[split])].reset_index(drop=True) for split in SPLITS}
    known = {split: {speaker for speaker in rows[SPEAKER] if not is_stand_in(speaker)} for split, rows in of_split.items()}
    _refuse_shared(folder, fold, SPEAKER, known)
    for split in names:
        path = _split_file(folder, fold, split)
        _refuse(faults_of_split(path, read_table(path, list(utterances)), utterances, column, entry[split]))
    return {split: _as_types(of_split[split], protocol) for split in names}


def _split_file(folder: Path, fold: int, split: str) -> Path:
    return folder / f"fold{fold}" / f"{split}.csv"


def _refuse_shared(folder: Path, fold: int, what: str, of_split: dict[str, set[str]]) -> None:
    for one, other in combinations(SPLITS, 2):
        for shared in sorted(of_split[one] & of_split[other])[:1]:
            raise Fault(folder / PROTOCOL, f"fold {fold}: {what} {shared!r} is in {one} and in {other}").error()


def _checked_utterances(folder: Path, protocol: dict) -> pd.DataFrame:
    rows = read_table(folder / UTTERANCES, types_of(protocol))
    _refuse(faults_of_utterances(folder, protocol, rows, read_fingerprints(folder)))
    _refuse(faults_of_votes(folder, protocol))
    return rows


def _as_types(rows: pd.DataFrame, protocol: dict) -> pd.DataFrame:
    """Return rows of text with the types of `types_of`, and empty columns where an earlier version wrote none."""
    rows = rows.assign(**{column: "" for column in NEW_COLUMNS if column not in rows})
    rows = rows.assign(**{column: pd.to_numeric(rows[column]) for column in ("start", "end")})  # NaN where there is no time
    return rows.astype({column: kind for column, kind in types_of(protocol).items() if kind is not str})


def _refuse(faults: Iterable[Fault]) -> None:
    for fault in faults:
        raise fault.error()
