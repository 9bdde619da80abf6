"""The annotators of a stage, and their votes one by one, for a target that learns each annotator by themselves."""

import numpy as np
import pandas as pd

from mlee_sb.corpora.manifest import RUN_PREPARE, VOTES, read_split, read_votes
from mlee_sb.errors import InputError
from mlee_sb.targets.annotators import MIN_VOTES
from mlee_sb.training.stage import Stage


def annotators_of(stage: Stage) -> list[str]:
    """Return the annotators that a stage learns, sorted: their places are their numbers in the labels and in the classifier.

    They are those with `min_annotator_votes` judgements or more of utterances that the stage learns from, in the training set of its fold.

    Raises
    ------
    InputError
        if the corpus does not name its annotators, or nobody has as many judgements
    """
    settings, split = stage.settings, read_split(stage.data.manifests, stage.settings["fold"], "train")
    everybody = sorted(_votes_of(stage, split)["annotator"].unique())
    labels = annotator_votes(stage, split, everybody)
    _, usable = stage.target.training_labels(settings["train_set"], split["dominant"].tolist(), labels, settings)
    votes = _votes_of(stage, split[usable].reset_index(drop=True)).drop_duplicates(["row", "annotator"])
    counts = votes["annotator"].value_counts()
    known = sorted(counts.index[counts >= settings[MIN_VOTES]])
    if not known:
        raise InputError(
            f"fold {settings['fold']} of {stage.data.manifests}: no annotator judged {settings[MIN_VOTES]} utterances of the training set, "
            f"and the busiest one {counts.max() if len(counts) else 0}: give a smaller --{MIN_VOTES}"
        )
    return known


def annotator_votes(stage: Stage, rows: pd.DataFrame, annotators: list[str]) -> np.ndarray:
    """Return the votes of some annotators for each row of a split.

    Parameters
    ----------
    stage : its emotions and manifests
    rows : n rows of manifests, numbered from 0
    annotators : whose votes are taken, in the order of their numbers

    Returns
    -------
    np.ndarray
        [n, M, 3], as `mlee_sb.targets.Target.labels` takes them; M is the largest number of votes for a row, at least 1
    """
    votes = _votes_of(stage, rows)
    votes = votes[votes["annotator"].isin(annotators)]
    place = votes.groupby("row").cumcount().to_numpy()
    found = np.zeros((len(rows), place.max(initial=0) + 1, 3))
    numbers = {name: number for number, name in enumerate(annotators)}
    found[votes["row"], place] = np.stack([votes["annotator"].map(numbers), votes["emotion"], votes["share"]], axis=1)
    return found


def _votes_of(stage: Stage, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the votes for target emotions: row (its number), annotator, emotion (its number), share, sorted by row and annotator."""
    number = {emotion: k for k, emotion in enumerate(stage.settings["emotions"])}
    places = pd.Series(range(len(rows)), index=rows["ID"])
    votes = _named_votes(stage)
    votes = votes[votes["label"].isin(number) & votes["ID"].isin(places.index)].drop_duplicates()
    votes = votes.assign(row=votes["ID"].map(places), emotion=votes["label"].map(number)).astype({"row": int, "emotion": int})
    votes["share"] = 1 / votes.groupby(["row", "annotator"])["emotion"].transform("size")
    return votes.sort_values(["row", "annotator", "emotion"])[["row", "annotator", "emotion", "share"]]


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
