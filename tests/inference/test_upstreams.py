"""Models on a pretrained network, published: with a reference to it, or with its weights; and what is said of it."""

import json
import shutil

import pytest
import torch
from bundles import CURVES, EMOTIONS, LABELS, SCORES, THRESHOLDS, write_bundle, write_speech
from huggingface_hub import ModelCard, constants
from safetensors.torch import load_file
from speechbrain.inference.classifiers import EncoderClassifier
from upstreams import write_upstream

from mlee_sb import EmotionClassifier
from mlee_sb.calibration import Calibration
from mlee_sb.errors import InputError
from mlee_sb.inference.card import write_card
from mlee_sb.inference.hub import Place
from mlee_sb.inference.model_facts import facts
from mlee_sb.inference.publish import push
from mlee_sb.inference.verify import verify
from mlee_sb.models.bundle import load_bundle
from mlee_sb.models.bundle_files import FILES
from mlee_sb.models.dense_classifier import DenseClassifier
from mlee_sb.models.emotion_model import EmotionModel, PresenceHead
from mlee_sb.models.encoders.frozen import FrozenEncoders
from mlee_sb.models.encoders.pretrained import PretrainedEncoder
from mlee_sb.models.upstreams import find
from mlee_sb.models.upstreams.carried import PREFIX
from mlee_sb.targets import SOFTMAX

NAME, UPSTREAM = "me/mlee-test", "me/tiny-whisper"


@pytest.fixture(autouse=True)
def nothing_is_remembered(monkeypatch):
    """Each test is a process of its own, in which no upstream was found yet."""
    monkeypatch.setattr(find, "_FOUND", {})


def encoder_on(upstream, **changed) -> PretrainedEncoder:
    """An encoder with small heads, fitted to noise."""
    settings = {"layers": [], "context": "cut", "pooling": "statistics", "attention_size": 3, "min_std": 0.001, "dropout": 0.5}
    encoder = PretrainedEncoder(str(upstream), **(settings | {"dense_size": 4, "learn_layers": 0} | changed))
    with torch.no_grad():
        encoder.layer_weights.normal_()
    encoder.fit_statistics([encoder.fixed(torch.randn(4, 4000), torch.tensor([4000, 3000, 2000, 2500]))])
    return encoder.eval()


def fusion_on(*encoders) -> EmotionModel:
    """A calibrated fusion that knows existence by its first encoder."""
    classifier = DenseClassifier(sum(encoder.embedding_size for encoder in encoders), len(EMOTIONS), 8)
    torch.nn.init.normal_(classifier.output.weight, std=3)
    presence = PresenceHead(DenseClassifier(encoders[0].embedding_size, len(EMOTIONS), 8), 0, 0)
    return EmotionModel(
        FrozenEncoders(encoders), classifier, EMOTIONS, SOFTMAX, presence, Calibration(0.7, CURVES, THRESHOLDS, 100, 5)
    ).eval()


@pytest.fixture
def folder(tmp_path):
    """An upstream that is on no hub."""
    return write_upstream(tmp_path / "tiny", "whisper")


@pytest.fixture
def bundle(folder, tmp_path):
    """A fusion of two encoders on different layers of it."""
    return write_bundle(tmp_path / "model", fusion_on(encoder_on(folder, layers=[0, 1]), encoder_on(folder, layers=[1, 2])))


@pytest.fixture
def hello(tmp_path):
    return write_speech(tmp_path / "hello.wav", seconds=1.3)


@pytest.fixture
def known(monkeypatch, folder):
    """The folder is where upstreams are looked for."""
    monkeypatch.setenv(find.FOLDERS, str(folder.parent))
    return folder


def files_of(hub, name=NAME):
    return hub.repositories[name].commits[-1][1]


def pulled_alone(hub, folder, tmp_path, monkeypatch):
    """What was published, on a machine that has nothing else."""
    monkeypatch.delenv(find.FOLDERS, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "another cache"))
    find._FOUND.clear()
    if folder.exists():
        shutil.move(folder, tmp_path / "away")
    return EmotionClassifier.from_hparams(NAME)


# With the weights of the upstream


def test_a_self_contained_model_says_the_same_without_its_upstream_anywhere(hub, bundle, known, hello, tmp_path, monkeypatch):
    before = EmotionClassifier.from_hparams(bundle).predict(hello)
    push(bundle, NAME, licence="mit", self_contained=True)
    assert sorted(files_of(hub)) == sorted(FILES)
    alone = pulled_alone(hub, known, tmp_path, monkeypatch)
    assert alone.predict(hello).posterior == pytest.approx(before.posterior, abs=1e-6)
    assert alone.predict(hello).presence == pytest.approx(before.presence, abs=1e-6)
    with pytest.raises(InputError, match=r"tiny: its weights are not in this model.*set MLEE_UPSTREAMS to the folder that holds tiny"):
        EmotionClassifier.from_hparams(bundle)


def test_speechbrains_class_reads_a_self_contained_model_with_the_same_answers(hub, bundle, known, hello, tmp_path, monkeypatch):
    push(bundle, NAME, licence="mit", self_contained=True)
    ours = pulled_alone(hub, known, tmp_path, monkeypatch)
    pulled = next((tmp_path / "another cache").rglob("hyperparams.yaml")).parent
    theirs = EncoderClassifier.from_hparams(source=str(pulled), savedir=str(tmp_path / "sb"))
    torch.testing.assert_close(theirs.classify_file(str(hello))[0], ours.classify_file(hello)[0])
    assert all(check.passed for check in verify(Place(pulled, pulled.parents[1])))


