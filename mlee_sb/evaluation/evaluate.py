"""A folder of results -> everything that the report says, as one dictionary of plain values."""

from collections.abc import Callable, Collection
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from mlee_sb.errors import InputError, choose
from mlee_sb.evaluation import metrics, paper
from mlee_sb.evaluation.ambiguity import THIRDS, thirds, vote_entropy
from mlee_sb.evaluation.cautions import cautions, folds_without, why_no_intervals
from mlee_sb.evaluation.ceiling import HumanAgreement, agreement_from_annotators, agreement_from_counts
from mlee_sb.evaluation.cells import Cell, Cells, learning_curve, read_cells
from mlee_sb.evaluation.comparisons import COMPARED, FOLDS, SPEAKERS, Scored, compare
from mlee_sb.evaluation.metrics import SCORES, Score
from mlee_sb.evaluation.predictions import Predictions
from mlee_sb.evaluation.resampling import CONFIDENCE, RESAMPLES, Resamples, interval
from mlee_sb.evaluation.results import find_protocols, find_stages

AT_ONCE = 256  # resamples: bounds the memory
PER_EMOTION = {"auc": metrics.existence_auc, "average_precision": metrics.existence_average_precision, "f1": metrics.existence_f1}
VOTES_FILE = "votes.csv"


def evaluate(
    results: str | Path,
    manifests: str | Path | None = None,
    only: Collection[Path] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = CONFIDENCE,
    primary: str = paper.PRIMARY,
    undo_class_weights: bool = False,
    progress: bool = False,
) -> dict:
    """Evaluate all rows of table 3 that are found below a folder.

    Every score is given over the test utterances of all folds pooled, and as the mean over the folds; with intervals by
    bootstrap over speakers, the same resamples for all rows. With several seeds it is the mean over the seeds. Rows are
    held against their baselines by `mlee_sb.evaluation.comparisons`. With too few speakers there are no intervals and no
    tests, and `why_no_intervals` says so.

    Parameters
    ----------
    results : a folder with the results of one corpus
    manifests : where votes.csv is; by default the manifests of this protocol below `results`
    only : folders of the stages to evaluate; by default all that are finished below `results`
    resamples, seed : of the bootstrap
    confidence : of all intervals; the claims are tested at 1 - confidence
    primary : ``"ua"`` or ``"wa"``, the score that the declared claims are about; to be chosen before the figures are seen
    undo_class_weights : whether to decide at the training set's own frequencies instead of the paper's balanced ones
    progress : whether to show a bar

    Returns
    -------
    dict
        plain values, as report.json holds them

    Raises
    ------
    InputError
        if nothing is finished, the stages have different protocols, or `primary` is no score that rows are compared in
    """
    choose(primary, COMPARED, "primary score")
    cells = read_cells(find_stages(results, only), undo_class_weights)
    utterances = cells.utterances
    why_none = why_no_intervals(len(np.unique(utterances.speakers)), len(cells.folds))
    draws = Resamples.draw(utterances.speakers, 0 if why_none else resamples, seed)
    sample = _Sample(cells, draws, confidence)
    human = _human(utterances, results, manifests, cells.first.protocol_hash)
    ceilings = human.scores(sample.weights)
    scored, found = {}, []
    for cell in tqdm(cells.cells, desc="scores and intervals", disable=not progress, dynamic_ncols=True, leave=False):
        found.append(_cell(cell, sample, ceilings))
        scored[cell.row, cell.train_set] = {name: sample.scored(cell, SCORES[name]) for name in COMPARED}
    first = cells.first
    return {
        "corpus": first.corpus,
        "demo": first.demo,
        "protocol_hash": first.protocol_hash,
        "emotions": utterances.emotions,
        "folds": cells.folds,
        "left_out": cells.left_out,
        "n": int((utterances.dominant >= 0).sum()),
        "n_all": len(utterances),
        "n_speakers": len(draws.speakers),
        "bootstrap": {"resamples": resamples, "seed": seed, "confidence": confidence},
        "why_no_intervals": why_none,
        "cautions": cautions(utterances, len(cells.folds)),
        "folds_without": folds_without(utterances, cells.fold_of, cells.folds),
        "class_weights_undone": undo_class_weights,
        "chance": _chance(utterances),
        "why_no_figures_of_the_paper": paper.why_no_figures(first.corpus, utterances.emotions, first.demo),
        "table1": _table1(utterances),
        "cells": found,
        "primary": primary,
        "comparisons": compare(scored, primary, confidence),
        "human": {"source": human.source, **{name: sample.estimate(values) for name, values in ceilings.items()}},
        "thirds": {"ends_of_entropy": list(sample.ends), "n": {name: int(rows.sum()) for name, rows in sample.thirds.items()}},
    }


