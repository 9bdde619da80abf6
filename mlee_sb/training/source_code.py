"""The code that can change the result of a stage: the code of this package, and of each plug-in that the settings name."""

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from torch import nn

from mlee_sb.stage_folder import SOURCE, VERSION
from mlee_sb.targets import find_target
from mlee_sb.training.check_settings import built_classes
from mlee_sb.version import __version__

OURS, PACKAGE = "mlee_sb", Path(__file__).parents[1]
DECIDE = (
    "labels.py",
    "calibration.py",
    "targets/*.py",
    "models/**/*.py",
    "training/*.py",
)  # files of this package that can change a result
OF_FIXED = ("models/**/*.py", "training/data.py")  # files that can change the fixed part of an encoder
TRANSFORMERS = "transformers"  # a library, too, that is not imported for its name
ONNX_ONLY = PACKAGE / "models/export"  # changes no result of training
LIBRARIES = {OURS, "torch", "torchaudio", "speechbrain", *sys.stdlib_module_names}  # no experiment changes them
INSTALLED = ("site-packages", "dist-packages")  # folders that hold the modules of many authors
SHOWN = 16  # hexadecimal digits of a hash


def code_of(settings: Mapping) -> dict[str, str]:
    """Return the version of this package, a hash of its source, and a hash of the source of each plug-in that the settings name.

    The hash of this package is over the files that can change a result. The hash of a plug-in is over all files of its package; if it is
    a single module, over this module and the modules that it imports from its own folder.

    Parameters
    ----------
    settings : settings of a stage, as `mlee_sb.training.settings.read_settings` returns them

    >>> from mlee_sb.training.settings import read_settings
    >>> list(code_of(read_settings("hparams/mlee.yaml")))
    ['version of mlee_sb', 'source of mlee_sb']
    """
    named = [*built_classes(settings), type(find_target(settings["target"]))]
    plug_ins = sorted({found.__module__.split(".")[0] for found in named} - LIBRARIES)
    return {VERSION: __version__, SOURCE + OURS: _our_hash(), **{SOURCE + name: _plug_in_hash(name) for name in plug_ins}}


def code_of_fixed(encoder: nn.Module) -> dict[str, str]:
    """Return hashes of the code that computes the fixed part of an encoder: that of this package, and of the packages of its modules.

    What only trains on the result is left out: another release or another target would compute hours of values again.
    """
    packages = sorted({type(module).__module__.split(".")[0] for module in encoder.modules()} - LIBRARIES - {TRANSFORMERS})
    return {SOURCE + OURS: _our_hash(OF_FIXED), **{SOURCE + name: _plug_in_hash(name) for name in packages}}


@cache
def _our_hash(patterns: tuple[str, ...] = DECIDE) -> str:
    return _hash(path for pattern in patterns for path in PACKAGE.glob(pattern) if not path.is_relative_to(ONNX_ONLY))


@cache
def _plug_in_hash(name: str) -> str:
    return _hash(_files_of(name, seen=set()))


def _hash(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted({path for path in files if path.is_file()}):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:SHOWN]


def _files_of(name: str, seen: set[str]) -> Iterator[Path]:
    """Yield the files of a package, or of a module and the modules that it imports from its own folder. Of an archive, yield all."""
    seen.add(name)
    folders, file = _place(name)
    for folder in folders:  # several where packages share a namespace
        yield from folder.rglob("*.py") if folder.is_dir() else _archive_of(folder)
    if file is None or folders:
        return
    yield from [file] if file.is_file() else _archive_of(file)
    if file.is_file() and file.suffix == ".py" and file.parent.name not in INSTALLED:
        beside = {path.stem for path in file.parent.iterdir() if path.suffix == ".py" or path.is_dir()}
        for imported in sorted(_imported(file) & beside - seen - LIBRARIES):
            yield from _files_of(imported, seen)


def _place(name: str) -> tuple[list[Path], Path | None]:
    """Return the folders of a package and the file of a module, whether it is imported already or not."""
    module = sys.modules.get(name)
    if module is not None:
        folders, file = getattr(module, "__path__", ()), getattr(module, "__file__", None)
    else:
        spec = find_spec(name)
        folders, file = (spec.submodule_search_locations or (), spec.origin if spec.has_location else None) if spec else ((), None)
    return [Path(folder) for folder in folders], Path(file) if file else None


def _archive_of(path: Path) -> list[Path]:
    """Return the archive that holds a module."""
    return [parent for parent in path.parents if parent.is_file()]


def _imported(file: Path) -> set[str]:
    """Return the first part of the name of each module that a file imports; nothing if the file is not Python."""
    try:
        nodes = list(ast.walk(ast.parse(file.read_bytes())))
    except (SyntaxError, ValueError):
        return set()
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found
