"""The human ceiling: how often a listener agrees with the others, scored as a model is.

Each listener is compared with the plurality of the others, without that listener's own votes. Where the corpus names its annotators,
they are the listeners. Where it has counts only, each vote is a listener: this gives the expected agreement of a random listener.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mlee_sb.corpora.manifest import LUMPED, VOTES, read_votes, vote_columns
from mlee_sb.evaluation import metrics
from mlee_sb.evaluation.predictions import Predictions
from mlee_sb.evaluation.results import StageResult, find_protocols, given_protocol

CEILINGS = ("wa", "ua", "macro_f1", "existence_f1")  # scores that are defined for a listener, who gives answers and no probabilities

COUNTS_ONLY = "the corpus has counts only"
NO_MANIFESTS = "its manifests, which may name the annotators, were not found: give them as --manifests"
UNHASHED = f"its {VOTES} is not used: an earlier version of mlee_sb prepared it, and nothing tells whether it was changed"
LUMPED_VOTES = (
    f"not known, because an earlier version of mlee_sb trained these stages: it added up the votes for all categories that are no target "
    f"({vote_columns([LUMPED])[0]}). Prepare and train again in a new folder"
)


@dataclass(frozen=True)
class HumanAgreement:
    """What to expect of one listener, a row for each utterance.

    Attributes
    ----------
    source : for a person, where it comes from
    table : [n, K, K + 1], the plurality of the others (where it is a target emotion) by the answer of the listener; the last column is
        for answers that are not a target
    said, exists, both : [n, K], how often a listener votes for an emotion, how often the others make it exist, how often both
    """

    source: str
    table: np.ndarray
    said: np.ndarray
    exists: np.ndarray
    both: np.ndarray

    def scores(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Return the scores of `CEILINGS`, [r] each, for weights [r, n]."""
        n, k, _ = self.table.shape
        table = (weights @ self.table.reshape(n, -1)).reshape(-1, k, k + 1)
        found = metrics.ratio(2 * (weights @ self.both), weights @ self.said + weights @ self.exists)  # [r, K]
        return {
            "wa": metrics.accuracy_of(table),
            "ua": metrics.ua_of(table),
            "macro_f1": metrics.macro_f1_of(table),
            "existence_f1": metrics.mean_of_defined(found),
        }


def human_agreement(utterances: Predictions, stage: StageResult, results: str | Path, manifests: str | Path | None) -> HumanAgreement:
    """Return the agreement of the listeners of tested utterances: of annotators where votes.csv names them, else of counted votes.

    Where neither is known, no score is defined, and `source` says why.

    Parameters
    ----------
    utterances : what was tested
    stage : any stage that tested some of it
    results : the folder that it lies in
    manifests : the manifests that it was trained with; by default those that are found below `results`

    Raises
    ------
    InputError
        if `manifests` are of another protocol, or votes.csv is missing or was changed since it was prepared
    """
    if manifests:
        given_protocol(manifests, [stage], results)
    folder = manifests or find_protocols(results).get(stage.summary.protocol_hash, (None,))[0]
    votes = read_votes(folder) if folder else None
    if votes is not None and len(votes):
        return agreement_from_annotators(votes, utterances.ids, utterances.emotions, stage.min_votes)
    if utterances.all_votes is None:
        return _Collector(len(utterances), len(utterances.emotions), stage.min_votes).result(LUMPED_VOTES)
    why = COUNTS_ONLY if votes is not None else (UNHASHED if folder else NO_MANIFESTS)
    return agreement_from_counts(utterances.all_votes, len(utterances.emotions), stage.min_votes, why)


def agreement_from_counts(votes: np.ndarray, n_targets: int, min_votes: int, why: str = COUNTS_ONLY) -> HumanAgreement:
    """Return the expected agreement of a vote with the other votes of its utterance.

    Parameters
    ----------
    votes : [n, C], numbers of votes for each category of the corpus. Categories that are not targets stay apart, because each of them
        can be the plurality of the others. Added up, they would outvote a target that has more votes than any of them
    n_targets : K; the first K categories are the target emotions
    min_votes : an emotion exists from this many votes on
    why : why no annotators are compared, for `source`
    """
    n, width = votes.shape
    collector = _Collector(n, n_targets, min_votes)
    for i, counts in enumerate(votes):
        for k in np.flatnonzero(counts):
            share = np.eye(width)[k]
            collector.add(i, share, counts - share, weight=counts[k] / counts.sum())
    return collector.result(f"each vote against the other votes of its utterance ({why})")


def agreement_from_annotators(votes: pd.DataFrame, ids: np.ndarray, emotions: list[str], min_votes: int) -> HumanAgreement:
    """Return the agreement of each annotator with the others.

    Parameters
    ----------
    votes : rows of votes.csv: ID, annotator, label
    ids : [n], the IDs of the utterances in their order
    emotions : the K codes
    min_votes : an emotion exists from this many votes on
    """
    place = {ID: i for i, ID in enumerate(ids)}
    codes = [*emotions, *sorted(set(votes["label"]) - set(emotions))]  # categories that are not targets can be the plurality of the others
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
    """Adds up listeners: an answer [categories] beside what the others said [categories]. The first K categories are the targets."""

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
