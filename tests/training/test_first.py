"""Rows whose first task is any other row: `pretrain` and `fusion`."""

import shutil

import pytest
from pages import blocks

from mlee_sb.errors import InputError
from mlee_sb.experiment.arguments import make_parser, parse_row
from mlee_sb.stage_folder import REQUIRED
from mlee_sb.training.settings import overridable, read_settings
from mlee_sb.training.stage import make_stage, plan

from .conftest import EMOTIONS

PRETRAIN, FUSION = "hparams/pretrain.yaml", "hparams/fusion.yaml"


@pytest.mark.parametrize(("file", "row"), [("pretrain", "pretrain_jsd_hard"), ("fusion", "fusion_jsd_hard")])
def test_the_first_row_is_trained_first_and_names_the_row(stage, file, row):
    parts = plan(stage(file, first="jsd", target="hard"))
    assert [part.row for part in parts] == ["jsd", *(["dominant_hard"] if file == "fusion" else []), row]
    assert parts[0].key == stage("jsd").key


def without(identity, *names):
    """An identity without some entries; what is required comes under its number, not its name."""
    kept = {name: value for name, value in identity.items() if name not in names and not name.startswith(REQUIRED)}
    return kept, [value for name, value in identity.items() if name.startswith(REQUIRED)]


@pytest.mark.parametrize(("own", "papers"), [("pretrain", "mlee_pretrain"), ("fusion", "mlee_fusion")])
@pytest.mark.parametrize("target", ["hard", "soft"])
def test_with_mlee_first_it_is_the_papers_row_under_another_name(stage, own, papers, target):
    """The name draws other random numbers, and nothing else differs."""
    ours, theirs = stage(own, first="mlee", target=target), stage(papers, target=target)
    assert without(ours.identity, "row", "first") == without(theirs.identity, "row")
    assert ours.random_seed != theirs.random_seed


def test_a_setting_of_the_first_stage_is_written_with_its_place(stage):
    _, overrides = parse_row(make_parser("", None), ["pretrain", "--first", "mlee", "--first.full_votes", "5", "--first.lr", "0.1"])
    assert overrides == {"first": "mlee", "requires": {"first": {"full_votes": 5, "lr": 0.1}}}
    made = stage("pretrain", **overrides)
    assert made.row == "pretrain_mlee_soft@first.full_votes=5,first.lr=0.1" and made.requires["first"].settings["full_votes"] == 5
    assert overridable(PRETRAIN)["first.lr"][0] == 5e-4 and overridable(PRETRAIN, {"first": "mlee"})["first.lr"][0] == 2e-4
    assert "first.full_votes" not in overridable(PRETRAIN, {"first": "jsd"})


def test_an_encoder_is_passed_on_to_the_first_row():
    found = read_settings(FUSION, {"first": "jsd", "encoder": "pretrained", "upstream": "some/model"})
    assert {name: (part["encoder"], part["upstream"]) for name, part in found["requires"].items()} == {
        "first": ("pretrained", "some/model"),
        "dominant": ("pretrained", "some/model"),
    }


@pytest.mark.parametrize(
    ("first", "message"),
    [
        ("kdl", r"unknown row for first of pretrain.yaml 'kdl': did you mean 'kld'\? \(one of: all_inclusive, .*mlee, "),
        ("base", "unknown row for first of pretrain.yaml 'base'"),
        ("../hparams/mlee", "unknown row for first of pretrain.yaml"),
        (
            "mlee_fusion",
            "first of pretrain.yaml: mlee_fusion trains no encoder, it freezes those of mlee, dominant: give a row that requires",
        ),
        ("pretrain", "first of pretrain.yaml: pretrain trains no encoder"),
    ],
)
@pytest.mark.parametrize("ask", [read_settings, overridable])
def test_a_first_row_that_cannot_be_one_is_refused(ask, first, message):
    with pytest.raises(InputError, match=message):
        ask(PRETRAIN, {"first": first})


def test_a_row_of_ones_own_may_be_the_first(tmp_path, data):
    copied = shutil.copytree("hparams", tmp_path / "my_hparams")
    (copied / "mine.yaml").write_text((copied / "mlee.yaml").read_text().replace("row: mlee", "row: mine"))
    made = make_stage(copied / "pretrain.yaml", {"first": "mine", "emotions": EMOTIONS, "fold": 1}, data(), tmp_path / "results")
    assert [part.row for part in plan(made)] == ["mine", "pretrain_mine_soft"]


def test_the_row_on_the_page_has_another_second_task(tmp_path, data):
    copied = shutil.copytree("hparams", tmp_path / "my_hparams")
    (copied / "mine.yaml").write_text(blocks("yaml", "ways.md")[0])
    made = make_stage(copied / "mine.yaml", {"emotions": EMOTIONS, "fold": 1}, data(), tmp_path / "results")
    assert [part.row for part in plan(made)] == ["mlee", "mlee_pretrain_dirichlet"] and made.target.output.knows_concentration
