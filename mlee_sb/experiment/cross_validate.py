"""What recipes/cross_validate.py does: one row of table 3 on every fold."""

from collections.abc import Sequence
from functools import partial

from mlee_sb.experiment.arguments import add_settings, corpus_data, exit_status, hparams_file, make_parser, parse, take_settings
from mlee_sb.experiment.many_stages import add_sweep_flags, chosen_folds, output_of, train_all
from mlee_sb.training.run import check_device
from mlee_sb.training.settings import nested, overridable, read_settings
from mlee_sb.training.stage import make_stage


def main(arguments: Sequence[str], description: str = "") -> int:
    """Train what `arguments` ask for. Returns the exit status: 0, 1 if a stage or report failed, 2 for wrong input, 130 after Ctrl-C."""
    return exit_status(partial(_cross_validate, arguments, description))


def _cross_validate(arguments: Sequence[str], description: str) -> int:
    given, overrides = _parse(arguments, description)
    with output_of(given):
        settings = read_settings(given["hparams"], overrides)
        check_device(given["device"], settings["precision"])
        data, overrides = corpus_data(given, settings, overrides)
        folds = chosen_folds(given["folds"], data.protocol)
        wanted = [make_stage(given["hparams"], {**overrides, "fold": fold}, data, given["results"]) for fold in folds]
    return train_all(wanted, given)


def _parse(arguments: Sequence[str], description: str) -> tuple[dict, dict]:
    """What was given for the run, and what was given to override settings of the hparams file."""
    hparams = hparams_file(arguments)
    parser = make_parser(description)
    parser.add_argument("hparams", metavar="HPARAMS", help="the row to train, a file in hparams/")
    add_sweep_flags(parser)
    settings = overridable(hparams) if hparams else {}
    settings.pop("fold", None)
    add_settings(parser, "settings of the hparams file", settings)
    given = parse(parser, arguments)
    return given, nested(take_settings(given, settings))
