"""`mlee` and training, as a person types it: train, cross-validate, compare, table3, prepare, hparams, demo, --version."""

import json
import re
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest
from bundles import write_bundle, write_speech
from releases import write_table, write_wav

import mlee_sb
from mlee_sb.cli.app import main
from mlee_sb.errors import InputError
from mlee_sb.experiment import demo_run
from mlee_sb.experiment.arguments import RESULTS
from mlee_sb.experiment.train import Trained

ROOT = Path(__file__).resolve().parents[2]
VOTES = "wav,speaker,votes_neu,votes_hap,votes_other\n" + "".join(
    f"{s}{i}.wav,{s},{3 * (i % 2)},{3 - 3 * (i % 2)},0\n" for s in "abc" for i in range(2)
)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    folder = write_table(tmp_path_factory.mktemp("train") / "release", VOTES)
    for speaker in "abc":
        for i in range(2):
            write_wav(folder / f"{speaker}{i}.wav")
    return folder


@pytest.fixture
def of_release(release, tmp_path):
    return ["--corpus", "vote_table", "--data_folder", str(release), "--emotions", "neu", "hap", "--results", str(tmp_path / "results")]


@pytest.mark.parametrize(
    ("words", "stages"),
    [
        (["cross-validate", "mlee_fusion"], 9),
        (["cross-validate", "hparams/mlee.yaml", "--folds", "1", "2"], 2),
        (["table3", "--rows", "mlee", "mlee_fusion", "--targets", "soft", "--train_sets", "all"], 9),
        (["compare", "table3", "--rows", "dominant", "kld", "--targets", "soft", "--train_sets", "all", "--folds", "1"], 2),
    ],
)
def test_a_plan_is_that_of_the_recipe(of_release, words, stages, capsys):
    command, *rest = [*words, *of_release, "--dry-run", "--json"]
    recipe = ROOT / "recipes" / f"{command.replace('-', '_')}.py"
    by_recipe = subprocess.run([sys.executable, recipe, *rest], check=True, capture_output=True, text=True).stdout
    assert main([command, *rest]) == 0
    assert capsys.readouterr().out == by_recipe and len(json.loads(by_recipe)["stages"]) == stages


def test_prepare_is_the_recipe(release, tmp_path, capsys):
    assert main(["prepare", "vote_table", str(release), "--output", str(tmp_path / "out"), "--emotions", "neu", "hap"]) == 0
    assert "written to" in capsys.readouterr().out and (tmp_path / "out/protocol.json").is_file()


@pytest.mark.parametrize("command", ["train", "cross-validate", "compare", "table3", "prepare"])
def test_help_is_that_of_the_recipe_with_commands_to_type_here(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    first = {"train": ["mlee_fusion"], "cross-validate": ["mlee_fusion"], "compare": ["table3"]}.get(command, [])
    assert main([command, *first, "--help"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"usage: mlee {command} ") and f"\nmlee {command} " in said
    assert "recipes/" not in said and "--emotions" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "mlee_fusoin"], "did you mean 'mlee_fusion'"),
        (["train", "mlee_fusion", "--mlee.lrr", "1"], "did you mean --mlee.lr?"),
        (["train"], "no hparams file (.yaml) was given: give one first, or the name of a row: "),
        (["train", "my/own.yaml"], "my/own.yaml: no such hparams file"),
        (["table3", "--hparams", "nowhere"], "nowhere/dominant.yaml: no such hparams file"),
        (["cross-validate", "mlee", "--json"], "add --dry-run"),
    ],
)
def test_a_wrong_word_ends_with_2_and_a_message(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_version_is_told(capsys):
    assert main(["--version"]) == 0
    assert re.fullmatch(r"mlee_sb \d+\.\d+\.\d+\n", said := capsys.readouterr().out) and mlee_sb.__version__ in said


def test_the_hparams_are_copied_to_a_new_folder_and_found_there(of_release, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["hparams", "hparams"]) == 0
    assert "mlee train hparams/mlee_fusion.yaml" in capsys.readouterr().out
    files = {file.relative_to(ROOT): file.read_text() for file in (ROOT / "hparams").rglob("*.yaml")}
    assert {file.relative_to(tmp_path): file.read_text() for file in Path.cwd().rglob("*.yaml")} == files

    own = tmp_path / "hparams/my_row.yaml"
    own.write_text((tmp_path / "hparams/mlee.yaml").read_text().replace("row: mlee", "row: my_row"))
    assert main(["cross-validate", "my_row", *of_release, "--dry-run"]) == 0
    assert "encoder  my_row" in capsys.readouterr().out

    before = own.read_text()
    assert main(["hparams", "hparams"]) == 2
    assert "hparams: exists already" in capsys.readouterr().err and own.read_text() == before


def test_the_demo_trains_and_classifies_without_a_checkout_and_in_a_folder_of_its_own(tmp_path, capsys, monkeypatch):
    bundle, file = write_bundle(tmp_path / "model"), write_speech(tmp_path / "a.wav")
    asked = Mock(return_value=Trained({}, bundle, bundle))
    monkeypatch.setattr(demo_run, "train", asked)
    monkeypatch.setattr(demo_run, "DEMO_FOLDER", str(tmp_path))
    monkeypatch.setattr(demo_run, "TEST_SPEAKER", "a.wav")
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 0
    said = capsys.readouterr().out
    assert "DEMO" in said and str(file) in said
    assert asked.call_args.args == ("mlee_fusion",) and asked.call_args.kwargs["fold"] == 3
    assert asked.call_args.kwargs["results"] != RESULTS, "a short training would stand where the main command trains"


@pytest.mark.parametrize(
    ("error", "status", "said"), [(InputError("no voice"), 2, "error: no voice"), (KeyboardInterrupt(), 130, "stopped; the same command")]
)
def test_a_demo_that_is_refused_or_stopped_ends_as_a_training_does(error, status, said, capsys, monkeypatch):
    monkeypatch.setattr(demo_run, "train", Mock(side_effect=error))
    assert main(["demo"]) == status
    assert said in capsys.readouterr().err
