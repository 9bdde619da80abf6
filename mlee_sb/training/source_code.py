"""The code that a stage is trained with, as far as it can change the result: this package by its version, plug-ins by their source."""

import hashlib
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from mlee_sb import __version__
from mlee_sb.training.check_settings import built_classes

LIBRARIES = ("torch", "torchaudio", "speechbrain")  # come with the environment: nobody experiments in them
OURS = "mlee_sb"
SHOWN = 16  # hexadecimal digits of a hash


def code_of(settings: Mapping) -> dict[str, str]:
    """Return the version of this package, and a hash of the source of each plug-in that the settings name.

    A class of this package is hashed by its file, so that a change in a checkout is noticed too; of another package all files count,
    because a plug-in may be spread over them.

    Parameters
    ----------
    settings : of a stage, as `mlee_sb.training.settings.read_settings` returns them

    >>> from mlee_sb.training.settings import read_settings
    >>> list(code_of(read_settings("hparams/mlee.yaml")))[:2]
    ['version of mlee_sb', 'source of mlee_sb.models.classifier']
    """
    modules = sorted({found.__module__ for found in built_classes(settings)})
    modules = [module for module in modules if module.split(".")[0] not in LIBRARIES]
    names = dict.fromkeys(module if module.split(".")[0] == OURS else module.split(".")[0] for module in modules)
    return {f"version of {OURS}": __version__, **{f"source of {name}": _source_hash(name) for name in names}}


@cache
def _source_hash(module: str) -> str:
    """Hash the source of an imported module, or of all modules of an imported package; of one without a file, nothing can be said."""
    found = sys.modules.get(module)
    folders = [Path(folder) for folder in getattr(found, "__path__", ())]  # several where packages share a namespace
    file = getattr(found, "__file__", None)
    files = [path for folder in folders for path in sorted(folder.rglob("*.py"))] or ([Path(file)] if file else [])
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:SHOWN]
