"""`python recipes/prepare.py`, as a person uses it."""

import subprocess
import sys
from pathlib import Path

import pytest
from releases import write_crema_d, write_iemocap

from mlee_sb.corpora.manifest import read_protocol
from mlee_sb.experiment.prepare_corpus import main

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "prepare.py"


def test_the_recipe_writes_manifests(tmp_path):
    data = write_crema_d(tmp_path / "data")
    command = [sys.executable, RECIPE, "crema_d", data, "--output", tmp_path / "out", "--emotions", "neu", "hap", "--min_votes", "3"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "24 utterances of 12 speakers are used, in 10 folds" in done.stdout
    assert done.stderr == ""
    assert read_protocol(tmp_path / "out")["emotions"] == ["neu", "hap"]
    assert read_protocol(tmp_path / "out")["rules"]["min_votes"] == 3


def test_options_of_a_corpus_are_flags(tmp_path):
    data = str(write_iemocap(tmp_path / "data"))
    assert main(["iemocap", data, "--output", str(tmp_path / "out"), "--dialogs", "all"]) == 0
    options = {"dialogs": "all", "validation": "partner", "group": "own", "speakers": "known", "labels": ""}
    assert read_protocol(tmp_path / "out")["options"] == options
    assert read_protocol(tmp_path / "out")["counts"]["utterances"] == 25


@pytest.mark.parametrize(("options", "refused"), [(["--validation", "partner"], True), (["--dialogs", "all"], False)])
def test_a_final_fold_goes_with_every_option_but_those_of_folds(tmp_path, capsys, options, refused):
    command = ["iemocap", str(write_iemocap(tmp_path / "data")), "--output", str(tmp_path / "out"), "--final", "2", *options]
    assert main(command) == (2 if refused else 0)
    assert ("--final 2 --validation partner: a final fold takes the place" in capsys.readouterr().err) == refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["iemocop", "DATA", "--output", "OUT"], "unknown corpus 'iemocop': did you mean 'iemocap'?"),
        (["iemocap", "DATA", "--ouput", "OUT"], "unknown flag --ouput: did you mean --output?"),
        (["iemocap", "DATA", "--out", "OUT"], "unknown flag --out: did you mean --output?"),
        (["crema_d", "DATA", "--output", "OUT", "--dialogs", "all"], "unknown flag --dialogs"),
        (["iemocap", "DATA", "--output", "OUT", "--dialogs", "scripted"], "unknown dialogs 'scripted'"),
        (["iemocap", "DATA", "--output", "OUT", "--min_votes", "two"], "invalid int value: 'two'"),
        (["iemocap", "DATA", "--output", "OUT"], "no Session1 to Session5 in it"),
        (["iemocap", "DATA/none", "--output", "OUT"], "no such folder"),
        (["iemocap", "DATA"], "the following arguments are required: --output"),
        ([], "required: CORPUS"),
    ],
)
def test_what_cannot_be_used_is_an_error_of_status_2_without_a_traceback(tmp_path, capsys, arguments, message):
    arguments = [argument.replace("DATA", str(tmp_path)).replace("OUT", str(tmp_path / "out")) for argument in arguments]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert not (tmp_path / "out").exists()


def test_the_help_of_a_corpus_names_its_options(capsys):
    with pytest.raises(SystemExit) as left:
        main(["vote_table", "--help"])
    assert left.value.code == 0
    assert "--folds" in capsys.readouterr().out
