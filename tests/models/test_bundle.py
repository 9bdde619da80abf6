"""A bundle is read back as it was written, and whatever is wrong or hostile in one is refused before anything of it runs."""

import json
import os
import pickle
import struct
from pathlib import Path

import pytest
import torch
from bundles import EMOTIONS, OF_SCHEMA_2, copy_of, one_weight_a_little_larger, small_existence, small_fusion, write_bundle
from safetensors.torch import load_file, save_file

from mlee_sb import EmotionClassifier
from mlee_sb.errors import InputError, NeedsCode
from mlee_sb.files import sha256_of, write_json
from mlee_sb.models.bundle import build_model, load_bundle
from mlee_sb.models.bundle_files import FILES
from mlee_sb.models.config import LARGEST_CONFIG, read_config
from mlee_sb.models.golden import tone
from mlee_sb.models.registry import build
from mlee_sb.models.weights import save_weights
from mlee_sb.plugins import ENCODERS


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("written") / "model")


@pytest.fixture
def bundle(written, tmp_path):
    """A bundle to spoil."""
    return copy_of(written, tmp_path / "bundle")


def config(bundle: Path) -> dict:
    return json.loads((bundle / "config.json").read_text())


def change(bundle: Path, **changes) -> None:
    """Set values of config.json; a name may be a path, encoders.0.name."""
    found = config(bundle)
    for path, value in changes.items():
        *above, last = [int(part) if part.isdigit() else part for part in path.split("__")]
        place = found
        for part in above:
            place = place[part]
        place[last] = value
    (bundle / "config.json").write_text(json.dumps(found))


def refused(bundle: Path, *words: str, kind=InputError) -> str:
    with pytest.raises(kind) as raised:
        EmotionClassifier.from_hparams(bundle)
    said = str(raised.value)
    assert all(word in said for word in words), said
    assert str(bundle) in said and len(said) < 1500
    return said


@pytest.mark.parametrize("make", [small_fusion, small_existence])
def test_a_model_is_read_back_with_every_bit_of_its_weights(make, tmp_path):
    model = make()
    read = load_bundle(write_bundle(tmp_path / "model", model))
    weights = read.model.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())
    waveforms, lengths = torch.randn(2, 9000), torch.tensor([9000, 5000])
    with torch.no_grad():
        torch.testing.assert_close(read.model.logits(waveforms, lengths), model.logits(waveforms, lengths), rtol=0, atol=1e-6)
    assert read.model.calibration == model.calibration
    assert read.golden_difference <= 1e-6
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == sorted(FILES)


def test_a_fusion_tells_both_things_in_one_pass_and_presence_by_the_head_of_its_mlee_stage(written):
    model = load_bundle(written).model
    waveform, length = torch.randn(1, 8000), torch.tensor([8000])
    with torch.no_grad():  # torch has another program for an LSTM whose gradients are asked for, which rounds otherwise
        logits, presence = model.logits(waveform, length)
        alone = model.presence.classifier(model.encoders[0](waveform, length))
    torch.testing.assert_close(presence, alone, rtol=0, atol=1e-6)
    assert logits.shape == presence.shape == (1, len(EMOTIONS))


def test_loading_leaves_the_random_generator_alone(written):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    load_bundle(written)
    assert torch.rand(1) == expected


def test_a_model_whose_answer_is_not_finite_is_not_written(tmp_path):
    model = small_existence()
    with torch.no_grad():
        model.classifier.hidden.bias.fill_(1e30)
        model.classifier.output.weight.fill_(1e30)  # finite, and too large to compute with
    with pytest.raises(InputError, match="model: not written: the model's answer to a test tone is not finite"):
        write_bundle(tmp_path / "model", model)
    assert list(tmp_path.iterdir()) == []


def test_everybody_may_read_the_files(written):
    modes = {path.stat().st_mode & 0o777 for path in written.iterdir()}
    assert len(modes) == 1


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "golden.json"])
def test_a_missing_file_is_named(bundle, file):
    (bundle / file).unlink()
    refused(bundle, file)


@pytest.mark.parametrize("missing", ["golden.json", "hyperparams.yaml", "README.md", "scores.json", "classifier.ckpt"])
def test_what_is_not_read_may_be_missing(bundle, missing):
    (bundle / missing).unlink()
    if missing == "golden.json":
        refused(bundle, "golden.json: missing")
    else:
        EmotionClassifier.from_hparams(bundle)


# Weights


def save(bundle: Path, weights: dict, emotions: list[str]) -> None:
    """Other weights, noted in config.json as somebody would who means to exchange them."""
    save_file(weights, bundle / "model.safetensors", metadata={"emotions": json.dumps(emotions)})
    change(bundle, weights_sha256=sha256_of(bundle / "model.safetensors"))


