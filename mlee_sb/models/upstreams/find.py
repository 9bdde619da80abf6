"""Find the files of an upstream: a folder, or a model on a hub, which is fetched once and pinned to its commit."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import ModelCard, constants
from pydantic import ValidationError

from mlee_sb.errors import InputError
from mlee_sb.files import sha256_of
from mlee_sb.hub_cache import cached, fetch
from mlee_sb.hub_errors import hub_errors_explained, is_repository, not_in_the_cache
from mlee_sb.hub_files import files_on_hub
from mlee_sb.models.bundle_files import CARD
from mlee_sb.models.config import LARGEST_TEXT, LONGEST_LICENCE, UpstreamConfig, UpstreamFiles, read_bounded
from mlee_sb.models.upstreams.folder import CONFIG, PROCESSOR, PROCESSORS, SHARDS, WEIGHTS, shard_names, weight_files
from mlee_sb.models.upstreams.networks import network_of

FOLDERS = "MLEE_UPSTREAMS"  # environment variable: folders of pretrained models, or folders with such folders in them
AT = "@"  # between the name of a model on the hub and its commit
DESCRIBING = (CONFIG, PROCESSOR, PROCESSORS, CARD, SHARDS)  # small files, which are fetched before the weights
LARGEST_UPSTREAM = 16 * 1024**3  # bytes of the weights; a decoder, which is never read, may be half of them
LONGEST_NAME = 100  # characters of a folder's name that are kept
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
    folder, (name, _, named_commit) = Path(given).expanduser(), given.partition(AT)
    pinned = named_commit or commit
    is_folder = folder.is_dir()
    called = str(folder.resolve()) if is_folder else f"{name}{AT}{pinned}" if pinned else name
    if called not in _FOUND:
        if not is_folder and not is_repository(name):
            raise InputError(f"upstream {given}: no such folder, and no name of a model on the hub (user/name)")
        found = _describe_folder(folder.resolve()) if is_folder else _describe_fetched(name, _fetch(name, pinned))
        remember(found)
        _FOUND[called] = found  # so a name without a commit means one commit for the whole process
    return _FOUND[called]


def remember(found: FoundUpstream) -> None:
    """Take an upstream that was found before, in this process or in another one: its files are not read again to describe it."""
    _FOUND[found.given] = found


def locate(weights: UpstreamFiles, places: Sequence[Path] = ()) -> Path:
    """Return the folder with the files of an upstream. Each file has the right sha256.

    They are looked for in the folders that the environment variable ``MLEE_UPSTREAMS`` names, in `places`, and in the hub's cache. If they
    are in none of them, they are fetched from the hub by their commit.

    Raises
    ------
    InputError
        if they are nowhere, or if a file has another sha256
    """
    wrong = ""
    for folder in _candidates(weights, places):
        if all(os.path.isfile(folder / file) for file in weights.files):  # Path.is_file raises an error where it may not look
            wrong = _wrong_file(folder, weights)
            if not wrong:
                return folder
    if not _on_a_hub(weights):
        nowhere = wrong or f"upstream {weights.name}: its weights are not in this model, on no hub and in no folder that is known here"
        looked = f" (now {os.environ[FOLDERS]})" if os.environ.get(FOLDERS) else ""
        raise InputError(f"{nowhere}: set {FOLDERS}{looked} to the folder with the files of {weights.name} (sha256 {weights.sha256})")
    folder = _fetch(weights.name, weights.commit)
    if wrong := _wrong_file(folder, weights):
        raise InputError(f"{wrong}: do not use it for this model")
    return folder


def _wrong_file(folder: Path, weights: UpstreamFiles) -> str:
    """Return, in words, the first file that is missing or another one; "" if all are right."""
    for file, sha256 in weights.files.items():
        if not (folder / file).is_file():
            return f"{folder / file}: missing"
        try:
            found = sha256_of(folder / file)
        except OSError as error:
            return f"{folder / file}: {error.strerror}"
        if found != sha256:
            return f"{folder / file}: its sha256 is {found[:12]}..., and the model stands on weights of {sha256[:12]}...: another upstream"
    return ""


def _candidates(weights: UpstreamFiles, places: Iterable[Path]) -> list[Path]:
    roots = [Path(root).expanduser() for root in os.environ.get(FOLDERS, "").split(os.pathsep) if root]
    short = weights.name.split("/")[-1]
    named = [folder for root in roots for folder in (root, root / weights.name, root / short)]
    return [*named, *places, *_in_the_cache(weights)]


def _on_a_hub(weights: UpstreamFiles) -> bool:
    """Return whether weights can be fetched. A bundle may come from a stranger: its names may be none."""
    return weights.commit is not None and is_repository(weights.name)


def _in_the_cache(weights: UpstreamFiles) -> list[Path]:
    folder = cached(weights.name, weights.commit) if _on_a_hub(weights) else None
    return [] if folder is None else [folder]


def _fetch(name: str, commit: str | None) -> Path:
    """Return the folder of a model of the hub in the hub's cache. Only what describes it and its safetensors are fetched.

    Raises
    ------
    InputError
        if it cannot be used, or is too large; this is found before its weights are fetched
    """
    with hub_errors_explained(name, commit):
        found = files_on_hub(name, commit)
        if found is None:
            return _complete(cached(name, commit), name, commit)
        if WEIGHTS not in found.sizes and SHARDS not in found.sizes:
            raise InputError(
                f"{name}: no safetensors at {constants.ENDPOINT}, only weights that can run code when they are read: take a revision that "
                f"has them (its page lists pull requests that add them; {name}{AT}COMMIT), or convert it where you trust it, with "
                "transformers: AutoModel.from_pretrained(NAME).save_pretrained(FOLDER), and name the folder"
            )
        remedy = f"not fetched. If you trust it, download it (hf download {name} --local-dir FOLDER), and name the folder"
        found.check_sizes(dict.fromkeys(DESCRIBING, LARGEST_TEXT), remedy)
        folder = fetch(found, DESCRIBING, commit)  # the cache notes what main means
        network_of(folder)  # refuses what cannot be used
        weights = [WEIGHTS] if WEIGHTS in found.sizes else shard_names(folder)
        if (size := sum(found.sizes.get(file, 0) for file in weights)) > LARGEST_UPSTREAM:
            raise InputError(f"{name}: its weights have {size:,} bytes, but at most {LARGEST_UPSTREAM:,} are allowed: {remedy}")
        return fetch(found, weights, found.commit)


def _complete(folder: Path | None, name: str, commit: str | None) -> Path:
    """Return a folder of the hub's cache. Raise an InputError if it is missing, or if weights are missing in it: they are fetched last."""
    if folder is None:
        raise not_in_the_cache(name, commit)
    weights = shard_names(folder) if (folder / SHARDS).is_file() and not (folder / WEIGHTS).is_file() else [WEIGHTS]
    if not all((folder / file).is_file() for file in weights):
        raise InputError(f"{name}: not in the cache completely, and {constants.ENDPOINT} cannot be reached: try again with a network")
    return folder