class _Sample:
    """The resampled utterances, and scores over them: the first value of each is the score itself."""

    def __init__(self, cells: Cells, draws: Resamples, confidence: float):
        utterances = cells.utterances
        self.weights = draws.weights(utterances.speakers)  # [1 + resamples, n]
        self.n_speakers, self.confidence = len(draws.speakers), confidence
        self.folds = [cells.fold_of == fold for fold in cells.folds]
        speakers = [np.isin(draws.speakers, utterances.speakers[rows]) for rows in self.folds]
        self.drawn = np.stack([draws.counts[:, of_fold].mean(axis=1) for of_fold in speakers], axis=1)  # [1 + resamples, folds]
        third, self.ends = thirds(vote_entropy(utterances.votes))
        self.thirds = {name: third == number for number, name in enumerate(THIRDS)}
        units = {SPEAKERS: utterances.speakers, **({FOLDS: cells.fold_of} if 1 < len(cells.folds) < self.n_speakers else {})}
        tested = len(draws.counts) > 1  # where there are no intervals, there are no tests
        self.members = {name: of == np.unique(of)[:, None] for name, of in units.items()} if tested else {}  # units -> bool [m, n]
        self.dominant = utterances.dominant

    def scored(self, cell: Cell, score: Score) -> Scored:
        """A score of a cell as rows are compared by it: without each speaker, and without each fold where these hold several."""
        whole = self.pooled(cell, score.of, weights=self.weights[:1])[0]
        without = {units: self.pooled(cell, score.of, weights=~members * 1.0) for units, members in self.members.items()}
        return Scored(whole, without, {units: self._df(members, score) for units, members in self.members.items()})

    def _df(self, members: np.ndarray, score: Score) -> int:
        """One less than the units with tested utterances: of the rarest emotion, for a mean over the emotions."""
        tested = self.dominant >= 0
        parts = [self.dominant == k for k in np.unique(self.dominant[tested])] if score.by_emotion else [tested]
        return min((int(members[:, part].any(axis=1).sum()) for part in parts), default=0) - 1

    def pooled(self, cell: Cell, score: Callable, rows: np.ndarray | None = None, weights: np.ndarray | None = None) -> np.ndarray:
        """[r, ...] of a cell over `rows`, the mean over its seeds; for weights [r, n], by default those of the resamples."""
        weights = self.weights if weights is None else weights
        rows = np.ones(weights.shape[1], dtype=bool) if rows is None else rows
        weights = weights[:, rows]
        parts = np.array_split(weights, -(-len(weights) // AT_ONCE))
        return np.mean([np.concatenate([score(p.take(rows), part) for part in parts]) for p in cell.predictions.values()], axis=0)

    def mean_over_folds(self, cell: Cell, score: Callable) -> np.ndarray:
        """[1 + resamples]; in a resample, a fold counts as often as its speakers were drawn."""
        by_fold = np.stack([self.pooled(cell, score, rows) for rows in self.folds], axis=1)  # [1 + resamples, folds]
        defined = ~np.isnan(by_fold)
        return metrics.ratio((np.where(defined, by_fold, 0) * self.drawn).sum(axis=1), (defined * self.drawn).sum(axis=1))

    def estimate(self, values: np.ndarray) -> dict:
        return asdict(interval(values, self.n_speakers, self.confidence))

    def estimates(self, values: np.ndarray, emotions: list[str]) -> dict:
        """[1 + resamples, K] -> an estimate for each emotion."""
        return {emotion: self.estimate(values[:, k]) for k, emotion in enumerate(emotions)}


def _cell(cell: Cell, sample: _Sample, ceilings: dict[str, np.ndarray]) -> dict:
    emotions, once = cell.any_seed.emotions, np.ones((1, len(cell.any_seed)))
    drawn = {name: sample.pooled(cell, score.of) for name, score in SCORES.items() if score.defined_for(cell.any_seed)}
    has_posterior = not cell.any_seed.is_existence
    existence = (
        {} if has_posterior else {name: sample.estimates(sample.pooled(cell, score), emotions) for name, score in PER_EMOTION.items()}
    )
    return {
        "row": cell.row,
        "train_set": cell.train_set,
        "seeds": list(cell.predictions),
        "pooled": {name: sample.estimate(values) for name, values in drawn.items()},
        "mean_over_folds": {name: sample.estimate(sample.mean_over_folds(cell, SCORES[name].of)) for name in drawn},
        "share_of_human": {name: sample.estimate(metrics.ratio(drawn[name], ceilings[name])) for name in drawn if name in ceilings},
        "by_seed": {name: [_number(SCORES[name].of(p, once)[0]) for p in cell.predictions.values()] for name in drawn},
        "recall": sample.estimates(sample.pooled(cell, metrics.recalls), emotions),
        "confusion": sum(metrics.confusion(p, once)[0] for p in cell.predictions.values()).astype(int).tolist(),
        "existence": existence,
        "reliability": _reliability(cell, once) if has_posterior else [],
        "ambiguity": {
            third: {name: sample.estimate(sample.pooled(cell, SCORES[name].of, rows)) for name in drawn}
            for third, rows in sample.thirds.items()
            if rows.any()
        },
        "curves": [
            {"seed": seed, "fold": fold, **learning_curve(stage).to_dict("list")}
            for seed, folds in cell.stages.items()
            for fold, stage in folds.items()
        ],
    }


def _reliability(cell: Cell, once: np.ndarray) -> list[dict]:
    """The bins of a reliability diagram that hold an utterance, over all seeds."""
    count, confidence, hits = (
        sum(parts)[0] for parts in zip(*(metrics.calibration(p, once) for p in cell.predictions.values()), strict=True)
    )
    return [
        {"n": int(n), "confidence": float(c / n), "accuracy": float(h / n)} for n, c, h in zip(count, confidence, hits, strict=True) if n
    ]


def _human(utterances: Predictions, results: str | Path, manifests: str | Path | None, protocol_hash: str) -> HumanAgreement:
    there = utterances.exists & (utterances.votes[:, :-1] > 0)
    min_votes = int(utterances.votes[:, :-1][there].min()) if there.any() else 1
    folder = Path(manifests) if manifests else find_protocols(results).get(protocol_hash, (None,))[0]
    if manifests and not (folder / VOTES_FILE).is_file():
        raise InputError(f"{folder / VOTES_FILE}: no such file: give a folder that recipes/prepare.py wrote")
    votes = pd.read_csv(folder / VOTES_FILE, dtype=str, keep_default_na=False) if folder else pd.DataFrame()
    if len(votes):
        return agreement_from_annotators(votes, utterances.ids, utterances.emotions, min_votes)
    return agreement_from_counts(utterances.all_votes, len(utterances.emotions), min_votes)


def _chance(utterances: Predictions) -> dict:
    """What always saying the most frequent emotion scores: WA and UA, and that emotion."""
    counts = np.bincount(utterances.dominant[utterances.dominant >= 0], minlength=len(utterances.emotions))
    if not counts.any():
        return {"emotion": None, "wa": None, "ua": None}
    return {"emotion": utterances.emotions[counts.argmax()], "wa": float(counts.max() / counts.sum()), "ua": float(1 / (counts > 0).sum())}


def _table1(utterances: Predictions) -> dict:
    """Share of the utterances in which each emotion exists, of those with a dominant target emotion and of all."""
    sets = {"dominant": utterances.exists[utterances.dominant >= 0], "all": utterances.exists}
    return {
        name: {
            "n": len(rows),
            **{emotion: _number(rows[:, k].mean()) if len(rows) else None for k, emotion in enumerate(utterances.emotions)},
        }
        for name, rows in sets.items()
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