def spoil(bundle: Path, how) -> None:
    weights = load_file(bundle / "model.safetensors")
    how(weights)
    save(bundle, weights, EMOTIONS)


def test_a_few_bytes_of_the_weights_that_the_tone_does_not_tell_are_told_by_their_sha256(bundle):
    one_weight_a_little_larger(bundle)
    said = refused(bundle, "model.safetensors: its sha256 is", "get the bundle again")
    assert config(bundle)["weights_sha256"][:12] in said
    change(bundle, weights_sha256=sha256_of(bundle / "model.safetensors"))
    load_bundle(bundle)  # nothing else was wrong


def test_weights_that_are_not_those_of_config_json_are_not_read(bundle, monkeypatch):
    one_weight_a_little_larger(bundle)
    monkeypatch.setattr("mlee_sb.models.weights.load_file", lambda path: pytest.fail("they were read"))
    refused(bundle, "model.safetensors: its sha256")


# Schema 2, which notes no sha256: a bundle that mlee_sb wrote before it knew any


def test_a_bundle_of_schema_2_is_read_and_answers_as_it_did():
    model = load_bundle(OF_SCHEMA_2).model
    time = torch.arange(20000) / 16000
    gliding = 0.2 * torch.sin(2 * torch.pi * (150 * time + 60 * time * time))
    swelling = 0.1 * torch.sin(2 * torch.pi * 320 * time) * (1 + torch.sin(2 * torch.pi * 3 * time))
    with torch.no_grad():
        logits, presence = model.logits(torch.stack([gliding, swelling]), torch.tensor([20000, 9000]))
    then = [[0.1211712, 0.7255940, 0.1532348], [0.1211909, 0.7274688, 0.1513404]]
    torch.testing.assert_close(logits.softmax(-1), torch.tensor(then), rtol=0, atol=1e-5)  # processors round differently
    then = [[0.5273486, 0.4799928, 0.5551522], [0.5279872, 0.4823416, 0.5551876]]
    torch.testing.assert_close(presence.sigmoid(), torch.tensor(then), rtol=0, atol=1e-5)


def test_changed_weights_of_schema_2_are_told_by_the_tone_where_it_can(tmp_path):
    bundle = copy_of(OF_SCHEMA_2, tmp_path / "bundle")
    weights = load_file(bundle / "model.safetensors")
    weights["classifier.output.bias"] += torch.tensor([1.0, 0.0, 0.0])
    save_file(weights, bundle / "model.safetensors", metadata={"emotions": json.dumps(EMOTIONS)})
    refused(bundle, "golden.json: the model says")


@pytest.mark.parametrize(
    "how, words",
    [
        (lambda w: w.pop("classifier.output.bias"), ["classifier.output.bias is missing"]),
        (lambda w: w.update(extra=torch.zeros(3)), ["extra is not expected"]),
        (lambda w: w.update({"../evil": w.pop("classifier.output.bias")}), ["classifier.output.bias is missing"]),
        (lambda w: w.update({"classifier.hidden.weight": w["classifier.hidden.weight"].T.contiguous()}), ["another shape"]),
        (lambda w: w.update({"classifier.hidden.bias": w["classifier.hidden.bias"].view(torch.int32)}), ["another shape or kind"]),
        (lambda w: w["classifier.hidden.weight"].view(-1)[3:4].fill_(torch.nan), ["not finite", "classifier.hidden.weight"]),
        (lambda w: w["encoder.encoders.1.normalizer.std"][0:1].fill_(torch.inf), ["not finite", "normalizer.std"]),
        (lambda w: w["presence.classifier.output.weight"].mul_(-4), ["golden.json", "presence"]),
        (lambda w: w["encoder.encoders.1.network.blstm.weight_ih_l0"].mul_(2), ["golden.json", "posterior"]),
    ],
)
def test_other_weights_than_expected_are_refused(bundle, how, words):
    spoil(bundle, how)
    refused(bundle, *words)


def test_weights_without_their_labels_are_refused(bundle):
    save_file(load_file(bundle / "model.safetensors"), bundle / "model.safetensors")
    refused(bundle, "weights of the emotions None")


@pytest.mark.parametrize("claimed", [100 * 10**9, 2**63, 10**6])
def test_a_header_that_claims_more_than_there_is_takes_no_memory(bundle, claimed):
    path = bundle / "model.safetensors"
    path.write_bytes(struct.pack("<Q", claimed) + b"{}")
    refused(bundle, f"header claims {claimed:,} bytes")


def test_a_header_that_is_large_and_there_is_not_parsed(bundle):
    path = bundle / "model.safetensors"
    path.write_bytes(struct.pack("<Q", 5 * 10**6) + b"{}" + b" " * 5 * 10**6)
    refused(bundle, "header claims 5,000,000 bytes")


