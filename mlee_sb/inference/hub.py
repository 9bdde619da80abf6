"""Fetch models from a hub into its cache: only the files of a bundle, and none that is too large."""

from dataclasses import dataclass
from pathlib import Path

from mlee_sb.hub_cache import cached, fetch
from mlee_sb.hub_errors import hub_errors_explained, not_in_the_cache
from mlee_sb.hub_files import files_on_hub
from mlee_sb.models.bundle_files import CARD, CONFIG, FILES, GOLDEN, SCORES
from mlee_sb.models.config import LARGEST_CONFIG, LARGEST_TEXT, LARGEST_WEIGHTS
from mlee_sb.models.golden import LARGEST_GOLDEN

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
        found = files_on_hub(name, revision)
        if found is not None:
            found.check_sizes({file: LARGEST.get(file, LARGEST_WEIGHTS) for file in FILES})
            folder = fetch(found, FILES, revision)
        else:
            folder = cached(name, revision)
    if folder is None:
        raise not_in_the_cache(name, revision)
    return Place(folder, folder.parents[1])  # the cache keeps files beside the snapshots and links to them
