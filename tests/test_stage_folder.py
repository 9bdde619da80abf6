"""The folder of a stage: where it lies, what is in it, and what of it can be read again."""

import json
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
import torch
from summaries import SUMMARY

from mlee_sb.errors import InputError
from mlee_sb.evaluation.predictions import read_predictions
from mlee_sb.stage_folder import (
    IDENTITY,
    LONGEST_VARIANT,
    USES,
    StageFolder,
    above_rows,
    folders_below,
    key_of,
    row_name,
    stage_place,
    variant_of,
)

TEST = pd.DataFrame(
    {"ID": ["007", "b"], "speaker": ["x", "x"], "dominant": ["neu", ""], "votes_neu": [2, 1], "votes_hap": [1, 1], "votes_oth": [0, 3]}
).assign(exist_neu=[1, 1], exist_hap=[1, 1])


@pytest.fixture
def stage(tmp_path):
    return StageFolder(tmp_path / "stage")


def test_a_stage_lies_below_its_corpus_by_row_variant_train_set_seed_and_fold(tmp_path):
    place = stage_place(tmp_path, "iemocap", "mlee", "lr=0.1", "all", seed=2, fold=3)
    assert place == tmp_path / "iemocap/mlee@lr=0.1/all/seed2/fold3"
    assert above_rows(place) == tmp_path / "iemocap"
    assert stage_place(tmp_path, "iemocap", "mlee", "", "all", 2, 3) == tmp_path / "iemocap/mlee/all/seed2/fold3"


def test_the_names_of_its_files_are_those_of_the_contract(stage):
    names = {name: str(getattr(stage, name).relative_to(stage.path)) for name in ("predictions", "scores", "train_log", "model", "config")}
    assert names == {
        **{"predictions": "predictions.csv", "scores": "scores.json", "train_log": "train_log.txt"},
        **{"model": "model", "config": "model/config.json"},
    }
    assert stage.summary == stage.path / "save/summary.json" and stage.hyperparams == stage.path / "hyperparams.yaml"


# Key and variant


def test_a_key_follows_from_what_is_in_an_identity_and_not_from_its_order():
    one, other = {"lr": 0.1, "speeds": [0.9, 1.0]}, {"speeds": [0.9, 1.0], "lr": 0.1}
    assert key_of(one) == key_of(other) and len(key_of(one)) == 64
    assert len({key_of(identity) for identity in (one, {**one, "lr": 0.2}, {**one, "speeds": [1.0, 0.9]}, {**one, "seed": 1})}) == 4


def test_a_key_is_that_of_version_0_2_0():
    """Stages that it trained hold the keys of those that they froze."""
    assert key_of({"row": "mlee", "lr": 0.0002}) == "4694b05ddd63123ebb4b23bfa0d6f7a65134f63665cf88756ed838a30df65596"


@pytest.mark.parametrize(
    ("changed", "variant"),
    [
        ({}, ""),
        ({"lr": 0.001}, "lr=0.001"),
        ({"lr": 1e-7}, "lr=1e-07"),
        ({"mlee.lr": 0.1, "batch_size": 8}, "batch_size=8,mlee.lr=0.1"),
        ({"speeds": [0.9, 1.0]}, "speeds=0.9_1.0"),
        ({"speeds": (1.0,)}, "speeds=1.0"),
        ({"class_weights": False, "loss_mean": "weighted"}, "class_weights=False,loss_mean=weighted"),
    ],
)
def test_a_variant_tells_the_settings_that_differ_in_the_order_of_their_names(changed, variant):
    assert variant_of(changed) == variant
    assert variant_of(dict(reversed(changed.items()))) == variant


@pytest.mark.parametrize("value", ["../../evil", "a/b", "a b", "a,b=c", "a@b", "\x1b[2J", "", "x" * 200, {"a": 1}, [["a", "b/c"]]])
def test_a_value_with_odd_characters_makes_a_name_of_one_folder(value, tmp_path):
    variant = variant_of({"opt_class": value})
    name = row_name("mlee", variant)
    assert (tmp_path / name).parent == tmp_path and name.isprintable() and name.count("@") == 1
    assert variant.startswith("opt_class=") and len(variant) <= LONGEST_VARIANT and variant.count("=") == 1


def test_other_values_have_other_variants_also_where_they_are_too_long_to_be_shown():
    values = ["a/b", "a/c", "x" * 200, "x" * 201]
    assert len({variant_of({"lr": value}) for value in values}) == len(values)
    many = {f"a_setting_with_a_long_name_{n}": 0.1 for n in range(9)}
    long, other = variant_of(many), variant_of({**many, "a_setting_with_a_long_name_8": 0.2})
    assert long != other and len(long) <= LONGEST_VARIANT and len(other) <= LONGEST_VARIANT
    assert long.startswith("a_setting_with_a_long_name_0=0.1,")


# Summary


def test_a_summary_is_read_as_it_was_written(stage):
    stage.write_summary(SUMMARY)
    assert stage.read_summary() == SUMMARY


def test_a_summary_of_version_0_2_0_is_read_with_the_target_of_its_identity(stage):
    before = asdict(SUMMARY)
    for name in ("variant", "target", "output"):
        del before[name]
    stage.save.mkdir(parents=True)
    stage.summary.write_text(json.dumps(before))
    for target, output in (("hard", "softmax"), ("soft", "softmax"), ("existence", "sigmoid")):
        stage.write_identity({"target": target})
        assert stage.read_summary() == replace(SUMMARY, variant="", target=target, output=output)


