"""The grid of a comparison: the settings of its rows, its stages, and what it declares of them."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path

from mlee_sb.errors import InputError, choose
from mlee_sb.evaluation import paper
from mlee_sb.evaluation.declared import Declaration, Pair
from mlee_sb.evaluation.metrics import SCORES
from mlee_sb.experiment.arguments import Settings, typed
from mlee_sb.experiment.comparison_file import Chosen, Comparison
from mlee_sb.experiment.hparams_files import ENDINGS, find_hparams
from mlee_sb.stage_folder import row_name, variant_of
from mlee_sb.targets import DENSE, SOFTMAX, Output, find_target, target_names
from mlee_sb.targets.hard import HardTarget
from mlee_sb.targets.soft import SoftTarget
from mlee_sb.training.hparams_tree import ENCODER, FIRST, encoder_names, encoder_settings, plain, read_tree
from mlee_sb.training.settings import SHARED, nested, overridable, read_settings
from mlee_sb.training.stage import Data, Stage, make_stage

TARGET = "target"
OF_THE_GRID = ("fold", "seed", "train_set", TARGET)  # settings that the grid goes through
OF_ITS_TARGETS = tuple(name for target in target_names(SOFTMAX, DENSE) for name in find_target(target).settings)  # a fusion passes them on
# Settings with one value for the whole grid. Those of existence belong to the row mlee: --mlee.full_votes.
OF_ALL_ROWS = (*(name for name in SHARED if name not in OF_THE_GRID), *OF_ITS_TARGETS)


@dataclass(frozen=True)
class Row:
    """A row of a comparison.

    Attributes
    ----------
    file : its hparams file
    settings : those that it has in the comparison, by the names of flags, typed
    """

    file: Path
    settings: Mapping

    @classmethod
    def of(cls, chosen: Chosen, hparams: str | Path | None) -> "Row":
        """Return the row that is chosen.

        Raises
        ------
        InputError
            if there is no such row, or it has not a setting, or the value is wrong
        """
        by_path = Path(chosen.name).suffix in ENDINGS
        file = Path(hparams) / f"{chosen.name}.yaml" if hparams and not by_path else find_hparams(chosen.name)
        return cls(file, _typed(chosen, overridable(file, _first(chosen.settings)) if chosen.settings else {}))

    @cached_property
    def in_file(self) -> dict:
        """The settings with those of the comparison, and with no other."""
        return read_settings(self.file, nested(self.settings))

    @cached_property
    def required(self) -> dict[str, Path]:
        """The hparams files of the stages that it requires, by the names of these stages."""
        return {name: self.file.parent / part["hparams"] for name, part in self.in_file["requires"].items()}

    @cached_property
    def in_its_name(self) -> list[str]:
        """The settings that the name of the row tells."""
        return re.findall(r"<(\w+)>", plain(read_tree(self.file))["row"])

    def targets(self, targets: Sequence[str]) -> list[dict]:
        """Return the targets to train the row with, as overrides: those of the comparison, for a row that is there for several of them."""
        in_file = read_settings(self.file)[TARGET]
        several = TARGET in self.in_its_name and TARGET not in self.settings and in_file in (HardTarget.name, SoftTarget.name)
        return [{TARGET: target} for target in targets] if several else [{}]

    def name(self, target: Mapping) -> str:
        """Return the name of the row with a target and the settings of the comparison, whatever encoder it has.

        It is how claims name the row: ``kld@alpha=0.75``.
        """
        variant = variant_of({name: value for name, value in self.settings.items() if name not in self.in_its_name})
        return row_name(self._with(target)["row"], variant)

    def output(self, target: Mapping) -> Output:
        """Return what the numbers of the row's models mean, with a target."""
        return find_target(self._with(target)[TARGET]).output

    def _with(self, target: Mapping) -> dict:
        return read_settings(self.file, nested({**self.settings, **target}))


@dataclass(frozen=True)
class Cell:
    """A stage of the grid: the name of its row (`Row.name`), the number of its encoder, and the train set that was asked for."""

    name: str
    encoder: int
    train_set: str
    stage: Stage


