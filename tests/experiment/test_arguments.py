"""Settings from the command line and from Python are of the same type: another type would make another stage."""

import json
import shlex
import sys

import numpy as np
import pytest

from mlee_sb.errors import InputError
from mlee_sb.experiment.arguments import make_parser, parse, parse_row, typed
from mlee_sb.experiment.parser import Parser
from mlee_sb.training.settings import overridable

SETTINGS = overridable("hparams/mlee_fusion.yaml")


@pytest.mark.parametrize(
    ("name", "text", "value", "expected"),
    [
        ("lr", "1", 1, 1.0),
        ("lr", "1e-4", np.float64(1e-4), 1e-4),
        ("fold", "3", np.int64(3), 3),
        ("class_weights", "false", False, False),
        ("speeds", ["1", "1.1"], (1, 1.1), [1.0, 1.1]),
        ("emotions", ["neu", "1"], ("neu", "1"), ["neu", "1"]),
        ("mlee.max_epochs", "2", 2, 2),
        ("target", "hard", "hard", "hard"),
        ("level_db", "-25", -25, -25.0),
        ("mlee.noise_snr_db", "20", 20, 20.0),
    ],
)
def test_a_text_and_a_value_become_the_same(name, text, value, expected):
    for given in (text, value):
        found = typed({name: given}, SETTINGS)
        assert json.dumps(found) == json.dumps({name: expected}) and type(found[name]) is type(expected)


def test_emotions_that_a_file_leaves_open_are_still_a_list_of_words():
    assert SETTINGS["emotions"][0] == []
    assert parse_row(Parser(), ["mlee", "--emotions", "neu", "sad"])[1] == {"emotions": ["neu", "sad"]}


@pytest.mark.parametrize(
    "words",
    [
        ["mlee", "--fold", "3"],
        ["--fold", "3", "mlee"],
        ["--results", "dominant", "--fold", "3", "mlee"],
        ["--fold", "3", "hparams/mlee.yaml", "--results", "dominant"],
    ],
)
def test_a_row_is_found_before_and_behind_flags(words):
    parser = Parser()
    parser.add_argument("--results")
    given, overrides = parse_row(parser, words)
    assert given["hparams"].name == "mlee.yaml" and overrides == {"fold": 3}


UPSTREAM = ["--encoder", "pretrained", "--upstream", "me/w"]


def test_numbers_of_layers_are_numbers_however_they_are_given():
    _, overrides = parse_row(Parser(), ["mlee", *UPSTREAM, "--layers", "3", "4"])
    assert overrides["layers"] == [3, 4] == typed({"layers": [3, 4]}, overridable("hparams/mlee.yaml", {"encoder": "pretrained"}))["layers"]


def test_null_takes_back_what_a_file_says():
    assert typed({"level_db": "null"}, SETTINGS) == {"level_db": None}


@pytest.mark.parametrize("row", ["mlee", "mlee_fusion"])
def test_a_flag_of_an_encoder_that_was_not_chosen_is_told_so(row):
    with pytest.raises(InputError, match="--upstream: a setting of --encoder pretrained: add that"):
        parse_row(Parser(), [row, "--upstream", "me/w"])


def test_flags_of_a_head_keep_their_help_with_another_encoder():
    assert all(overridable("hparams/mlee_fusion.yaml", {"encoder": "pretrained"})[name][1] for name in ("speeds", "calibration"))


@pytest.mark.parametrize(("program", "begins"), [("mlee table3", "mlee table3 "), (None, f"python {sys.argv[0]} ")])
def test_what_was_typed_is_kept_for_the_report(program, begins):
    words = ["--results", "my results", "--device", "cpu"]
    command = parse(make_parser("", program), words)["command"]
    assert command.startswith(begins) and shlex.split(command.removeprefix(begins)) == words
