"""A stage is finished where its files are those that training wrote."""

import pytest
from damages import empty, gone, half, zeros

from mlee_sb.stage_folder import StageFolder, Summary
from mlee_sb.whole_stage import damaged_file, holds, note_files

SUMMARY = Summary(
    **{"row": "mlee", "variant": "", "train_set": "all", "fold": 1, "seed": 1, "corpus": "calls", "demo": False, "protocol_hash": "1"},
    **{"target": "existence", "output": "sigmoid", "class_weights": None, "losses": {}, "epochs": 1, "seconds": 1.0},
)
IDENTITY = {"row": "mlee", "lr": 0.1, "speeds": (0.9, 1.0)}


@pytest.fixture
def stage(tmp_path):
    """A finished stage, as training leaves it."""
    stage = StageFolder(tmp_path / "fold1")
    for path in (stage.predictions, stage.hyperparams, stage.config, stage.model / "model.safetensors", stage.uses / "training.csv"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"what is in {path.name}")
    stage.write_identity(IDENTITY)
    note_files(stage)
    stage.write_summary(SUMMARY)
    return stage


FILES = (
    "predictions.csv",
    "save/summary.json",
    "save/identity.json",
    "save/used/training.csv",
    "model/config.json",
    "model/model.safetensors",
)


@pytest.mark.parametrize("damage", [empty, half, zeros, gone])
@pytest.mark.parametrize("file", FILES)
def test_a_file_that_is_not_as_training_wrote_it_is_found(stage, file, damage):
    assert damaged_file(stage) is None
    damage(stage.path / file)
    assert damaged_file(stage) == stage.path / file


def test_what_is_written_after_training_is_no_damage(stage):
    stage.scores.write_text("{}")
    stage.bundle_scores.write_text("{}")
    (stage.model / "README.md").write_text("# a card")
    assert damaged_file(stage) is None


@pytest.mark.parametrize("damage", [empty, half, zeros])
def test_notes_that_are_damaged_do_not_pass_for_those_of_an_earlier_version(stage, damage):
    damage(stage.digests)
    assert damaged_file(stage) == stage.digests


@pytest.mark.parametrize("damage", [empty, half, gone])
@pytest.mark.parametrize("file", ["predictions.csv", "save/summary.json", "model/model.safetensors"])
def test_of_an_earlier_version_what_is_missing_or_empty_is_found(stage, file, damage):
    stage.digests.unlink()
    assert damaged_file(stage) is None
    damage(stage.path / file)
    found = damaged_file(stage)
    assert found == stage.path / file or damage is half and file != "save/summary.json"


def test_which_stage_it_is_is_known_also_where_the_identity_is_damaged(stage):
    empty(stage.identity)
    assert holds(stage, IDENTITY) and not holds(stage, IDENTITY | {"lr": 0.2})
    empty(stage.digests)
    assert not holds(stage, IDENTITY)