@dataclass(frozen=True)
class Grid:
    """Rows by encoders, targets and train sets.

    Attributes
    ----------
    comparison : what is compared
    rows : its rows
    encoders : the encoders as overrides, by the names of flags; one without overrides for that of the rows' files
    of_all : settings that all rows have that know them
    of_files : settings of hparams files, wherever they are required: ``mlee.lr``
    """

    comparison: Comparison
    rows: list[Row]
    encoders: list[dict]
    of_all: dict
    of_files: dict

    @classmethod
    def of(cls, comparison: Comparison, hparams: str | None, settings: Mapping) -> "Grid":
        """Return the grid of a comparison with the settings that were given.

        Raises
        ------
        InputError
            if a row, an encoder or a setting is unknown, there is no claim, or one is about none of the rows or cannot be tested
        """
        rows = rows_of(comparison, hparams)
        of_file = [Row.of(chosen, hparams) for chosen in comparison.in_file] if comparison.claims else []
        names = [row.name(target) for row in rows + of_file for target in row.targets(comparison.targets)]
        for name in [name for claim in comparison.claims.items() for name in claim]:
            choose(name, dict.fromkeys(names), f"row in the claims of {comparison.file}")
        encoders = [_encoder(chosen, rows[0].file) for chosen in comparison.encoders] or [{}]
        of_files = {name: value for name, value in settings.items() if "." in name}
        grid = cls(comparison, rows, encoders, {name: value for name, value in settings.items() if name not in of_files}, of_files)
        _ = grid.pairs  # wrong claims are refused before anything is prepared
        return grid

    @cached_property
    def outputs(self) -> dict[str, Output]:
        """The output of each row, by its name, from the first row to the last."""
        return {row.name(target): row.output(target) for row in self.rows for target in row.targets(self.comparison.targets)}

    @cached_property
    def pairs(self) -> list[Pair]:
        """What is compared with what, by the names of rows and the train sets that were asked for.

        Where every row is compared with one baseline, those are claims that have the primary score.
        """
        comparison = self.comparison
        if comparison.of_the_paper:
            pairs = list(paper.DECLARATION.pairs)
        else:
            of_rows = comparison.pairs(self.outputs).items()
            pairs = [Pair(row, train_set, baseline, train_set) for row, baseline in of_rows for train_set in comparison.train_sets]
        score = SCORES[comparison.primary]
        without = [name for name, output in self.outputs.items() if not score.known_to(output)]
        untold = [pair for pair in pairs if pair.claimed and (pair.row in without or pair.baseline in without)]
        if untold and (comparison.claims or len(untold) == sum(pair.claimed for pair in pairs)):
            known = ", ".join(name for name in self.outputs if name not in without) or "none"
            raise InputError(
                f"{score.title} cannot be the primary score: no claim can be about it. Rows that have no such score: {', '.join(without)}. "
                f"Rows that have it: {known}. Give another score (--primary {paper.PRIMARY}), or other claims"
            )
        return [replace(pair, claimed=pair.claimed and pair not in untold) for pair in pairs]

    def settings(self) -> dict:
        """Return the settings of the first row. Raise an InputError if those of any row are wrong."""
        found = [
            read_settings(row.file, {**self._overrides(row, {**self.of_all, **encoder}), **target})
            for row, encoder in product(self.rows, self.encoders)
            for target in row.targets(self.comparison.targets)
        ]
        return found[0]

    def cells(self, of_all: Mapping, data: Data, results: str, seeds: Iterable[int], folds: Iterable[int]) -> Iterator[Cell]:
        """Yield the stage of each cell, for one seed and fold after another.

        Parameters
        ----------
        of_all : the settings of all rows, with what follows from the manifests
        data, results : as for `make_stage`
        seeds, folds : their numbers
        """
        prepared = [
            (row.file, row.name(target), number, {**self._overrides(row, {**of_all, **encoder}), **target})
            for (number, encoder), row in product(enumerate(self.encoders), self.rows)
            for target in row.targets(self.comparison.targets)
        ]
        for seed, fold in product(seeds, folds):
            for (file, name, encoder, overrides), train_set in product(prepared, self.comparison.train_sets):
                place = {"seed": seed, "fold": fold, "train_set": train_set}
                yield Cell(name, encoder, train_set, make_stage(file, {**overrides, **place}, data, results))

    def declaration(self, cells: Sequence[Cell]) -> Declaration:
        """Return what the comparison declares of its cells."""
        there = {(cell.name, cell.encoder, cell.train_set): (cell.stage.row, cell.stage.settings["train_set"]) for cell in cells}
        pairs = []
        for encoder in range(len(self.encoders)):
            for pair in self.pairs:
                row, baseline = (
                    there.get((name, encoder, pair.train_set), (name, train_set))
                    for name, train_set in ((pair.row, pair.train_set), (pair.baseline, pair.baseline_train_set))
                )
                pairs.append(Pair(*row, *baseline, claimed=pair.claimed))
        several = len(self.encoders) > 1  # then a name without its encoder tells too little
        rows = {cell.stage.row: cell.stage.row if several else cell.name for cell in cells}
        return Declaration(self.comparison.name, self.comparison.primary, tuple(dict.fromkeys(pairs)), rows=rows)

    def _overrides(self, row: Row, of_all: Mapping) -> dict:
        """Return the overrides of a row and, under ``requires``, of the stages that it requires."""
        known = (*read_settings(row.file), *encoder_settings(row.file, of_all.get(ENCODER)))
        own = {name: value for name, value in of_all.items() if name in known}
        return nested({**own, **self._of_file(row.file, row.required), **row.settings})

    def _of_file(self, file: Path, required: Mapping[str, Path]) -> dict:
        """Return the settings of one hparams file, the same wherever it is required: with others it would be another stage."""
        own = {name.removeprefix(f"{file.stem}."): value for name, value in self.of_files.items() if name.startswith(f"{file.stem}.")}
        below = {
            f"{stage}.{name}": value
            for stage, part in required.items()
            for name, value in self._of_file(part, Row(part, {}).required).items()
        }
        return {**below, **own}


