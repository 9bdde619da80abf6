"""What the three kinds of stage learn: targets, class weights, loss and output for each, by name."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from torch import Tensor

from mlee_sb import labels
from mlee_sb.corpora.manifest import vote_columns
from mlee_sb.training.losses import existence_cross_entropy, softmax_cross_entropy


@dataclass(frozen=True)
class TargetKind:
    """One kind of target.

    Attributes
    ----------
    make : (rows of a manifest, settings) -> targets [n, K] and which of the rows can be used [n]
    class_weights : (targets [n, K], emotions) -> weights
    loss : (logits, targets, weights) -> loss of each utterance [batch]
    output : what turns logits into probabilities, a key of `mlee_sb.models.pipeline.OUTPUTS`
    """

    make: Callable[[pd.DataFrame, dict], tuple[np.ndarray, np.ndarray]]
    class_weights: Callable[[np.ndarray, list[str]], np.ndarray]
    loss: Callable[[Tensor, Tensor, Tensor], Tensor]
    output: str


def _hard(frame: pd.DataFrame, settings: dict):
    return labels.hard_targets(frame["dominant"].tolist(), settings["emotions"])


def _soft(frame: pd.DataFrame, settings: dict):
    return labels.soft_targets(frame[vote_columns(settings["emotions"])].to_numpy(), settings["alpha"])


def _existence(frame: pd.DataFrame, settings: dict):
    return labels.existence_targets(frame[vote_columns(settings["emotions"])].to_numpy(), settings["min_votes"])


TARGETS = {
    "hard": TargetKind(_hard, labels.softmax_class_weights, softmax_cross_entropy, "softmax"),
    "soft": TargetKind(_soft, labels.softmax_class_weights, softmax_cross_entropy, "softmax"),
    "existence": TargetKind(_existence, labels.existence_class_weights, existence_cross_entropy, "sigmoid"),
}


def usable_for(target: str, train_set: str, frame: pd.DataFrame, settings: dict) -> tuple[pd.DataFrame, np.ndarray]:
    """The rows of a split that a stage can learn from, and their targets.

    Parameters
    ----------
    target : hard, soft or existence
    train_set : ``"dominant"`` keeps only utterances with a dominant target emotion; ``"all"`` keeps all that the target can use
    frame : rows of a manifest
    settings : emotions, alpha, min_votes

    Returns
    -------
    frame : the rows that are kept, renumbered
    targets : [n, K], float32
    """
    targets, usable = TARGETS[target].make(frame, settings)
    if train_set == "dominant":
        usable = usable & frame["dominant"].isin(settings["emotions"]).to_numpy()
    return frame[usable].reset_index(drop=True), targets[usable].astype(np.float32)
