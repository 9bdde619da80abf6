"""The data of one stage: the utterances that it learns from, their labels and class weights. All is checked before training begins."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mlee_sb.calibration import CROSS, VALIDATION
from mlee_sb.corpora.manifest import read_fold, vote_columns
from mlee_sb.errors import InputError
from mlee_sb.training.annotators import annotator_votes, annotators_of
from mlee_sb.training.stage import Stage


@dataclass(frozen=True)
class Group:
    """Training speakers without whom a stage is trained again, to calibrate it on them.

    Attributes
    ----------
    speakers : the speakers
    rest : bool [n], which of the n rows of the training set are of other speakers
    class_weights : over these other rows
    """

    speakers: list[str]
    rest: np.ndarray
    class_weights: Tensor


@dataclass(frozen=True)
class StageInputs:
    """Rows and labels [n, ...] of the training and validation set, all rows of each split, and the class weights.

    `n_emotions` is K. `groups` are the groups of training speakers; () where the stage is calibrated on validation speakers only.
    `annotators` are those that the target learns by themselves, in the order of their numbers in the labels; () for most targets.
    """

    train: pd.DataFrame
    train_labels: Tensor
    valid: pd.DataFrame
    valid_labels: Tensor
    train_split: pd.DataFrame
    valid_split: pd.DataFrame
    test: pd.DataFrame
    class_weights: Tensor
    n_emotions: int
    groups: tuple[Group, ...] = ()
    annotators: tuple[str, ...] = ()

    def no_labels(self, frame: pd.DataFrame) -> Tensor:
        """Return zeros [n, K], for rows that are only predicted."""
        return torch.zeros(len(frame), self.n_emotions)


def stage_inputs(stage: Stage) -> StageInputs:
    """Read the manifests of the fold of a stage, and make the labels.

    Raises
    ------
    InputError
        if a wav file is missing, if the training or validation set has no utterance that the stage can use, or if an emotion has no
        training example; with the setting ``calibration: cross``, also if it has none without a group of speakers; if the target needs
        annotators, as `annotators_of`
    """
    settings, data = stage.settings, stage.data
    splits = read_fold(data.manifests, settings["fold"])
    where = f"fold {settings['fold']} of {data.manifests}"
    annotators = annotators_of(stage) if stage.target.needs_annotators else []
    used = {}
    for name, words in {"train": "training", "valid": "validation"}.items():
        frame, labels = _usable(stage, splits[name], annotators)
        if frame.empty:
            rule = f"train_set {settings['train_set']}, target {settings['target']}, emotions {' '.join(settings['emotions'])}"
            raise InputError(f"{where}: the {words} set has no usable utterance ({rule}): choose other --emotions or another --fold")
        used[name] = frame, labels
    (train, train_labels), (valid, valid_labels) = used["train"], used["valid"]
    weights = _class_weights(stage, train, train_labels, where)
    groups = tuple(_groups(stage, splits["train"], train, train_labels, where)) if settings["calibration"] == CROSS else ()
    _check_files(data.data_folder, splits.values())
    return StageInputs(
        train,
        torch.from_numpy(train_labels),
        valid,
        torch.from_numpy(valid_labels),
        splits["train"],
        splits["valid"],
        splits["test"],
        weights,
        len(settings["emotions"]),
        groups,
        tuple(annotators),
    )


def _usable(stage: Stage, split: pd.DataFrame, annotators: list[str]) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the rows of a split that a stage can learn from, numbered from 0, and their labels [n, ...]."""
    settings = stage.settings
    if stage.target.needs_annotators:
        votes = annotator_votes(stage, split, annotators)
    else:
        votes = split[vote_columns(settings["emotions"])].to_numpy()
    labels, usable = stage.target.training_labels(settings["train_set"], split["dominant"].tolist(), votes, settings)
    return split[usable].reset_index(drop=True), labels[usable]


def _class_weights(stage: Stage, train: pd.DataFrame, labels: np.ndarray, where: str) -> Tensor:
    """Return the class weights over some training rows, if they have all examples that the stage needs."""
    _check_votes(stage, train, where)
    try:
        weights = stage.target.training_class_weights(labels, train["dominant"].tolist(), stage.settings)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    return torch.as_tensor(weights, dtype=torch.float32)


def _groups(stage: Stage, split: pd.DataFrame, train: pd.DataFrame, labels: np.ndarray, where: str) -> Iterator[Group]:
    """Deal the speakers of the training split into groups: the i-th one in sorted order to group i modulo their number.

    They are the same for all stages of a fold, because they do not depend on which utterances a stage can use.
    """
    speakers = sorted(split["speaker"].unique())
    if len(speakers) < 2:
        raise InputError(f"{where}: one training speaker cannot be dealt into groups: give --calibration {VALIDATION}")
    n = min(stage.settings["calibration_groups"], len(speakers))
    for number in range(n):
        out = speakers[number::n]
        rest = ~train["speaker"].isin(out).to_numpy()
        without = f"{where}, without its speakers {' '.join(out)}"
        try:
            weights = _class_weights(stage, train[rest].reset_index(drop=True), labels[rest], without)
        except InputError as error:
            raise InputError(f"{error}; or calibrate it otherwise: more --calibration_groups, or --calibration {VALIDATION}") from error
        yield Group(out, rest, weights)


def _check_votes(stage: Stage, train: pd.DataFrame, where: str) -> None:
    """Check the votes themselves, because smoothing gives some mass even to an emotion without any vote."""
    emotions = stage.settings["emotions"]
    votes = train[vote_columns(emotions)].to_numpy()
    for emotion, of_emotion in zip(emotions, votes.T, strict=True):
        if not of_emotion.any():
            raise InputError(
                f"{where}: nobody heard {emotion!r} in this training set: leave it out of --emotions, or choose another --fold"
            )
        if stage.target.output.knows_existence and (of_emotion >= stage.settings["min_votes"]).all():
            least = _min_votes_that_work(votes, stage.settings["min_votes"])
            remedy = (
                f"give --min_votes {least} (with --manifests: prepare them again with it)"
                if least
                else f"leave {emotion!r} out of --emotions"
            )
            raise InputError(f"{where}: no training example without {emotion!r}: {remedy}, or choose another --fold")


def _min_votes_that_work(votes: np.ndarray, min_votes: int) -> int | None:
    """Return the least number of votes above `min_votes` for which each emotion is present in some utterances and absent in others."""
    for number in range(min_votes + 1, int(votes.max()) + 1):
        present = votes >= number
        if present.any(axis=0).all() and not present.all(axis=0).any():
            return number
    return None


def _check_files(data_folder: Path, splits) -> None:
    missing = [wav for split in splits for wav in split["wav"] if not (data_folder / wav).is_file()]
    if missing:
        path = data_folder / missing[0]
        raise InputError(f"{path}: no such file ({len(missing)} are missing): is --data_folder the one that was prepared?")
