"""The folder of a pretrained model, as `transformers` and its hub lay it out: config, processor and weights. Nothing in it is run."""

import re
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from mlee_sb.errors import InputError
from mlee_sb.files import read_json
from mlee_sb.models.config import MODEL_TYPE

CONFIG, PROCESSOR = "config.json", "preprocessor_config.json"
PROCESSORS, OF_AUDIO = "processor_config.json", "feature_extractor"  # what transformers 5 writes beside a tokenizer instead; its entry
WEIGHTS, SHARDS = "model.safetensors", "model.safetensors.index.json"  # the second one lists several files with weights
SHARD = re.compile(r"\w[\w.\-]*\.safetensors", re.ASCII)  # the name of one of them
PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "flax_model.msgpack")
CODE = "auto_map"  # entry of a config that names code to run
AGAIN = "fetch the upstream again, or name another folder"
SHOWN = 3  # names in an error

# Names of a weight norm before torch 2.1, as most published models of the wav2vec 2.0 family have them.
OLD_NAMES = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}


def read_config(folder: Path) -> dict:
    """Read config.json. Raise an InputError if it is missing or damaged, names no architecture, or names code to run."""
    path = folder / CONFIG
    config = read_json(path, f"a folder of a pretrained model has it; {AGAIN}")
    if CODE in config:
        raise InputError(f"{path}: {CODE} names code of the model's author, which is never run: take a model that transformers has itself")
    if not isinstance(config.get(MODEL_TYPE), str):
        raise InputError(f"{path}: {MODEL_TYPE} is missing; {AGAIN}")
    return config


def read_processor(folder: Path) -> dict:
    """Read preprocessor_config.json, or where it is missing, its content in processor_config.json.

    Raises
    ------
    InputError
        if neither is there, or if it is damaged
    """
    remedy = f"it says what sample rate the upstream takes, and whether waveforms are normalised: fetch it from where {CONFIG} comes from"
    path = folder / PROCESSORS
    if (folder / PROCESSOR).is_file() or not path.is_file():
        return read_json(folder / PROCESSOR, remedy)
    found = read_json(path, AGAIN).get(OF_AUDIO)
    if not isinstance(found, dict):
        raise InputError(f"{path}: {OF_AUDIO} is missing, and there is no {PROCESSOR}: {remedy}")
    return found


def weight_files(folder: Path) -> list[Path]:
    """Return the files with the weights, sorted.

    Raises
    ------
    InputError
        if there are none, only pickled ones, or if one is missing or outside of the folder
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if (folder / SHARDS).is_file():
        files = [folder / name for name in shard_names(folder)]
        if missing := [file for file in files if not file.is_file()]:
            raise InputError(f"{missing[0]}: missing, and {SHARDS} names it; {AGAIN}")
        return files
    if pickled := [name for name in PICKLED if (folder / name).is_file()]:
        convert = f"AutoModel.from_pretrained({str(folder)!r}).save_pretrained(NEW_FOLDER)"
        raise InputError(
            f"{folder}: only {pickled[0]}, which can run code when it is read: take a revision that has {WEIGHTS}, or convert it where you "
            f"trust it, with transformers: {convert}, and copy {PROCESSOR} into the new folder"
        )
    raise InputError(f"{folder}: no {WEIGHTS} in it; {AGAIN}")


def shard_names(folder: Path) -> list[str]:
    """Return the names of several files with weights, sorted, from the list of them. Raise an InputError if it is damaged."""
    names = read_json(folder / SHARDS, AGAIN).get("weight_map")
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) and SHARD.fullmatch(name) for name in names.values()):
        raise InputError(f"{folder / SHARDS}: weight_map must name files of this folder; {AGAIN}")
    return sorted(set(names.values()))


def load_weights(folder: Path, model: nn.Module) -> None:
    """Load the weights of `model`, which is on the meta device, in float32. What else is in the files (decoder, heads) is not read.

    Raises
    ------
    InputError
        if a tensor is missing, has another shape, or values that are not finite, or if a file is damaged
    """
    files = weight_files(folder)
    where, expected = files[0] if len(files) == 1 else folder, model.state_dict()
    try:
        names = {name: file for file in files for name in _names(file)}
        found = _matched(where, expected, names)
        weights = {}
        for file in files:
            with safe_open(file, framework="pt") as opened:
                weights |= {name: opened.get_tensor(stored) for name, stored in found.items() if names[stored] == file}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{where}: damaged ({error!s:.200}); {AGAIN}") from error
    model.load_state_dict({name: _checked(where, name, weights[name], like) for name, like in expected.items()}, assign=True)


def _names(file: Path) -> list[str]:
    with safe_open(file, framework="pt") as opened:
        return list(opened.keys())


def _matched(where: Path, expected: dict[str, Tensor], names: dict[str, Path]) -> dict[str, str]:
    """Return the name in the files of each expected tensor. All may stand below a prefix, for example ``model.encoder.``."""
    first = next(iter(expected))
    prefixes = sorted((name.removesuffix(first) for name in names if f".{name}".endswith(f".{first}")), key=len)
    prefix = prefixes[0] if prefixes else ""
    found = {name: stored for name in expected for stored in (prefix + name, prefix + _old(name)) if stored in names}
    if missing := sorted(expected.keys() - found.keys()):
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        raise InputError(f"{where}: not the weights that {CONFIG} describes: {', '.join(missing[:SHOWN])}{more} missing; {AGAIN}")
    return found


def _old(name: str) -> str:
    for new, old in OLD_NAMES.items():
        name = name.replace(new, old)
    return name


def _checked(where: Path, name: str, found: Tensor, like: Tensor) -> Tensor:
    if found.shape != like.shape:
        raise InputError(
            f"{where}: not the weights that {CONFIG} describes: {name} has shape {list(found.shape)}, not {list(like.shape)}; {AGAIN}"
        )
    if like.is_floating_point() and not found.is_floating_point():
        raise InputError(f"{where}: {name} holds {found.dtype}: take weights that are not quantised")
    found = found.to(like.dtype if not like.is_floating_point() else torch.float32)
    if not found.isfinite().all():
        raise InputError(f"{where}: values that are not finite in {name}; {AGAIN}")
    return found