def test_a_summary_without_a_target_is_refused_where_no_identity_tells_it(stage):
    before = {name: value for name, value in asdict(SUMMARY).items() if name not in ("target", "output")}
    stage.save.mkdir(parents=True)
    stage.summary.write_text(json.dumps(before))
    with pytest.raises(InputError, match="identity.json"):
        stage.read_summary()
    stage.write_identity({"lr": 0.1})
    with pytest.raises(InputError, match=r"summary.json: damaged \(target is null: .*\): train the stage again"):
        stage.read_summary()


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '"mlee"', "\xff"])
def test_a_summary_that_is_no_json_by_name_is_refused(stage, content):
    stage.save.mkdir(parents=True)
    stage.summary.write_text(content, encoding="latin-1")
    with pytest.raises(InputError, match=r"summary.json: .*train the stage again"):
        stage.read_summary()


@pytest.mark.parametrize("missing", ["row", "train_set", "fold", "seed", "corpus", "demo", "protocol_hash", "losses"])
def test_a_summary_without_an_entry_that_every_version_wrote_names_it(stage, missing):
    stage.write_summary(SUMMARY)
    stage.summary.write_text(json.dumps({name: value for name, value in asdict(SUMMARY).items() if name != missing}))
    with pytest.raises(InputError, match=f"summary.json: {missing} is missing: train the stage again"):
        stage.read_summary()


@pytest.mark.parametrize(
    "changes", [{"fold": "3"}, {"fold": True}, {"fold": None}, {"row": 1}, {"demo": 0}, {"losses": []}, {"seconds": "1"}, {"target": 5}]
)
def test_a_summary_with_an_entry_of_another_kind_names_it_and_its_value(stage, changes):
    stage.write_summary(SUMMARY)
    stage.summary.write_text(json.dumps({**asdict(SUMMARY), **changes}))
    ((name, value),) = changes.items()
    with pytest.raises(InputError) as raised:
        stage.read_summary()
    assert f"summary.json: damaged ({name} is {json.dumps(value)}: " in str(raised.value) and "train the stage again" in str(raised.value)


def test_whole_seconds_are_seconds(stage):
    stage.write_summary(replace(SUMMARY, seconds=2))
    assert stage.read_summary().seconds == 2


# What else lies in it


def test_stages_are_found_by_their_summaries_or_by_what_was_begun(tmp_path):
    finished, begun = (StageFolder(tmp_path / f"corpus/{row}/all/seed1/fold1") for row in ("a", "b"))
    for stage in (finished, begun):
        stage.write_identity({})
    finished.write_summary(SUMMARY)
    assert folders_below(tmp_path) == [finished]
    assert folders_below(tmp_path, IDENTITY) == [finished, begun]


def test_what_a_killed_run_left_holds_no_stage(tmp_path):
    StageFolder(tmp_path / ".all.host.1.partial/seed1/fold1").write_summary(SUMMARY)
    assert folders_below(tmp_path) == []


def test_a_checkpoint_alone_is_something_that_was_begun(stage):
    assert not stage.begun and stage.weights is None
    (stage.save / "CKPT+000001").mkdir(parents=True)
    assert stage.begun


def test_predictions_are_read_to_the_bit_with_target_and_output_in_each_row(stage):
    stage.path.mkdir()
    probabilities = torch.rand(2, 2, generator=torch.Generator().manual_seed(0)).numpy()
    existence = np.array([[0.25, 1 / 3], [1e-9, 1.0]], dtype=np.float32)
    stage.write_predictions(TEST, ["neu", "hap"], "sure", "softmax", probabilities, existence)
    frame = read_predictions(stage.predictions)
    assert frame["ID"].tolist() == ["007", "b"] and frame["dominant"].tolist() == ["neu", ""]
    assert set(frame["target"]) == {"sure"} and set(frame["output"]) == {"softmax"}
    assert frame["votes_oth"].tolist() == [0, 3]
    assert (frame[["p_neu", "p_hap"]].to_numpy(dtype=np.float32) == probabilities).all()
    assert (stage.read_existence(["neu", "hap"]).astype(np.float32) == existence).all()


def test_predictions_of_a_stage_that_does_not_know_existence_tell_none(stage):
    stage.path.mkdir()
    stage.write_predictions(TEST, ["neu", "hap"], "hard", "softmax", np.full((2, 2), 0.5))
    assert not [name for name in read_predictions(stage.predictions) if name.startswith("e_")]


@pytest.mark.parametrize("use", USES)
def test_uses_of_utterances_are_noted_one_file_each(stage, use):
    stage.note_use(use, ["b", "007"])
    assert stage.used(use).read_text() == "ID\nb\n007\n"


def test_an_unknown_use_is_answered_with_the_nearest(stage):
    with pytest.raises(InputError, match="unknown use 'trainng': did you mean 'training'"):
        stage.note_use("trainng", [])


def test_encoders_and_the_data_folder_are_read_as_they_were_noted(stage, tmp_path):
    assert stage.noted_encoders() == {} and stage.noted_data_folder() is None
    stage.note_encoders({"mlee": "12"})
    stage.note_data_folder(tmp_path / "there/..")
    assert stage.noted_encoders() == {"mlee": "12"} and stage.noted_data_folder() == tmp_path.resolve()


@pytest.mark.parametrize("content", ['{"data_folder": ""}', '{"data_folder": 1}', "{}", "["])
def test_a_damaged_note_of_the_data_folder_names_the_flag_that_helps(stage, content):
    stage.save.mkdir(parents=True)
    (stage.save / "data_folder.json").write_text(content)
    with pytest.raises(InputError, match="data_folder.json: .*give --data_folder"):
        stage.noted_data_folder()
