"""The data of one stage: which utterances it learns from, their targets and class weights, checked before training begins."""

from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from mlee_sb import labels
from mlee_sb.corpora.manifest import read_fold, vote_columns
from mlee_sb.errors import InputError
from mlee_sb.training.stage import Stage
from mlee_sb.training.targets import usable_for


@dataclass(frozen=True)
class StageInputs:
    """Rows and targets [n, K] of the training and validation set, all rows of each split, and the class weights."""

    train: pd.DataFrame
    train_targets: Tensor
    valid: pd.DataFrame
    valid_targets: Tensor
    train_split: pd.DataFrame
    valid_split: pd.DataFrame
    test: pd.DataFrame
    class_weights: Tensor

    def no_targets(self, frame: pd.DataFrame) -> Tensor:
        """Zeros, for rows that are predicted and not learnt from."""
        return torch.zeros(len(frame), self.train_targets.shape[1])


def stage_inputs(stage: Stage) -> StageInputs:
    """Read the manifests of a stage's fold and make its targets.

    Raises
    ------
    InputError
        if a wav file is missing, the training or validation set has no utterance that the stage can use,
        or an emotion has no training example
    """
    settings, data = stage.settings, stage.data
    splits = read_fold(data.manifests, settings["fold"])
    where = f"fold {settings['fold']} of {data.manifests}"
    used = {}
    for name, words in {"train": "training", "valid": "validation"}.items():
        frame, targets = usable_for(settings["target"], settings["train_set"], splits[name], settings)
        if frame.empty:
            rule = f"train_set {settings['train_set']}, target {settings['target']}, emotions {' '.join(settings['emotions'])}"
            raise InputError(f"{where}: the {words} set has no usable utterance ({rule}): choose other emotions or another fold")
        used[name] = (frame, targets)
    if splits["test"].empty:
        raise InputError(f"{where}: the test set is empty: choose another fold")
    _check_heard(used["train"][0], settings["emotions"], where)
    try:
        rows, targets = used["train"]
        weights = labels.training_class_weights(targets, rows["dominant"].tolist(), settings)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    _check_files(stage, list(splits.values()))
    (train, train_targets), (valid, valid_targets) = used["train"], used["valid"]
    return StageInputs(
        train,
        torch.from_numpy(train_targets),
        valid,
        torch.from_numpy(valid_targets),
        splits["train"],
        splits["valid"],
        splits["test"],
        torch.as_tensor(weights, dtype=torch.float32),
    )


def _check_heard(train: pd.DataFrame, emotions: list[str], where: str) -> None:
    """Smoothing gives every emotion some mass, also one that nobody ever heard: so the votes are asked."""
    for emotion, column in zip(emotions, vote_columns(emotions), strict=True):
        if not train[column].any():
            raise InputError(
                f"{where}: nobody heard {emotion!r} in this training set: leave it out of the emotions, or choose another fold"
            )


def _check_files(stage: Stage, frames: list[pd.DataFrame]) -> None:
    missing = [wav for frame in frames for wav in frame["wav"] if not (stage.data.data_folder / wav).is_file()]
    if missing:
        path = stage.data.data_folder / missing[0]
        raise InputError(f"{path}: no such file ({len(missing)} are missing): is --data_folder the one that was prepared?")
