"""What the commands that train have in common: flags, manifests, and how they end."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mlee_sb.corpora.base import corpus_names, load_corpus
from mlee_sb.corpora.manifest import read_protocol
from mlee_sb.corpora.options import Parser, add_flags, corpus_options, given_options
from mlee_sb.corpora.prepare import check_recordings, prepare_once
from mlee_sb.demo import make_demo_release
from mlee_sb.errors import InputError, choose
from mlee_sb.training.distributed import is_main
from mlee_sb.training.stage import Data

DEMO = "demo"  # the corpus of generated speech
DEMO_FOLDER = "data/demo_release"
WRONG_INPUT, STOPPED = 2, 130  # exit statuses; the second is that of a program that Ctrl-C ended

Settings = Mapping[str, tuple[object, str]]  # name -> default and comment, as `overridable` tells them


def exit_status(work: Callable[[], int]) -> int:
    """That of `work`; 2 for a wrong input or what the system refuses, 130 after Ctrl-C, each with a line for a person."""
    try:
        return work()
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_INPUT
    except KeyboardInterrupt:
        if is_main():
            print("stopped; the same command goes on from the last finished epoch", file=sys.stderr)
        return STOPPED


def make_parser(description: str) -> Parser:
    """A parser with the flags that name data, results and device."""
    parser = Parser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", help=f"one of: {', '.join(corpus_names())}")
    parser.add_argument("--data_folder", help="the folder that holds the release of the corpus")
    parser.add_argument("--manifests", help="manifests that recipes/prepare.py wrote (default: prepared below --results)")
    parser.add_argument("--results", default="results", help="the folder for all results (default: results)")
    parser.add_argument("--device", help="cpu, cuda:0, ... (default: a GPU where there is one)")
    return parser


def parse(parser: Parser, arguments: Sequence[str]) -> dict:
    """What was given, after the options of the corpus that `arguments` name were added to the flags."""
    corpus = first_look(arguments, "--corpus")
    if corpus:
        add_flags(parser, load_corpus(corpus))
    return vars(parser.parse_args(arguments))


def first_look(arguments: Sequence[str], flag: str, default: str | None = None) -> str | None:
    """The value of a flag that decides which other flags there are."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument(flag, dest="value", default=default)
    return parser.parse_known_args(arguments)[0].value


def hparams_file(arguments: Sequence[str]) -> str | None:
    """The hparams file among `arguments`, wherever it stands: it decides which other flags there are."""
    found = next((word for word in arguments if word.endswith((".yaml", ".yml"))), None)
    if found is None and not {"-h", "--help"} & set(arguments):
        instead = [word for word in arguments[:1] if not word.startswith("-")]
        what = f"{instead[0]}: no hparams file (.yaml)" if instead else "no hparams file (.yaml) was given"
        raise InputError(f"{what}: give one of those in hparams/ first")
    return found


def add_settings(parser: Parser, title: str, settings: Settings) -> None:
    """Offer settings as flags, in a group of their own; those of another stage (``mlee.lr``) are taken without being listed."""
    group = parser.add_argument_group(title)
    for name, (default, comment) in settings.items():
        many = {"nargs": "+"} if isinstance(default, list) else {}
        text = argparse.SUPPRESS if "." in name else f"{comment} (in the file: {_shown(default)})".replace("%", "%%")
        group.add_argument(f"--{name}", help=text, metavar="X", **many)


def take_settings(given: dict, settings: Settings) -> dict:
    """Take the flags of `add_settings` out of `given`: name -> value, typed as in the file, for those that were given."""
    values = {name: given.pop(name) for name in settings}
    return {name: _typed(name, value, settings[name][0]) for name, value in values.items() if value is not None}


def corpus_data(given: dict, settings: Mapping, overrides: dict) -> tuple[Data, dict]:
    """The data that was asked for, prepared where it is not yet, and `overrides` with the emotions of manifests that were given.

    Parameters
    ----------
    given : the flags of `make_parser`
    settings : emotions and min_votes
    overrides : the settings that were given by flag

    Raises
    ------
    InputError
        if the corpus, its data or the manifests cannot be used
    """
    if not given["data_folder"]:
        _use_demo(given)
    if not Path(given["data_folder"]).is_dir():
        raise InputError(f"--data_folder {given['data_folder']}: no such folder")
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
    return Data(manifests, read_protocol(manifests), Path(given["data_folder"])), overrides


def _use_demo(given: dict) -> None:
    """Without a data folder: generated speech, made once, in the place of a corpus."""
    if given["manifests"]:
        raise InputError(f"--data_folder is missing: the folder that the recordings of {given['manifests']} lie in")
    if given["corpus"] not in (None, DEMO):
        raise InputError("--data_folder is missing: the folder that holds the release of --corpus")
    print(f"DEMO: no --data_folder was given, so generated speech ({DEMO_FOLDER}) is used; its figures say nothing about the method")
    given["corpus"], given["data_folder"] = DEMO, make_demo_release(DEMO_FOLDER)


def _prepared(given: dict, settings: dict) -> Path:
    """The folder below --results with the manifests for these settings."""
    corpus = load_corpus(given["corpus"])
    options = given_options(given, corpus)
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
