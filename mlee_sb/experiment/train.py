"""Train one row on one fold, and first the stages that it requires: the command line and the Python call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mlee_sb.corpora.base import load_corpus
from mlee_sb.corpora.options import corpus_options
from mlee_sb.errors import choose
from mlee_sb.evaluation.scores import format_scores
from mlee_sb.experiment.arguments import GOES_ON, RESULTS, corpus_data, make_parser, parse_row, typed
from mlee_sb.experiment.finish import finish
from mlee_sb.experiment.hparams_files import find_hparams
from mlee_sb.files import read_json
from mlee_sb.stage_folder import AGAIN
from mlee_sb.start import exit_status
from mlee_sb.training.distributed import on_main, process_group
from mlee_sb.training.hparams_tree import ENCODER, FIRST
from mlee_sb.training.run import check_device, run
from mlee_sb.training.settings import nested, overridable, read_settings
from mlee_sb.training.stage import Stage, make_stage


@dataclass(frozen=True)
class Trained:
    """A row that was trained on a fold.

    Attributes
    ----------
    scores : of the test set, as scores.json holds them
    folder : the folder of its results
    model_folder : the folder of its model, for `EmotionClassifier.from_hparams`
    """

    scores: dict
    folder: Path
    model_folder: Path


def main(arguments: Sequence[str], description: str = "", program: str | None = None) -> int:
    """Train what `arguments` ask for. Return the exit status: 0, 2 for a wrong input, 130 after Ctrl-C."""
    return exit_status(partial(_main, arguments, description, program), GOES_ON)


def _main(arguments: Sequence[str], description: str, program: str | None) -> int:
    _train(*parse_row(make_parser(description, program), arguments))
    return 0


def train(
    hparams: str | Path,
    *,
    corpus: str | None = None,
    data_folder: str | Path | None = None,
    manifests: str | Path | None = None,
    results: str | Path = RESULTS,
    device: str | None = None,
    **settings,
) -> Trained:
    """Train a row of table 3 on one fold, and first the stages that it requires. What is finished is reused.

    It does what `mlee train` does, and prints the same lines.

    Parameters
    ----------
    hparams : the name of a row (``"mlee_fusion"``), or the path of an hparams file
    corpus : the corpus that is in `data_folder`: ``"iemocap"``, ``"crema_d"``, ``"vote_table"`` or one of a plug-in
    data_folder : the folder that holds the release of the corpus; by default generated speech, whose scores say nothing (DEMO)
    manifests : what `mlee prepare` wrote; by default they are prepared below `results`
    results : the folder for all results
    device : cpu, cuda:0, ...; by default a GPU where there is one
    settings : of the hparams file (``fold=3, target="soft", lr=1e-4``), of a required stage as a dictionary under its name
        (``mlee={"lr": 1e-4}``), and options of the corpus (``dialogs="all"``)

    Raises
    ------
    InputError
        if the row, a setting, the corpus or the data cannot be used
    """
    file = find_hparams(hparams)
    options = corpus_options(load_corpus(corpus)) if corpus else {}
    flat = _by_flag(settings)
    known = overridable(file, {name: value for name, value in flat.items() if name == FIRST or name.split(".")[-1] == ENCODER})
    for name in flat:
        choose(name, [*known, *options], f"setting of {file.name}")
    given = {"hparams": file, "corpus": corpus, "data_folder": data_folder, "manifests": manifests, "results": results, "device": device}
    given |= {name: flat.pop(name) for name in options if name in flat and name not in known}
    return _train(given, nested(typed(flat, known)))


def _by_flag(settings: Mapping, before: str = "") -> dict:
    """Return settings by the names of their flags: ``{"mlee": {"lr": 0.1}}`` as ``{"mlee.lr": 0.1}``."""
    flat = {}
    for name, value in settings.items():
        flat |= _by_flag(value, f"{before}{name}.") if isinstance(value, Mapping) else {f"{before}{name}": value}
    return flat


def _train(given: dict, overrides: dict) -> Trained:
    with process_group(given["device"]):
        stage = on_main(_stage, given, overrides)
        print(f"results: {stage.folder}")
        run(stage, given["device"], finish, say=partial(print, flush=True))  # a log file is read while it grows
        scores = read_json(stage.files.scores, AGAIN)
        print(format_scores(scores))
        print(f"  model: {stage.model_folder}")
    return Trained(scores, stage.folder, stage.model_folder)


def _stage(given: dict, overrides: dict) -> Stage:
    settings = read_settings(given["hparams"], overrides)
    check_device(given["device"], settings["precision"])
    data, overrides = corpus_data(given, settings, overrides)
    return make_stage(given["hparams"], overrides, data, given["results"])
