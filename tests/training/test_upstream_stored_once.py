"""What does not learn is stored once: no file of a stage holds it, and it stays the one that was used first."""

import pytest
from safetensors.torch import load_file
from upstreams import put_on_hub, write_upstream

from mlee_sb.evaluation.scores import score_folder
from mlee_sb.models.upstreams import find
from mlee_sb.stage_folder import StageFolder
from mlee_sb.training.run import run

NAME = "me/tiny-whisper"
QUICK = {"max_epochs": 1, "encoder": "pretrained", "upstream": NAME}


pytestmark = pytest.mark.usefixtures("no_upstream_is_remembered")


@pytest.fixture
def upstream(hub, tmp_path):
    """The folder of an upstream that is on the hub, too."""
    folder = write_upstream(tmp_path / "tiny", "whisper")
    put_on_hub(hub, folder, NAME)
    return folder


def trained(stage):
    run(stage, "cpu", score_folder, say=lambda line: None)
    return stage


@pytest.mark.parametrize("learn_layers", [0, 1])
def test_no_file_of_a_stage_holds_layers_that_do_not_learn(upstream, stage, monkeypatch, learn_layers):
    monkeypatch.setattr(StageFolder, "remove_checkpoints", lambda self: None)  # which are there while a stage is trained
    made = trained(stage("mlee", **QUICK, learn_layers=learn_layers))
    weights = load_file(upstream / "model.safetensors")
    large = {name: tensor for name, tensor in weights.items() if tensor.numel() > 200 and ".layers.2." not in name}
    pieces = [kind.numpy().tobytes() for tensor in large.values() for kind in (tensor, tensor.half())]

    def holds(file) -> bool:
        content = file.read_bytes()
        return any(piece in content for piece in pieces)

    assert holds(upstream / "model.safetensors")
    files = [file for file in made.folder.rglob("*") if file.is_file()]
    kinds = {file.name for file in files}
    assert {"encoder.ckpt", "model.safetensors", "embedding_model.ckpt", "classifier.ckpt"} <= kinds
    assert learn_layers or "group1.safetensors" in kinds, "an inner model"
    assert [file for file in files if holds(file)] == []


def test_a_stage_keeps_the_commit_that_it_began_with_though_main_has_moved(hub, upstream, stage, data, tmp_path):
    on = data()
    made = trained(stage("mlee", on, **QUICK))
    put_on_hub(hub, write_upstream(tmp_path / "newer", "whisper", d_model=24), NAME)
    find._FOUND.clear()
    again = stage("mlee", on, **QUICK)
    assert again.key == made.key and again.scored
    assert again.upstream.described.weights.commit == hub.repositories[NAME].commits[0][0]
    assert stage("mlee", on, **{**QUICK, "upstream": f"{NAME}@{hub.repositories[NAME].commits[1][0]}"}).key != made.key
