"""The finished stages below a folder of results, and the protocol that they were trained on."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import BaseModel

from mlee_sb.corpora.manifest import PROTOCOL, RUN_PREPARE, read_protocol
from mlee_sb.errors import InputError
from mlee_sb.files import is_hidden
from mlee_sb.stage_folder import AGAIN, MANIFESTS, REQUIRED, StageFolder, Summary, above_rows, folders_below, key_of
from mlee_sb.typed_files import read_typed, shown

DECIDES = ("corpus", "demo", "emotions", "rules", "min_votes", "options", "folds")  # what makes two protocols differ, if not the data


class _Named(BaseModel):
    """The entry of a protocol.json that tells which one it is. `read_protocol` looks at the others."""

    hash: str


@dataclass(frozen=True)
class StageResult:
    """One finished stage: its folder, and what its summary says."""

    files: StageFolder
    summary: Summary

    @classmethod
    def read(cls, files: StageFolder) -> "StageResult":
        """Read the summary of a finished stage. Raise an InputError if it is missing or damaged."""
        return cls(files, files.read_summary())

    @property
    def folder(self) -> Path:
        return self.files.path

    @property
    def predictions(self) -> Path:
        return self.files.predictions

    @cached_property
    def identity(self) -> dict:
        """Everything that decided its result: its settings, its protocol, and the keys of the stages that it requires."""
        return self.files.read_identity()

    @cached_property
    def weights(self) -> str | None:
        """The sha256 of its weights; None where they are missing."""
        return self.files.weights

    @property
    def required(self) -> dict[str, str]:
        """The keys of the stages that it requires, by name."""
        return {name.removeprefix(REQUIRED): key for name, key in self.identity.items() if name.startswith(REQUIRED)}

    @property
    def min_votes(self) -> int:
        """The number of votes from which on an emotion exists. Raise an InputError if the identity does not tell it."""
        found = self.identity.get("min_votes")
        if type(found) is not int or found < 1:
            raise InputError(f"{self.files.identity}: damaged (min_votes is {shown(found)}): {AGAIN}")
        return found


def find_stages(results: str | Path, only: Collection[Path] | None = None) -> list[StageResult]:
    """Return the finished stages below a folder, sorted by corpus, row, variant, train set, seed and fold.

    Parameters
    ----------
    results : the folder
    only : folders of the stages to read; by default all

    Raises
    ------
    InputError
        if there is no finished stage, or a summary is damaged
    """
    found = [StageResult.read(files) for files in folders_below(results) if only is None or files.path in only]
    if not found:
        raise InputError(f"{results}: no finished stage below it: train one with `mlee train`, or give the folder that --results named")
    return sorted(found, key=_place)


def readable_stages(results: str | Path) -> list[StageResult]:
    """Return the finished stages below a folder whose summary and identity can be read. Leave out those that are damaged."""
    found = []
    for files in folders_below(results):
        try:
            stage = StageResult.read(files)
            _ = stage.identity
        except InputError:
            continue
        found.append(stage)
    return found


def by_key(stages: Iterable[StageResult]) -> dict[str, StageResult]:
    """Return stages by their keys: the names by which the stages that require them know them."""
    return {key_of(stage.identity): stage for stage in stages}


def frozen_encoders(stage: StageResult, there: Mapping[str, StageResult]) -> dict[str, StageResult | None]:
    """Return the stages whose encoders a stage froze, by name.

    Parameters
    ----------
    stage : the stage
    there : the stages among which to look, as `by_key` returns them

    Returns
    -------
    dict
        None for a stage that is missing, or was trained again since and has other weights
    """
    noted = stage.files.noted_encoders()
    found = {name: there.get(key) for name, key in stage.required.items()}
    return {name: one if one and one.weights in (None, noted.get(name)) else None for name, one in found.items()}


def one_protocol(stages: Iterable[StageResult]) -> str:
    """Return the hash of the protocol that all stages share.

    Raises
    ------
    InputError
        if there are several protocols. The message gives their hashes and, where the manifests lie beside the rows, what differs
    """
    by_hash: dict[str, StageResult] = {}
    for stage in stages:
        by_hash.setdefault(stage.summary.protocol_hash, stage)
    if len(by_hash) > 1:
        (one, first), (other, second) = list(by_hash.items())[:2]
        raise InputError(
            f"predictions of different protocols cannot be compared:\n  {one}  {first.folder}\n  {other}  {second.folder}\n"
            f"{_difference(first, second)}"
        )
    (protocol_hash,) = by_hash
    return protocol_hash


def find_protocols(folder: str | Path) -> dict[str, tuple[Path, dict]]:
    """Return the prepared manifests below a folder: hash -> folder of the manifests, and their protocol as it stands in the file.

    Raise an InputError for a protocol.json that is damaged.
    """
    found = {}
    for path in sorted(path for path in Path(folder).rglob(PROTOCOL) if not is_hidden(path, Path(folder))):
        protocol = read_typed(path, _Named, RUN_PREPARE)
        found.setdefault(protocol["hash"], (path.parent, protocol))
    return found


def protocols_beside(stage: StageResult) -> dict[str, tuple[Path, dict]]:
    """Return the manifests that lie where training prepares them, beside the rows of the corpus. The form is that of `find_protocols`."""
    folder = stage.folder.resolve()
    return find_protocols(above_rows(folder) / MANIFESTS) if len(folder.parents) > 3 else {}


def given_protocol(folder: str | Path, stages: Iterable[StageResult], results: str | Path) -> dict:
    """Read the protocol of manifests that a person gave for some stages.

    Parameters
    ----------
    folder : of the manifests
    stages : the stages
    results : the folder that they lie in

    Raises
    ------
    InputError
        if there are no manifests in `folder`, or none of the stages was trained on them
    """
    protocol, hashes = read_protocol(folder), {stage.summary.protocol_hash for stage in stages}
    if protocol["hash"] not in hashes:
        raise InputError(
            f"{folder}: manifests of the protocol {protocol['hash']}, and the stages below {results} were trained on "
            f"{', '.join(sorted(hashes))}: give the manifests that training was given"
        )
    return protocol


def _difference(first: StageResult, second: StageResult) -> str:
    protocols = protocols_beside(first) | protocols_beside(second)
    sides = [protocols.get(stage.summary.protocol_hash, (None, None))[1] for stage in (first, second)]
    there, here = sides if None not in sides else (first.identity, second.identity)
    names = [name for name in DECIDES if there.get(name) != here.get(name)]
    lines = [f"  {name}: {shown(there.get(name))} and {shown(here.get(name))}" for name in names]
    return "\n".join(lines) or "  the utterances, their votes or their recordings differ"


def _place(stage: StageResult) -> tuple:
    s = stage.summary
    return (s.corpus, s.row, s.variant, s.train_set, s.seed, s.fold, stage.folder)
