"""protocol.json: reading and checking it, its counts, and its hash over everything that decides a result."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import BaseModel, Field

from mlee_sb.corpora.manifest.columns import (
    GROUPINGS,
    LUMPED,
    NEW_COLUMNS,
    PROTOCOL,
    RUN_PREPARE,
    SPEAKER,
    SPLITS,
    column_types,
    existence_columns,
)
from mlee_sb.errors import InputError
from mlee_sb.typed_files import read_typed

READER = "reader"  # the name of the reader of the corpus; not in the protocols of earlier versions
GROUP = "group"  # of the rules; not in the protocols of earlier versions, whose manifests lack `NEW_COLUMNS`, too
VOTES_HASH = "votes_sha256"  # of votes.csv; not in the protocols of earlier versions

WHAT_MATTERS = ("corpus", "demo", "emotions", "categories", "rules", "folds", VOTES_HASH)
"""Entries of the protocol that decide, with the utterance table and the recordings, what a model is trained and tested on, and how well
listeners do beside it. Counts follow from these. The reader and its options show in the table."""


class _Rules(BaseModel):
    min_votes: int = Field(ge=1)
    group: Literal[GROUPINGS] = SPEAKER


class _Fold(BaseModel):
    fold: int = Field(ge=1)
    train: list[str] = Field(min_length=1)
    valid: list[str] = Field(min_length=1)
    test: list[str]  # nobody in a final fold


class _Protocol(BaseModel):
    """What every protocol must hold."""

    corpus: str
    reader: str | None = None
    demo: bool
    emotions: list[str] = Field(min_length=2)
    categories: list[str] | None = None
    rules: _Rules
    folds: list[_Fold] = Field(min_length=1)
    counts: dict
    hash: str
    votes_sha256: str | None = None


def read_protocol(folder: str | Path) -> dict:
    """Return protocol.json of the manifests in `folder`.

    Raises
    ------
    InputError
        if there are no manifests in `folder`, or the file is damaged
    """
    path = Path(folder) / PROTOCOL
    if not path.is_file():
        raise InputError(f"{folder}: no manifests in it ({PROTOCOL} is missing); {RUN_PREPARE} with --output {folder}")
    protocol = read_typed(path, _Protocol, RUN_PREPARE)
    if twice := _twice(protocol):
        raise InputError(f"{path}: damaged ({twice} is there twice); {RUN_PREPARE}")
    if protocol["emotions"] != categories_of(protocol)[: len(protocol["emotions"])]:
        raise InputError(f"{path}: damaged (the emotions are not the first of the categories); {RUN_PREPARE}")
    return protocol


def _twice(protocol: dict) -> str:
    lists = {"emotion": protocol["emotions"], "category": categories_of(protocol), "fold": fold_numbers(protocol)}
    return next((f"{name} {max(values, key=values.count)!r}" for name, values in lists.items() if len(set(values)) < len(values)), "")


def categories_of(protocol: dict) -> list[str]:
    """Return all categories that a vote can be for: the target emotions, then the other categories of the corpus.

    >>> categories_of({"emotions": ["neu", "hap"], "categories": ["neu", "hap", "exc", "oth"]})
    ['neu', 'hap', 'exc', 'oth']
    """
    return protocol.get("categories") or [*protocol["emotions"], LUMPED]


def reader_of(protocol: dict) -> str:
    """Return the name of the reader that read the corpus. Before corpora had names of their own, they were called after it.

    >>> reader_of({"corpus": "calls_2026", "reader": "vote_table"}), reader_of({"corpus": "iemocap"})
    ('vote_table', 'iemocap')
    """
    return protocol.get(READER) or protocol["corpus"]


def types_of(protocol: dict) -> dict[str, type]:
    """Return the columns of the manifests of a protocol, each with the type of its values (`column_types`)."""
    emotions = protocol["emotions"]
    types = column_types(emotions, categories_of(protocol)[len(emotions) :])
    return types if GROUP in protocol["rules"] else {name: kind for name, kind in types.items() if name not in NEW_COLUMNS}


def group_column(protocol: dict) -> str:
    """Return the column whose values the folds list: speaker, session or split. Earlier versions knew speakers only.

    >>> group_column({"rules": {"min_votes": 1}}), group_column({"rules": {"min_votes": 1, "group": "session"}})
    ('speaker', 'session')
    """
    return protocol["rules"].get(GROUP, SPEAKER)


def fold_numbers(protocol: dict) -> list[int]:
    """Return the numbers of the folds, from 1."""
    return [fold["fold"] for fold in protocol["folds"]]


def protocol_hash(protocol: dict, lines: Sequence[str], fingerprints: Sequence[str]) -> str:
    """Return the hash that tells two preparations apart.

    Parameters
    ----------
    protocol : with the entries of `WHAT_MATTERS`, as far as the version that wrote it had them
    lines : of utterances.csv, without its header, as `csv_lines` writes them
    fingerprints : of the recordings, in the same order
    """
    digest = hashlib.sha256()
    digest.update(json.dumps({key: protocol[key] for key in WHAT_MATTERS if key in protocol}, sort_keys=True).encode())
    digest.update("".join(lines).encode(errors="backslashreplace"))
    digest.update(json.dumps(list(fingerprints)).encode())
    return digest.hexdigest()


def counts_of(utterances: pd.DataFrame, protocol: dict) -> dict:
    """Return the counts of a protocol: utterances, speakers, dominant emotions and existence, of all folds and of each split.

    Parameters
    ----------
    utterances : a row each, with the columns of a manifest
    protocol : with emotions, rules and folds
    """
    emotions, column = protocol["emotions"], group_column(protocol)
    numbers = {"utterances": 1}
    numbers |= {f"dominant_{emotion}": utterances["dominant"] == emotion for emotion in emotions}
    numbers |= {name: utterances[name] for name in existence_columns(emotions)}
    groups = [utterances[column].rename("group"), utterances[SPEAKER].rename(SPEAKER)]
    table = pd.DataFrame(numbers, index=utterances.index).astype(int).groupby(groups).sum()
    of_group = table.index.get_level_values("group")
    return _counts(table, emotions) | {
        "folds": [
            {"fold": fold["fold"], **{split: _counts(table[of_group.isin(fold[split])], emotions) for split in SPLITS}}
            for fold in protocol["folds"]
        ]
    }


def _counts(table: pd.DataFrame, emotions: Sequence[str]) -> dict:
    """Return the counts of some groups; ``other`` counts utterances whose dominant emotion is no target, or that have none.

    Parameters
    ----------
    table : a row for each group and speaker
    emotions : the target emotions
    """
    total = table.sum()
    dominant = {emotion: int(total[f"dominant_{emotion}"]) for emotion in emotions}
    return {
        "utterances": int(total["utterances"]),
        "speakers": table.index.get_level_values(SPEAKER).nunique(),
        "dominant": dominant | {"other": int(total["utterances"]) - sum(dominant.values())},
        "exist": {emotion: int(total[column]) for emotion, column in zip(emotions, existence_columns(emotions), strict=True)},
    }
