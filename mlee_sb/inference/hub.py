"""Fetch models from a hub into its cache: only the files of a bundle, and none that is too large."""

from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, constants, snapshot_download

from mlee_sb.errors import InputError
from mlee_sb.hub_errors import cannot_be_asked, hub_errors_explained
from mlee_sb.models.bundle_files import CARD, CONFIG, FILES, GOLDEN, SCORES
from mlee_sb.models.config import LARGEST_CONFIG
from mlee_sb.models.golden import LARGEST_GOLDEN
from mlee_sb.models.weights import LARGEST_WEIGHTS

LARGEST_TEXT = 1024**2  # bytes of a card or of scores
LARGEST = {CONFIG: LARGEST_CONFIG, GOLDEN: LARGEST_GOLDEN, CARD: LARGEST_TEXT, SCORES: LARGEST_TEXT}  # bytes; others: LARGEST_WEIGHTS


@dataclass(frozen=True)
class Place:
    """Where a bundle lies.

    Attributes
    ----------
    folder : of the bundle
    root : the folder that its files must lie in after links are followed
    """

    folder: Path
    root: Path


def pull(name: str, revision: str | None = None) -> Place:
    """Fetch a model into the hub's cache, or find it there if there is no network.

    Parameters
    ----------
    name : user/name
    revision : a branch, a tag or a commit; the main branch by default

    Raises
    ------
    InputError
        if there is no such model or revision, you may not read it, a file is too large, or the hub cannot be reached and the model is
        not in the cache
    """
    with hub_errors_explained(name, revision):
        local = not _sizes_checked(name, revision)
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=list(FILES), local_files_only=local))
    return Place(folder, folder.parents[1])  # the cache keeps files beside the snapshots and links to them


def _sizes_checked(name: str, revision: str | None) -> bool:
    """Ask the hub how large the files are, before any is fetched. Return False if the hub cannot be asked.

    Raises
    ------
    InputError
        if a file is too large
    """
    if constants.HF_HUB_OFFLINE:
        return False
    try:
        files = HfApi().model_info(name, revision=revision, files_metadata=True).siblings or ()
    except Exception as error:
        if cannot_be_asked(error):
            return False
        raise
    for file in files:
        most = LARGEST.get(file.rfilename, LARGEST_WEIGHTS)
        if file.rfilename in FILES and (file.size or 0) > most:
            raise InputError(f"{name}: its {file.rfilename} has {file.size:,} bytes, but at most {most:,} are allowed: not fetched")
    return True
