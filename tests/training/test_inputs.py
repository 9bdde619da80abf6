"""Which utterances a stage learns from, and what is refused before it begins."""

import re

import numpy as np
import pytest
import torch

from mlee_sb.errors import InputError
from mlee_sb.training.inputs import stage_inputs

from .conftest import VOTES, prepared, stage_on


def names(frame) -> list[str]:
    return sorted(frame["ID"])


@pytest.mark.parametrize(
    ("hparams", "settings", "of_a_speaker"),
    [
        ("mlee", {"train_set": "all"}, [0, 1, 2, 3, 4, 5]),
        ("mlee", {"train_set": "dominant"}, [0, 1, 2, 3]),
        ("dominant", {"target": "soft", "train_set": "all"}, [0, 1, 2, 3, 4]),
        ("dominant", {"target": "soft", "train_set": "dominant"}, [0, 1, 2, 3]),
        ("dominant", {"target": "hard"}, [0, 1, 2, 3]),
    ],
)
def test_a_stage_learns_from_what_its_target_and_train_set_can_use(stage, hparams, settings, of_a_speaker):
    found = stage_inputs(stage(hparams, **settings))
    assert names(found.train) == [f"{s}{i}" for s in "cd" for i in of_a_speaker]
    assert names(found.valid) == [f"b{i}" for i in of_a_speaker]
    assert names(found.test) == [f"a{i}" for i in range(len(VOTES))], "every test utterance is predicted"


def test_labels_are_those_of_the_target_of_the_row(stage):
    found = stage_inputs(stage("mlee"))
    exists = dict(zip(found.train["ID"], found.train_labels.tolist(), strict=True))
    assert (exists["c0"], exists["c2"], exists["c5"]) == ([1, 0], [1, 1], [0, 0])


def test_class_weights_know_nothing_of_validation_and_test_speakers(data, stage):
    mine = stage_inputs(stage("dominant", target="hard")).class_weights
    skewed = ["3,0,0"] * 5 + ["0,3,0"]
    other = data({"a": skewed, "b": skewed, "c": VOTES, "d": VOTES})
    assert torch.equal(stage_inputs(stage("dominant", on=other, target="hard")).class_weights, mine)
    other = data({"a": VOTES, "b": VOTES, "c": skewed, "d": VOTES})
    assert not torch.equal(stage_inputs(stage("dominant", on=other, target="hard")).class_weights, mine)


def test_the_frequency_of_soft_targets_is_their_mass_or_that_of_dominant_emotions(data, stage):
    """Two training speakers with the six rows of `VOTES`, one of them without a vote for a target."""
    soft = [[(0.75 + neu) / (1.5 + neu + hap), (0.75 + hap) / (1.5 + neu + hap)] for neu, hap in ((3, 0), (0, 3), (2, 1), (1, 2), (1, 1))]
    mass = np.array(soft).sum(axis=0)
    np.testing.assert_allclose(stage_inputs(stage("dominant", on=data())).class_weights, 5 / (2 * mass), rtol=1e-6)
    votes = ["3,0,0", "2,1,0", "3,0,0", "0,3,0"]
    by_dominant = stage_inputs(stage("dominant", on=data(votes), class_frequency="dominant")).class_weights
    np.testing.assert_allclose(by_dominant, [8 / (2 * 6), 8 / (2 * 2)], rtol=1e-6)


def test_without_class_weights_every_class_counts_the_same(data, stage):
    on = data(["3,0,0", "3,0,0", "0,3,0", "0,0,3"])
    assert stage_inputs(stage("mlee", on=on)).class_weights.tolist() != [[1, 1], [1, 1]]
    assert stage_inputs(stage("mlee", on=on, class_weights=False)).class_weights.tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize(
    ("hparams", "settings", "votes", "message"),
    [
        ("dominant", {"target": "hard"}, ["3,0,0", "2,1,0"], "fold 1 of .*no training example of 'hap'"),
        ("dominant", {"target": "soft"}, ["3,0,0", "2,0,1"], "fold 1 of .*nobody heard 'hap'"),
        ("mlee", {}, ["3,0,0", "0,0,3"], "fold 1 of .*nobody heard 'hap'"),
        ("mlee", {}, ["3,0,0", "2,1,0"], "no training example without 'neu'"),
    ],
)
def test_an_emotion_without_a_training_example_is_named_with_its_fold(data, stage, hparams, settings, votes, message):
    on = data({"a": VOTES, "b": VOTES, "c": votes, "d": votes})
    with pytest.raises(InputError, match=message):
        stage_inputs(stage(hparams, on=on, **settings))


@pytest.mark.parametrize(("speakers", "words"), [("b", "validation"), ("cd", "training")])
def test_a_set_without_a_usable_utterance_is_named(data, stage, speakers, words):
    on = data({s: ["0,0,3", "1,1,1"] if s in speakers else VOTES for s in "abcd"})
    with pytest.raises(InputError, match=f"the {words} set has no usable utterance .*train_set dominant.*choose other --emotions"):
        stage_inputs(stage("mlee", on=on, train_set="dominant"))


def test_a_recording_that_went_missing_is_named_before_training(data, stage):
    on = data()
    (on.data_folder / "d3.wav").unlink()
    with pytest.raises(InputError, match="d3.wav: no such file .1 are missing"):
        stage_inputs(stage("mlee", on=on))


def test_the_votes_that_an_error_asks_for_are_those_that_work(tmp_path):
    """Everybody hears some of both, so that with one vote each emotion exists always."""
    votes = ["2,1,0", "1,2,0"]
    with pytest.raises(InputError, match="no training example without 'neu'") as raised:
        stage_inputs(stage_on(prepared(tmp_path / "one", votes), tmp_path / "results", "mlee"))
    (flag,) = re.findall(r"give --min_votes (\d+)", str(raised.value))
    again = prepared(tmp_path / "again", votes, min_votes=int(flag))
    found = stage_inputs(stage_on(again, tmp_path / "results", "mlee", min_votes=int(flag)))
    assert set(found.train_labels.flatten().tolist()) == {0, 1}


def test_where_no_number_of_votes_would_help_an_emotion_is_left_out(data, stage):
    on = data(["3,0,0", "3,3,0"])
    with pytest.raises(InputError, match="no training example without 'neu': leave 'neu' out of --emotions"):
        stage_inputs(stage("mlee", on=on))
