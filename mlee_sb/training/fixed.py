"""The fixed parts of encoders: computed once for each utterance and speed, and kept on disk for all stages that share them."""

import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from filelock import FileLock
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from mlee_sb.files import written_beside
from mlee_sb.models.bundle import load_bundle
from mlee_sb.models.device import upload
from mlee_sb.models.emotion_model import EmotionModel
from mlee_sb.models.encoders.base import Encoder, learning
from mlee_sb.models.encoders.frozen import as_fixed
from mlee_sb.models.registry import describe
from mlee_sb.plugins import ENCODERS
from mlee_sb.stage_folder import above_rows
from mlee_sb.training.data import WaveformDataset, make_loader
from mlee_sb.training.source_code import code_of
from mlee_sb.training.stage import Data, Stage

BATCH_SIZE = 32  # utterances that are computed together; the values of an utterance do not depend on its batch
UPSTREAM = "upstream"  # the folder below the results of a corpus for fixed parts that belong to no stage
SHOWN_DIGITS = 16  # digits of a hash in the name of a file or folder


@dataclass(frozen=True)
class FixedPart:
    """A part of an encoder that never learns, and the folder with its values.

    Attributes
    ----------
    folder : the folder with a file for each speed and set of utterances
    key : text that names all that the values depend on, except utterances and speed; a file with another key is computed again
    module : the module that computes, which must be put on a device
    compute : from waveforms [batch, samples] and lengths [batch] to values [batch, steps, ...] and lengths [batch]
    """

    folder: Path
    key: str
    module: Encoder
    compute: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def required_models(stage: Stage) -> dict[str, EmotionModel]:
    """Load the models of the required stages, by name."""
    return {name: load_bundle(part.files.model).model for name, part in stage.requires.items()}


def fixed_parts(stage: Stage, encoder: Encoder, required: dict[str, EmotionModel]) -> list[FixedPart]:
    """Return the fixed parts of the encoder of a stage: one for each required stage, or the encoder's own; [] if it has none.

    Parameters
    ----------
    stage : the stage
    encoder : its encoder
    required : the models of the required stages, by name
    """
    if required:
        return [_of_stage(stage.requires[name], model.encoder) for name, model in required.items()]
    return [_of_encoder(stage, encoder)] if encoder.keeps_fixed else []


def _of_stage(required: Stage, encoder: Encoder) -> FixedPart:
    """Return the fixed part that computes the embeddings of a trained stage. They are kept in the folder of this stage."""
    files = required.files
    compute = lambda waveforms, n_samples: as_fixed(encoder(waveforms, n_samples))  # noqa: E731
    return FixedPart(files.embeddings, f"{required.key} {files.weights}", encoder, compute)


def _of_encoder(stage: Stage, encoder: Encoder) -> FixedPart:
    """Return the fixed part of an encoder itself. All stages with this encoder share it, whatever their row, fold and seed."""
    digest = hashlib.sha256(json.dumps([describe(ENCODERS, encoder), code_of(stage.settings)], sort_keys=True).encode())
    learn = {id(parameter) for parameter in learning(encoder)}
    for name, parameter in sorted(encoder.named_parameters()):
        if id(parameter) not in learn:
            digest.update(name.encode() + parameter.detach().cpu().contiguous().numpy().tobytes())
    key = digest.hexdigest()
    return FixedPart(above_rows(stage.folder) / UPSTREAM / key[:SHOWN_DIGITS], key, encoder, encoder.fixed)


def keep(parts: Sequence[FixedPart], split: pd.DataFrame, data: Data, speeds: Sequence[float], device: str) -> None:
    """Compute the values of some parts that are not on disk yet, for all rows of a split at each speed, with a progress bar."""
    for part in parts:
        part.folder.mkdir(parents=True, exist_ok=True)
        for speed in speeds:
            path = _path(part, split, speed)
            with FileLock(part.folder / ".lock"):  # another stage that needs the same values waits, and then reads them
                if _read(path, part.key) is None:
                    values, lengths = _compute(part, split, data.data_folder, speed, device)
                    with written_beside(path) as beside:
                        save_file({"values": values, "lengths": lengths}, beside, metadata={"key": part.key})


def kept(parts: Sequence[FixedPart], split: pd.DataFrame, speeds: Sequence[float]) -> list[list[Tensor]]:
    """Read the values that `keep` computed: for each speed, the values of each row [steps, ...], with those of several parts joined."""
    by_speed = []
    for speed in speeds:
        of_parts = [_read(_path(part, split, speed), part.key) for part in parts]
        by_speed.append([values[0] if len(values) == 1 else torch.cat(values) for values in zip(*of_parts, strict=True)])
    return by_speed


def _path(part: FixedPart, split: pd.DataFrame, speed: float) -> Path:
    ids = hashlib.sha256(json.dumps(split["ID"].tolist()).encode()).hexdigest()
    return part.folder / f"{ids[:SHOWN_DIGITS]}_speed{speed:g}.safetensors"


def _read(path: Path, key: str) -> Sequence[Tensor] | None:
    """Return the values of each utterance; None if the file is missing or has another key."""
    if not path.is_file():
        return None
    with safe_open(path, framework="pt") as file:
        if (file.metadata() or {}).get("key") != key:
            return None
        return file.get_tensor("values").split(file.get_tensor("lengths").tolist())


@torch.no_grad()
def _compute(part: FixedPart, split: pd.DataFrame, data_folder: Path, speed: float, device: str) -> tuple[Tensor, Tensor]:
    """Return the values of all rows one after another [steps of all, ...], and the number of steps of each row [n]."""
    module = part.module.to(device).eval()
    dataset = WaveformDataset(split, data_folder, module, torch.zeros(len(split), 0), (speed,))
    found: list[Tensor] = [torch.empty(0)] * len(split)
    bar = partial(tqdm, desc=f"fixed part at speed {speed:g}", disable=not sys.stderr.isatty(), dynamic_ncols=True, leave=False)
    for batch in bar(make_loader(dataset, BATCH_SIZE, num_workers=0)):
        values, lengths = part.compute(upload(batch.inputs, device), batch.lengths)
        for item, value, n in zip(batch.items.tolist(), values.float().cpu(), lengths.tolist(), strict=True):
            found[item] = value[:n].clone()
    return torch.cat(found), torch.tensor([len(value) for value in found])
