"""The rows, the protocol and the files of a manifest folder, from utterances that were found usable."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mlee_sb.corpora.base import Corpus, Fold, Skipped, Utterance
from mlee_sb.corpora.manifest import FINGERPRINTS, PROTOCOL, SKIPPED, SPLITS, UTTERANCES, VOTE_COLUMNS, VOTES, VOTES_HASH, types_of
from mlee_sb.corpora.manifest.columns import csv_lines
from mlee_sb.corpora.manifest.protocol import GROUP, READER, counts_of, group_column, protocol_hash
from mlee_sb.corpora.options import SPEAKERS, OpenCorpus
from mlee_sb.errors import in_a_cell
from mlee_sb.files import ESCAPED, write_json

MICROSECONDS = 6  # decimals of a duration in seconds


ENCODING = {"encoding": "utf-8", "errors": ESCAPED}


def vote_lines(utterances: Iterable[Utterance]) -> list[str]:
    """Return the lines of votes.csv: its header, then a line for each vote if the corpus names its annotators.

    >>> vote_lines([Utterance("a", "a.wav", "s1", "", {"neu": 1}, 1, "neu", (("E1", "neu"),))])
    ['ID,annotator,label\\n', 'a,E1,neu\\n']
    """
    return csv_lines([VOTE_COLUMNS, *((utterance.id, *annotation) for utterance in utterances for annotation in utterance.annotations)])


def others_of(corpus: Corpus, emotions: Sequence[str]) -> list[str]:
    """Return the categories of a corpus that are no target, in its order."""
    return [category for category in corpus.categories if category not in emotions]


def manifest_row(
    utterance: Utterance, duration: float, emotions: Sequence[str], others: Sequence[str], min_votes: int
) -> list[str | int | float]:
    """Return the values of `column_types(emotions, others)` for an utterance of `duration` seconds.

    >>> manifest_row(Utterance("a", "a.wav", "s1", "", {"neu": 2, "exc": 1}, 3, "neu"), 1.5, ["neu", "hap"], ["exc", "oth"], 1)
    ['a', 'a.wav', '', '', 1.5, 's1', '', '', '', 3, 2, 0, 1, 0, 'neu', 1, 0]
    """
    votes = [utterance.votes.get(category, 0) for category in (*emotions, *others)]
    existence = [int(count >= min_votes) for count in votes[: len(emotions)]]
    return [
        *(utterance.id, utterance.wav, _seconds(utterance.start), _seconds(utterance.end), round(duration, MICROSECONDS)),
        *(utterance.speaker, utterance.session, utterance.script, utterance.split),
        *(utterance.n_annotators, *votes, utterance.dominant, *existence),
    ]


def _seconds(time: float | None) -> float | str:
    return "" if time is None else round(time, MICROSECONDS)


def protocol_of(
    opened: OpenCorpus,
    emotions: Sequence[str],
    min_votes: int,
    folds: Sequence[Fold],
    rows: Sequence[Sequence],
    lines: Sequence[str],
    fingerprints: Sequence[str],
    votes: Sequence[str],
    skipped: Sequence[Skipped],
) -> dict:
    """Return protocol.json: what was prepared and how, with the hash that tells two preparations apart.

    `rows` are the utterances as `manifest_row` gives them, `lines` the same as `csv_lines` writes them, `fingerprints`
    those of their recordings, `votes` the lines of votes.csv.
    """
    corpus = opened.corpus
    protocol = {
        "corpus": corpus.name,
        READER: opened.reader,
        "demo": corpus.demo,
        "emotions": list(emotions),
        "categories": [*emotions, *others_of(corpus, emotions)],
        "rules": {"min_votes": min_votes, "dominant": corpus.dominant_rule, GROUP: opened.grouping, SPEAKERS: corpus.speakers},
        "options": opened.options,
        "folds": [{"fold": fold.number, **{split: list(getattr(fold, split)) for split in SPLITS}} for fold in folds],
        VOTES_HASH: hashlib.sha256("".join(votes).encode(**ENCODING)).hexdigest(),
    }
    counts = counts_of(pd.DataFrame(rows, columns=list(types_of(protocol))), protocol)
    counts["skipped"] = dict(Counter(item.reason.split(":")[0] for item in skipped))
    return protocol | {"counts": counts, "hash": protocol_hash(protocol, lines, fingerprints)}


def write_manifests(
    folder: Path,
    protocol: dict,
    utterances: Sequence[Utterance],
    lines: Sequence[str],
    fingerprints: Sequence[str],
    votes: Sequence[str],
    skipped: Sequence[Skipped],
) -> None:
    """Write all files of the manifests into `folder`, the protocol last. `lines` holds a line for each utterance."""
    header = csv_lines([list(types_of(protocol))])
    _write(folder / UTTERANCES, [*header, *lines])
    column = group_column(protocol)
    groups, group_of_line = np.unique([getattr(utterance, column) for utterance in utterances], return_inverse=True)
    lines = np.array(lines, dtype=object)
    for fold in protocol["folds"]:
        for split in SPLITS:
            of_split = lines[np.isin(groups, fold[split])[group_of_line]]
            _write(folder / f"fold{fold['fold']}" / f"{split}.csv", [*header, *of_split])
    ids = [utterance.id for utterance in utterances]
    _write(folder / FINGERPRINTS, csv_lines([["ID", "fingerprint"], *zip(ids, fingerprints, strict=True)]))
    _write(folder / VOTES, votes)
    _write(folder / SKIPPED, csv_lines([["ID", "wav", "reason"], *map(_for_people, skipped)]))
    write_json(folder / PROTOCOL, protocol)


def _for_people(item: Skipped) -> list:
    return [in_a_cell(value) for value in (item.id, item.wav, item.reason)]  # nothing reads this file again


def _write(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    with open(path, "w", newline="", **ENCODING) as file:
        file.writelines(lines)
