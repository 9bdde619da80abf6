"""A model from a stranger, with an upstream that is a trap: whatever is said of it, it is refused, and takes no memory."""

import json
from pathlib import Path

import pytest
from bundles import copy_of, write_bundle
from pretrained_bundles import encoder_on, fusion_on
from upstreams import write_upstream

from mlee_sb import EmotionClassifier
from mlee_sb.errors import InputError
from mlee_sb.files import write_json
from mlee_sb.inference.hub import Place
from mlee_sb.inference.model_facts import facts
from mlee_sb.inference.publish import self_contained_bundle
from mlee_sb.inference.source import load_at
from mlee_sb.models.config import read_config
from mlee_sb.models.upstreams import find

SHA = "0" * 64


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """By name a model that refers to an upstream, and one that carries it; the folder of the upstream is known here."""
    home = tmp_path_factory.mktemp("hostile")
    upstream = write_upstream(home / "tiny", "whisper")
    referring = write_bundle(home / "referring", fusion_on(encoder_on(upstream)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(find.FOLDERS, str(home))
        place = Place(referring, referring)
        self_contained_bundle(place, load_at(place), home / "carrying")
        yield {"referring": referring, "carrying": home / "carrying"}


def spoilt(made, name, tmp_path, change) -> Path:
    """A copy of a model whose upstream was changed."""
    folder = copy_of(made[name], tmp_path / "spoilt")
    config = json.loads((folder / "config.json").read_text())
    change(config["upstreams"][0])
    write_json(folder / "config.json", config)
    return folder


def setting(*path):
    """Set an entry, below others, to the last of `path`."""
    *above, name, value = path

    def change(entry):
        for key in above:
            entry = entry[key]
        entry[name] = value

    return change


@pytest.mark.parametrize("name", ["referring", "carrying"])
def test_the_models_are_right_before_they_are_changed(made, name, tmp_path):
    folder = spoilt(made, name, tmp_path, lambda upstream: None)
    assert EmotionClassifier.from_hparams(folder).emotions


WRONG_EVERYWHERE = [
    ("n_layers", 2**40),
    ("n_layers", True),
    ("size", 15),
    ("sample_rate", 8000),
    ("min_samples", 2**40),
    ("step_seconds", 0.03),
    ("licence", "\x1b[31m"),
    ("config", []),
    ("config", {"model_type": "bert"}),
    ("config", "model_type", ["whisper"]),
    ("config", "d_model", 2**31),
    ("config", "encoder_layers", 2**20),
    ("config", "activation_function", "system"),
    ("config", "surprise", 1),
    ("config", "auto_map", {"AutoModel": "evil.Model"}),
    ("processor", "n_fft", 2**18),
    ("processor", "sampling_rate", 0),
    ("processor", {"a": [[[[[[1]]]]]]}),
    ("weights", "there"),
    ("surprise", 1),
]


MANY = {f"model-{number}.safetensors": SHA for number in range(5000)}
WRONG_FILES = [
    ("name", "../../etc"),
    ("name", "/etc"),
    ("name", "me/" + "x" * 200),
    ("name", 7),
    ("commit", "main"),
    ("commit", "../" * 14),
    ("files", {}),
    ("files", MANY),
    ("files", {"../model.safetensors": SHA}),
    ("files", {"model.safetensors": "0"}),
    ("files", ["model.safetensors"]),
]


def as_text(path) -> str:
    return ".".join(ascii(part)[:20] for part in path)


@pytest.mark.parametrize("name", ["referring", "carrying"])
@pytest.mark.parametrize("path", WRONG_EVERYWHERE, ids=as_text)
def test_a_wrong_description_is_refused(made, name, path, tmp_path, little_memory):
    with pytest.raises(InputError, match="config.json|upstream tiny"):
        EmotionClassifier.from_hparams(spoilt(made, name, tmp_path, setting(*path)))


@pytest.mark.parametrize(("name", "entry"), [("referring", "weights"), ("carrying", "origin")])
@pytest.mark.parametrize("path", WRONG_FILES, ids=as_text)
def test_wrong_files_are_refused_before_anything_is_looked_for(made, name, entry, path, tmp_path, monkeypatch, little_memory):
    monkeypatch.setattr(find, "_candidates", None)
    folder = spoilt(made, name, tmp_path, setting(entry, *path))
    for read in (EmotionClassifier.from_hparams, read_config):
        with pytest.raises(InputError, match=r"config.json"):
            read(folder)


def test_an_upstream_that_is_not_there_or_of_no_hub_is_refused(made, tmp_path, monkeypatch):
    monkeypatch.delenv(find.FOLDERS)
    for number, change in enumerate(
        [setting("weights", "name", "x"), setting("weights", {"name": "a--b/c", "commit": "0" * 40, "files": {"x": SHA}})]
    ):
        with pytest.raises(InputError, match="set MLEE_UPSTREAMS to the folder"):
            EmotionClassifier.from_hparams(spoilt(made, "referring", tmp_path / str(number), change))


def test_weights_that_a_model_says_it_carries_must_be_there_and_no_others(made, tmp_path):
    for name, change in (("referring", {"weights": "here"}), ("carrying", {"n_layers": 2})):
        folder = spoilt(made, name, tmp_path / name, lambda upstream, change=change: upstream.update(change))
        with pytest.raises(InputError, match=r"origin stands with|another n_layers than is said"):
            EmotionClassifier.from_hparams(folder)
    folder = spoilt(made, "referring", tmp_path / "none", lambda upstream: upstream.update(weights="here", origin=upstream["weights"]))
    with pytest.raises(InputError, match=r"upstreams\.0\..* is missing"):
        EmotionClassifier.from_hparams(folder)


def test_what_a_stranger_says_of_layers_is_told_or_left_out_and_stops_nobody(made, tmp_path):
    folder = copy_of(made["referring"], tmp_path / "spoilt")
    config = json.loads((folder / "config.json").read_text())
    for layers, learned in (("all", "x"), ([[1], "\x1b[31m"], -1), (None, [2]), ({"a": 1}, True)):
        config["encoders"][0]["settings"] |= {"layers": layers, "learn_layers": learned}
        write_json(folder / "config.json", config)
        assert "hidden states all, frozen" in facts(Place(folder, folder))["upstream"]
