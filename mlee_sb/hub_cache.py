"""The cache of the hub's library: found and filled. Only a checked commit and a checked ETag become names in it.

The library itself takes both from the hub as they are, so a hub could make it write anywhere.
"""

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from urllib.parse import quote

from huggingface_hub import constants
from huggingface_hub.utils import tqdm

from mlee_sb.errors import InputError
from mlee_sb.files import write_text, written_beside
from mlee_sb.hub_errors import broke_off
from mlee_sb.hub_files import COMMIT, FilesOnHub
from mlee_sb.hub_requests import patient, received, told

MAIN = "main"  # the revision that is meant where none is named
# An ETag names the content of a file by its sha1 or sha256. Servers on the way mark it as weak, or as compressed.
ETAG = re.compile(r'(?:W/)?"?([0-9a-f]{40}|[0-9a-f]{64})(?:(?:--?|;)gzip)?"?', re.IGNORECASE)
TRIES = 3  # for a connection that breaks
_FETCHING = Lock()  # threads of a process would write the same file at the same time


def cached(name: str, revision: str | None = None) -> Path | None:
    """Return the folder of a model in the cache; None if no revision of that name was fetched.

    Parameters
    ----------
    name : user/name
    revision : a branch, a tag or a commit; the main branch by default
    """
    commit = revision or MAIN
    if not re.fullmatch(COMMIT, commit):
        note = _ref(name, commit)
        commit = note.read_text(encoding="utf-8", errors="replace").strip() if note.is_file() else ""
    folder = _home(name) / "snapshots" / commit
    return folder if re.fullmatch(COMMIT, commit) and folder.is_dir() else None


def fetch(found: FilesOnHub, files: Iterable[str], revision: str | None = None) -> Path:
    """Fetch files of a model into the cache, where they are not there already. Return the folder with them.

    Parameters
    ----------
    found : the files that the hub says it has
    files : names of files; those that the hub does not have are left out
    revision : what the commit was called, so that it is found again without a network; the main branch by default

    Raises
    ------
    InputError
        if the hub tells something of a file that no hub tells, or sends more or fewer bytes than it told
    """
    folder = _home(found.name) / "snapshots" / found.commit
    with _FETCHING:
        for file in files:
            if file in found.sizes and not (folder / file).is_file():
                _fetch_file(found, file, folder)
        if not re.fullmatch(COMMIT, revision or MAIN):
            write_text(_ref(found.name, revision or MAIN), found.commit)
    return folder


def _fetch_file(found: FilesOnHub, file: str, folder: Path) -> None:
    url, size = f"{constants.ENDPOINT}/{found.name}/resolve/{found.commit}/{quote(file)}", found.sizes[file]
    blob = _home(found.name) / "blobs" / _content_of(url, found.commit)
    if not blob.is_file():
        with written_beside(blob) as beside, patient(url, size):
            _download(url, beside, size)
    folder.mkdir(parents=True, exist_ok=True)
    with written_beside(folder / file) as beside:
        try:
            os.symlink(Path("..", "..", "blobs", blob.name), beside)
        except OSError:  # a system without links
            shutil.copyfile(blob, beside)


def _content_of(url: str, commit: str) -> str:
    """Return the name of the content of a file, as the hub tells it before it sends the file."""
    headers = told(url)
    if (said := headers.get("x-repo-commit")) != commit:
        raise InputError(f"{url}: the hub says that it is of the commit {said!r:.100}: not fetched")
    etag = headers.get("x-linked-etag") or headers.get("etag") or ""
    if not (content := ETAG.fullmatch(etag)):
        raise InputError(f"{url}: its ETag is {etag!r:.100}, and no sha1 or sha256: not fetched")
    return content[1].lower()


def _download(url: str, path: Path, size: int) -> None:
    """Write a file of `size` bytes to `path`. Where the connection breaks, go on from there."""
    have = 0
    with open(path, "wb") as file, tqdm(total=size, unit="B", unit_scale=True, desc=url.rsplit("/", 1)[1], disable=None) as shown:
        for tries_left in reversed(range(TRIES)):
            try:
                for piece in received(url, size, have):
                    if not piece:  # from the beginning again
                        have = file.seek(0)
                        file.truncate()
                    have += file.write(piece)
                    shown.update(len(piece))
                break
            except Exception as error:
                if not tries_left or not broke_off(error):
                    raise
    if have != size:
        raise InputError(f"{url}: {have:,} bytes came, and the hub said {size:,}: nothing of it is kept, try again")


def _home(name: str) -> Path:
    """Return the folder of a model in the cache. Its name is laid out as by the library, so both find what the other one fetched."""
    return Path(constants.HF_HUB_CACHE).expanduser() / f"models--{name.replace('/', '--')}"


def _ref(name: str, revision: str) -> Path:
    """Return the file of the cache that notes the commit of a revision."""
    parts = revision.split("/")
    if any(not re.fullmatch(r"\w[\w.+@=\-]*", part, re.ASCII) for part in parts):
        raise InputError(f"{name}: {revision!r:.100} is no revision: give a branch, a tag or a commit of 40 digits")
    return _home(name).joinpath("refs", *parts)