def test_an_upstream_is_carried_once_without_the_layers_above_the_last_one_in_use(hub, bundle, known):
    push(bundle, NAME, licence="mit", self_contained=True)
    config = json.loads(files_of(hub)["config.json"])
    (upstream,) = config["upstreams"]
    assert upstream["weights"] == "here" and upstream["origin"]["name"] == "tiny" and upstream["n_layers"] == 2
    assert [encoder["upstream"] for encoder in config["encoders"]] == [0, 0]
    weights = carried(hub)
    assert {name.split(".layers.")[1][0] for name in weights if ".layers." in name} == {"0", "1"}
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}  # random weights: 16 bits would change them


def carried(hub) -> dict:
    path = hub.repositories[NAME].commits[-1][1]["model.safetensors"]
    from safetensors.torch import load

    return {name: tensor for name, tensor in load(path).items() if name.startswith(PREFIX)}


def test_weights_that_have_16_bits_are_carried_in_16_bits(hub, known, tmp_path, hello):
    weights = load_file(known / "model.safetensors")
    from safetensors.torch import save_file

    save_file({name: tensor.half() for name, tensor in weights.items()}, known / "model.safetensors")
    bundle = write_bundle(tmp_path / "halves", fusion_on(encoder_on(known)))
    push(bundle, NAME, licence="mit", self_contained=True)
    assert {tensor.dtype for tensor in carried(hub).values()} == {torch.float16}
    ours, theirs = EmotionClassifier.from_hparams(bundle), EmotionClassifier.from_hparams(NAME)
    assert torch.equal(ours.classify_file(hello)[0], theirs.classify_file(hello)[0])


def test_layers_that_learned_do_not_replace_those_of_a_frozen_encoder(hub, known, tmp_path, hello, monkeypatch):
    tuned, frozen = encoder_on(known, learn_layers=1), encoder_on(known)
    with torch.no_grad():
        for parameter in tuned.tuned.parameters():
            parameter.add_(0.1)
    bundle = write_bundle(tmp_path / "both", fusion_on(tuned, frozen))
    before = EmotionClassifier.from_hparams(bundle).classify_file(hello)[0]
    push(bundle, NAME, licence="mit", self_contained=True)
    alone = pulled_alone(hub, known, tmp_path, monkeypatch)
    torch.testing.assert_close(alone.classify_file(hello)[0], before)
    pulled = next((tmp_path / "another cache").rglob("hyperparams.yaml")).parent
    theirs = EncoderClassifier.from_hparams(source=str(pulled), savedir=str(tmp_path / "sb"))
    torch.testing.assert_close(theirs.classify_file(str(hello))[0], before)


def test_two_upstreams_of_one_config_stay_two(hub, known, tmp_path, hello, monkeypatch):
    other = write_upstream(tmp_path / "other", "whisper")
    weights = load_file(other / "model.safetensors")
    from safetensors.torch import save_file

    save_file({name: tensor * 0.9 for name, tensor in weights.items()}, other / "model.safetensors")
    bundle = write_bundle(tmp_path / "two", fusion_on(encoder_on(known), encoder_on(other)))
    before = EmotionClassifier.from_hparams(bundle).classify_file(hello)[0]
    push(bundle, NAME, licence="mit", self_contained=True)
    assert len(json.loads(files_of(hub)["config.json"])["upstreams"]) == 2
    torch.testing.assert_close(pulled_alone(hub, known, tmp_path, monkeypatch).classify_file(hello)[0], before)


def test_what_else_belongs_to_a_model_stays_when_it_carries_its_upstream(hub, bundle, known):
    before = load_bundle(bundle).config
    push(bundle, NAME, licence="mit", self_contained=True)
    after = json.loads(files_of(hub)["config.json"])
    for part in ("labels", "emotions", "calibration", "presence", "encoders"):
        assert after[part] == before.as_json()[part]
    assert json.loads(files_of(hub)["scores.json"]) == json.loads((bundle / "scores.json").read_text())


def test_a_card_that_was_edited_keeps_its_words_in_a_self_contained_model(hub, bundle, known):
    path = bundle / "README.md"
    path.write_text(path.read_text() + "\nRecorded in my kitchen.\n")
    push(bundle, NAME, licence="mit", self_contained=True)
    assert "Recorded in my kitchen." in files_of(hub)["README.md"].decode()


def test_a_model_on_a_folder_is_published_only_with_its_weights(hub, bundle, known):
    with pytest.raises(InputError, match=r"upstream tiny, a folder of this machine.*--self_contained.*--upstream user/name"):
        push(bundle, NAME, licence="mit")
    assert not hub.repositories


def test_a_model_without_an_upstream_is_self_contained_as_it_is(hub, tmp_path):
    bundle = write_bundle(tmp_path / "paper")
    push(bundle, NAME, licence="mit", self_contained=True)
    for file in set(FILES) - {"README.md"}:
        assert files_of(hub)[file] == (bundle / file).read_bytes()
