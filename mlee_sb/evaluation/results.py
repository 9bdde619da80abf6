"""The finished stages below a folder of results, and the protocol that they were trained on."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mlee_sb.corpora.manifest import PROTOCOL, read_protocol
from mlee_sb.errors import InputError
from mlee_sb.files import read_json, sha256_of

SUMMARY = Path("save") / "summary.json"  # the last thing that training writes
IDENTITY = Path("save") / "identity.json"
ENCODERS = Path("save") / "encoders.json"
WEIGHTS = Path("model") / "model.safetensors"
VERSION = "version of mlee_sb"  # in the identity of a stage, since 0.2.0
SOURCE = "source of "  # before the name of a module or package, in the identity of a stage that was trained with it
DATA_FOLDER = Path("save") / "data_folder.json"
REQUIRED = "required "  # before the name of a required stage, in the identity of the one that requires it
DECIDES = ("corpus", "demo", "emotions", "rules", "min_votes", "options", "folds")  # what makes two protocols differ, if not the data
LONGEST_VALUE = 120  # characters of it in an error
SUMMARISED = {
    **dict.fromkeys(("corpus", "row", "train_set"), str),
    **dict.fromkeys(("seed", "fold"), int),
    "demo": bool,
    "protocol_hash": str,
    "losses": dict,
}


@dataclass(frozen=True)
class StageResult:
    """One finished stage (contract 2 in the design): its folder, and what its summary says."""

    folder: Path
    corpus: str
    row: str
    train_set: str
    seed: int
    fold: int
    demo: bool
    protocol_hash: str
    losses: dict[str, float]

    @property
    def predictions(self) -> Path:
        return self.folder / "predictions.csv"

    @property
    def identity(self) -> dict:
        """All that decided its result: its settings, its protocol, and the keys of the stages that it requires."""
        return _json(self.folder / IDENTITY)

    @property
    def min_votes(self) -> int:
        """The number of votes from which an emotion exists."""
        found = self.identity.get("min_votes")
        if type(found) is not int or found < 1:
            raise InputError(f"{self.folder / IDENTITY}: damaged (min_votes is {_short(found)}): train the stage again")
        return found

    @property
    def data_folder(self) -> Path | None:
        """Where its recordings lay when it was trained; None where an earlier version trained it, which did not note that."""
        path = self.folder / DATA_FOLDER
        if not path.is_file():
            return None
        remedy = "give --data_folder"
        noted = read_json(path, remedy).get("data_folder")
        if not noted or not isinstance(noted, str):
            raise InputError(f"{path}: damaged (data_folder is {_short(noted)}): {remedy}")
        return Path(noted)

    @cached_property
    def weights(self) -> str | None:
        """The sha256 of its weights; None where they are not there."""
        path = self.folder / WEIGHTS
        return sha256_of(path) if path.is_file() else None

    @property
    def encoders(self) -> dict[str, str]:
        """The sha256 of the weights of each encoder that it froze, by name."""
        path = self.folder / ENCODERS
        return _json(path) if path.is_file() else {}

    @property
    def class_weights(self) -> list | None:
        """Of its loss; None where the stage was trained before these were noted."""
        return _json(self.folder / SUMMARY).get("class_weights")


def find_stages(results: str | Path, only: Collection[Path] | None = None) -> list[StageResult]:
    """The finished stages below `results`, all or only those of some folders, by corpus, row, train set, seed and fold.

    Raises
    ------
    InputError
        if there is none, or a summary is damaged
    """
    results = Path(results)
    found = [_read(path) for path in results.rglob(str(SUMMARY)) if only is None or path.parents[1] in only]
    if not found:
        raise InputError(f"{results}: no finished stage below it: train one with `mlee train`, or give the folder that --results named")
    return sorted(found, key=lambda stage: (stage.corpus, stage.row, stage.train_set, stage.seed, stage.fold, stage.folder))


def readable_stages(results: str | Path) -> list[StageResult]:
    """The finished stages below `results` whose summary and identity can be read, without the damaged ones."""
    found = []
    for path in sorted(Path(results).rglob(str(SUMMARY))):
        try:
            stage = _read(path)
            _json(stage.folder / IDENTITY)
        except InputError:
            continue
        found.append(stage)
    return found


def one_protocol(stages: Iterable[StageResult]) -> str:
    """The hash of the protocol that all of `stages` share.

    Raises
    ------
    InputError
        if there are several: with the hashes, and what differs where the manifests lie below the same folder of results
    """
    stages = list(stages)
    by_hash: dict[str, StageResult] = {}
    for stage in stages:
        by_hash.setdefault(stage.protocol_hash, stage)
    if len(by_hash) > 1:
        first, second = list(by_hash.values())[:2]
        raise InputError(
            f"predictions of different protocols cannot be compared:\n  {first.protocol_hash}  {first.folder}\n"
            f"  {second.protocol_hash}  {second.folder}\n{_difference(first, second)}"
        )
    return stages[0].protocol_hash


def find_protocols(results: str | Path) -> dict[str, tuple[Path, dict]]:
    """The prepared folders of manifests below `results`: hash -> folder and protocol, as it is."""
    found = {}
    for path in sorted(Path(results).rglob(PROTOCOL)):
        protocol = _json(path)
        found.setdefault(str(protocol.get("hash")), (path.parent, protocol))
    return found


def given_protocol(folder: str | Path, stages: Iterable[StageResult], results: str | Path) -> dict:
    """The protocol of manifests that a person gave for `stages`, which lie below `results`.

    Raises
    ------
    InputError
        if there are none in `folder`, or none of the stages was trained on them
    """
    protocol, hashes = read_protocol(folder), {stage.protocol_hash for stage in stages}
    if protocol["hash"] not in hashes:
        raise InputError(
            f"{folder}: manifests of the protocol {protocol['hash']}, and the stages below {results} were trained on "
            f"{', '.join(sorted(hashes))}: give the manifests that training was given"
        )
    return protocol


def _difference(first: StageResult, second: StageResult) -> str:
    protocols = find_protocols(first.folder.parents[3]) | find_protocols(second.folder.parents[3])  # where training puts manifests
    sides = [protocols.get(stage.protocol_hash, (None, None))[1] for stage in (first, second)]
    if None in sides:
        sides = [_json(stage.folder / IDENTITY) for stage in (first, second)]
    there, here = sides
    names = [name for name in DECIDES if there.get(name) != here.get(name)]
    lines = [f"  {name}: {_short(there.get(name))} and {_short(here.get(name))}" for name in names]
    return "\n".join(lines) or "  the utterances, their votes or their recordings differ"


def _short(value) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."


def _read(path: Path) -> StageResult:
    summary = _json(path)
    for name, kind in SUMMARISED.items():
        if name not in summary:
            raise InputError(f"{path}: no {name} in it: train the stage again")
        if type(summary[name]) is not kind:  # True is an int, too
            raise InputError(f"{path}: damaged ({name} is {_short(summary[name])}): train the stage again")
    return StageResult(path.parents[1], **{name: summary[name] for name in SUMMARISED})


def _json(path: Path) -> dict:
    return read_json(path, "train the stage again")
