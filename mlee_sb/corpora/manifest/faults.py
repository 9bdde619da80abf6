"""Faults of manifests that were changed since they were prepared: training refuses the first, the protocol check tells all of them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mlee_sb.corpora.manifest.columns import (
    FINGERPRINTS,
    MOST_VOTES,
    OTHER,
    PROTOCOL,
    RUN_PREPARE,
    UTTERANCES,
    VOTES,
    csv_lines,
    existence_columns,
    vote_columns,
    why_not_inside,
)
from mlee_sb.corpora.manifest.protocol import VOTES_HASH, categories_of, counts_of, protocol_hash, types_of
from mlee_sb.errors import InputError
from mlee_sb.files import sha256_of


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong in a file of manifests.

    Attributes
    ----------
    path : the file
    what : in words, with the values of the first utterance
    ids : the utterances that have the fault; none if the file has it
    """

    path: Path
    what: str
    ids: tuple[str, ...] = ()

    def error(self) -> InputError:
        """Return the error that a reader raises for it."""
        of = f"{self.ids[0]!r}: " if self.ids else ""
        return InputError(f"{self.path}: {of}{self.what}; {RUN_PREPARE}")


def faults_of_utterances(folder: Path, protocol: dict, rows: pd.DataFrame, fingerprints: pd.DataFrame | None) -> Iterator[Fault]:
    """Yield what is wrong with utterances.csv: impossible values; if there are none, any change since it was prepared, by the hash.

    Parameters
    ----------
    folder, protocol : of the manifests
    rows : of utterances.csv, all values as text
    fingerprints : of fingerprints.csv; None to leave the hash out
    """
    numbers = typed(rows, protocol)
    impossible = [
        Fault(folder / UTTERANCES, what, ids)
        for checks in (_texts(rows), _numbers(rows, numbers, protocol), _existence(rows, numbers, protocol), _dominant(rows, protocol))
        for what, ids in checks
    ]
    yield from impossible
    if impossible:
        return
    counts = {name: count for name, count in protocol["counts"].items() if name != "skipped"}
    if counts != counts_of(numbers, protocol):
        yield Fault(folder / PROTOCOL, f"its counts are not those of {UTTERANCES}")
    if fingerprints is None:
        return
    if fingerprints["ID"].tolist() != rows["ID"].tolist():
        yield Fault(folder / FINGERPRINTS, f"its utterances are not those of {UTTERANCES}")
        return
    lines = csv_lines(zip(*(rows[column].tolist() for column in rows), strict=True))
    now = protocol_hash(protocol, lines, fingerprints["fingerprint"])
    if now != protocol["hash"]:
        hashes = f"their hash is {now[:8]}, and {protocol['hash'][:8]} when they were written"
        yield Fault(folder / UTTERANCES, f"this file, {FINGERPRINTS} or {PROTOCOL} was changed: {hashes}")


def faults_of_votes(folder: Path, protocol: dict) -> Iterator[Fault]:
    """Yield what is wrong with votes.csv: it is missing, or was changed. Nothing if the protocol has no hash of it."""
    path, then = folder / VOTES, protocol.get(VOTES_HASH)
    if then is None:
        return
    if not path.is_file():
        yield Fault(path, "missing")
    elif (now := sha256_of(path)) != then:
        yield Fault(path, f"this file was changed: its hash is {now[:8]}, and {then[:8]} when it was written")


def faults_of_split(path: Path, rows: pd.DataFrame, utterances: pd.DataFrame, column: str, groups: Sequence[str]) -> Iterator[Fault]:
    """Yield what is wrong with a file of a fold. It must hold exactly those rows of utterances.csv that are of its groups.

    Parameters
    ----------
    path : of the file
    rows, utterances : of it and of utterances.csv, all values as text
    column, groups : the column that says to which group an utterance belongs, and the groups of the split by protocol.json
    """
    yield from (Fault(path, what, ids) for what, ids in _twice(rows))
    changed, words = changed_rows(rows, utterances)
    if changed:
        yield Fault(path, words, changed)
    strange = ~rows[column].isin(groups)
    if strange.any():
        yield Fault(path, f"{column} {rows[column][strange].iloc[0]!r} is not of this split in {PROTOCOL}", tuple(rows["ID"][strange]))
    absent = utterances[column].isin(groups) & ~utterances["ID"].isin(rows["ID"])
    if absent.any():
        yield Fault(path, f"it is not in this file, and {UTTERANCES} has it", tuple(utterances["ID"][absent]))


