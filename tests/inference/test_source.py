"""What a person may name as a model."""

import json
import shutil

import pytest
import torch
from bundles import EMOTIONS, copy_of

from mlee_sb import EmotionClassifier
from mlee_sb.errors import InputError
from mlee_sb.inference.source import find


def test_a_bundle_or_the_stage_above_it(bundle, tmp_path):
    stage = tmp_path / "stage"
    copy_of(bundle, stage / "model")
    for source in (stage, stage / "model", str(stage)):
        assert EmotionClassifier.from_hparams(source).emotions == EMOTIONS


@pytest.mark.parametrize("source", ["nowhere", "no where", "./a/b/c", "a/b/c", "-", ""])
def test_what_is_neither_a_folder_nor_a_name_is_refused(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no such folder|no config.json"):
        EmotionClassifier.from_hparams(source)


def test_with_trust_a_model_that_only_speechbrain_can_build_is_used_and_says_what_speechbrain_says(bundle, tmp_path, hello):
    theirs = copy_of(bundle, tmp_path / "theirs")
    (theirs / "config.json").unlink()
    classifier = EmotionClassifier.from_hparams(theirs, trust_remote_code=True)
    ours = EmotionClassifier.from_hparams(bundle)
    torch.testing.assert_close(classifier.classify_file(hello)[0], ours.classify_file(hello)[0])
    said = classifier.predict(hello)
    assert said.presence is None and said.candidates is None and list(said.posterior) == EMOTIONS
    with pytest.raises(InputError, match="gives no embeddings"):
        classifier.encode_batch(torch.randn(9000))


def test_with_trust_an_architecture_that_is_not_registered_is_built_by_its_yaml(bundle, tmp_path, hello):
    theirs = copy_of(bundle, tmp_path / "theirs")
    found = json.loads((theirs / "config.json").read_text())
    found["encoders"][0]["name"] = "wonder_net"
    (theirs / "config.json").write_text(json.dumps(found))
    with pytest.raises(InputError, match="pip install mlee_sb"):
        EmotionClassifier.from_hparams(theirs)
    assert EmotionClassifier.from_hparams(theirs, trust_remote_code=True).predict(hello).posterior


def test_with_trust_and_without_a_yaml_nothing_can_be_built(bundle, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    shutil.copy(bundle / "model.safetensors", theirs)
    with pytest.raises(InputError, match=r"no hyperparams.yaml"):
        EmotionClassifier.from_hparams(theirs, trust_remote_code=True)


def test_a_device_that_is_not_there_is_refused(bundle):
    with pytest.raises(InputError, match="cuda:7"):
        EmotionClassifier.from_hparams(bundle, run_opts={"device": "cuda:7"})


def test_an_onnx_file_is_not_looked_for_on_the_hub_though_its_path_could_be_a_name_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models/mine.onnx").write_bytes(b"")
    with pytest.raises(InputError, match="models/mine.onnx: an ONNX file"):
        find("models/mine.onnx")
