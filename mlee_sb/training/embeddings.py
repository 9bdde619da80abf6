"""Embeddings of a trained encoder, computed once per utterance and speed and kept beside it for every head that builds on it."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch
from filelock import FileLock
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from mlee_sb.files import written_beside
from mlee_sb.models.device import upload
from mlee_sb.models.pipeline import EmotionModel
from mlee_sb.training.data import WaveformDataset, make_loader

BATCH_SIZE = 32  # of encoding; an embedding does not depend on its batch


def embeddings(
    folder: Path,
    key: str,
    model: EmotionModel,
    frame: pd.DataFrame,
    data_folder: Path,
    speeds: Sequence[float] = (1.0,),
    device: str = "cpu",
    progress: bool = False,
) -> Tensor:
    """Embed each row of a manifest at each speed, or read what was embedded before.

    Parameters
    ----------
    folder : where embeddings are kept, a file for each speed and set of utterances
    key : what the embeddings depend on besides; a file with another key is made anew
    model : the trained model whose encoder is asked
    frame : rows of a manifest, n
    data_folder : what its wav paths are relative to
    speeds : speed factors
    device : where to compute
    progress : whether to show a bar

    Returns
    -------
    Tensor
        [len(speeds) * n, embedding_size] in the order of `WaveformDataset`
    """
    ids = hashlib.sha256(json.dumps(frame["ID"].tolist()).encode()).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for speed in speeds:
        path = folder / f"{ids[:16]}_speed{speed:g}.safetensors"
        with FileLock(folder / ".lock"):  # another head may want the same just now: it waits, and finds them
            part = _read(path, key)
            if part is None:
                part = _compute(model, frame, data_folder, speed, device, progress)
                with written_beside(path) as beside:
                    save_file({"embeddings": part}, beside, metadata={"key": key})
        parts.append(part)
    return torch.cat(parts)


def _read(path: Path, key: str) -> Tensor | None:
    if not path.is_file():
        return None
    with safe_open(path, framework="pt") as file:
        return file.get_tensor("embeddings") if (file.metadata() or {}).get("key") == key else None


@torch.no_grad()
def _compute(model: EmotionModel, frame: pd.DataFrame, data_folder: Path, speed: float, device: str, progress: bool) -> Tensor:
    encoder = model.encoder.to(device).eval()
    no_targets = torch.zeros(len(frame), 0)
    loader = make_loader(WaveformDataset(frame, data_folder, encoder, no_targets, (speed,)), BATCH_SIZE, num_workers=0)
    found = torch.empty(len(frame), encoder.embedding_size)
    for batch in tqdm(loader, desc=f"embeddings at speed {speed:g}", disable=not progress, dynamic_ncols=True, leave=False):
        found[batch.items] = encoder(upload(batch.inputs, device), batch.lengths).float().cpu()
    return found
