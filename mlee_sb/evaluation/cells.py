"""The cells of table 3: what each row tells of the test utterances of all folds, with each train set and seed."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlee_sb.corpora.manifest import existence_columns, vote_columns_in
from mlee_sb.errors import InputError
from mlee_sb.evaluation.paper import ROWS
from mlee_sb.evaluation.predictions import Predictions, emotions_of, read_predictions
from mlee_sb.evaluation.results import StageResult, one_protocol
from mlee_sb.stage_folder import CONCENTRATION, EXISTENCE_PROBABILITY, OUTPUT, POSTERIOR, REQUIRED, is_variant, prediction_columns, row_name
from mlee_sb.targets import TRAIN_SETS, usable_targets

OF_A_FOLD = ("fold", "seed")  # settings in which the stages of a cell differ

LOSS = r"(-?\d{1,16}(?:\.\d{1,16})?(?:e[+-]\d\d)?)"
CURVE = re.compile(rf"epoch: (\d{{1,9}}) - train loss: {LOSS} - valid loss: {LOSS}\s*")

Key = tuple[str, str]  # row and train set
Stages = dict[Key, dict[int, dict[int, StageResult]]]  # cell -> seed -> fold -> stage
Frames = dict[Key, dict[int, pd.DataFrame]]  # cell -> seed -> predictions of all folds


@dataclass(frozen=True)
class Cell:
    """A row with a train set.

    Attributes
    ----------
    row, train_set : names; `row_names` gives the name of a row
    stages : by seed and fold, of the folds that are compared
    predictions : of each seed, over all folds, sorted by ID
    """

    row: str
    train_set: str
    stages: dict[int, dict[int, StageResult]]
    predictions: dict[int, Predictions]

    @property
    def any_seed(self) -> Predictions:
        return next(iter(self.predictions.values()))

    @property
    def all_stages(self) -> list[StageResult]:
        return [stage for folds in self.stages.values() for stage in folds.values()]

    @property
    def variant(self) -> str:
        """The settings in which its stages differ from the hparams file of the row."""
        return self.all_stages[0].summary.variant


@dataclass(frozen=True)
class Cells:
    """All cells over the folds that each of them has, so that they can be compared: the same utterances, in the same order.

    Attributes
    ----------
    cells : in the order of their comparison, and then in that of the paper's table 3, other rows after it
    folds : the numbers of the folds that all cells have
    left_out : for a person, which folds were left out because some cells lack them
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
        """The predictions of some cell. All cells have its IDs, speakers, votes and dominant emotions."""
        return self.cells[0].any_seed


def read_cells(stages: Sequence[StageResult], undo_class_weights: bool = False, called: Mapping[str, str] | None = None) -> Cells:
    """Read the predictions of all stages that can be compared.

    Parameters
    ----------
    stages : of one protocol
    undo_class_weights : whether to divide the class weights of training out of the probabilities (`Output.undo_class_weights`)
    called : as for `row_names`, in the order in which these rows stand

    Raises
    ------
    InputError
        if the stages are of several protocols, two are of the same place, the folds of a cell have different outputs or were trained
        with different settings, no fold is there for all cells, or two cells test different utterances
    """
    one_protocol(stages)
    names = row_names(stages, called)
    found, trials = _without_trials(_by_cell(stages, names))
    folds, left_out = _common_folds(found)
    order = list(dict.fromkeys([*(names[folder] for folder in called or () if folder in names), *ROWS]))
    found = {
        key: {seed: {fold: found[key][seed][fold] for fold in folds} for seed in sorted(found[key])}
        for key in sorted(found, key=lambda key: _place(key, order))
    }
    frames = {
        key: {seed: _frame(list(of_fold.values()), undo_class_weights) for seed, of_fold in seeds.items()} for key, seeds in found.items()
    }
    _check_outputs(frames, found)
    _check_same(frames, found)
    cells = [Cell(*key, found[key], {seed: Predictions.of(frame) for seed, frame in frames[key].items()}) for key in frames]
    some_frame = next(iter(frames[cells[0].row, cells[0].train_set].values()))
    return Cells(cells, folds, [*left_out, *trials], some_frame["fold"].to_numpy(), stages[0])


