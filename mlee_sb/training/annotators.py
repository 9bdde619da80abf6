"""The annotators of a stage, and their votes one by one, for a target that learns each annotator by themselves."""

import numpy as np
import pandas as pd

from mlee_sb.corpora.manifest import RUN_PREPARE, VOTES, read_split, read_votes
from mlee_sb.errors import InputError
from mlee_sb.targets.annotator_votes import annotator_labels, judgements, learnt_annotators
from mlee_sb.targets.base import MIN_VOTES
from mlee_sb.training.stage import Stage


def annotators_of(stage: Stage) -> list[str]:
    """Return the annotators that a stage learns, in the order of their numbers (`learnt_annotators`).

    Raises
    ------
    InputError
        if the corpus does not name its annotators, or nobody has as many judgements of the training set as the setting asks for
    """
    settings = stage.settings
    train = read_split(stage.data.manifests, settings["fold"], "train")
    counts = judgements(stage.target, _named_votes(stage), train, settings)
    known = learnt_annotators(counts, settings)
    if not known:
        raise InputError(
            f"fold {settings['fold']} of {stage.data.manifests}: no annotator judged {settings[MIN_VOTES]} utterances of the training set, "
            f"and the busiest one {counts.max() if len(counts) else 0}: give a smaller --{MIN_VOTES}"
        )
    return known


def annotator_votes(stage: Stage, rows: pd.DataFrame, annotators: list[str]) -> np.ndarray:
    """Return the votes of some annotators for each of n rows of manifests, [n, M, 3] (`annotator_labels`)."""
    return annotator_labels(_named_votes(stage), rows["ID"].tolist(), stage.settings["emotions"], annotators)


def _named_votes(stage: Stage) -> pd.DataFrame:
    """Return votes.csv of the manifests of a stage, if it names annotators."""
    path, target = stage.data.manifests / VOTES, stage.settings["target"]
    votes = read_votes(stage.data.manifests)
    if votes is None:
        raise InputError(f"{path}: of an earlier version, which noted no hash of it; the target {target} learns from it: {RUN_PREPARE}")
    if votes.empty:
        raise InputError(
            f"{path}: the corpus {stage.data.protocol['corpus']} does not name its annotators, and the target {target} learns each one: "
            f"train another row, or prepare a table with a line for each vote (annotator and label)"
        )
    return votes