def test_a_tensor_that_claims_100_gb_takes_no_memory(bundle):
    header = json.dumps({"a": {"dtype": "F32", "shape": [25 * 10**9], "data_offsets": [0, 10**11]}}).encode()
    (bundle / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    refused(bundle, "model.safetensors: damaged")


def test_a_sparse_file_of_100_gb_is_not_read(bundle):
    os.truncate(bundle / "model.safetensors", 100 * 10**9)
    refused(bundle, "model.safetensors: damaged")


@pytest.mark.parametrize("content", [b"", b"1234567", pickle.dumps({"a": 1}), b"PK\3\4" + b"\0" * 200])
def test_what_is_no_safetensors_file_is_refused(bundle, content):
    (bundle / "model.safetensors").write_bytes(content)
    refused(bundle, "model.safetensors")


# config.json


def test_labels_in_another_order_are_refused_wherever_they_are_changed(bundle, written):
    swapped = ["hap", "neu", "sad"]
    change(bundle, emotions=swapped)
    refused(bundle, "weights of the emotions")
    save(bundle, load_file(bundle / "model.safetensors"), swapped)
    refused(bundle, "golden.json", "labels were exchanged")
    golden = json.loads((written / "golden.json").read_text())
    write_json(bundle / "golden.json", {name: {emotion: values[emotion] for emotion in swapped} for name, values in golden.items()})
    refused(bundle, "golden.json: the model says")


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"schema": 4}, ["schema 4", "install a newer mlee_sb"]),
        ({"schema": 1}, ["schema 1", "train it again"]),
        ({"schema": "3"}, ["schema '3'"]),
        ({"schema": 2}, ["schema 2 has no weights_sha256"]),
        ({"schema": 2, "weights_sha256": None}, ["schema 2 has no weights_sha256"]),
        ({"weights_sha256": None}, ["weights_sha256 is missing"]),
        ({"weights_sha256": "0" * 63}, ["weights_sha256"]),
        ({"weights_sha256": "A" * 64}, ["weights_sha256"]),
        ({"weights_sha256": 0}, ["weights_sha256"]),
        ({"emotions": ["neu", "hap"], "calibration": None}, ["classifier: made for"]),
        ({"emotions": ["neu", "neu", "sad"]}, ["an emotion is there twice"]),
        ({"emotions": ["neu", "\x1b[31mhap", "sad"]}, ["cannot be printed"]),
        ({"output": "relu"}, ["output"]),
        ({"surprise": 1}, ["surprise"]),
        ({"demo": "no"}, ["demo"]),
        ({"encoders": []}, ["encoders"]),
        ({"frozen_encoders": False}, ["several encoders"]),
        ({"presence__encoder": 2}, ["presence belongs to encoder 2"]),
        ({"presence__encoder": -1}, ["presence.encoder"]),
        ({"classifier__hidden_size": 10**8}, ["config.json: describes a model of"]),
        ({"classifier__hidden_size": 10**12}, ["numbers up to"]),
        ({"classifier__hidden_size": "8"}, ["config.json"]),
        ({"classifier__hiden_size": 8}, ["hiden_size"]),
        ({"encoders__0__settings__channels": [2, 3, 2 * 10**6]}, ["describes a model of"]),
        ({"encoders__0__settings__channels": [2] * 65}, ["65 values"]),
        ({"encoders__0__front_end__settings__dft_length": 2**30}, ["dft_length"]),
        ({"encoders__0__front_end__settings__shift_ms": 0}, ["shift_ms"]),
        ({"encoders__0__settings__min_std": [[[[[[1]]]]]]}, ["lists in one another"]),
        ({"calibration__temperature": 0}, ["calibration.temperature"]),
        ({"calibration__presence": [[1.0, 0.0]]}, ["1 curves of presence for 3 emotions"]),
        ({"calibration__thresholds": [0.5]}, ["calibration.thresholds"]),
        ({"calibration__thresholds": [0.5] * 98 + [-1e308]}, ["calibration.thresholds"]),
        ({"calibration__temperature": 5e-324}, ["calibration.temperature", "0.05"]),
        ({"calibration__temperature": 1e308}, ["calibration.temperature", "20"]),
        ({"calibration__presence": [[1e308, 0.0]] * 3}, ["calibration.presence", "50"]),
        ({"calibration__presence": [[5e-324, 0.0]] * 3}, ["calibration.presence", "0.000001"]),
    ],
)
def test_a_config_that_cannot_be_right_is_refused_by_what_is_wrong(bundle, changes, words):
    change(bundle, **changes)
    refused(bundle, *words)


@pytest.mark.parametrize("text, words", [("", "not JSON"), ("[" * 10**5, "not JSON"), ('{"a": NaN', "not JSON"), ("[]", 'its "format"')])
def test_a_config_that_is_no_config_is_refused(bundle, text, words):
    (bundle / "config.json").write_text(text)
    refused(bundle, words)


