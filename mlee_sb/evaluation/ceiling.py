"""The human ceiling: how often a listener agrees with the others, scored as a model is.

Each listener is held against what the others say, by plurality and without that listener's own votes. Where the corpus
names its annotators, they are the listeners. Where it has counts only, each vote is a listener of its own, which gives
the agreement to be expected of one drawn at random.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlee_sb.evaluation import metrics

CEILINGS = ("wa", "ua", "macro_f1", "existence_f1")  # scores that are defined for a listener, who gives answers and no probabilities


@dataclass(frozen=True)
class HumanAgreement:
    """What to expect of one listener, an utterance a row.

    Attributes
    ----------
    source : for a person, where it comes from
    table : [n, K, K + 1], plurality of the others (where it is a target emotion) by the listener's answer, the last for no target
    said, exists, both : [n, K], how often a listener votes for an emotion, how often the others make it exist, how often both
    """

    source: str
    table: np.ndarray
    said: np.ndarray
    exists: np.ndarray
    both: np.ndarray

    def scores(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """The scores of `CEILINGS`, [r] each, for weights [r, n]."""
        n, k, _ = self.table.shape
        table = (weights @ self.table.reshape(n, -1)).reshape(-1, k, k + 1)
        found = metrics.ratio(2 * (weights @ self.both), weights @ self.said + weights @ self.exists)  # [r, K]
        return {
            "wa": metrics.accuracy_of(table),
            "ua": metrics.ua_of(table),
            "macro_f1": metrics.macro_f1_of(table),
            "existence_f1": metrics.mean_of_defined(found),
        }


def agreement_from_counts(votes: np.ndarray, n_targets: int, min_votes: int) -> HumanAgreement:
    """Expected agreement of a vote with the other votes of its utterance.

    Parameters
    ----------
    votes : [n, C], numbers of votes for each category of the corpus. Categories that are no target stay apart, as each of them can be
        the others' plurality; together they would outvote a target that has more votes than any of them
    n_targets : K, how many of them, from the first on, are target emotions
    min_votes : an emotion exists from this many votes on
    """
    n, width = votes.shape
    collector = _Collector(n, n_targets, min_votes)
    for i, counts in enumerate(votes):
        for k in np.flatnonzero(counts):
            share = np.eye(width)[k]
            collector.add(i, share, counts - share, weight=counts[k] / counts.sum())
    return collector.result("each vote against the other votes of its utterance (the corpus has counts only)")


def agreement_from_annotators(votes: pd.DataFrame, ids: np.ndarray, emotions: list[str], min_votes: int) -> HumanAgreement:
    """Agreement of each annotator with the others.

    Parameters
    ----------
    votes : rows of votes.csv: ID, annotator, label
    ids : [n], the utterances in their order
    emotions : the K codes
    min_votes : an emotion exists from this many votes on
    """
    place = {ID: i for i, ID in enumerate(ids)}
    codes = [*emotions, *sorted(set(votes["label"]) - set(emotions))]  # categories that are no target can be the others' plurality
    number = {code: k for k, code in enumerate(codes)}
    collector = _Collector(len(ids), len(emotions), min_votes)
    for ID, utterance in votes[votes["ID"].isin(place)].groupby("ID"):
        answers = {
            annotator: np.bincount(labels.map(number), minlength=len(codes))
            for annotator, labels in utterance.groupby("annotator")["label"]
        }
        total = sum(answers.values())
        for answer in answers.values():
            collector.add(place[ID], answer, total - answer, weight=1 / len(answers))
    return collector.result("each annotator against the others")


class _Collector:
    """Adds up listeners: an answer [categories] against what the others said [categories]; the first K are the targets."""

    def __init__(self, n: int, k: int, min_votes: int):
        self.table = np.zeros((n, k, k + 1))
        self.said, self.exists, self.both = (np.zeros((n, k)) for _ in range(3))
        self.k, self.min_votes = k, min_votes

    def add(self, i: int, answer: np.ndarray, others: np.ndarray, weight: float) -> None:
        if not others.sum():
            return
        k = self.k
        most = np.flatnonzero(others == others.max())
        if len(most) == 1 and most[0] < k:
            self.table[i, most[0]] += weight * np.append(answer[:k], answer[k:].sum()) / answer.sum()
        said, exists = answer[:k] > 0, others[:k] >= self.min_votes
        self.said[i] += weight * said
        self.exists[i] += weight * exists
        self.both[i] += weight * (said & exists)

    def result(self, source: str) -> HumanAgreement:
        return HumanAgreement(source, self.table, self.said, self.exists, self.both)
