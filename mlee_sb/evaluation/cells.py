"""The cells of table 3: what each row says of the test utterances of all folds, with each train set and seed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlee_sb.errors import InputError
from mlee_sb.evaluation.paper import ROWS, TRAIN_SETS
from mlee_sb.evaluation.predictions import EXISTENCE_PROBABILITY, POSTERIOR, Predictions, read_predictions
from mlee_sb.evaluation.priors import undo_existence, undo_softmax
from mlee_sb.evaluation.results import REQUIRED, StageResult, one_protocol

OF_A_FOLD = ("fold", "seed")  # settings in which the stages of a cell differ

CURVE = re.compile(r"epoch: (\d+) - train loss: (\S+) - valid loss: (\S+)")


@dataclass(frozen=True)
class Cell:
    """A row with a train set.

    Attributes
    ----------
    row, train_set : names as in the results
    stages : by seed and fold, of the folds that are compared
    predictions : of each seed, over all folds, by ID
    """

    row: str
    train_set: str
    stages: dict[int, dict[int, StageResult]]
    predictions: dict[int, Predictions]

    @property
    def any_seed(self) -> Predictions:
        return next(iter(self.predictions.values()))


@dataclass(frozen=True)
class Cells:
    """All cells over the folds that each of them has, so that they can be compared: the same utterances, in the same order.

    Attributes
    ----------
    cells : in the order of the paper's table 3, other rows after it
    folds : those that all cells have
    left_out : for a person, what was left out because others lack it
    fold_of : [n], the fold that tests each utterance
    first : any stage, for what all of them share
    """

    cells: list[Cell]
    folds: list[int]
    left_out: list[str]
    fold_of: np.ndarray
    first: StageResult

    @property
    def utterances(self) -> Predictions:
        """Predictions of some cell: IDs, speakers, votes and dominant emotions are those of all."""
        return self.cells[0].any_seed


def read_cells(stages: Sequence[StageResult], undo_class_weights: bool = False) -> Cells:
    """Read the predictions of all stages that can be compared.

    Parameters
    ----------
    stages : of one protocol
    undo_class_weights : whether to divide the class weights of training out of the probabilities (`mlee_sb.evaluation.priors`)

    Raises
    ------
    InputError
        if the stages are of several protocols, two claim the same place or the folds of a cell were trained with different
        settings, no fold is there for all cells, or two cells test different utterances
    """
    one_protocol(stages)
    found = _by_cell(stages)
    finished = {(key, seed): set(folds) for key, seeds in found.items() for seed, folds in seeds.items()}
    folds, every = set.intersection(*finished.values()), set.union(*finished.values())
    lacking = {fold: [key for key, there in finished.items() if fold not in there] for fold in sorted(every - folds)}
    left_out = [f"fold {fold}: not finished for {_words(keys)}" for fold, keys in lacking.items()]
    if not folds:
        raise InputError("no fold is finished for every row, train set and seed; train what is missing:\n  " + "\n  ".join(left_out))
    frames = {
        key: {seed: _frame([stages[fold] for fold in sorted(folds)], undo_class_weights) for seed, stages in sorted(found[key].items())}
        for key in sorted(found, key=_place)
    }
    _check_same(frames, found)
    cells = [
        Cell(
            *key,
            {seed: {fold: stages[fold] for fold in sorted(folds)} for seed, stages in sorted(found[key].items())},
            {seed: Predictions.of(frame) for seed, frame in frames[key].items()},
        )
        for key in frames
    ]
    some_frame = next(iter(frames[cells[0].row, cells[0].train_set].values()))
    return Cells(cells, sorted(folds), left_out, some_frame["fold"].to_numpy(), stages[0])


def learning_curve(stage: StageResult) -> pd.DataFrame:
    """Losses of each epoch of a stage, from its train_log.txt: columns epoch, train, valid."""
    log = stage.folder / "train_log.txt"
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    rows = [(int(m[1]), float(m[2]), float(m[3])) for line in lines if (m := CURVE.match(line))]
    return pd.DataFrame(rows, columns=["epoch", "train", "valid"])


def _by_cell(stages: Sequence[StageResult]) -> dict[tuple[str, str], dict[int, dict[int, StageResult]]]:
    """(row, train set) -> seed -> fold -> stage, where the stages of a cell differ in nothing but seed and fold."""
    found: dict[tuple[str, str], dict[int, dict[int, StageResult]]] = {}
    first: dict[tuple[str, str], StageResult] = {}
    for stage in stages:
        key = (stage.row, stage.train_set)
        folds = found.setdefault(key, {}).setdefault(stage.seed, {})
        other = folds.setdefault(stage.fold, stage)
        if other is not stage:
            raise InputError(f"{other.folder} and {stage.folder} are the same row, train set, seed and fold: report one folder of results")
        _check_settings(first.setdefault(key, stage), stage)
    return found


def _check_settings(one: StageResult, other: StageResult) -> None:
    there, here = one.identity, other.identity
    names = sorted(
        name for name in {*there, *here} if name not in OF_A_FOLD and not name.startswith(REQUIRED) and there.get(name) != here.get(name)
    )
    if names:
        lines = "".join(f"\n  {name}: {there.get(name)!r} and {here.get(name)!r}" for name in names)
        raise InputError(f"{one.folder} and {other.folder} were trained with different settings and are no folds of one row:{lines}")


def _frame(stages: list[StageResult], undo_class_weights: bool) -> pd.DataFrame:
    """The predictions of some folds together, by ID."""
    parts = [read_predictions(stage.predictions).assign(fold=stage.fold) for stage in stages]
    if undo_class_weights:
        parts = [_undone(part, stage) for part, stage in zip(parts, stages, strict=True)]
    frame = pd.concat(parts, ignore_index=True)
    twice = frame["ID"].duplicated()
    if twice.any():
        raise InputError(f"{stages[0].folder.parent}: {frame['ID'][twice].iloc[0]!r} is tested in two folds: prepare and train again")
    return frame.sort_values("ID", ignore_index=True)


def _undone(frame: pd.DataFrame, stage: StageResult) -> pd.DataFrame:
    if stage.class_weights is None:
        raise InputError(f"{stage.folder}: its class weights were not noted, so they cannot be undone: train the stage again")
    predictions = Predictions.of(frame)
    undo = undo_existence if predictions.is_existence else undo_softmax
    prefixes = (POSTERIOR, EXISTENCE_PROBABILITY) if predictions.is_existence else (POSTERIOR,)
    undone = undo(predictions.posterior, np.array(stage.class_weights))
    return frame.assign(**{prefix + e: undone[:, k] for prefix in prefixes for k, e in enumerate(predictions.emotions)})


def _check_same(frames: dict, found: dict) -> None:
    """All stages share a protocol, so another test set means that a file was changed after training."""
    everything = [(key, seed, frame) for key, seeds in frames.items() for seed, frame in seeds.items()]
    said = [
        column for column in everything[0][2] if column.startswith(("votes_", "exist_")) or column in ("ID", "speaker", "dominant", "fold")
    ]
    for key, seed, frame in everything[1:]:
        if not frame[said].equals(everything[0][2][said]):
            folder = next(iter(found[key][seed].values())).folder.parent
            raise InputError(f"{folder}: the predictions are of other utterances or votes than those of other rows: train this row again")


def _place(key: tuple[str, str]) -> tuple:
    """Where a cell stands in table 3; rows that are not the paper's come last."""
    row, train_set = key
    rows = list(ROWS)
    return (rows.index(row) if row in rows else len(rows), row, TRAIN_SETS.index(train_set))


def _words(keys: list) -> str:
    names = [f"{row} ({train_set}, seed {seed})" for (row, train_set), seed in keys]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
