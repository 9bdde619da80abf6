"""Train one row of table 3 on every fold."""

from collections.abc import Sequence
from functools import partial

from mlee_sb.experiment.arguments import GOES_ON, corpus_data, make_parser, parse_row
from mlee_sb.experiment.many_stages import add_sweep_flags, chosen_folds, output_of, train_all
from mlee_sb.start import exit_status
from mlee_sb.training.run import check_device
from mlee_sb.training.settings import read_settings
from mlee_sb.training.stage import make_stage


def main(arguments: Sequence[str], description: str = "", program: str | None = None) -> int:
    """Train what `arguments` ask for. Return the exit status: 0, 1 if a stage or report failed, 2 for wrong input, 130 after Ctrl-C."""
    return exit_status(partial(_cross_validate, arguments, description, program), GOES_ON)


def _cross_validate(arguments: Sequence[str], description: str, program: str | None) -> int:
    parser = make_parser(description, program)
    add_sweep_flags(parser)
    given, overrides = parse_row(parser, arguments, without=["fold"])
    with output_of(given):
        settings = read_settings(given["hparams"], overrides)
        check_device(given["device"], settings["precision"])
        data, overrides = corpus_data(given, settings, overrides)
        folds = chosen_folds(given["folds"], data.protocol)
        wanted = [make_stage(given["hparams"], {**overrides, "fold": fold}, data, given["results"]) for fold in folds]
    return train_all(wanted, given)
