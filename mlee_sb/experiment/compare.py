"""Train a comparison: rows by encoders, targets and train sets, on every fold and for every seed. Each stage is trained once."""

from collections.abc import Sequence
from functools import partial

from mlee_sb.corpora.base import load_corpus
from mlee_sb.corpora.options import corpus_options
from mlee_sb.errors import InputError, choose
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
from mlee_sb.experiment.compared import Grid, flags_of, rows_of
from mlee_sb.experiment.comparison_file import Comparison, read_comparison
from mlee_sb.experiment.hparams_files import HPARAMS, comparisons
from mlee_sb.experiment.many_stages import add_sweep_flags, chosen_folds, output_of, train_all
from mlee_sb.experiment.parser import Parser
from mlee_sb.start import exit_status
from mlee_sb.training.hparams_tree import ENCODER
from mlee_sb.training.run import check_device

OF_THE_FILE = ("rows", "targets", "train_sets", "encoders", "primary", "baseline")  # flags in the place of entries of the file


def main(arguments: Sequence[str], description: str = "", program: str | None = None, preset: str | None = None) -> int:
    """Train what `arguments` ask for.

    Parameters
    ----------
    arguments : what was typed
    description, program : for the help
    preset : the name of the comparison, for a command that is about one; by default `arguments` name it first

    Returns
    -------
    int
        the exit status: 0, 1 if a stage or the report failed, 2 for wrong input, 130 after Ctrl-C
    """
    return exit_status(partial(_compare, arguments, description, program, preset), GOES_ON)


def _compare(arguments: Sequence[str], description: str, program: str | None, preset: str | None) -> int:
    comparison, given, settings = _parse(arguments, description, program, preset)
    with output_of(given):
        grid = Grid.of(comparison, given["hparams"], settings)
        first = grid.settings()  # of every row: wrong ones are refused here
        check_device(given["device"], first["precision"])
        data, of_all = corpus_data(given, first, grid.of_all)
        cells = list(grid.cells(of_all, data, given["results"], given["seeds"], chosen_folds(given["folds"], data.protocol)))
    return train_all([cell.stage for cell in cells], given, grid.declaration(cells))


def _parse(arguments: Sequence[str], description: str, program: str | None, preset: str | None) -> tuple[Comparison, dict, dict]:
    """Return the comparison, the value of each other flag, and the settings that were given: ``lr`` of a file by ``mlee.lr``."""
    parser = make_parser(description, program)
    folder = first_look(arguments, "--hparams")
    word = preset or _word(arguments, folder)
    if not preset:
        parser.add_argument("comparison", help=f"its name ({', '.join(comparisons(folder))}), or the path of a comparison file")
    comparison = read_comparison(word, folder) if word else None
    _add_flags(parser, comparison)
    add_sweep_flags(parser)
    of_all, of_files = {}, {}
    if comparison:
        looked = {name: first_look(arguments, f"--{name}", nargs="+") for name in ("rows", "encoders")}
        chosen = chosen_encoders(arguments).get(ENCODER)
        files = rows_of(comparison, folder) + rows_of(comparison.given(**looked), folder)
        of_all, of_files = flags_of(files, chosen)
        parser.elsewhere = of_other_encoders(files[0].file)
    add_settings(parser, "settings of all rows", of_all)
    add_settings(parser, "settings of one hparams file, written with its name (--mlee.lr 0.0001); the file tells which there are", of_files)
    given = parse(parser, arguments, before=_flags_in(comparison, {**of_all, **of_files}, arguments) if comparison else ())
    if not preset and given["comparison"] != word:
        raise InputError(f"{given['comparison']}: give the comparison first, before all flags")
    comparison = comparison.given(**{name: given.pop(name) for name in OF_THE_FILE})
    settings = take_settings(given, {**of_all, **of_files})
    if ENCODER in settings and comparison.encoders:
        raise InputError(f"--{ENCODER} {settings[ENCODER]}: {comparison.file} or --encoders names encoders: give one of both")
    return comparison, given, settings


def _add_flags(parser: Parser, comparison: Comparison | None) -> None:
    """Offer the flags that stand in the place of what the file says."""
    in_file = "those of the file"
    shown = (lambda name: " ".join(getattr(comparison, name)) or in_file) if comparison else lambda name: in_file
    grid = parser.add_argument_group("what is compared")
    grid.add_argument(
        "--rows", nargs="+", metavar="ROW", help=f"rows, with settings where they have some: mlee kld:alpha=0.75 (default: {in_file})"
    )
    grid.add_argument("--targets", nargs="+", metavar="TARGET", help=f"hard, soft, ... (default: {shown('targets')})")
    grid.add_argument("--train_sets", nargs="+", metavar="SET", help=f"dominant, all or both (default: {shown('train_sets')})")
    grid.add_argument(
        "--encoders",
        nargs="+",
        metavar="ENCODER",
        help="one or more, with settings where they have some: paper pretrained:upstream=openai/whisper-base (default: that of the rows)",
    )
    grid.add_argument("--seeds", nargs="+", type=int, default=[1], metavar="N", help="one or more (default: 1)")
    grid.add_argument("--primary", metavar="SCORE", help=f"the score that the claims are about (default: {shown('primary')})")
    grid.add_argument(
        "--baseline", metavar="ROW", help="the row that every other one is claimed to differ from (default: that of the file)"
    )
    grid.add_argument(
        "--hparams", metavar="FOLDER", help=f"the folder of the hparams files (default: ./{HPARAMS} and then those of mlee_sb)"
    )


def _word(arguments: Sequence[str], folder: str | None) -> str | None:
    """Return the word that names the comparison. None where only help is asked for."""
    if arguments and not arguments[0].startswith("-"):
        return arguments[0]
    if {"-h", "--help"} & set(arguments):
        return None
    raise InputError(f"no comparison was given: give one first: {', '.join(comparisons(folder))}, or the path of a comparison file")


def _flags_in(comparison: Comparison, settings: dict, arguments: Sequence[str]) -> list[str]:
    """Return the settings that a comparison file has for the command, as flags."""
    own = comparison.settings.get("corpus")
    corpus = first_look(arguments, "--corpus", default=own)
    known = {**settings, **(corpus_options(load_corpus(corpus)) if corpus else {}), "corpus": None, "seeds": None, "folds": None}
    words = []
    for name, value in comparison.settings.items():
        if name not in known and own and corpus != own:
            raise InputError(
                f"--corpus {corpus}: {comparison.file} is about {own}, whose {name} it sets: leave --corpus out, or copy the file"
            )
        choose(name, known, f"setting in {comparison.file}")
        words += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    return words