def _describe_folder(folder: Path) -> FoundUpstream:
    name = re.sub(r"[^A-Za-z0-9_.\-]", "_", folder.name).lstrip(".-")[:LONGEST_NAME] or "upstream"
    return FoundUpstream(str(folder), folder, _described(folder, name, commit=None))


def _describe_fetched(name: str, folder: Path) -> FoundUpstream:
    commit = folder.name  # the hub's cache calls the folder so
    return FoundUpstream(f"{name}{AT}{commit}", folder, _described(folder, name, commit))


def _described(folder: Path, name: str, commit: str | None) -> UpstreamConfig:
    network = network_of(folder)
    files = {file.name: sha256_of(file) for file in weight_files(folder)}
    try:
        return UpstreamConfig(
            config=network.config,
            processor=network.processor,
            **network.facts,
            weights=UpstreamFiles(name=name, commit=commit, files=files),
            licence=_licence(folder),
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise InputError(f"{folder}: cannot be used: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _licence(folder: Path) -> str:
    """Return the licence that the model card of an upstream names; "" if it names none."""
    path = folder / CARD
    try:
        licence = ModelCard(read_bounded(path, LARGEST_TEXT, path.resolve().parent), ignore_metadata_errors=True).data.license
    except Exception:  # of many kinds: the card may be missing, and its head is the text of a stranger
        return ""
    return licence if isinstance(licence, str) and licence.isprintable() and len(licence) <= LONGEST_LICENCE else ""
