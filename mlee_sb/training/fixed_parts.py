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
from torch.utils.data import Dataset
from tqdm import tqdm

from mlee_sb.files import written_beside
from mlee_sb.models.bundle import load_bundle
from mlee_sb.models.device import upload
from mlee_sb.models.emotion_model import EmotionModel
from mlee_sb.models.encoders.base import Encoder, learning
from mlee_sb.models.encoders.frozen import as_fixed
from mlee_sb.models.registry import describe
from mlee_sb.plugins import ENCODERS
from mlee_sb.stage_folder import UPSTREAM, above_rows
from mlee_sb.training.data import FixedDataset, WaveformDataset, make_loader
from mlee_sb.training.source_code import code_of
from mlee_sb.training.stage import Data, Stage

BATCH_SIZE = 32  # utterances that are computed together; the values of an utterance do not depend on its batch
SHOWN_DIGITS = 16  # digits of a hash in the name of a file or folder


@dataclass(frozen=True)
class FixedPart:
    """A part of an encoder that never learns, and the folder with its values.

    Attributes
    ----------
    folder : the folder with a file for each speed and set of utterances
    key : text that names all that the values depend on, except utterances and speed; a file with another key is computed again
    module : the module that computes, which must be put on a device
    compute : from waveforms [batch, samples] and lengths [batch], or from the values of `below`, to values [batch, steps, ...] and
        lengths [batch]
    below : the fixed parts that it is computed from; none for waveforms
    of_corpus : whether stages of all folds share it. Then each speaker has a file, and its key names the recordings, too
    """

    folder: Path
    key: str
    module: Encoder
    compute: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    below: Sequence["FixedPart"] = ()
    of_corpus: bool = False


def required_models(stage: Stage) -> dict[str, EmotionModel]:
    """Load the models of the required stages, by name."""
    found = {
        name: load_bundle(part.files.model, places=part.files.upstream_folders, check_answer=False) for name, part in stage.requires.items()
    }
    return {name: bundle.model for name, bundle in found.items()}


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
    below = fixed_parts(required, encoder, required_models(required))
    embed = encoder.learned if below else encoder
    compute = lambda values, lengths: as_fixed(embed(values, lengths))  # noqa: E731
    return FixedPart(files.embeddings, f"{required.key} {files.weights}", encoder, compute, below)


def _of_encoder(stage: Stage, encoder: Encoder) -> FixedPart:
    """Return the fixed part of an encoder itself. All stages with this encoder share it, whatever their row, fold and seed."""
    described = {**describe(ENCODERS, encoder), "settings": encoder.fixed_settings}
    digest = hashlib.sha256(json.dumps([described, code_of(stage.settings)], sort_keys=True).encode())
    learn = {id(parameter) for parameter in learning(encoder)}
    for name, tensor in sorted([*encoder.named_parameters(), *encoder.named_buffers()], key=lambda named: named[0]):
        if id(tensor) not in learn:
            digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    key = digest.hexdigest()
    return FixedPart(above_rows(stage.folder) / UPSTREAM / key[:SHOWN_DIGITS], key, encoder, encoder.fixed, of_corpus=True)


def keep(parts: Sequence[FixedPart], split: pd.DataFrame, data: Data, speeds: Sequence[float], device: str) -> None:
    """Compute the values of some parts that are not on disk yet, for all rows of a split at each speed, with a progress bar."""
    for part in parts:
        part.folder.mkdir(parents=True, exist_ok=True)
        for file in _files(part, split, data, speeds):
            with FileLock(part.folder / ".lock"):  # another stage that needs the same values waits, and then reads them
                if not file.is_kept:
                    keep(part.below, file.rows, data, [file.speed], device)
                    values, lengths = _compute(part, file, data, device)
                    with written_beside(file.path) as beside:
                        save_file({"values": values, "lengths": lengths}, beside, metadata={"key": file.key})


def kept(parts: Sequence[FixedPart], split: pd.DataFrame, data: Data, speeds: Sequence[float]) -> list[list[Tensor]]:
    """Read the values that `keep` computed: for each speed, the values of each row [steps, ...], with those of several parts joined."""
    by_speed = []
    for speed in speeds:
        of_parts = []
        for part in parts:
            by_id = {
                ID: value for file in _files(part, split, data, [speed]) for ID, value in zip(file.rows["ID"], file.read(), strict=True)
            }
            of_parts.append([by_id[ID] for ID in split["ID"]])
        by_speed.append([values[0] if len(values) == 1 else torch.cat(values) for values in zip(*of_parts, strict=True)])
    return by_speed


@dataclass(frozen=True)
class _File:
    """The values of some rows at one speed."""

    path: Path
    key: str
    rows: pd.DataFrame
    speed: float

    @property
    def is_kept(self) -> bool:
        if not self.path.is_file():
            return False
        with safe_open(self.path, framework="pt") as file:
            return (file.metadata() or {}).get("key") == self.key

    def read(self) -> Sequence[Tensor]:
        """Read the values of each utterance [steps, ...]."""
        with safe_open(self.path, framework="pt") as file:
            return file.get_tensor("values").split(file.get_tensor("lengths").tolist())


def _files(part: FixedPart, split: pd.DataFrame, data: Data, speeds: Sequence[float]) -> list[_File]:
    """Return the files with the values of all rows of a split: one, or one for each speaker where all folds share them."""
    groups = [rows for _, rows in split.groupby("speaker", sort=True)] if part.of_corpus else [split]
    found = []
    for rows in groups:
        ids = rows["ID"].tolist()
        key = part.key
        if part.of_corpus:
            key = f"{key} {_digest([data.recordings.get(ID, data.protocol['hash']) for ID in ids])}"
        found += [_File(part.folder / f"{_digest(ids)[:SHOWN_DIGITS]}_speed{speed:g}.safetensors", key, rows, speed) for speed in speeds]
    return found


def _digest(texts: list[str]) -> str:
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


@torch.no_grad()
def _compute(part: FixedPart, file: _File, data: Data, device: str) -> tuple[Tensor, Tensor]:
    """Return the values of all rows one after another [steps of all, ...], and the number of steps of each row [n]."""
    module, n = part.module.to(device).eval(), len(file.rows)
    no_labels = torch.zeros(n, 0)
    if part.below:
        (values,) = kept(part.below, file.rows, data, [file.speed])
        dataset: Dataset = FixedDataset(values, no_labels, file.rows["ID"].tolist())
    else:
        dataset = WaveformDataset(file.rows, data.data_folder, module, no_labels, (file.speed,))
    found: list[Tensor] = [torch.empty(0)] * n
    bar = partial(tqdm, desc=f"fixed part at speed {file.speed:g}", disable=not sys.stderr.isatty(), dynamic_ncols=True, leave=False)
    for batch in bar(make_loader(dataset, BATCH_SIZE, num_workers=0)):
        values, lengths = part.compute(upload(batch.inputs, device), batch.lengths)
        for item, value, steps in zip(batch.items.tolist(), values.float().cpu(), lengths.tolist(), strict=True):
            found[item] = value[:steps].clone()
    return torch.cat(found), torch.tensor([len(value) for value in found])