def row_names(stages: Sequence[StageResult], called: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the name of each row with each of its variants in a report.

    A row of which there is one variant has its plain name, whatever its settings are. Where there are several variants of a row, the
    one with the settings of the hparams file has the plain name, and the others have the names that their folders have. So have rows that
    would have one name otherwise.

    Parameters
    ----------
    stages : of all rows
    called : the names that a comparison has for its rows (`Declaration.rows`), by the names of their folders; these go first

    Returns
    -------
    dict
        name of a row with its variant, as folders have it -> name
    """
    variants: dict[str, set[str]] = {}
    for stage in stages:
        variants.setdefault(stage.summary.row, set()).add(stage.summary.variant)
    every = [(row, row_name(row, variant)) for row, of_row in variants.items() for variant in of_row]
    names = {folder: (called or {}).get(folder, row if len(variants[row]) == 1 else folder) for row, folder in every}
    times = Counter(names.values())
    return {folder: name if times[name] == 1 else folder for folder, name in names.items()}


def learning_curve(stage: StageResult) -> pd.DataFrame:
    """Return the losses of each epoch of a stage, from the log of its training: columns epoch, train, valid."""
    log = stage.files.train_log
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    rows = [(int(m[1]), float(m[2]), float(m[3])) for line in lines if (m := CURVE.fullmatch(line))]  # a damaged line is left out
    return pd.DataFrame(rows, columns=["epoch", "train", "valid"])


def _by_cell(stages: Sequence[StageResult], names: Mapping[str, str]) -> Stages:
    """Sort stages into cells. The stages of a cell differ in nothing but seed and fold."""
    found: Stages = {}
    first: dict[Key, StageResult] = {}
    for stage in stages:
        summary = stage.summary
        key = (names[row_name(summary.row, summary.variant)], summary.train_set)
        folds = found.setdefault(key, {}).setdefault(summary.seed, {})
        other = folds.setdefault(summary.fold, stage)
        if other is not stage:
            raise InputError(f"{other.folder} and {stage.folder} are the same row, train set, seed and fold: report one folder of results")
        _check_settings(first.setdefault(key, stage), stage)
    return found


def _without_trials(found: Stages) -> tuple[Stages, list[str]]:
    """Leave out variants that were tried on some of the folds only, so that the other rows keep theirs. Return what is left out, too."""
    plain = {key: seeds for key, seeds in found.items() if not is_variant(key[0])}
    folds = set.intersection(*(set(of_seed) for seeds in plain.values() for of_seed in seeds.values())) if plain else set()
    tried = {
        key: sorted({fold for of_seed in seeds.values() for fold in of_seed})
        for key, seeds in found.items()
        if key not in plain and not all(folds <= set(of_seed) for of_seed in seeds.values())
    }
    said = [
        f"{row} ({train_set}): tried on {'all folds with some seeds' if folds <= set(of_it) else 'folds ' + ' '.join(map(str, of_it))} only"
        for (row, train_set), of_it in tried.items()
    ]
    return {key: seeds for key, seeds in found.items() if key not in tried}, said


def _common_folds(found: Stages) -> tuple[list[int], list[str]]:
    """Return the folds that each cell has with each seed and, for a person, which others were left out."""
    finished = {(key, seed): set(folds) for key, seeds in found.items() for seed, folds in seeds.items()}
    folds, every = set.intersection(*finished.values()), set.union(*finished.values())
    lacking = {fold: [key for key, there in finished.items() if fold not in there] for fold in sorted(every - folds)}
    left_out = [f"fold {fold}: not finished for {_words(keys)}" for fold, keys in lacking.items()]
    if not folds:
        raise InputError("no fold is finished for every row, train set and seed; train what is missing:\n  " + "\n  ".join(left_out))
    return sorted(folds), left_out


def _check_settings(one: StageResult, other: StageResult) -> None:
    there, here = one.identity, other.identity
    names = sorted(
        name for name in {*there, *here} if name not in OF_A_FOLD and not name.startswith(REQUIRED) and there.get(name) != here.get(name)
    )
    if names:
        lines = "".join(f"\n  {name}: {there.get(name)!r} and {here.get(name)!r}" for name in names)
        raise InputError(f"{one.folder} and {other.folder} were trained with different settings and are no folds of one row:{lines}")


def _frame(stages: list[StageResult], undo_class_weights: bool) -> pd.DataFrame:
    """Return the predictions of some folds together, sorted by ID."""
    parts = [read_predictions(stage.predictions).assign(fold=stage.summary.fold) for stage in stages]
    if undo_class_weights:
        parts = [_undone(part, stage) for part, stage in zip(parts, stages, strict=True)]
    frame = pd.concat(parts, ignore_index=True)
    twice = frame["ID"].duplicated()
    if twice.any():
        raise InputError(f"{stages[0].folder.parent}: {frame['ID'][twice].iloc[0]!r} is tested in two folds: prepare and train again")
    return frame.sort_values("ID", ignore_index=True)


def _undone(frame: pd.DataFrame, stage: StageResult) -> pd.DataFrame:
    weights = stage.summary.class_weights
    if weights is None:
        raise InputError(f"{stage.folder}: its class weights were not noted, so they cannot be undone: train the stage again")
    if stage.summary.target in {target.name for target in usable_targets() if not target.class_weights_shift}:
        return frame
    predictions = Predictions.of(frame)
    output = predictions.output
    undone = output.undo_class_weights(predictions.posterior, np.array(weights))
    for prefix in (POSTERIOR, EXISTENCE_PROBABILITY) if output.knows_existence else (POSTERIOR,):
        frame[prediction_columns(predictions.emotions, prefix)] = undone
    if output.knows_concentration:
        frame[CONCENTRATION] = output.undo_in_concentrations(predictions.concentrations, predictions.posterior, np.array(weights))
    return frame


def _check_outputs(frames: Frames, found: Mapping) -> None:
    """Check that all stages of a cell have one output: their scores are means over probabilities of one meaning."""
    for key, seeds in frames.items():
        stages: dict[str, StageResult] = {}
        for seed, frame in seeds.items():
            for output, fold in frame[[OUTPUT, "fold"]].drop_duplicates().itertuples(index=False):
                stages.setdefault(output, found[key][seed][fold])
        if len(stages) > 1:
            (one, first), (other, second) = list(stages.items())[:2]
            raise InputError(
                f"{first.predictions} and {second.predictions} have the outputs {one} and {other}, and are no folds of one row: "
                "move the row away, and train it again"
            )


def _check_same(frames: Frames, found: Mapping) -> None:
    """Check that all cells test the same. All stages share a protocol, so another test set means that a file was changed after training."""
    everything = [(key, seed, frame) for key, seeds in frames.items() for seed, frame in seeds.items()]
    first = everything[0][2]
    columns = ["ID", "speaker", "dominant", *vote_columns_in(first), *existence_columns(emotions_of(first)), "fold"]
    for key, seed, frame in everything[1:]:
        if not set(columns) <= set(frame) or not frame[columns].equals(first[columns]):
            folder = next(iter(found[key][seed].values())).folder.parent
            raise InputError(f"{folder}: the predictions are of other utterances or votes than those of other rows: train this row again")


def _place(key: Key, order: Sequence[str]) -> tuple:
    """Where a cell stands among rows in some order; rows that are not in it come last."""
    row, train_set = key
    return (order.index(row) if row in order else len(order), row, TRAIN_SETS.index(train_set))


def _words(keys: list) -> str:
    names = [f"{row} ({train_set}, seed {seed})" for (row, train_set), seed in keys]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
