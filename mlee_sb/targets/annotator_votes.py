"""From the rows of votes.csv to labels, for targets that learn each annotator by themselves."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mlee_sb.targets.base import MIN_VOTES, Target


def annotator_labels(votes: pd.DataFrame, ids: Sequence[str], emotions: Sequence[str], annotators: Sequence[str]) -> np.ndarray:
    """Return the votes of some annotators for each of n utterances.

    Parameters
    ----------
    votes : columns ID, annotator and label, a row for each vote
    ids : of the n utterances
    emotions : the K target emotions, in the order of their numbers; votes for others are left out
    annotators : whose votes are taken, in the order of their numbers

    Returns
    -------
    np.ndarray
        [n, M, 3], as `Target.labels` takes them; M is the largest number of votes for an utterance, at least 1

    >>> votes = pd.DataFrame([("a", "E1", "neu"), ("a", "E1", "hap"), ("b", "E2", "hap")], columns=["ID", "annotator", "label"])
    >>> annotator_labels(votes, ["a", "b"], ["neu", "hap"], ["E1", "E2"]).tolist()
    [[[0.0, 0.0, 0.5], [0.0, 1.0, 0.5]], [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]]
    """
    found = _of_utterances(votes, ids, emotions)
    found = found[found["annotator"].isin(annotators)]
    place = found.groupby("row").cumcount().to_numpy()
    labels = np.zeros((len(ids), place.max(initial=0) + 1, 3))
    numbers = {name: number for number, name in enumerate(annotators)}
    labels[found["row"], place] = np.stack([found["annotator"].map(numbers), found["emotion"], found["share"]], axis=1)
    return labels


def judgements(target: Target, votes: pd.DataFrame, train: pd.DataFrame, settings: Mapping) -> pd.Series:
    """Return how many utterances that a stage learns from each annotator judged, by name.

    Parameters
    ----------
    target, settings : of the stage
    votes : as for `annotator_labels`
    train : rows of the training split, with the columns ID and dominant
    """
    ids, emotions = train["ID"].tolist(), settings["emotions"]
    labels = annotator_labels(votes, ids, emotions, sorted(votes["annotator"].unique()))
    _, usable = target.training_labels(settings["train_set"], train["dominant"].tolist(), labels, settings)
    found = _of_utterances(votes, train["ID"][usable].tolist(), emotions)
    return found.drop_duplicates(["row", "annotator"])["annotator"].value_counts()


def learnt_annotators(counts: pd.Series, settings: Mapping) -> list[str]:
    """Return the annotators that a stage learns, sorted: those with `min_annotator_votes` judgements or more (`judgements`).

    Their places are their numbers in the labels and in the classifier.
    """
    return sorted(counts.index[counts >= settings[MIN_VOTES]])


def _of_utterances(votes: pd.DataFrame, ids: Sequence[str], emotions: Sequence[str]) -> pd.DataFrame:
    """Return the votes for target emotions: row (number of the utterance), annotator, emotion (its number), share; sorted."""
    number = {emotion: k for k, emotion in enumerate(emotions)}
    place = {id_: row for row, id_ in enumerate(ids)}
    votes = votes[votes["label"].isin(number) & votes["ID"].isin(place)].drop_duplicates()
    found = pd.DataFrame(
        {
            "row": votes["ID"].map(place).astype(int),
            "annotator": votes["annotator"],
            "emotion": votes["label"].map(number).astype(int),
        }
    )
    found["share"] = 1 / found.groupby(["row", "annotator"])["emotion"].transform("size")
    return found.sort_values(["row", "annotator", "emotion"])