def rows_of(comparison: Comparison, hparams: str | Path | None) -> list[Row]:
    """Return the rows of a comparison. `hparams` is the folder of their files, None for that in which rows are found by name."""
    return [Row.of(chosen, hparams) for chosen in comparison.rows]


def flags_of(rows: Sequence[Row], encoder: str | None) -> tuple[Settings, Settings]:
    """Return the settings that the command line can change: those of all rows, and those of the files, by ``mlee.lr``.

    Parameters
    ----------
    rows : whose files, and those of the stages that they require, are meant
    encoder : the name of the encoder that was chosen for all rows, None for that of their files
    """
    of_all: dict = {}
    of_files: dict = {}
    for file in dict.fromkeys(file for row in rows for file in (row.file, *row.required.values())):
        of_all_rows = (*OF_ALL_ROWS, ENCODER, *encoder_settings(file, encoder))
        for name, setting in overridable(file, {ENCODER: encoder} if encoder else {}).items():
            if name in of_all_rows:
                of_all.setdefault(name, setting)
            elif name not in (*OF_THE_GRID, FIRST) and "." not in name:
                of_files[f"{file.stem}.{name}"] = setting
    return of_all, of_files


def _encoder(chosen: Chosen, file: Path) -> dict:
    """Return an encoder with its settings as overrides of rows, by the names of flags."""
    choose(chosen.name, encoder_names(file), ENCODER)
    known = overridable(file, {ENCODER: chosen.name})
    of_encoder = (*OF_ALL_ROWS, *encoder_settings(file, chosen.name))
    return {ENCODER: chosen.name, **_typed(chosen, {name: setting for name, setting in known.items() if name in of_encoder})}


def _first(settings: Mapping) -> dict:
    return {FIRST: settings[FIRST]} if FIRST in settings else {}


def _typed(chosen: Chosen, known: Settings) -> dict:
    """Return the settings of a row or encoder as its file has them. Raise an InputError if one is unknown, or its value is wrong."""
    for name in chosen.settings:
        choose(name, known, f"setting of {chosen.name}")
    values = {
        name: value.split() if isinstance(value, str) and isinstance(known[name][0], list) else value
        for name, value in chosen.settings.items()
    }
    return typed(values, known)