def changed_rows(rows: pd.DataFrame, utterances: pd.DataFrame) -> tuple[tuple[str, ...], str]:
    """Return the IDs of rows that are not as in utterances.csv, and in words how the first of them differs."""
    known = rows["ID"].isin(utterances["ID"])
    here = rows[known].reset_index(drop=True)
    there = utterances.drop_duplicates("ID").set_index("ID").loc[here["ID"]].reset_index()[list(rows)]
    differs = here != there
    ids = (*rows["ID"][~known], *here["ID"][differs.any(axis=1)])
    if not known.all():
        return ids, f"it is not in {UTTERANCES}"
    for row in differs.index[differs.any(axis=1)]:
        column = differs.columns[differs.loc[row]][0]
        return ids, f"{column} is {here[column][row]!r}, and {there[column][row]!r} in {UTTERANCES}"
    return (), ""


def typed(rows: pd.DataFrame, protocol: dict) -> pd.DataFrame:
    """Return rows of text with their numbers as float64, NaN for a text that is no number."""
    columns = [column for column, kind in types_of(protocol).items() if kind is not str]
    numbers = {column: pd.to_numeric(rows[column], errors="coerce").astype(float) for column in columns}
    return rows.assign(**numbers)


def _first(rows: pd.DataFrame, bad: pd.Series, column: str, why: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the fault of a column, if any row is bad, with the value of the first one."""
    if bad.any():
        yield f"{column} is {rows[column][bad].iloc[0]!r}: {why}", tuple(rows["ID"][bad])


def _twice(rows: pd.DataFrame) -> Iterator[tuple[str, tuple[str, ...]]]:
    twice = rows["ID"].duplicated()
    if twice.any():
        yield "the ID is there twice", tuple(rows["ID"][twice])


def _texts(rows: pd.DataFrame) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield from _twice(rows)
    yield from _first(rows, rows["wav"].map(why_not_inside).astype(bool), "wav", "it leaves the data folder, or is empty")
    yield from _first(rows, rows["speaker"] == "", "speaker", "every utterance has one")


def _numbers(rows: pd.DataFrame, numbers: pd.DataFrame, protocol: dict) -> Iterator[tuple[str, tuple[str, ...]]]:
    is_positive = numbers["duration"].between(0, float("inf"), inclusive="neither")
    yield from _first(rows, ~is_positive, "duration", "it must be a positive number of seconds")
    for column in {"start", "end"} & set(rows):
        is_time = (rows[column] == "") | numbers[column].between(0, float("inf"), inclusive="left")
        yield from _first(rows, ~is_time, column, "it must be a number of seconds, or empty")
    votes = vote_columns(categories_of(protocol))
    for column in ("n_annotators", *votes):
        is_count = numbers[column].between(0, MOST_VOTES) & (numbers[column] % 1 == 0)
        yield from _first(rows, ~is_count, column, f"it must be a whole number from 0 to {MOST_VOTES:,}")
    for column in votes:
        too_many = numbers[column] > numbers["n_annotators"]
        if too_many.any():
            annotators = rows["n_annotators"][too_many].iloc[0]
            yield from _first(rows, too_many, column, f"more votes than there are annotators (n_annotators is {annotators!r})")


def _existence(rows: pd.DataFrame, numbers: pd.DataFrame, protocol: dict) -> Iterator[tuple[str, tuple[str, ...]]]:
    min_votes, emotions = protocol["rules"]["min_votes"], protocol["emotions"]
    for exists, votes in zip(existence_columns(emotions), vote_columns(emotions), strict=True):
        wrong = numbers[exists] != (numbers[votes] >= min_votes)
        if wrong.any():
            right = int(numbers[votes][wrong].iloc[0] >= min_votes)
            why = f"it must be {right}, as {votes} is {rows[votes][wrong].iloc[0]!r} and min_votes {min_votes}"
            yield from _first(rows, wrong, exists, why)


def _dominant(rows: pd.DataFrame, protocol: dict) -> Iterator[tuple[str, tuple[str, ...]]]:
    codes: Iterable[str] = dict.fromkeys([*categories_of(protocol), OTHER])
    unknown = ~rows["dominant"].isin(["", *codes])
    yield from _first(rows, unknown, "dominant", f"it must be empty or one of: {', '.join(codes)}")
