"""The part of the protocol check that looks at manifests: what is on two sides of a split.

The readers in `mlee_sb.corpora.manifest` refuse broken manifests at the first fault. Here the files are read as they are, to find all
faults.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from math import inf
from pathlib import Path

import pandas as pd

from mlee_sb.corpora.manifest import (
    FINGERPRINTS,
    RUN_PREPARE,
    SCRIPT,
    SESSION,
    SPEAKER,
    SPLITS,
    UNKNOWN_SPEAKERS,
    UTTERANCES,
    VOTES,
    VOTES_HASH,
    changed_rows,
    faults_of_utterances,
    faults_of_votes,
    group_column,
    is_stand_in,
    listed,
    near_equal,
    read_fingerprints,
    read_table,
    types_of,
)
from mlee_sb.evaluation.protocol.findings import LEAK, NOTE, UNCHECKED, Finding, finding

TextOf = Callable[[str], str | None]


@dataclass(frozen=True)
class Manifests:
    """The files of a folder of manifests, with every value as text.

    Attributes
    ----------
    folder, protocol : where they lie, and protocol.json
    utterances : utterances.csv
    fingerprints : fingerprints.csv; None for manifests of an earlier version, which did not write it
    folds : number of the fold -> train, valid and test -> rows; without the folds of which a file is missing
    missing : the missing files
    """

    folder: Path
    protocol: dict
    utterances: pd.DataFrame
    fingerprints: pd.DataFrame | None
    folds: dict[int, dict[str, pd.DataFrame]]
    missing: list[Path]

    @property
    def column(self) -> str:
        """The column whose values protocol.json lists for each split: speaker, session or split."""
        return group_column(self.protocol)

    def listed(self, fold: int, split: str) -> set[str]:
        """Return the groups (values of `column`) of a split by protocol.json."""
        (entry,) = [entry for entry in self.protocol["folds"] if entry["fold"] == fold]
        return set(entry[split])

    def speakers(self, fold: int, split: str) -> set[str]:
        """Return the speakers of a split by protocol.json or by its file, but for stand-ins of unknown ones."""
        listed = self.listed(fold, split)
        of_split = self.utterances["speaker"][self.utterances[self.column].isin(listed)]
        there = self.folds[fold][split]["speaker"] if fold in self.folds else ()
        return {name for name in {*of_split, *there, *(listed if self.column == SPEAKER else ())} if not is_stand_in(name)}

    def prepared_recordings(self) -> dict[str, str]:
        """Return the fingerprints that the recordings had when they were prepared, by wav path, as far as they are known."""
        if self.fingerprints is None:
            return {}
        of_id = dict(zip(self.fingerprints["ID"], self.fingerprints["fingerprint"], strict=True))
        return {wav: of_id[id_] for id_, wav in zip(self.utterances["ID"], self.utterances["wav"], strict=True) if id_ in of_id}

    def speaker_of(self) -> dict[str, str]:
        """Return the speaker of every utterance in any of the files, by ID."""
        frames = [*(frame for splits in self.folds.values() for frame in splits.values()), self.utterances]
        return {id_: speaker for frame in frames for id_, speaker in zip(frame["ID"], frame["speaker"], strict=True)}


def read_raw(folder: Path, protocol: dict) -> Manifests:
    """Read manifests without checking them.

    Raises
    ------
    InputError
        if utterances.csv is missing, or a file is not a table with the columns of a manifest
    """
    columns = list(types_of(protocol))
    utterances = read_table(folder / UTTERANCES, columns)
    fingerprints = read_fingerprints(folder) if (folder / FINGERPRINTS).is_file() else None
    folds, missing = {}, []
    for number in (entry["fold"] for entry in protocol["folds"]):
        paths = {split: folder / f"fold{number}" / f"{split}.csv" for split in SPLITS}
        absent = [path for path in paths.values() if not path.is_file()]
        missing += absent
        if not absent:
            folds[number] = {split: read_table(path, columns) for split, path in paths.items()}
    return Manifests(folder, protocol, utterances, fingerprints, folds, missing)


def check_manifests(
    manifests: Manifests, text_of: TextOf | None, texts_shared_by_design: bool, recordings: dict[str, str] | None
) -> Iterator[Finding]:
    """Find everything that two splits of a fold share, and files that are not those that were prepared.

    Parameters
    ----------
    manifests : what to check
    text_of : ID -> name of the text, "" for none, None where it is not known; None where no text is known
    texts_shared_by_design : whether the corpus gave all speakers the same texts
    recordings : wav path -> fingerprint of its samples, where the recordings were read
    """
    yield from _as_prepared(manifests)
    yield from _spellings(manifests)
    for path in manifests.missing:
        yield finding(UNCHECKED, "manifests", path, f"missing, so this fold could not be checked; {RUN_PREPARE}")
    for fold, splits in manifests.folds.items():
        yield from _speakers(manifests, fold)
        yield from _copies(splits, manifests.folder / f"fold{fold}", recordings or {})
        yield from _changed(manifests, fold)
    yield from _sessions(manifests)
    yield from _texts(manifests, text_of, texts_shared_by_design)


def _as_prepared(manifests: Manifests) -> Iterator[Finding]:
    """Check that utterances.csv, votes.csv and protocol.json are as they were written, and that their values are possible."""
    folder, protocol = manifests.folder, manifests.protocol
    of_utterances = faults_of_utterances(folder, protocol, manifests.utterances, manifests.fingerprints)
    for fault in (*of_utterances, *faults_of_votes(folder, protocol)):
        first = f" ({fault.ids[0]}: {fault.what})" if fault.ids else f": {fault.what}"
        yield finding(LEAK, "manifests", fault.path, f"changed since it was prepared{first}", fault.ids)
    if manifests.fingerprints is None:
        what = f"missing, as with earlier versions, so nothing tells whether {UTTERANCES} and the recordings were changed; {RUN_PREPARE}"
        yield finding(UNCHECKED, "manifests", folder / FINGERPRINTS, what)
    if protocol.get(VOTES_HASH) is None:
        what = f"its hash is not in the protocol, as with earlier versions, so nothing tells whether it was changed; {RUN_PREPARE}"
        yield finding(UNCHECKED, "manifests", folder / VOTES, what)


def _speakers(manifests: Manifests, fold: int) -> Iterator[Finding]:
    folder, splits, column = manifests.folder / f"fold{fold}", manifests.folds[fold], manifests.column
    for one, other in combinations(SPLITS, 2):
        shared = set(splits[one]["speaker"]) & set(splits[other]["speaker"])
        unknown = set(filter(is_stand_in, shared))
        for severity, kind, names in ((LEAK, "speakers", shared - unknown), (UNCHECKED, "unknown speakers", unknown)):
            if names:
                yield finding(severity, "speaker", folder, f"{kind} in {one}.csv and in {other}.csv", names)
        shared = manifests.listed(fold, one) & manifests.listed(fold, other)
        if shared:
            yield finding(LEAK, column, folder, f"{column}s that protocol.json lists in {one} and in {other}", shared)
    for split in SPLITS:
        strangers = set(splits[split][column]) - manifests.listed(fold, split)
        if strangers:
            yield finding(LEAK, column, folder / f"{split}.csv", f"{column}s that protocol.json does not list in this split", strangers)


def _copies(splits: dict[str, pd.DataFrame], folder: Path, recordings: dict[str, str]) -> Iterator[Finding]:
    for one, other in combinations(SPLITS, 2):
        a, b = splits[one], splits[other]
        where = f"in {one}.csv and in {other}.csv"
        ids = set(a["ID"]) & set(b["ID"])
        if ids:
            yield finding(LEAK, "copy", folder, f"utterances {where}", ids)
        a, b = a[~a["ID"].isin(ids)], b[~b["ID"].isin(ids)]
        if same := _overlapping(a, b):
            yield finding(LEAK, "copy", folder, f"the same seconds of a recording under two IDs, {where}", same)
        there: dict[str, list[str]] = {}
        for wav in b["wav"]:
            if wav in recordings:
                there.setdefault(recordings[wav], []).append(wav)
        same = [f"{wav} = {twin}" for wav in a["wav"] if wav in recordings for twin in there.get(recordings[wav], []) if twin != wav]
        if same:
            yield finding(LEAK, "copy", folder, f"files with the same samples, {where}", same)


def _overlapping(a: pd.DataFrame, b: pd.DataFrame) -> set[str]:
    """Return the recordings of which two utterances, one on each side, have some seconds in common."""
    of_b: dict[str, list[tuple[float, float]]] = {}
    for wav, start, end in _spans(b[b["wav"].isin(a["wav"])]):
        of_b.setdefault(wav, []).append((start, end))
    return {wav for wav, start, end in _spans(a[a["wav"].isin(of_b)]) if any(start < e and s < end for s, e in of_b[wav])}


def _spans(rows: pd.DataFrame) -> Iterator[tuple[str, float, float]]:
    """Yield the recording of each row, and the seconds where its utterance begins and ends in it."""
    for wav, *times in zip(rows["wav"], *(rows.get(column, pd.Series("", rows.index)) for column in ("start", "end")), strict=True):
        start, end = (pd.to_numeric(time or empty, errors="coerce") for time, empty in zip(times, (0, inf), strict=True))
        yield wav, float(start), float(end)


def _changed(manifests: Manifests, fold: int) -> Iterator[Finding]:
    """Check that the files of a fold hold the rows of utterances.csv, and all rows of its speakers."""
    for split, frame in manifests.folds[fold].items():
        path = manifests.folder / f"fold{fold}" / f"{split}.csv"
        changed, words = changed_rows(frame, manifests.utterances)
        if changed:
            what = f"changed since it was prepared: rows that are not those of {UTTERANCES} ({changed[0]}: {words})"
            yield finding(LEAK, "manifests", path, what, changed)
        of_split = manifests.utterances[manifests.column].isin(manifests.listed(fold, split))
        absent = set(manifests.utterances["ID"][of_split]) - set(frame["ID"])
        if absent:
            yield finding(LEAK, "manifests", path, f"changed since it was prepared: without utterances that {UTTERANCES} has", absent)


def _spellings(manifests: Manifests) -> Iterator[Finding]:
    """Find speakers and sessions that are written in several ways: they may be on two sides of a split under two names."""
    for column in (SPEAKER, SESSION):
        if groups := near_equal(manifests.utterances[column]):
            what = f"{column}s that are written in several ways, and count as several: {listed(groups)}"
            yield finding(LEAK, column, manifests.folder / UTTERANCES, what, {name for group in groups for name in group})


def _sessions(manifests: Manifests) -> Iterator[Finding]:
    """Check sessions: one in training and in test is a leak. Validation may share one.

    In IEMOCAP the other speaker of the test session validates.
    """
    beside: dict[str, list[int]] = {}
    for fold, splits in manifests.folds.items():
        sessions = {split: set(frame["session"]) - {""} for split, frame in splits.items()}
        leaked = sessions["train"] & sessions["test"]
        if leaked:
            yield finding(LEAK, "session", manifests.folder / f"fold{fold}", "sessions in train.csv and in test.csv", leaked)
        for session in sessions["valid"] & (sessions["train"] | sessions["test"]):
            beside.setdefault(session, []).append(fold)
    if beside:
        what = "sessions that validation shares with test or training: the epoch is chosen on recordings from the same room and day"
        yield finding(NOTE, "session", manifests.folder, what, beside)
    if not (manifests.utterances["session"] != "").any():
        what = "the corpus names no sessions: speakers are kept apart, and nothing else tells what was recorded together"
        yield finding(NOTE, "session", manifests.folder, what)
    unknown = {speaker for speaker in manifests.utterances[SPEAKER] if is_stand_in(speaker)}
    if unknown:
        yield finding(NOTE, "speaker", manifests.folder, f"speakers that nobody knows. {UNKNOWN_SPEAKERS}", unknown)


def _texts(manifests: Manifests, text_of: TextOf | None, by_design: bool) -> Iterator[Finding]:
    texts = {id_: text_of(id_) for id_ in manifests.utterances["ID"]} if text_of else {}
    if SCRIPT in manifests.utterances:
        texts |= {id_: text for id_, text in zip(manifests.utterances["ID"], manifests.utterances[SCRIPT], strict=True) if text}
    if all(text is None for text in texts.values()):
        what = f"the corpus {manifests.protocol['corpus']} does not say which text an utterance has"
        yield finding(UNCHECKED, "text", manifests.folder, what)
        return
    by_split = {
        fold: [{texts.get(id_) for id_ in splits[split]["ID"]} - {"", None} for split in ("train", "test")]
        for fold, splits in manifests.folds.items()
    }
    shared = {fold: train & test for fold, (train, test) in by_split.items() if train & test}
    if shared and by_design:
        what = "texts in training and in test, because all speakers of this corpus speak the same: results tell nothing about other texts"
        yield finding(NOTE, "text", manifests.folder, what, set.union(*shared.values()))
        return
    for fold, names in shared.items():
        yield finding(LEAK, "text", manifests.folder / f"fold{fold}", "texts spoken in training and in test", names)
