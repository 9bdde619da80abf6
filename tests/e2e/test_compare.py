"""`mlee compare`: what is planned, and what is declared before anything is trained. tests/e2e/test_readme.py trains and reports."""

import json
from unittest.mock import Mock

import pytest
from upstreams import write_upstream

from mlee_sb.evaluation.declared import COMPARISONS, Pair, find_declarations
from mlee_sb.experiment import many_stages
from mlee_sb.experiment.compare import main
from mlee_sb.training.sweeps.sweep import FAILED, Outcome

from .conftest import of_tones

OWN = "the file of the fixture"
ROWS = ["--rows", "dominant", "pretrain:first=kld"]


def planned(capsys, *words: str) -> list[dict]:
    assert main([*words, "--dry-run", "--json"]) == 0
    return json.loads(capsys.readouterr().out)["stages"]


@pytest.fixture
def own(tmp_path):
    """A comparison file of two rows."""
    file = tmp_path / "own.yaml"
    file.write_text("rows: [dominant, kld]\nbaseline: dominant_soft\nsettings: {class_frequency: dominant, seeds: [4], folds: [2]}\n")
    return str(file)


@pytest.fixture
def unchecked(monkeypatch):
    """A plan without the checks of encoders and data, which tests of training make."""
    monkeypatch.setattr(many_stages, "check_stages", lambda stages: None)


def test_rows_with_settings_and_encoders_are_planned_each_stage_once_and_nothing_is_declared(own, tones, tmp_path, capsys, unchecked):
    encoders = ["paper", f"pretrained:upstream={write_upstream(tmp_path / 'whisper', 'whisper')}"]
    stages = planned(capsys, own, *ROWS, *of_tones(tones, tmp_path), "--class_frequency", "targets", "--encoders", *encoders)
    rows = [stage["row"] for stage in stages]
    assert rows[:3] == ["dominant_soft", "kld", "pretrain_kld_soft"] and len({stage["folder"] for stage in stages}) == len(rows) == 6
    assert all("encoder=pretrained" in row and "upstream=" in row for row in rows[3:]) and not list(tmp_path.rglob(COMPARISONS))


def test_a_setting_in_the_file_is_that_of_every_row_until_it_is_given(own, tones, tmp_path, capsys, unchecked):
    by_file, given = (planned(capsys, own, *of_tones(tones, tmp_path), *more) for more in ([], ["--class_frequency", "targets"]))
    assert [stage["row"] for stage in by_file] == ["dominant_soft@class_frequency=dominant", "kld@class_frequency=dominant"]
    assert [stage["row"] for stage in given] == ["dominant_soft", "kld"] and {(s["seed"], s["fold"]) for s in given} == {(4, 2)}


def test_what_is_claimed_is_written_before_anything_is_trained_and_what_is_claimed_later_beside_it(
    own, tones, tmp_path, monkeypatch, unchecked
):
    words = [own, *of_tones(tones, tmp_path), "--class_frequency", "targets", "--jobs", "1"]
    results, seen = tmp_path / "tones", []

    def trains_nothing(stages, *rest):
        seen.append(find_declarations(results)[-1])
        return [Outcome(stage, FAILED, "no training here") for stage in stages]

    report = Mock(return_value=results / "report.html")
    monkeypatch.setattr(many_stages, "sweep", trains_nothing)
    monkeypatch.setattr(many_stages, "make_report", report)
    assert main(words) == 1 and report.call_args.kwargs["comparison"] == "own"
    assert seen[0].pairs == (Pair("kld", "all", "dominant_soft", "all"),)
    assert (seen[0].primary, seen[0].finished, seen[0].stages) == ("ua", 0, 2)

    monkeypatch.setattr(many_stages, "done", lambda stage: True)
    assert main(words) == 1 and seen[1] == seen[0], "the same command goes on"
    assert main([*words, "--primary", "macro-F1"]) == 1
    assert find_declarations(results) == [seen[0], seen[2]] and (seen[2].primary, seen[2].finished) == ("macro_f1", 2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["disagreemnet"], "unknown comparison 'disagreemnet': did you mean 'disagreement'"),
        (["my/own.yaml"], "my/own.yaml: no such hparams file"),
        ([], "no comparison was given: give one first: "),
        ([OWN, "--encoder", "paper", "--encoders", "paper"], "give one of both"),
        ([OWN, "--primary", "UUA"], "unknown primary score 'UUA'"),
        ([OWN, "--kdl.lr", "1"], "did you mean --kld.lr"),
        ([OWN, "--targets", "sfot"], "did you mean 'soft'"),
        (["emo_superb_crema_d"], "emo_superb_crema_d.yaml is about crema_d, whose division it sets: leave --corpus out"),
    ],
)
def test_a_wrong_word_is_answered_before_training(own, tones, tmp_path, capsys, words, said):
    words = [own if word == OWN else word for word in words]
    assert main([*words, *of_tones(tones, tmp_path)]) == 2
    assert said in capsys.readouterr().err and not list(tmp_path.rglob("save"))
