"""What recipes/train.py does: command line -> manifests -> plan -> trained, scored stages."""

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mlee_sb.corpora.base import corpus_names, load_corpus
from mlee_sb.corpora.demo import make_demo_release
from mlee_sb.corpora.manifest import read_protocol
from mlee_sb.corpora.options import Parser, add_flags, corpus_options
from mlee_sb.corpora.prepare import check_recordings, prepare_once
from mlee_sb.errors import InputError, choose
from mlee_sb.evaluation.scores import format_scores, score_folder
from mlee_sb.training.distributed import is_main, on_main, process_group
from mlee_sb.training.run import check_device, run
from mlee_sb.training.settings import nested, overridable, read_settings
from mlee_sb.training.stage import Data, Stage, make_stage

DEMO = "demo"  # the corpus of generated speech
DEMO_FOLDER = "data/demo_release"
STOPPED = 130  # the exit status of a program that Ctrl-C ended


def main(arguments: Sequence[str], description: str = "") -> int:
    """Train what `arguments` ask for. Returns the exit status: 0, 2 for a wrong input, 130 after Ctrl-C."""
    try:
        given, overrides = _parse(arguments, description)
        with process_group(given["device"]):
            stage = on_main(_stage, given, overrides)
            print(f"results: {stage.folder}")
            run(stage, given["device"], score_folder, say=partial(print, flush=True))  # a log file is read while it grows
            print(format_scores(json.loads((stage.folder / "scores.json").read_text(encoding="utf-8"))))
            print(f"  model: {stage.model_folder}")
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        if is_main():
            print("stopped; the same command goes on from the last finished epoch", file=sys.stderr)
        return STOPPED
    return 0


def _parse(arguments: Sequence[str], description: str) -> tuple[dict, dict]:
    """What was given for the run, and what was given to override settings of the hparams file."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--corpus")
    known, _ = first.parse_known_args(arguments)
    hparams = next((word for word in arguments if word.endswith((".yaml", ".yml"))), None)  # it decides which other flags there are
    parser = Parser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hparams", metavar="HPARAMS", help="the stage to train, a file in hparams/")
    parser.add_argument("--corpus", help=f"one of: {', '.join(corpus_names())}")
    parser.add_argument("--data_folder", help="the folder that holds the release of the corpus")
    parser.add_argument("--manifests", help="manifests that recipes/prepare.py wrote (default: prepared below --results)")
    parser.add_argument("--results", default="results", help="the folder for all results (default: results)")
    parser.add_argument("--device", help="cpu, cuda:0, ... (default: a GPU where there is one)")
    settings = overridable(hparams) if hparams else {}
    group = parser.add_argument_group("settings of the hparams file")
    for name, (default, comment) in settings.items():
        many = {"nargs": "+"} if isinstance(default, list) else {}
        text = argparse.SUPPRESS if "." in name else f"{comment} (in the file: {_shown(default)})".replace("%", "%%")
        group.add_argument(f"--{name}", help=text, metavar="X", **many)
    if known.corpus:
        add_flags(parser, load_corpus(known.corpus))
    given = vars(parser.parse_args(arguments))
    values = {name: given.pop(name) for name in settings}
    return given, nested({name: _typed(name, value, settings[name][0]) for name, value in values.items() if value is not None})


def _stage(given: dict, overrides: dict) -> Stage:
    settings = read_settings(given["hparams"], overrides)
    check_device(given["device"], settings["precision"])
    if not given["data_folder"]:
        _use_demo(given)
    if given["manifests"]:
        manifests, protocol = Path(given["manifests"]), read_protocol(given["manifests"])
        overrides = {"emotions": protocol["emotions"], "min_votes": protocol["rules"]["min_votes"], **overrides}
        check_recordings(manifests, given["data_folder"])
        if given["corpus"] not in (None, protocol["corpus"]):
            raise InputError(f"{manifests}: prepared from the corpus {protocol['corpus']}, and --corpus says {given['corpus']}")
    else:
        if not given["corpus"]:
            raise InputError(f"--corpus is missing: which corpus is in {given['data_folder']}? One of: {', '.join(corpus_names())}")
        manifests = _prepared(given, settings)
    data = Data(manifests, read_protocol(manifests), Path(given["data_folder"]))
    return make_stage(given["hparams"], overrides, data, given["results"])


def _use_demo(given: dict) -> None:
    """Without a data folder: generated speech, made once, in the place of a corpus."""
    if given["corpus"] not in (None, DEMO) or given["manifests"]:
        raise InputError("--data_folder is missing: the folder that holds the release of --corpus")
    print("DEMO: no --data_folder was given, so generated speech is used; its figures say nothing about the method")
    given["corpus"], given["data_folder"] = DEMO, make_demo_release(DEMO_FOLDER)


def _prepared(given: dict, settings: dict) -> Path:
    """The folder below --results with the manifests for these settings."""
    corpus = load_corpus(given["corpus"])
    options = {name: given.get(name, option.default) for name, option in corpus_options(corpus).items()}
    changed = [f"{name}_{value}" for name, value in options.items() if value != corpus_options(corpus)[name].default]
    words = [*settings["emotions"], f"min{settings['min_votes']}", *changed]
    folder = Path(given["results"]) / given["corpus"] / "manifests" / "_".join(word.replace("/", "-") for word in words)
    targets = {name: settings[name] for name in ("emotions", "min_votes")}
    prepare_once(given["corpus"], given["data_folder"], folder, **targets, **options)
    return folder


def _typed(name: str, value, default):
    """The text of a flag as the type that its setting has in the file."""
    if isinstance(default, list):
        kind = float if default and isinstance(default[0], float) else str
        return [_number(name, item, kind) if kind is float else item for item in value]
    if isinstance(default, bool):
        return choose(value.capitalize(), ("True", "False"), name) == "True"
    if isinstance(default, int | float):
        return _number(name, value, type(default))
    return value


def _number(name: str, text: str, kind: type):
    try:
        return int(text) if issubclass(kind, int) else float(text)
    except ValueError:
        words = "a whole number" if issubclass(kind, int) else "a number"
        raise InputError(f"--{name} {text}: must be {words}") from None


def _shown(value) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
