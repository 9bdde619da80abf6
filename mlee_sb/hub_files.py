"""What files a model on a hub has, and how large they are: asked before any of them is fetched."""

from collections.abc import Mapping
from dataclasses import dataclass

from huggingface_hub import HfApi, constants

from mlee_sb.errors import InputError
from mlee_sb.hub_errors import cannot_be_asked


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


def files_on_hub(name: str, revision: str | None = None) -> FilesOnHub | None:
    """Return the files of a model, as the hub tells them; None if the hub cannot be asked, so that its cache must do.

    Parameters
    ----------
    name : user/name
    revision : a branch, a tag or a commit; the main branch by default
    """
    if constants.HF_HUB_OFFLINE:
        return None
    try:
        found = HfApi().model_info(name, revision=revision, files_metadata=True)
    except Exception as error:
        if cannot_be_asked(error):
            return None
        raise
    return FilesOnHub(name, found.sha, {file.rfilename: file.size or 0 for file in found.siblings or ()})
