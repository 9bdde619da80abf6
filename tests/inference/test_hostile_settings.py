"""A model from a stranger whose settings would take gigabytes or hours: it is refused before anything is computed."""

import json

import pytest
from bundles import copy_of

from mlee_sb import EmotionClassifier
from mlee_sb.errors import InputError
from mlee_sb.files import write_json

FRONT_END, NETWORK = ("front_end", "settings"), ("settings",)
STRIDES, KERNELS = "strides", "kernels"


@pytest.mark.parametrize(
    ("part", "changed", "words"),
    [
        (NETWORK, {STRIDES: [[2, 2], [1, 1], [1, 131072]]}, "131072.*numbers in memory, and at most 67,108,864"),
        (NETWORK, {"pool": 60}, "numbers in memory|too few"),
        (FRONT_END, {"dft_length": 65536, "max_frequency": 7999, "shift_ms": 0.0625}, "numbers in memory"),
        (FRONT_END, {"shift_ms": 0.0625}, "numbers in memory|products"),
        (FRONT_END, {"sample_rate": 10**9}, "dft_length|sample_rate"),
        (FRONT_END, {"sample_rate": 2**21, "window_ms": 0.05, "max_frequency": 400000}, "sample_rate is 2097152"),
        (FRONT_END, {"sample_rate": 16000.5}, "sample_rate is 16000.5"),
    ],
    ids=str,
)
def test_settings_that_would_take_too_much_are_refused_with_their_bound(bundle, tmp_path, little_memory, part, changed, words):
    folder = copy_of(bundle, tmp_path / "spoilt")
    config = json.loads((folder / "config.json").read_text())
    for encoder in config["encoders"]:
        node = encoder
        for name in part:
            node = node[name]
        node |= changed
    write_json(folder / "config.json", config)
    with pytest.raises(InputError, match=rf"config.json: .*({words})"):
        EmotionClassifier.from_hparams(folder)


def test_a_model_of_gigabytes_is_not_built_for_weights_of_a_few_bytes(bundle, tmp_path, little_memory):
    folder = copy_of(bundle, tmp_path / "spoilt")
    config = json.loads((folder / "config.json").read_text())
    config["classifier"]["hidden_size"] = 3 * 10**7  # 2 GB with the weights of both layers
    write_json(folder / "config.json", config)
    with pytest.raises(InputError, match=r"model.safetensors: not the weights that config.json describes"):
        EmotionClassifier.from_hparams(folder)


@pytest.mark.parametrize("error", [RuntimeError("size mismatch"), MemoryError(), IndexError("7"), KeyError("x"), RecursionError()])
def test_a_model_that_cannot_answer_the_tone_is_refused_whatever_its_failure(bundle, monkeypatch, error):
    def fails(*_):
        raise error

    monkeypatch.setattr("mlee_sb.models.emotion_model.EmotionModel.logits", fails)
    with pytest.raises(InputError, match=r"golden.json: the model cannot answer the tone"):
        EmotionClassifier.from_hparams(bundle)
