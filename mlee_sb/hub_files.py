"""What files a model on a hub has, and how large they are: asked before any of them is fetched."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from huggingface_hub import constants
from pydantic import BaseModel, Field, ValidationError

from mlee_sb.errors import InputError
from mlee_sb.hub_errors import cannot_be_asked
from mlee_sb.hub_requests import read

COMMIT = "[0-9a-f]{40}"
LARGEST_LIST = 4 * 1024**2  # bytes of what a hub tells of a model


@dataclass(frozen=True)
class FilesOnHub:
    """The files of one revision of a model on a hub.

    Attributes
    ----------
    name : user/name
    commit : of the revision
    sizes : name of a file -> bytes
    """

    name: str
    commit: str
    sizes: dict[str, int]

    def check_sizes(self, largest: Mapping[str, int], remedy: str = "not fetched") -> None:
        """Refuse files that are too large.

        Parameters
        ----------
        largest : name of a file -> bytes that it may have; other files are not looked at
        remedy : the end of the message

        Raises
        ------
        InputError
            if one of them has more bytes
        """
        for file, most in largest.items():
            if self.sizes.get(file, 0) > most:
                raise InputError(f"{self.name}: its {file} has {self.sizes[file]:,} bytes, but at most {most:,} are allowed: {remedy}")


class _File(BaseModel):
    rfilename: str
    size: Annotated[int, Field(ge=0)]


class _Model(BaseModel):
    """What is used of a hub's answer. A name in it is only compared with names of files that are wanted."""

    sha: Annotated[str, Field(pattern=f"^{COMMIT}$")]
    siblings: list[_File] = []


def files_on_hub(name: str, revision: str | None = None) -> FilesOnHub | None:
    """Return the files of a model, as the hub tells them; None if the hub cannot be asked, so that its cache must do.

    Parameters
    ----------
    name : user/name
    revision : a branch, a tag or a commit; the main branch by default

    Raises
    ------
    InputError
        if the answer is not one of a hub
    """
    if constants.HF_HUB_OFFLINE:
        return None
    at = f"/revision/{quote(revision, safe='')}" if revision else ""
    url = f"{constants.ENDPOINT}/api/models/{name}{at}?blobs=true"
    try:
        found = _Model.model_validate_json(read(url, LARGEST_LIST))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        wrong = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise InputError(f"{url}: not what a hub tells of a model ({wrong!a:.200}): is {constants.ENDPOINT} a hub?") from error
    except Exception as error:
        if cannot_be_asked(error):
            return None
        raise
    if re.fullmatch(COMMIT, revision or "") and found.sha != revision:
        raise InputError(f"{url}: the hub tells of the commit {found.sha}, and another one was asked for: is {constants.ENDPOINT} a hub?")
    return FilesOnHub(name, found.sha, {file.rfilename: file.size for file in found.siblings})
