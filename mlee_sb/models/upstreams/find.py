"""Find the files of an upstream: a folder, or a model on a hub, which is fetched once and pinned to its commit."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, ModelCard, constants, snapshot_download

from mlee_sb.errors import InputError
from mlee_sb.files import sha256_of
from mlee_sb.hub_errors import cannot_be_asked, hub_errors_explained, is_repository
from mlee_sb.models.config import UpstreamConfig, UpstreamFiles
from mlee_sb.models.upstreams.folder import CONFIG, PROCESSOR, SHARDS, WEIGHTS, weight_files
from mlee_sb.models.upstreams.networks import network_of

FOLDERS = "MLEE_UPSTREAMS"  # environment variable: folders of pretrained models, or folders with such folders in them
AT = "@"  # between the name of a model on the hub and its commit
CARD = "README.md"
COMMIT_DIGITS = 40
SAFE = ".safetensors"
_FOUND: dict[str, "FoundUpstream"] = {}  # what this process has found, by what it was called


@dataclass(frozen=True)
class FoundUpstream:
    """An upstream whose files are on this machine.

    Attributes
    ----------
    given : what a person called it, pinned: a folder, or ``user/name@commit``
    folder : with its files
    described : what config.json of a bundle says about it
    """

    given: str
    folder: Path
    described: UpstreamConfig


def find_upstream(given: str, commit: str | None = None) -> FoundUpstream:
    """Find the upstream that a person names. A model on the hub is fetched, unless it is in the hub's cache.

    Parameters
    ----------
    given : a folder with config.json, preprocessor_config.json and model.safetensors, or ``user/name`` or ``user/name@commit`` on the hub
    commit : the commit of a model on the hub whose name has none; None for that of its main branch

    Raises
    ------
    InputError
        if there is no such upstream, it has no safetensors, would run code, or is of an unknown family
    """
    if given in _FOUND:
        return _FOUND[given]
    folder = Path(given).expanduser()
    name, _, named_commit = given.partition(AT)
    if folder.is_dir():
        found = _describe(folder.resolve(), given=str(folder.resolve()), name=folder.resolve().name, commit=None)
    elif is_repository(name):
        folder = _fetch(name, named_commit or commit)
        found = _describe(folder, given=f"{name}{AT}{folder.name}", name=name, commit=folder.name)
    else:
        raise InputError(f"upstream {given}: no such folder, and no name of a model on the hub (user/name)")
    remember(found)
    return found


def remember(found: FoundUpstream) -> None:
    """Take an upstream that was found before, in this process or in another one: its files are not read again to describe it."""
    _FOUND[found.given] = found


def locate(weights: UpstreamFiles, places: Sequence[Path] = ()) -> Path:
    """Return the folder with the files of an upstream. Each file has the right sha256.

    They are looked for in `places`, in the folders that the environment variable ``MLEE_UPSTREAMS`` names, and in the hub's cache. If they
    are in none of them, they are fetched from the hub by their commit.

    Raises
    ------
    InputError
        if they are nowhere, or if a file has another sha256
    """
    wrong = None
    for folder in _candidates(weights, places):
        if all((folder / file).is_file() for file in weights.files):
            wrong = _wrong_file(folder, weights)
            if not wrong:
                return folder
    if wrong:
        raise InputError(wrong)
    if weights.commit is None:
        raise InputError(
            f"upstream {weights.name}: its weights are not in this model, on no hub and in no folder that is known here: set {FOLDERS} to "
            f"the folder that holds {weights.name} (sha256 {weights.sha256})"
        )
    folder = _fetch(weights.name, weights.commit)
    if wrong := _wrong_file(folder, weights):
        raise InputError(wrong)
    return folder


def _wrong_file(folder: Path, weights: UpstreamFiles) -> str | None:
    for file, sha256 in weights.files.items():
        if not (folder / file).is_file():
            return f"{folder / file}: missing; fetch the upstream {weights.name} again"
        if (found := sha256_of(folder / file)) != sha256:
            return f"{folder / file}: its sha256 is {found[:12]}..., and the model stands on weights of {sha256[:12]}...: another upstream"
    return None


def _candidates(weights: UpstreamFiles, places: Iterable[Path]) -> list[Path]:
    roots = [Path(root).expanduser() for root in os.environ.get(FOLDERS, "").split(os.pathsep) if root]
    short = weights.name.split("/")[-1]
    found = [*places, *(folder for root in roots for folder in (root, root / weights.name, root / short))]
    if weights.commit is not None:
        found += [Path(path) for path in _in_the_cache(weights.name, weights.commit)]
    return found


def _in_the_cache(name: str, commit: str | None) -> list[str]:
    try:
        return [snapshot_download(name, revision=commit, local_files_only=True)]
    except OSError:  # LocalEntryNotFoundError among them
        return []


def _fetch(name: str, commit: str | None) -> Path:
    """Return the folder of a model of the hub in the hub's cache. Only its config and its safetensors are fetched."""
    with hub_errors_explained(name, commit):
        try:
            info = None if constants.HF_HUB_OFFLINE else HfApi().model_info(name, revision=commit, files_metadata=True)
        except Exception as error:
            if not cannot_be_asked(error):
                raise
            info = None
        if info is None:
            return Path(snapshot_download(name, revision=commit, local_files_only=True))
        files = {file.rfilename for file in info.siblings or ()}
        weights = [WEIGHTS] if WEIGHTS in files else sorted(file for file in files if file.endswith(SAFE) and "/" not in file)
        if not weights:
            raise InputError(
                f"{name}: no safetensors at {constants.ENDPOINT}, only weights that can run code when they are read: take a revision that "
                f"has them (its page lists pull requests that add them; {name}{AT}COMMIT), or convert it where you trust it, with "
                "transformers: AutoModel.from_pretrained(NAME).save_pretrained(FOLDER), and name the folder"
            )
        wanted = [CONFIG, PROCESSOR, CARD, *weights, *([SHARDS] if len(weights) > 1 else [])]
        return Path(snapshot_download(name, revision=info.sha, allow_patterns=wanted))


def _describe(folder: Path, given: str, name: str, commit: str | None) -> FoundUpstream:
    network = network_of(folder)
    files = {file.name: sha256_of(file) for file in weight_files(folder)}
    described = UpstreamConfig(
        config=network.config,
        processor=network.processor,
        **{fact: getattr(network, fact) for fact in ("sample_rate", "min_samples", "step_seconds", "n_layers", "size")},
        weights=UpstreamFiles(name=name, commit=commit, files=files),
        licence=_licence(folder),
    )
    return FoundUpstream(given, folder, described)


def _licence(folder: Path) -> str:
    """Return the licence that the model card of an upstream names; "" if it names none."""
    try:
        card = ModelCard.load(folder / CARD, ignore_metadata_errors=True) if (folder / CARD).is_file() else None
    except (OSError, ValueError):
        return ""
    licence = card.data.license if card else None
    return licence if isinstance(licence, str) and licence.isprintable() and len(licence) <= 64 else ""
