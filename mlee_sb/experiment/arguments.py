"""What the commands that train have in common: flags, manifests, and how they end."""

import argparse
import hashlib
import numbers
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

from mlee_sb.corpora.base import corpus_names, load_corpus
from mlee_sb.corpora.manifest import read_protocol, reader_of
from mlee_sb.corpora.options import add_flags, corpus_options, given_options, open_corpus
from mlee_sb.corpora.own_name import OPTION
from mlee_sb.corpora.prepare_once import check_recordings, prepare_once
from mlee_sb.demo import make_demo_release
from mlee_sb.errors import InputError, choose
from mlee_sb.experiment.hparams_files import ENDINGS, find_hparams, rows
from mlee_sb.experiment.parser import Parser
from mlee_sb.stage_folder import MANIFESTS
from mlee_sb.training.check_settings import SETTINGS
from mlee_sb.training.hparams_tree import ENCODER, FIRST, encoder_names, encoder_settings
from mlee_sb.training.settings import nested, overridable
from mlee_sb.training.stage import Data

DEMO = "demo"  # the corpus of generated speech
DEMO_FOLDER = "data/demo_release"
RESULTS = "results"  # the folder for all results, where none is named
LONGEST_NAME = 150  # bytes of the name of a folder, before its hash: disks take 255, with what is written beside it
GOES_ON = "stopped; the same command goes on from the last finished epoch"  # after Ctrl-C

Settings = Mapping[str, tuple[object, str]]  # name -> default and comment, as `overridable` tells them


