"""The rows, the protocol and the files of a manifest folder, from utterances that were found usable."""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from mlee_sb.corpora.base import Corpus, Fold, Skipped, Utterance
from mlee_sb.corpora.manifest import (
    PROTOCOL,
    SKIPPED,
    SPLITS,
    UTTERANCES,
    VOTES,
    column_types,
    existence_columns,
)
from mlee_sb.files import write_json

MICROSECONDS = 6  # decimals of a duration in seconds

WHAT_MATTERS = ("corpus", "demo", "emotions", "rules", "folds")
"""Entries of the protocol that, with the utterance table and the recordings, decide what a model is trained and tested on. Counts follow
from these; options of the corpus act through the table; the place of the data and the date change nothing."""


def manifest_row(utterance: Utterance, duration: float, emotions: Sequence[str], min_votes: int) -> list[str | int | float]:
    """The values of `column_types(emotions)` for an utterance of `duration` seconds.

    >>> manifest_row(Utterance("a", "a.wav", "s1", "", {"neu": 2, "exc": 1}, 3, "neu"), 1.5, ["neu", "hap"], 1)
    ['a', 'a.wav', 1.5, 's1', '', 3, 2, 0, 1, 'neu', 1, 0]
    """
    votes = [utterance.votes.get(emotion, 0) for emotion in emotions]
    other = sum(utterance.votes.values()) - sum(votes)
    existence = [int(count >= min_votes) for count in votes]
    return [
        *(utterance.id, utterance.wav, round(duration, MICROSECONDS), utterance.speaker, utterance.session),
        *(utterance.n_annotators, *votes, other, utterance.dominant, *existence),
    ]


@dataclass
class _Lines:
    """A file for `csv.writer` that keeps its lines apart."""

    lines: list[str] = field(default_factory=list)

    def write(self, line: str) -> None:
        self.lines.append(line)


def csv_lines(rows: Iterable[Sequence]) -> list[str]:
    """Each row as a line of CSV with its end: written once here, an utterance goes into a file of every fold as it is.

    >>> csv_lines([["a", 1], ["b,c", 2.5]])
    ['a,1\\n', '"b,c",2.5\\n']
    """
    kept = _Lines()
    csv.writer(kept, lineterminator="\n").writerows(rows)
    return kept.lines


def protocol_of(
    corpus: Corpus,
    options: dict,
    emotions: Sequence[str],
    min_votes: int,
    folds: Sequence[Fold],
    rows: Sequence[Sequence],
    lines: Sequence[str],
    fingerprints: Sequence[int],
    skipped: Sequence[Skipped],
) -> dict:
    """What was done, as protocol.json says it, with the hash that tells two preparations apart.

    `rows` are the utterances as `manifest_row` gives them, `lines` the same as `csv_lines` writes them, `fingerprints`
    those of their recordings.
    """
    by_speaker = _counts_by_speaker(rows, emotions)
    protocol = {
        "corpus": corpus.name,
        "demo": corpus.demo,
        "emotions": list(emotions),
        "rules": {"min_votes": min_votes, "dominant": corpus.dominant_rule},
        "options": options,
        "folds": [{"fold": fold.number, **{split: list(getattr(fold, split)) for split in SPLITS}} for fold in folds],
    }
    counts = _counts(by_speaker, emotions) | {
        "skipped": dict(Counter(item.reason.split(":")[0] for item in skipped)),
        "folds": [
            {"fold": fold.number, **{split: _counts(by_speaker[by_speaker.index.isin(getattr(fold, split))], emotions) for split in SPLITS}}
            for fold in folds
        ],
    }
    return protocol | {"counts": counts, "hash": _hash(protocol, lines, fingerprints)}


def write_manifests(
    folder: Path, protocol: dict, utterances: Sequence[Utterance], lines: Sequence[str], skipped: Sequence[Skipped]
) -> None:
    """Write all files of the manifests into `folder`, an utterance as its line of `lines`; the protocol comes last."""
    header = list(column_types(protocol["emotions"]))
    _write_csv(folder / UTTERANCES, header, lines)
    speakers, speaker_of_line = np.unique([utterance.speaker for utterance in utterances], return_inverse=True)
    lines = np.array(lines, dtype=object)
    for fold in protocol["folds"]:
        for split in SPLITS:
            _write_csv(folder / f"fold{fold['fold']}" / f"{split}.csv", header, lines[np.isin(speakers, fold[split])[speaker_of_line]])
    votes = ((utterance.id, *annotation) for utterance in utterances for annotation in utterance.annotations)
    _write_csv(folder / VOTES, ["ID", "annotator", "label"], csv_lines(votes))
    _write_csv(folder / SKIPPED, ["ID", "wav", "reason"], csv_lines((item.id, item.wav, item.reason) for item in skipped))
    write_json(folder / PROTOCOL, protocol)


def _write_csv(path: Path, header: Sequence[str], lines: Iterable[str]) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    with open(path, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        file.writelines([*csv_lines([header]), *lines])


def _counts_by_speaker(rows: Sequence[Sequence], emotions: Sequence[str]) -> pd.DataFrame:
    """Per speaker (the index), the numbers of utterances, and of those that each emotion is dominant or exists in."""
    table = pd.DataFrame(rows, columns=list(column_types(emotions)))
    numbers = {"utterances": 1}
    numbers |= {f"dominant_{emotion}": table["dominant"] == emotion for emotion in emotions}
    numbers |= {column: table[column] for column in existence_columns(emotions)}
    return pd.DataFrame(numbers, index=table.index).astype(int).groupby(table["speaker"]).sum()


def _counts(by_speaker: pd.DataFrame, emotions: Sequence[str]) -> dict:
    """Counts over some speakers; ``other`` are utterances whose dominant emotion is no target, or that have none."""
    total = by_speaker.sum()
    dominant = {emotion: int(total[f"dominant_{emotion}"]) for emotion in emotions}
    return {
        "utterances": int(total["utterances"]),
        "speakers": len(by_speaker),
        "dominant": dominant | {"other": int(total["utterances"]) - sum(dominant.values())},
        "exist": {emotion: int(total[column]) for emotion, column in zip(emotions, existence_columns(emotions), strict=True)},
    }


def _hash(protocol: dict, lines: Sequence[str], fingerprints: Sequence[int]) -> str:
    digest = hashlib.sha256()
    digest.update(json.dumps({key: protocol[key] for key in WHAT_MATTERS}, sort_keys=True).encode())
    digest.update("".join(lines).encode())
    digest.update(json.dumps(list(fingerprints)).encode())
    return digest.hexdigest()
