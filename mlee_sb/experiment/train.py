"""What recipes/train.py does: one stage on one fold, and first the stages that it requires."""

import json
from collections.abc import Sequence
from functools import partial

from mlee_sb.evaluation.scores import format_scores
from mlee_sb.experiment.arguments import add_settings, corpus_data, exit_status, hparams_file, make_parser, parse, take_settings
from mlee_sb.experiment.finish import finish
from mlee_sb.training.distributed import on_main, process_group
from mlee_sb.training.run import check_device, run
from mlee_sb.training.settings import nested, overridable, read_settings
from mlee_sb.training.stage import Stage, make_stage


def main(arguments: Sequence[str], description: str = "") -> int:
    """Train what `arguments` ask for. Returns the exit status: 0, 2 for a wrong input, 130 after Ctrl-C."""
    return exit_status(partial(_train, arguments, description))


def _train(arguments: Sequence[str], description: str) -> int:
    given, overrides = _parse(arguments, description)
    with process_group(given["device"]):
        stage = on_main(_stage, given, overrides)
        print(f"results: {stage.folder}")
        run(stage, given["device"], finish, say=partial(print, flush=True))  # a log file is read while it grows
        print(format_scores(json.loads((stage.folder / "scores.json").read_text(encoding="utf-8"))))
        print(f"  model: {stage.model_folder}")
    return 0


def _parse(arguments: Sequence[str], description: str) -> tuple[dict, dict]:
    """What was given for the run, and what was given to override settings of the hparams file."""
    hparams = hparams_file(arguments)
    parser = make_parser(description)
    parser.add_argument("hparams", metavar="HPARAMS", help="the stage to train, a file in hparams/")
    settings = overridable(hparams) if hparams else {}
    add_settings(parser, "settings of the hparams file", settings)
    given = parse(parser, arguments)
    return given, nested(take_settings(given, settings))


def _stage(given: dict, overrides: dict) -> Stage:
    settings = read_settings(given["hparams"], overrides)
    check_device(given["device"], settings["precision"])
    data, overrides = corpus_data(given, settings, overrides)
    return make_stage(given["hparams"], overrides, data, given["results"])
