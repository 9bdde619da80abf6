"""What the three kinds of stage learn: targets from the rows of a manifest; loss and output for each, by name."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from torch import Tensor

from mlee_sb.corpora.manifest import vote_columns
from mlee_sb.labels import training_targets
from mlee_sb.training.losses import existence_cross_entropy, existence_weight, softmax_cross_entropy, softmax_weight


@dataclass(frozen=True)
class TargetKind:
    """One kind of target.

    Attributes
    ----------
    loss : (logits, targets, class weights) -> loss of each utterance [batch]
    weight : (targets, class weights) -> what each utterance weighs in a weighted mean of the loss [batch]
    output : what turns logits into probabilities, a key of `mlee_sb.models.pipeline.OUTPUTS`
    """

    loss: Callable[[Tensor, Tensor, Tensor], Tensor]
    weight: Callable[[Tensor, Tensor], Tensor]
    output: str


TARGETS = {
    "hard": TargetKind(softmax_cross_entropy, softmax_weight, "softmax"),
    "soft": TargetKind(softmax_cross_entropy, softmax_weight, "softmax"),
    "existence": TargetKind(existence_cross_entropy, existence_weight, "sigmoid"),
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
    votes = frame[vote_columns(settings["emotions"])].to_numpy()
    targets, usable = training_targets(target, train_set, frame["dominant"].tolist(), votes, settings)
    return frame[usable].reset_index(drop=True), targets[usable]
