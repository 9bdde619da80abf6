"""Manifests: the files of a prepared folder, read as tables. `prepare` writes them, training reads them.

A folder holds utterances.csv, foldK/{train,valid,test}.csv with the same columns, votes.csv, skipped.csv, fingerprints.csv, protocol.json.
"""

from mlee_sb.corpora.manifest.columns import (
    FILES,
    FINGERPRINTS,
    LUMPED,
    PROTOCOL,
    RUN_PREPARE,
    SKIPPED,
    SPLITS,
    UTTERANCES,
    VOTE_COLUMNS,
    VOTES,
    column_types,
    existence_columns,
    vote_columns,
    vote_columns_in,
    why_not_inside,
)
from mlee_sb.corpora.manifest.faults import Fault, changed_rows, faults_of_utterances, faults_of_votes
from mlee_sb.corpora.manifest.protocol import VOTES_HASH, categories_of, fold_numbers, read_protocol, reader_of, types_of
from mlee_sb.corpora.manifest.read import read_fingerprints, read_fold, read_split, read_table, read_utterances, read_votes

__all__ = [
    "FILES",
    "FINGERPRINTS",
    "LUMPED",
    "PROTOCOL",
    "RUN_PREPARE",
    "SKIPPED",
    "SPLITS",
    "UTTERANCES",
    "VOTES",
    "VOTES_HASH",
    "VOTE_COLUMNS",
    "Fault",
    "categories_of",
    "changed_rows",
    "column_types",
    "existence_columns",
    "faults_of_utterances",
    "faults_of_votes",
    "fold_numbers",
    "read_fingerprints",
    "read_fold",
    "read_protocol",
    "read_split",
    "read_table",
    "read_utterances",
    "read_votes",
    "reader_of",
    "types_of",
    "vote_columns",
    "vote_columns_in",
    "why_not_inside",
]