def test_a_config_of_a_gigabyte_is_not_read(bundle):
    os.truncate(bundle / "config.json", 10**9)
    refused(bundle, "1,000,000,000 bytes", f"{LARGEST_CONFIG:,}")


def test_nan_in_a_config_is_refused(bundle):
    path = bundle / "config.json"
    path.write_text(path.read_text().replace('"temperature": 0.7', '"temperature": NaN'))
    refused(bundle, "config.json")


@pytest.mark.parametrize("name", ["../../evil", "/etc/passwd", "os:system", "a b", "\x1b[2J", "", "!new:subprocess.Popen"])
def test_an_architecture_with_a_name_that_is_none_is_refused(bundle, name):
    change(bundle, encoders__1__name=name)
    said = refused(bundle, "encoders.1.EncoderConfig.name")
    assert said.isprintable()


def test_an_architecture_that_is_not_registered_names_the_package_to_install(bundle):
    change(bundle, encoders__1__name="wonder_net", encoders__1__package="wonder-nets")
    refused(bundle, "'wonder_net' is not registered", "pip install wonder-nets", "trust_remote_code", kind=NeedsCode)


def test_settings_are_arguments_and_nothing_else(bundle):
    change(bundle, encoders__1__settings__source="!apply:os.system rm")
    refused(bundle, "cannot be made with its settings", "source")


def test_a_constructor_is_only_ever_called_by_a_registered_name(monkeypatch):
    with pytest.raises(NeedsCode, match="not registered"):
        build(ENCODERS, "subprocess.Popen", "mlee_sb", {"args": "true"})


# golden.json


@pytest.mark.parametrize(
    "golden, words",
    [
        ({}, "must hold posterior, presence"),
        ([], "must hold"),
        ({"posterior": 1, "presence": 2}, "must hold"),
        ({"posterior": dict.fromkeys(EMOTIONS, 0.5), "presence": dict.fromkeys(EMOTIONS, 0.5)}, "the model says posterior neu"),
        ({"posterior": dict.fromkeys(EMOTIONS, "x" * 9999), "presence": dict.fromkeys(EMOTIONS, 0.5)}, "the model says"),
        ({"posterior": dict.fromkeys(EMOTIONS, float("nan")), "presence": dict.fromkeys(EMOTIONS, 0.5)}, "the model says"),
    ],
)
def test_a_golden_answer_that_is_not_given_is_refused(bundle, golden, words):
    (bundle / "golden.json").write_text(json.dumps(golden))
    refused(bundle, "golden.json", words)


def test_the_tone_is_the_same_in_every_process():
    samples = tone(16000)
    assert samples.shape == (16000,) and samples.abs().max() < 0.6
    assert samples[[100, 5000, 15999]].tolist() == pytest.approx([-0.178801, -0.152675, -0.064043], abs=1e-6)


# Links


def test_a_link_out_of_the_bundle_is_refused(bundle, tmp_path):
    outside = tmp_path / "outside.json"
    (bundle / "golden.json").rename(outside)
    (bundle / "golden.json").symlink_to(outside)
    refused(bundle, "a link out of the bundle")
    weights = tmp_path / "weights"
    (bundle / "golden.json").unlink()
    outside.rename(bundle / "golden.json")
    (bundle / "model.safetensors").rename(weights)
    (bundle / "model.safetensors").symlink_to(weights)
    refused(bundle, "a link out of the bundle")


def test_a_folder_or_a_pipe_in_the_place_of_a_file_is_refused(bundle):
    (bundle / "golden.json").unlink()
    os.mkfifo(bundle / "golden.json")
    refused(bundle, "golden.json: missing")


def test_the_config_is_the_whole_truth_about_the_architecture(written):
    model = build_model(read_config(written))
    assert {name: tensor.shape for name, tensor in model.state_dict().items()} == {
        name: tensor.shape for name, tensor in small_fusion().state_dict().items()
    }


def test_the_same_weights_are_the_same_bytes(tmp_path):
    """A stage knows an encoder by the sha256 of this file. safetensors writes several keys of metadata in a random order."""
    for number in range(16):
        save_weights(tmp_path / str(number), {"a": torch.arange(3.0), "b": torch.ones(2)}, ["neu", "hap"])
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


def test_a_bundle_of_schema_3_as_version_0_2_0_wrote_it_is_read_with_the_same_answers(tmp_path):
    """It describes an encoder in parts, as schema 2 does, and notes the sha256 of the weights."""
    bundle = copy_of(OF_SCHEMA_2, tmp_path / "bundle")
    config = json.loads((bundle / "config.json").read_text())
    write_json(bundle / "config.json", config | {"schema": 3, "weights_sha256": sha256_of(bundle / "model.safetensors")})
    assert load_bundle(bundle).golden_difference < 1e-6
