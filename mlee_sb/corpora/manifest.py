"""Manifests: a prepared folder as tables. The columns are defined here; `prepare` writes them, training reads them.

A folder holds utterances.csv, foldK/{train,valid,test}.csv with the same columns, votes.csv, skipped.csv, protocol.json.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mlee_sb.errors import InputError, choose

SPLITS = ("train", "valid", "test")
PROTOCOL, UTTERANCES, VOTES, SKIPPED = "protocol.json", "utterances.csv", "votes.csv", "skipped.csv"
FILES = (PROTOCOL, UTTERANCES, VOTES, SKIPPED)

OTHER_VOTES = "votes_other"  # column with the number of votes for all that is no target emotion

DRIVE = re.compile(r"[A-Za-z]:")

RUN_PREPARE = "run recipes/prepare.py (again)"


def vote_columns(emotions: Sequence[str]) -> list[str]:
    """Columns with the number of votes for each target emotion, in the order of `emotions`.

    >>> vote_columns(["neu", "hap"])
    ['votes_neu', 'votes_hap']
    """
    return [f"votes_{emotion}" for emotion in emotions]


def existence_columns(emotions: Sequence[str]) -> list[str]:
    """Columns that are 1 where a target emotion exists: where it has at least `min_votes` votes, and else 0.

    >>> existence_columns(["neu", "hap"])
    ['exist_neu', 'exist_hap']
    """
    return [f"exist_{emotion}" for emotion in emotions]


def column_types(emotions: Sequence[str]) -> dict[str, type]:
    """All columns of a manifest in their order, and what they hold.

    ``wav`` is relative to the data folder, ``duration`` in seconds, ``votes_other`` the votes for all that is no target,
    ``dominant`` the corpus's own code (which may be one that is no target), or "" where there is none.
    """
    return {
        **dict.fromkeys(["ID", "wav"], str),
        "duration": float,
        **dict.fromkeys(["speaker", "session"], str),
        "n_annotators": int,
        **dict.fromkeys([*vote_columns(emotions), OTHER_VOTES], int),
        "dominant": str,
        **dict.fromkeys(existence_columns(emotions), int),
    }


def why_not_inside(wav: str) -> str:
    """Say why `wav` is no path below the data folder; "" if it is one.

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


def read_protocol(folder: str | Path) -> dict:
    """Return protocol.json of the manifests in `folder`.

    Raises
    ------
    InputError
        if there are no manifests in `folder`, or the file is damaged
    """
    path = Path(folder) / PROTOCOL
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{folder}: no manifests in it ({PROTOCOL} is missing); {RUN_PREPARE} with --output {folder}") from error
    except ValueError as error:
        raise InputError(f"{path}: damaged ({error}); {RUN_PREPARE}") from error


def fold_numbers(protocol: dict) -> list[int]:
    """The numbers of the folds, from 1."""
    return [fold["fold"] for fold in protocol["folds"]]


def read_split(folder: str | Path, fold: int, split: str) -> pd.DataFrame:
    """Return the utterances of one split (train, valid or test) of one fold, checked, a row each.

    Columns and types are those of `column_types` for the emotions of the protocol.

    Raises
    ------
    InputError
        for a fold or split that does not exist, and for a file that is missing or not as `prepare` wrote it
    """
    folder, protocol = Path(folder), read_protocol(folder)
    choose(split, SPLITS, "split")
    choose(str(fold), map(str, fold_numbers(protocol)), "fold")
    path = folder / f"fold{fold}" / f"{split}.csv"
    frame = _read(path, protocol["emotions"])
    (speakers,) = [set(entry[split]) for entry in protocol["folds"] if entry["fold"] == int(fold)]
    strangers = sorted(set(frame["speaker"]) - speakers)
    if strangers:  # the protocol's splits share no speaker, so this also finds a speaker in two of them
        raise InputError(f"{path}: speaker {strangers[0]!r} is not of this split in {PROTOCOL}; {RUN_PREPARE}")
    return frame


def read_fold(folder: str | Path, fold: int) -> dict[str, pd.DataFrame]:
    """Return the three splits of a fold by name, which share no speaker and no utterance.

    Raises
    ------
    InputError
        as `read_split`, and where two splits share a speaker or an ID
    """
    splits = {split: read_split(folder, fold, split) for split in SPLITS}
    everything = pd.concat([frame.assign(split=split) for split, frame in splits.items()])
    for column in ("speaker", "ID"):
        shared = everything.groupby(column)["split"].nunique().loc[lambda n: n > 1]
        if len(shared):
            raise InputError(f"{Path(folder) / f'fold{fold}'}: {column} {shared.index[0]!r} is in two splits; {RUN_PREPARE}")
    return splits


def read_utterances(folder: str | Path) -> pd.DataFrame:
    """Return all utterances of the manifests, checked, as `read_split` does for those of a split."""
    return _read(Path(folder) / UTTERANCES, read_protocol(folder)["emotions"])


def _read(path: Path, emotions: Sequence[str]) -> pd.DataFrame:
    types = column_types(emotions)
    try:
        # A speaker may be called 001, and an utterance NA.
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(f"{path}: missing; {RUN_PREPARE}") from error
    except ValueError as error:
        raise InputError(f"{path}: damaged ({error}); {RUN_PREPARE}") from error
    missing = [column for column in types if column not in frame]
    if missing:
        raise InputError(f"{path}: no column {', '.join(missing)}; {RUN_PREPARE}")
    frame = frame[list(types)]
    for column, kind in types.items():
        if kind is not str:
            frame = frame.assign(**{column: _numbers(frame[column], kind, path)})
    _validate(frame, emotions, path)
    return frame


def _numbers(values: pd.Series, kind: type, path: Path) -> pd.Series:
    try:
        return values.astype(kind)
    except ValueError as error:
        raise InputError(f"{path}: column {values.name}: {error}; {RUN_PREPARE}") from error


def _validate(frame: pd.DataFrame, emotions: Sequence[str], path: Path) -> None:
    existence = frame[existence_columns(emotions)]
    bad = {
        "the ID is there twice": frame["ID"].duplicated(),
        "the wav path leaves the data folder": frame["wav"].map(why_not_inside).astype(bool),
        "the duration is not a positive number of seconds": ~frame["duration"].between(0, float("inf"), inclusive="neither"),
        "no speaker": frame["speaker"] == "",
        "a negative number of votes": (frame[[*vote_columns(emotions), OTHER_VOTES]] < 0).any(axis=1),
        "an existence that is neither 0 nor 1": ~existence.isin([0, 1]).all(axis=1),
    }
    for reason, rows in bad.items():
        if rows.any():
            raise InputError(f"{path}: {frame['ID'][rows].iloc[0]!r}: {reason}; {RUN_PREPARE}")
