"""The model.safetensors of a bundle: its weights are read only if its header has exactly the tensors of the architecture."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mlee_sb.errors import InputError
from mlee_sb.files import sha256_of
from mlee_sb.models.config import AGAIN, LARGEST_WEIGHTS, check_place
from mlee_sb.models.upstreams.carried import PREFIX, carried_weights

LARGEST_HEADER = 1024**2  # bytes
LENGTH_FIELD = 8  # bytes at the start of the file, with the length of the header
EMOTIONS = "emotions"  # entry of the header with the labels
SHOWN, SHOWN_DIGITS = 5, 12  # names, and digits of a sha256, that an error shows
NAMES = {torch.bool: "BOOL", torch.uint8: "U8", torch.int8: "I8", torch.int16: "I16", torch.int32: "I32", torch.int64: "I64"}
NAMES |= {torch.float16: "F16", torch.bfloat16: "BF16", torch.float32: "F32", torch.float64: "F64"}


def save_weights(path: Path, weights: dict[str, Tensor], emotions: Sequence[str]) -> None:
    """Write the weights, with the emotions in the order of the outputs."""
    save_file(weights, path, metadata={EMOTIONS: json.dumps(list(emotions), allow_nan=False)})  # one key: several come in a random order


def check_memory(model: nn.Module) -> None:
    """Refuse a model that would take more memory than any honest model. It is given on the meta device, where it takes none."""
    here = carried_weights(model).values()
    size = sum(tensor.numel() * tensor.element_size() for tensor in (*model.parameters(), *model.buffers(), *here))
    if size > LARGEST_WEIGHTS:
        raise InputError(f"describes a model of {size / 1e9:,.0f} GB, and at most {LARGEST_WEIGHTS / 1e9:.0f} GB are allowed")


def load_weights(path: Path, model: nn.Module, emotions: Sequence[str], sha256: str | None, root: Path | None = None) -> dict[str, Tensor]:
    """Read the weights of a model. All expected tensors and no others must be there, with the right shape and kind, finite and unchanged.

    Parameters
    ----------
    path : the file
    model : a model with the expected tensors; it may be on the meta device
    emotions : the K codes in the order of the outputs
    sha256 : sha256 of the file, from config.json; None if config.json does not have it (schema 2)
    root : as for `mlee_sb.models.config.check_place`

    Raises
    ------
    InputError
        if the file is missing or damaged, or holds anything else; this is found before anything large is read
    """
    check_place(path, root)
    tensors = {**model.state_dict(), **carried_weights(model)}
    expected = {name: (NAMES.get(tensor.dtype), list(tensor.shape)) for name, tensor in tensors.items()}
    _check_header(path)
    try:
        with safe_open(path, framework="pt") as file:
            labels = (file.metadata() or {}).get(EMOTIONS)
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118, it is no dictionary
            found = {name: (_kind(name, part.get_dtype()), list(part.get_shape())) for name, part in slices.items()}
        _check_names(path, found, expected)
        if labels != json.dumps(list(emotions), allow_nan=False):
            raise InputError(f"{path}: weights of the emotions {labels!r:.200}, but config.json says {list(emotions)}; {AGAIN}")
        check_sha256(path, sha256)
        weights = load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path}: damaged ({error!s:.200}); {AGAIN}") from error
    broken = [name for name, tensor in weights.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    if broken:
        raise InputError(f"{path}: values that are not finite in {_some(broken)}; {AGAIN}")
    return weights


def count_values(path: Path, sha256: str | None, root: Path | None = None) -> int:
    """Return the number of values in the weights, from their header. Parameters and errors are those of `load_weights`."""
    check_place(path, root)
    _check_header(path)
    check_sha256(path, sha256)
    try:
        with safe_open(path, framework="np") as file:
            shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118, it is no dictionary
    except SafetensorError as error:
        raise InputError(f"{path}: damaged ({error!s:.200}); {AGAIN}") from error
    return sum(math.prod(shape) for shape in shapes)


def check_sha256(path: Path, sha256: str | None) -> None:
    """Refuse weights that are not exactly those that config.json was written with. None allows all, because schema 2 has no sha256."""
    if (size := path.stat().st_size) > LARGEST_WEIGHTS + LARGEST_HEADER:
        raise InputError(f"{path}: {size:,} bytes, and weights may have at most {LARGEST_WEIGHTS:,}: do not trust this bundle")
    if sha256 is not None and (found := sha256_of(path)) != sha256:
        raise InputError(
            f"{path}: its sha256 is {found[:SHOWN_DIGITS]}..., and config.json was written with weights of {sha256[:SHOWN_DIGITS]}...: "
            f"changed, damaged, or weights of another model; {AGAIN}"
        )


def _check_header(path: Path) -> None:
    """Refuse a header that is too long to read. (safetensors checks that the tensors fill the rest, and `_check_names` which they are.)"""
    size = path.stat().st_size
    with open(path, "rb") as file:
        header = int.from_bytes(file.read(LENGTH_FIELD), "little")
    if header > LARGEST_HEADER or LENGTH_FIELD + header > size:
        raise InputError(f"{path}: not a safetensors file, or its header claims {header:,} bytes of {size:,}; {AGAIN}")


def _check_names(path: Path, found: dict, expected: dict) -> None:
    for words, names in (
        ("is missing", expected.keys() - found.keys()),
        ("is not expected", found.keys() - expected.keys()),
        ("has another shape or kind", {name for name in expected.keys() & found.keys() if expected[name] != found[name]}),
    ):
        if names:
            raise InputError(f"{path}: not the weights that config.json describes: {_some(names)} {words}; {AGAIN}")


def _kind(name: str, kind: str) -> str:
    """Return the kind of values of a tensor. Those of an upstream may be stored in 16 bits."""
    return NAMES[torch.float32] if name.startswith(PREFIX) and kind == NAMES[torch.float16] else kind


def _some(names) -> str:
    names = sorted(name if name.isprintable() else ascii(name) for name in names)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(name[:100] for name in names[:SHOWN]) + more
