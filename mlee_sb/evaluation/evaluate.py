"""Evaluate a folder of results: everything that the report says, as one dictionary of plain values."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mlee_sb.errors import InputError
from mlee_sb.evaluation import metrics, paper
from mlee_sb.evaluation.ambiguity import THIRDS, thirds
from mlee_sb.evaluation.annotators import each_annotator
from mlee_sb.evaluation.bootstrap import CONFIDENCE, RESAMPLES, Resamples, interval
from mlee_sb.evaluation.cautions import cautions, folds_without, why_no_intervals
from mlee_sb.evaluation.ceiling import human_agreement
from mlee_sb.evaluation.cells import Cell, Cells, learning_curve, read_cells, row_names
from mlee_sb.evaluation.choice import choose_row, costs_of
from mlee_sb.evaluation.comparisons import COMPARED, FOLDS, SPEAKERS, Key, Scored, compare
from mlee_sb.evaluation.coverage import coverage_by_fold
from mlee_sb.evaluation.declared import Declaration, Pair, find_declarations
from mlee_sb.evaluation.metrics import SCORES, Score, find_score, number
from mlee_sb.evaluation.origins import doubts
from mlee_sb.evaluation.predictions import Predictions
from mlee_sb.evaluation.protocol.stages import read_used
from mlee_sb.evaluation.results import StageResult, by_key, find_stages, readable_stages
from mlee_sb.labels import vote_entropy
from mlee_sb.stage_folder import above_rows

AT_ONCE = 256  # resamples: bounds the memory
PER_EMOTION = {"auc": metrics.existence_auc, "average_precision": metrics.existence_average_precision, "f1": metrics.existence_f1}


def evaluate(
    results: str | Path,
    manifests: str | Path | None = None,
    only: Collection[Path] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = CONFIDENCE,
    primary: str | None = None,
    comparison: str | None = None,
    undo_class_weights: bool = False,
    progress: bool = False,
) -> dict:
    """Evaluate all rows that are finished below a folder.

    Every score is given over the test utterances of all folds pooled, and as the mean over the folds. Intervals are by bootstrap over
    speakers, with the same resamples for all rows. With several seeds a score is the mean over the seeds. Rows are compared with
    their baselines by `mlee_sb.evaluation.comparisons`: as was declared beside the results, or else as for the paper's table. With a
    single fold, or with too few speakers, there are no intervals and no tests, and `why_no_intervals` says so.

    Parameters
    ----------
    results : a folder with the results of one corpus
    manifests : the folder of manifests that the stages were trained with, for votes.csv; by default it is looked for below `results`
    only : folders of the stages to evaluate; by default all that are finished below `results`
    resamples, seed : of the bootstrap
    confidence : of all intervals; the claims are tested at 1 - confidence
    primary : name or title of the score that the declared claims are about; by default that which was declared. Choose it before you see
        the figures. Rows are compared in it and in those of `COMPARED`
    comparison : the name of that whose declaration is meant; by default that which was begun last, and the paper's where none was
    undo_class_weights : whether to decide at the training set's own frequencies instead of the paper's balanced ones. This is a
        second look at the same predictions. So no claim is declared then, and every comparison is exploratory
    progress : whether to show a bar

    Returns
    -------
    dict
        plain values, as report.json holds them

    Raises
    ------
    InputError
        if no stage is finished, the stages have different protocols, `manifests` are of another protocol, votes.csv was changed, or
        there is no score `primary`, none of the claims can be about it, or nothing was declared of `comparison`
    """
    stages = find_stages(results, only)
    declared = find_declarations(above_rows(stages[0].folder.resolve()), comparison)
    declaration = declared[-1] if declared else paper.DECLARATION
    primary = find_score(primary or declaration.primary, "primary score")
    cells = read_cells(stages, undo_class_weights, declaration.rows)
    pairs = declaration.pairs_of(row_names(stages, declaration.rows))
    if not undo_class_weights:
        _check_primary(primary, cells, pairs)
    why_none = why_no_intervals(len(np.unique(cells.utterances.speakers)), len(cells.folds))
    sample = _Sample(cells, Resamples.draw(cells.utterances.speakers, 0 if why_none else resamples, seed), confidence)
    human = human_agreement(cells.utterances, cells.first, results, manifests)
    ceilings = human.scores(sample.weights)
    there = readable_stages(results)
    keyed = by_key(there)
    found, scored = [], {}
    for cell in tqdm(cells.cells, desc="scores and intervals", disable=not progress, dynamic_ncols=True, leave=False):
        # a calibration is that of the decisions as trained
        coverage = {} if undo_class_weights else coverage_by_fold(cell, cells.fold_of)
        found.append({**_cell(cell, sample, ceilings), "costs": costs_of(cell, keyed), "coverage": coverage})
        scored[cell.row, cell.train_set] = sample.compared(cell, primary)
    claimed = None if undo_class_weights else primary
    return {
        **_tested(cells),
        "bootstrap": {"resamples": resamples, "seed": seed, "confidence": confidence},
        "why_no_intervals": why_none,
        "test_sets": {name: int(rows.sum()) for name, rows in sample.test_sets.items()},
        "cautions": cautions(cells.utterances, len(cells.folds)) + doubts(cells, there),
        "class_weights_undone": undo_class_weights,
        "cells": found,
        "primary": primary,
        "declared": _declared(declaration, declared),
        "comparisons": compare(scored, claimed, confidence, pairs, declaration.claims),
        "choice": _choice(cells, sample, scored, primary) if declared else {},
        "human": {"source": human.source, **{name: sample.estimate(values) for name, values in ceilings.items()}},
        "thirds": {"ends_of_entropy": list(sample.ends), "n": {name: int(rows.sum()) for name, rows in sample.thirds.items()}},
    }


def _check_primary(primary: str, cells: Cells, pairs: Sequence[Pair]) -> None:
    """Refuse a primary score that the rows of no claim have."""
    has = {(cell.row, cell.train_set): SCORES[primary].defined_for(cell.any_seed) for cell in cells.cells}
    keys = [((pair.row, pair.train_set), (pair.baseline, pair.baseline_train_set)) for pair in pairs if pair.claimed]
    there = [(one, other) for one, other in keys if one in has and other in has]
    if there and not any(has[one] and has[other] for one, other in there):
        known = ", ".join(dict.fromkeys(row for (row, _), has_it in has.items() if has_it)) or "none"
        raise InputError(
            f"--primary {primary}: no claim can be about {SCORES[primary].title}. Rows that have this score: {known}. "
            f"Give another one: --primary {paper.PRIMARY}"
        )


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
        self.test_sets = utterances.by_test_set()
        self.thirds = {name: third == place for place, name in enumerate(THIRDS)}
        units = {SPEAKERS: utterances.speakers, **({FOLDS: cells.fold_of} if 1 < len(cells.folds) < self.n_speakers else {})}
        tested = len(draws.counts) > 1  # where there are no intervals, there are no tests
        self.members = {name: of == np.unique(of)[:, None] for name, of in units.items()} if tested else {}  # units -> bool [m, n]
        self.utterances = utterances

    def scored(self, cell: Cell, score: Score) -> Scored:
        """Return a score of a cell for comparisons: the score, and what it is without each speaker and without each fold.

        Folds are left out only where they hold several speakers.
        """
        whole = self.pooled(cell, score.of, weights=self.weights[:1])[0]
        without = {units: self.pooled(cell, score.of, weights=~members * 1.0) for units, members in self.members.items()}
        return Scored(whole, without, {units: self._df(members, score) for units, members in self.members.items()})

    def compared(self, cell: Cell, primary: str) -> dict[str, Scored]:
        """Return the scores in which rows are compared, by name, as far as the cell has them."""
        names = dict.fromkeys((*COMPARED, primary))
        return {name: self.scored(cell, SCORES[name]) for name in names if SCORES[name].defined_for(cell.any_seed)}

    def _df(self, members: np.ndarray, score: Score) -> int:
        """Return one less than the number of units with counted utterances; for a mean over the emotions, with those of the rarest one."""
        groups = score.groups(self.utterances).T
        return min((int(members[:, group].any(axis=1).sum()) for group in groups), default=0) - 1

    def pooled(self, cell: Cell, score: Callable, rows: np.ndarray | None = None, weights: np.ndarray | None = None) -> np.ndarray:
        """Return a score [r, ...] of a cell over some rows, the mean over its seeds.

        Parameters
        ----------
        cell : the cell
        score : (predictions, weights [r, n]) -> [r, ...]
        rows : bool [n]; by default all
        weights : [r, n]; by default those of the resamples
        """
        weights = self.weights if weights is None else weights
        rows = np.ones(weights.shape[1], dtype=bool) if rows is None else rows
        weights = weights[:, rows]
        parts = np.array_split(weights, -(-len(weights) // AT_ONCE))
        return np.mean([np.concatenate([score(p.take(rows), part) for part in parts]) for p in cell.predictions.values()], axis=0)

    def mean_over_folds(self, cell: Cell, score: Score) -> dict:
        """Return the estimate of the mean over folds. In a resample, a fold counts as often as its speakers were drawn.

        There is no interval where the score is a mean over emotions and a fold lacks one of them: there it is another score.
        """
        by_fold = np.stack([self.pooled(cell, score.of, rows) for rows in self.folds], axis=1)  # [1 + resamples, folds]
        defined = ~np.isnan(by_fold)
        values = metrics.ratio((np.where(defined, by_fold, 0) * self.drawn).sum(axis=1), (defined * self.drawn).sum(axis=1))
        return self.estimate(values if score.same_emotions(cell.any_seed, self.folds) else values[:1])

    def estimate(self, values: np.ndarray) -> dict:
        return asdict(interval(values, self.n_speakers, self.confidence))

    def estimates(self, values: np.ndarray, emotions: list[str]) -> dict:
        """Return an estimate for each emotion, from [1 + resamples, K]."""
        return {emotion: self.estimate(values[:, k]) for k, emotion in enumerate(emotions)}


def _cell(cell: Cell, sample: _Sample, ceilings: dict[str, np.ndarray]) -> dict:
    emotions, once = cell.any_seed.emotions, np.ones((1, len(cell.any_seed)))
    drawn = {name: sample.pooled(cell, score.of) for name, score in SCORES.items() if score.defined_for(cell.any_seed)}
    has_posterior = not cell.any_seed.output.knows_existence
    existence = (
        {} if has_posterior else {name: sample.estimates(sample.pooled(cell, score), emotions) for name, score in PER_EMOTION.items()}
    )
    return {
        "row": cell.row,
        "train_set": cell.train_set,
        "seeds": list(cell.predictions),
        "pooled": {name: sample.estimate(values) for name, values in drawn.items()},
        "mean_over_folds": {name: sample.mean_over_folds(cell, SCORES[name]) for name in drawn},
        "share_of_human": {name: sample.estimate(metrics.ratio(drawn[name], ceilings[name])) for name in drawn if name in ceilings},
        "by_seed": {name: [number(SCORES[name].of(p, once)[0]) for p in cell.predictions.values()] for name in drawn},
        "together": _together(cell, sample, list(drawn)),
        "recall": sample.estimates(sample.pooled(cell, metrics.recalls), emotions),
        "confusion": sum(metrics.confusion(p, once)[0] for p in cell.predictions.values()).astype(int).tolist(),
        "existence": existence,
        "reliability": _reliability(cell, once) if has_posterior else [],
        "ambiguity": {
            third: {name: sample.estimate(sample.pooled(cell, SCORES[name].of, rows)) for name in drawn}
            for third, rows in sample.thirds.items()
            if rows.any()
        },
        "test_sets": {
            name: {score: sample.estimate(sample.pooled(cell, SCORES[score].of, rows)) for score in drawn}
            for name, rows in sample.test_sets.items()
        },
        "curves": [
            {"seed": seed, "fold": fold, **learning_curve(stage).to_dict("list")}
            for seed, folds in cell.stages.items()
            for fold, stage in folds.items()
        ],
        "trained": [_trained(stage) for stage in cell.all_stages],
        "annotators": each_annotator(stage.files for stage in cell.all_stages),
    }


def _declared(declaration: Declaration, all_of_them: Sequence[Declaration]) -> dict:
    """Return what was declared, and what was declared of the same comparison before."""
    return {
        **_said(declaration),
        "name": declaration.name,
        "of_the_paper": declaration.compares_as(paper.DECLARATION),
        "before": [_said(one) for one in all_of_them if one is not declaration],
    }


def _said(declaration: Declaration) -> dict:
    names = ("primary", "claims", "date", "stages", "finished")
    return {name: getattr(declaration, name) for name in names}


def _choice(cells: Cells, sample: "_Sample", scored: Mapping[Key, Mapping[str, Scored]], primary: str) -> dict:
    """Return which row to choose by the primary score, and which rows do not have it."""
    there = {(cell.row, cell.train_set): cell for cell in cells.cells}
    own = {key: scores[primary] for key, scores in scored.items() if primary in scores}
    drawn = {key: sample.pooled(there[key], SCORES[primary].of) for key in own}
    rows = choose_row(own, drawn, SCORES[primary], sample.confidence)
    shown = {(one["row"], one["train_set"]) for one in rows}
    return {"rows": rows, "left_out": list(dict.fromkeys(key[0] for key in there if key not in shown))}


def _trained(stage: StageResult) -> dict:
    """Return on how many utterances a stage was trained and its epoch chosen, and for how long; None for what it did not note."""
    used = {use: read_used(stage, use) for use in ("training", "selection")}
    summary = stage.summary
    return {
        "seed": summary.seed,
        "fold": summary.fold,
        **{use: None if ids is None else len(ids) for use, ids in used.items()},
        "epochs": summary.epochs or None,
        "seconds": summary.seconds or None,
    }


def _together(cell: Cell, sample: _Sample, names: list[str]) -> dict:
    """Return the estimate of each score for the models of all seeds as one: the mean of their probabilities. Empty for one seed."""
    if len(cell.predictions) == 1:
        return {}
    one = replace(cell, predictions={0: Predictions.together(list(cell.predictions.values()))})
    return {name: sample.estimate(sample.pooled(one, SCORES[name].of)) for name in names}


def _reliability(cell: Cell, once: np.ndarray) -> list[dict]:
    """Return the bins of a reliability diagram that hold an utterance, over all seeds."""
    count, confidence, hits = (
        sum(parts)[0] for parts in zip(*(metrics.calibration(p, once) for p in cell.predictions.values()), strict=True)
    )
    return [
        {"n": int(n), "confidence": float(c / n), "accuracy": float(h / n)} for n, c, h in zip(count, confidence, hits, strict=True) if n
    ]


def _tested(cells: Cells) -> dict:
    """Return what was tested, in which folds, and what is known of it without any model."""
    summary, utterances = cells.first.summary, cells.utterances
    return {
        "corpus": summary.corpus,
        "demo": summary.demo,
        "protocol_hash": summary.protocol_hash,
        "emotions": utterances.emotions,
        "folds": cells.folds,
        "left_out": cells.left_out,
        "n": int((utterances.dominant >= 0).sum()),
        "n_all": len(utterances),
        "n_speakers": len(np.unique(utterances.speakers)),
        "folds_without": folds_without(utterances, cells.fold_of, cells.folds),
        "chance": _chance(utterances),
        "why_no_figures_of_the_paper": paper.why_no_figures(summary.corpus, utterances.emotions, summary.demo),
        "table1": _table1(utterances),
    }


def _chance(utterances: Predictions) -> dict:
    """Return the most frequent emotion, with WA and UA of a model that always answers it."""
    counts = np.bincount(utterances.dominant[utterances.dominant >= 0], minlength=len(utterances.emotions))
    if not counts.any():
        return {"emotion": None, "wa": None, "ua": None}
    return {"emotion": utterances.emotions[counts.argmax()], "wa": float(counts.max() / counts.sum()), "ua": float(1 / (counts > 0).sum())}


def _table1(utterances: Predictions) -> dict:
    """Return the share of the utterances in which each emotion exists: of those with a dominant target emotion, and of all."""
    sets = {"dominant": utterances.exists[utterances.dominant >= 0], "all": utterances.exists}
    return {
        name: {
            "n": len(rows),
            **{emotion: number(rows[:, k].mean()) if len(rows) else None for k, emotion in enumerate(utterances.emotions)},
        }
        for name, rows in sets.items()
    }