def make_parser(description: str, program: str | None) -> Parser:
    """Return a parser with the flags that name data, results and device; `program` is what the help calls the command."""
    parser = Parser(prog=program, description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", help=f"one of: {', '.join(corpus_names())}")
    parser.add_argument("--data_folder", help="the folder that holds the release of the corpus")
    parser.add_argument("--manifests", help="manifests that `mlee prepare` wrote (default: prepared below --results)")
    parser.add_argument("--results", default=RESULTS, help=f"the folder for all results (default: {RESULTS})")
    parser.add_argument("--device", help="cpu, cuda:0, ... (default: a GPU where there is one)")
    return parser


def parse(parser: Parser, arguments: Sequence[str], before: Sequence[str] = ()) -> dict:
    """Return the value of each flag, and as ``command`` what was typed. The options of the corpus that is named are flags, too.

    Parameters
    ----------
    parser : with all other flags
    arguments : what was typed
    before : words that count as typed after the first positional one and before all flags, so that what was typed replaces them
    """
    first = next((number for number, word in enumerate(arguments) if word.startswith("-")), len(arguments))
    words = [*arguments[:first], *before, *arguments[first:]]
    corpus = first_look(words, "--corpus")
    if corpus:
        add_flags(parser, load_corpus(corpus))
    program = parser.prog if " " in parser.prog else f"python {sys.argv[0]}"  # `mlee table3`, or a recipe
    return {**vars(parser.parse_args(words)), "command": f"{program} {shlex.join(arguments)}"}


def parse_row(parser: Parser, arguments: Sequence[str], without: Sequence[str] = ()) -> tuple[dict, dict]:
    """Parse the command line of a command that is about one row.

    Parameters
    ----------
    parser : with all flags but the settings of the row, which are added here
    arguments : what was typed
    without : settings of the row that are no flags of this command

    Returns
    -------
    given, overrides
        the value of each flag, ``hparams`` among them as a path; and the settings that were given, as `read_settings` takes them

    Raises
    ------
    InputError
        if there is no such row, or a flag or its value is wrong
    """
    word = _row_word(arguments)
    parser.add_argument("hparams", metavar="ROW", help="the row to train: its name (mlee_fusion), or the path of an hparams file")
    settings = overridable(find_hparams(word), {**chosen_encoders(arguments), **chosen_first(arguments)}) if word else {}
    settings = {name: setting for name, setting in settings.items() if name not in without}
    add_settings(parser, "settings of the hparams file", settings)
    if word:
        parser.elsewhere = of_other_encoders(find_hparams(word))
    given = parse(parser, arguments)
    if given["hparams"] != word:
        raise InputError(f"{given['hparams']}: give the row first, before all flags")
    given["hparams"] = find_hparams(word)
    return given, nested(take_settings(given, settings))


def first_look(arguments: Sequence[str], flag: str, default: str | None = None, nargs: str | None = None):
    """Return the value of a flag that decides which other flags there are: a text, or with `nargs` a list of them."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument(flag, dest="value", default=default, nargs=nargs)
    return parser.parse_known_args(arguments)[0].value


def chosen_encoders(arguments: Sequence[str]) -> dict[str, str]:
    """Return the encoders that arguments name, as `overridable` takes them: they decide which other flags there are.

    >>> chosen_encoders(["mlee_fusion", "--encoder", "pretrained", "--mlee.encoder=paper"])
    {'encoder': 'pretrained', 'mlee.encoder': 'paper'}
    """
    flags = {word.split("=")[0] for word in arguments if re.match(rf"--([^=]+\.)?{ENCODER}(=|$)", word)}
    found = {flag.removeprefix("--"): first_look(arguments, flag) for flag in sorted(flags)}
    return {name: value for name, value in found.items() if value}


def chosen_first(arguments: Sequence[str]) -> dict[str, str]:
    """Return the row whose encoder is frozen, if arguments name one: it decides which other flags there are, too.

    >>> chosen_first(["fusion", "--first", "jsd"]), chosen_first(["fusion"])
    ({'first': 'jsd'}, {})
    """
    first = first_look(arguments, f"--{FIRST}")
    return {FIRST: first} if first else {}


def of_other_encoders(hparams: Path) -> dict[str, str]:
    """Return the flags that belong to some encoder, each with what to do for who gives it without that encoder."""
    return {
        f"--{name}": f"a setting of --{ENCODER} {encoder}: add that"
        for encoder in encoder_names(hparams)
        for name in encoder_settings(hparams, encoder)
    }


def _row_word(arguments: Sequence[str]) -> str | None:
    """Find the word that names the row: it decides which other flags there are. None where only help is asked for.

    It is the first word. Behind flags, it is found where it is a path that ends in .yaml, or the name of a row.
    """
    if arguments and not arguments[0].startswith("-"):
        return arguments[0]
    known = rows()
    paths = [word for word in arguments if word.endswith(ENDINGS)]
    found = paths[:1] or [word for word in arguments if word in known][-1:]  # an earlier one may be the value of a flag
    if not found and not {"-h", "--help"} & set(arguments):
        raise InputError(f"no hparams file (.yaml) was given: give one first, or the name of a row: {', '.join(known)}")
    return found[0] if found else None


def add_settings(parser: Parser, title: str, settings: Settings) -> None:
    """Offer settings as flags, in a group of their own. Those of a required stage (``mlee.lr``) are accepted and not listed."""
    group = parser.add_argument_group(title)
    for name, (default, comment) in settings.items():
        many = {"nargs": "+"} if isinstance(default, list) else {}
        text = argparse.SUPPRESS if "." in name else f"{comment} (in the file: {_shown(default)})".replace("%", "%%")
        group.add_argument(f"--{name}", help=text, metavar="X", **many)


def take_settings(given: dict, settings: Settings) -> dict:
    """Take the flags of `add_settings` out of `given` and return those that were given: name -> value, typed as in the file."""
    return typed({name: given.pop(name) for name in settings}, settings)


def typed(values: Mapping, settings: Settings) -> dict:
    """Return the settings that have a value, each typed as in its file.

    Parameters
    ----------
    values : name -> value, as text from a flag or as a Python value; None where there is none
    settings : name -> value in the file and comment, as `overridable` returns them

    Raises
    ------
    InputError
        if a text is no value of the type in the file

    >>> typed({"lr": "1", "seed": None}, {"lr": (0.5, ""), "seed": (1, "")})
    {'lr': 1.0}
    """
    return {name: _typed(name, value, settings[name][0]) for name, value in values.items() if value is not None}


def corpus_data(given: dict, settings: Mapping, overrides: dict) -> tuple[Data, dict]:
    """Return the data that a person asked for, prepared if necessary, and `overrides` with what follows from the manifests.

    Parameters
    ----------
    given : the flags of `make_parser`
    settings : of the row: emotions (None for those of the manifests, or of the corpus where none are given) and min_votes
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
    if not given["manifests"]:
        if not given["corpus"]:
            raise InputError(f"--corpus is missing: which corpus is in {given['data_folder']}? One of: {', '.join(corpus_names())}")
        manifests = _prepared(given, settings)
        protocol = read_protocol(manifests)
    else:
        manifests, protocol = Path(given["manifests"]), read_protocol(given["manifests"])
        _check_manifests(given, protocol, settings["emotions"], overrides.get("min_votes"))
        check_recordings(manifests, given["data_folder"])
    of_manifests = {"emotions": protocol["emotions"], "min_votes": protocol["rules"]["min_votes"]}
    return Data(manifests, protocol, Path(given["data_folder"])), {**of_manifests, **overrides}


def _use_demo(given: dict) -> None:
    """Use generated speech, which is made only once, if there is no data folder."""
    if given["manifests"]:
        raise InputError(f"--data_folder is missing: give the folder that holds the recordings of {given['manifests']}")
    if given["corpus"] not in (None, DEMO):
        raise InputError("--data_folder is missing: give the folder that holds the release of --corpus")
    print(f"DEMO: no --data_folder was given, so generated speech ({DEMO_FOLDER}) is used; its figures say nothing about the method")
    given["corpus"], given["data_folder"] = DEMO, make_demo_release(DEMO_FOLDER)


def _prepared(given: dict, settings: Mapping) -> Path:
    """Prepare the corpus below --results, and return the folder with the manifests for these settings."""
    reader = load_corpus(given["corpus"])
    options, known = given_options(given, reader), corpus_options(reader)
    opened = open_corpus(given["corpus"], given["data_folder"], options)
    emotions = opened.corpus.default_emotions if settings["emotions"] is None else settings["emotions"]
    changed = [f"{name}_{value}" for name, value in options.items() if name != OPTION and value != known[name].default]
    words = [*emotions, f"min{settings['min_votes']}", *changed]
    folder = Path(given["results"], opened.corpus.name, MANIFESTS, _as_name("_".join(word.replace("/", "-") for word in words)))
    prepare_once(opened, folder, emotions, settings["min_votes"])
    return folder


def _as_name(text: str) -> str:
    """Return a text as the name of a folder: a long one is cut, and told apart by a hash."""
    data = text.encode()
    if len(data) <= LONGEST_NAME:
        return text
    return f"{data[:LONGEST_NAME].decode(errors='ignore')}_{hashlib.sha256(data).hexdigest()[:16]}"


def _check_manifests(given: dict, protocol: dict, emotions: list | None, min_votes: int | None) -> None:
    """Refuse manifests of another corpus, of other emotions or of another min_votes than were asked for; None where nothing was."""
    manifests, reader = given["manifests"], reader_of(protocol)
    if given["corpus"] not in (None, reader):
        raise InputError(f"{manifests}: prepared from the corpus {reader}, not from --corpus {given['corpus']}: leave --corpus out")
    known = corpus_options(load_corpus(reader))
    options = given_options(given, load_corpus(reader)) if given["corpus"] else {}
    there = {**protocol.get("options", {}), "emotions": protocol["emotions"], "min_votes": protocol["rules"]["min_votes"]}
    there[OPTION] = protocol["corpus"]
    chosen = {name: value for name, value in options.items() if value != known[name].default}
    asked = {"emotions": emotions, "min_votes": min_votes, **chosen}
    for flag, value in asked.items():
        if value is not None and flag in there and value != there[flag]:
            raise InputError(
                f"{manifests}: prepared with --{flag} {_shown(there[flag])}, not with --{flag} {_shown(value)}: leave --{flag} out, "
                f"or prepare again: {_prepare_command(given['data_folder'], protocol, asked)}"
            )


def _prepare_command(data_folder: str, protocol: dict, asked: Mapping) -> str:
    """Return the command that makes the manifests of a protocol again, with what was asked for in the place of what it says."""
    options = protocol.get("options", {})
    values = {"emotions": protocol["emotions"], "min_votes": protocol["rules"]["min_votes"], **options}
    values |= {OPTION: protocol["corpus"]} if OPTION in options else {}
    if not protocol["folds"][0]["test"]:
        of_folds = load_corpus(reader_of(protocol)).fold_options  # they make no final fold, and are refused beside it
        values = {name: value for name, value in values.items() if name not in of_folds} | {"final": len(protocol["folds"][0]["valid"])}
    values |= {flag: value for flag, value in asked.items() if value is not None}
    flags = [[f"--{name}", *map(str, value if isinstance(value, list) else [value])] for name, value in values.items()]
    return shlex.join(["mlee", "prepare", reader_of(protocol), data_folder, "--output", "NEW_FOLDER", *chain(*flags)])


def _typed(name: str, value, default):
    """Return the value of a setting as the type that it has in the file. What is of a wrong type in Python is left to `read_settings`."""
    setting = SETTINGS.get(name.rpartition(".")[-1])
    if default is None and setting:  # the file has null: the type is that of the values that the setting may have
        default = setting.kind()
    if value == "null" and setting and setting.optional:
        return None
    if isinstance(value, list | tuple):
        numbers_only = not setting and all(re.fullmatch(r"-?\d+", str(item)) for item in value)  # as `layers`, which is [] in the file
        return [_typed(name, item, default[0] if default else 0 if numbers_only else "") for item in value]
    if isinstance(value, str):
        return _from_text(name, value, default)
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return value
    if isinstance(default, float):
        return float(value)  # 1 as 1.0: another text would make another stage
    return int(value) if isinstance(value, numbers.Integral) else value  # of numpy, too


def _from_text(name: str, text: str, default):
    if isinstance(default, bool):
        return choose(text.capitalize(), ("True", "False"), name) == "True"
    if not isinstance(default, int | float):
        return text
    try:
        return int(text) if isinstance(default, int) else float(text)  # not type(default): the reader of YAML has numbers of its own
    except ValueError:
        words = "a whole number" if isinstance(default, int) else "a number"
        raise InputError(f"--{name} {text}: must be {words}") from None


def _shown(value) -> str:
    return " ".join(map(str, value if isinstance(value, list) else [value])) if value not in (None, []) else "null"
