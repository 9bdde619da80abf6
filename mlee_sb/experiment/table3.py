"""Train the grid of table 3: rows by targets by train sets, on every fold and for every seed."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from pathlib import Path

from mlee_sb.errors import choose
from mlee_sb.experiment.arguments import (
    GOES_ON,
    add_settings,
    chosen_encoders,
    corpus_data,
    first_look,
    make_parser,
    of_other_encoders,
    parse,
    take_settings,
)
from mlee_sb.experiment.hparams_files import HPARAMS, find_hparams
from mlee_sb.experiment.many_stages import add_sweep_flags, chosen_folds, output_of, train_all
from mlee_sb.start import exit_status
from mlee_sb.targets import DENSE, SOFTMAX, TRAIN_SETS, find_target, target_names
from mlee_sb.training.hparams_tree import ENCODER, encoder_settings
from mlee_sb.training.run import check_device
from mlee_sb.training.settings import SHARED, overridable, read_settings
from mlee_sb.training.stage import Data, Stage, make_stage

ROWS = ("dominant", "mlee", "mlee_pretrain", "mlee_fusion")  # hparams files, as table 3 has them from top to bottom
TARGETS = ("hard", "soft")  # of the paper's table
OF_THE_GRID = ("fold", "seed", "train_set", "target")  # settings that the grid goes through
OF_ITS_TARGETS = tuple(name for target in target_names(SOFTMAX, DENSE) for name in find_target(target).settings)  # a fusion passes them on
# Settings with one value for the whole grid. Those of existence belong to the row mlee: --mlee.full_votes.
OF_ALL_ROWS = (*(name for name in SHARED if name not in OF_THE_GRID), *OF_ITS_TARGETS)


def main(arguments: Sequence[str], description: str = "", program: str | None = None) -> int:
    """Train what `arguments` ask for. Return the exit status: 0, 1 if a stage or report failed, 2 for wrong input, 130 after Ctrl-C."""
    return exit_status(partial(_table3, arguments, description, program), GOES_ON)


def _table3(arguments: Sequence[str], description: str, program: str | None) -> int:
    given, overrides = _parse(arguments, description, program)
    for name, choices in (("rows", ROWS), ("targets", target_names(SOFTMAX, DENSE)), ("train_sets", TRAIN_SETS)):
        for value in given[name]:
            choose(value, choices, name.removesuffix("s"))
    with output_of(given):
        of_files = {name: value for name, value in overrides.items() if "." in name}
        shared = {name: value for name, value in overrides.items() if name not in of_files}
        files = [_file(given["hparams"], row) for row in ROWS]
        settings = [read_settings(file, _overrides(file, shared, of_files)) for file in files]  # wrong ones are refused here
        check_device(given["device"], settings[0]["precision"])
        data, shared = corpus_data(given, settings[0], shared)
        wanted = list(_wanted(given, shared, of_files, data))
    return train_all(wanted, given)


def _wanted(given: dict, shared: dict, of_files: dict, data: Data) -> Iterator[Stage]:
    """Yield the stage of each cell of the grid, for one seed and fold after another."""
    rows = {}
    for row in given["rows"]:
        file = _file(given["hparams"], row)
        has_target = find_target(read_settings(file)["target"]).output is SOFTMAX
        rows[file] = _overrides(file, shared, of_files), [{"target": target} for target in given["targets"]] if has_target else [{}]
    for seed, fold in product(given["seeds"], chosen_folds(given["folds"], data.protocol)):
        for file, (overrides, targets) in rows.items():
            for target, train_set in product(targets, given["train_sets"]):
                cell = {"seed": seed, "fold": fold, "train_set": train_set, **target}
                yield make_stage(file, {**overrides, **cell}, data, given["results"])


def _overrides(file: Path, shared: dict, of_files: dict) -> dict:
    """Return the overrides of an hparams file and, under ``requires``, of the files of the stages that it requires."""
    encoder = shared.get(ENCODER)
    known = (*read_settings(file), *encoder_settings(file, encoder))
    return {**{name: value for name, value in shared.items() if name in known}, **_of_file(file, of_files)}


def _of_file(file: Path, of_files: dict) -> dict:
    """Return the overrides of one file (``mlee.lr``), the same wherever it is required: with others it would be another stage."""
    own = {name.removeprefix(f"{file.stem}."): value for name, value in of_files.items() if name.startswith(f"{file.stem}.")}
    required = {name: _of_file(file.parent / part["hparams"], of_files) for name, part in read_settings(file)["requires"].items()}
    required = {name: below for name, below in required.items() if below}
    return {**own, **({"requires": required} if required else {})}


def _file(hparams: str | None, row: str) -> Path:
    return Path(hparams) / f"{row}.yaml" if hparams else find_hparams(row)


def _parse(arguments: Sequence[str], description: str, program: str | None) -> tuple[dict, dict]:
    """Return the value of each flag, and the settings that were given: ``lr`` of a file by ``mlee.lr``."""
    hparams = first_look(arguments, "--hparams")
    parser = make_parser(description, program)
    grid = parser.add_argument_group("the grid")
    grid.add_argument("--rows", nargs="+", default=ROWS, metavar="ROW", help=f"of: {' '.join(ROWS)} (default: all)")
    grid.add_argument("--targets", nargs="+", default=TARGETS, metavar="TARGET", help="hard, soft or both (default)")
    grid.add_argument("--train_sets", nargs="+", default=TRAIN_SETS, metavar="SET", help="dominant, all or both (default)")
    grid.add_argument("--seeds", nargs="+", type=int, default=[1], metavar="N", help="one or more (default: 1)")
    grid.add_argument(
        "--hparams", metavar="FOLDER", help=f"the folder of the hparams files (default: ./{HPARAMS} and then those of mlee_sb)"
    )
    add_sweep_flags(parser)
    of_all: dict = {}
    of_files: dict = {}
    chosen = chosen_encoders(arguments)
    for row in ROWS:
        file = _file(hparams, row)
        of_all_rows = (*OF_ALL_ROWS, ENCODER, *encoder_settings(file, chosen.get(ENCODER)))
        for name, setting in overridable(file, {name: value for name, value in chosen.items() if name == ENCODER}).items():
            if name in of_all_rows:
                of_all.setdefault(name, setting)
            elif name not in OF_THE_GRID and "." not in name:
                of_files[f"{row}.{name}"] = setting
    add_settings(parser, "settings of all rows", of_all)
    add_settings(parser, "settings of one hparams file, written with its name (--mlee.lr 0.0001); the file tells which there are", of_files)
    parser.elsewhere = of_other_encoders(_file(hparams, ROWS[0]))
    given = parse(parser, arguments)
    return given, take_settings(given, {**of_all, **of_files})
