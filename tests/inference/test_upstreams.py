"""Models on a pretrained network, published: with a reference to it, or with its weights; and what is said of it."""

import json
import shutil
from functools import partial

import pytest
import torch
from bundles import write_bundle, write_speech
from huggingface_hub import ModelCard, constants
from pretrained_bundles import encoder_on, fusion_on, model_on, moved
from safetensors.torch import load, load_file, save_file
from speechbrain.inference.classifiers import EncoderClassifier
from upstreams import put_on_hub, write_upstream

from mlee_sb import EmotionClassifier
from mlee_sb.errors import InputError
from mlee_sb.inference.hub import Place
from mlee_sb.inference.model_facts import facts
from mlee_sb.inference.publish import push
from mlee_sb.inference.verify import verify
from mlee_sb.models.bundle import load_bundle
from mlee_sb.models.bundle_files import FILES
from mlee_sb.models.speechbrain_modules import LogProbabilities
from mlee_sb.models.upstreams import find
from mlee_sb.models.upstreams.carried import PREFIX

NAME, UPSTREAM = "me/mlee-test", "me/tiny-whisper"


pytestmark = pytest.mark.usefixtures("no_upstream_is_remembered")


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


def carried(hub) -> dict:
    """The weights of upstreams that were published in the model."""
    return {name: tensor for name, tensor in load(files_of(hub)["model.safetensors"]).items() if name.startswith(PREFIX)}


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
    with pytest.raises(
        InputError, match=r"tiny: its weights are not in this model.*set MLEE_UPSTREAMS to the folder with the files of tiny"
    ):
        EmotionClassifier.from_hparams(bundle)


def test_speechbrains_class_reads_a_self_contained_model_with_the_same_answers(hub, bundle, known, hello, tmp_path, monkeypatch):
    push(bundle, NAME, licence="mit", self_contained=True)
    ours = pulled_alone(hub, known, tmp_path, monkeypatch)
    pulled = next((tmp_path / "another cache").rglob("hyperparams.yaml")).parent
    theirs = EncoderClassifier.from_hparams(source=str(pulled), savedir=str(tmp_path / "sb"))
    torch.testing.assert_close(theirs.classify_file(str(hello))[0], ours.classify_file(hello)[0])
    assert all(check.passed for check in verify(Place(pulled, pulled.parents[1])))


def test_what_speechbrain_builds_of_the_classifier_needs_no_upstream(folder, tmp_path):
    bundle = write_bundle(tmp_path / "tuned", model_on(encoder_on(folder, learn_layers=1)))
    config = next(line for line in (bundle / "hyperparams.yaml").read_text().splitlines() if line.startswith("config: "))
    find._FOUND.clear()
    shutil.rmtree(folder)
    classifier = LogProbabilities(json.loads(config.removeprefix("config: ")))
    classifier.load_state_dict(torch.load(bundle / "classifier.ckpt"))
    torch.testing.assert_close(classifier(torch.randn(2, 4)).exp().sum(dim=1), torch.ones(2))


def test_an_upstream_is_carried_once_without_the_layers_above_the_last_one_in_use(hub, bundle, known):
    push(bundle, NAME, licence="mit", self_contained=True)
    config = json.loads(files_of(hub)["config.json"])
    (upstream,) = config["upstreams"]
    assert upstream["weights"] == "here" and upstream["origin"]["name"] == "tiny" and upstream["n_layers"] == 2
    assert [encoder["upstream"] for encoder in config["encoders"]] == [0, 0]
    weights = carried(hub)
    assert {name.split(".layers.")[1][0] for name in weights if ".layers." in name} == {"0", "1"}
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}  # random weights: 16 bits would change them


def test_weights_that_have_16_bits_are_carried_in_16_bits(hub, known, tmp_path, hello):
    weights = load_file(known / "model.safetensors")
    save_file({name: tensor.half() for name, tensor in weights.items()}, known / "model.safetensors")
    bundle = write_bundle(tmp_path / "halves", fusion_on(encoder_on(known)))
    push(bundle, NAME, licence="mit", self_contained=True)
    assert {tensor.dtype for tensor in carried(hub).values()} == {torch.float16}
    ours, theirs = EmotionClassifier.from_hparams(bundle), EmotionClassifier.from_hparams(NAME)
    assert torch.equal(ours.classify_file(hello)[0], theirs.classify_file(hello)[0])


TUNED = {
    "alone": lambda on: model_on(moved(on(learn_layers=1), 0.1)),
    "beside a frozen one": lambda on: fusion_on(moved(on(learn_layers=1), 0.1), on()),
    "on other layers than another one": lambda on: fusion_on(
        moved(on(layers=[1], learn_layers=1), 0.1), moved(on(layers=[2], learn_layers=1), 0.2)
    ),
    "as another one, but more": lambda on: fusion_on(moved(on(learn_layers=2), 0.1), moved(on(learn_layers=1), 0.2)),
}
"""Models whose upstream learned, made with `encoder_on` for one folder."""


@pytest.mark.parametrize("case", TUNED)
def test_a_self_contained_model_whose_upstream_learned_says_the_same(hub, known, tmp_path, hello, monkeypatch, case):
    bundle = write_bundle(tmp_path / "tuned", TUNED[case](partial(encoder_on, known)))
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
    card = files_of(hub)["README.md"].decode()
    assert "Recorded in my kitchen." in card and "its weights are in this model" in card
    assert "must lie in a folder" not in card and "without those of what it stands on" not in card
    path.write_text(path.read_text().replace("(a folder, on no hub)", "(on my disk)"))
    hub.repositories.clear()
    with pytest.raises(InputError, match=r"README.md: .*put it back as it was, and it is written again: - tiny \(a folder, on no hub\)"):
        push(bundle, NAME, licence="mit", self_contained=True)
    assert not hub.repositories


def test_a_model_on_a_folder_is_published_only_with_its_weights(hub, bundle, known):
    with pytest.raises(InputError, match=r"upstream tiny, a folder of this machine.*--self_contained.*--upstream user/name"):
        push(bundle, NAME, licence="mit")
    assert not hub.repositories


def test_a_model_without_an_upstream_is_self_contained_as_it_is(hub, tmp_path):
    bundle = write_bundle(tmp_path / "paper")
    push(bundle, NAME, licence="mit", self_contained=True)
    for file in set(FILES) - {"README.md"}:
        assert files_of(hub)[file] == (bundle / file).read_bytes()


# With a reference to it


@pytest.fixture
def on_hub(hub, folder):
    """The upstream is on the hub; its commit."""
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    return put_on_hub(hub, folder, UPSTREAM, **{"pytorch_model.bin": b"x"})


@pytest.fixture
def referring(hub, on_hub, tmp_path):
    """A fusion on the upstream of the hub."""
    return write_bundle(tmp_path / "referring", fusion_on(encoder_on(UPSTREAM, layers=[1]), encoder_on(UPSTREAM)))


def fetched(hub) -> set[str]:
    return {path.split("/resolve/")[0].strip("/") for method, path in hub.asked if method == "GET" and "/resolve/" in path}


def test_a_model_on_an_upstream_of_the_hub_is_pulled_into_an_empty_cache_with_it_and_found_offline(
    hub, referring, folder, hello, tmp_path, monkeypatch
):
    before = EmotionClassifier.from_hparams(referring).predict(hello)
    push(referring, NAME, licence="mit")
    assert not carried(hub)
    hub.repositories[UPSTREAM].commit({"config.json": b"{}", "model.safetensors": b"the next one"})  # main moves on
    hub.asked.clear()
    assert pulled_alone(hub, folder, tmp_path, monkeypatch).predict(hello) == before
    assert fetched(hub) == {NAME, UPSTREAM}
    hub.asked.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert EmotionClassifier.from_hparams(NAME).predict(hello) == before
    assert hub.asked == []


def test_speechbrains_class_finds_the_upstream_of_a_model_that_refers_to_it(hub, referring, folder, hello, tmp_path, monkeypatch):
    push(referring, NAME, licence="mit")
    ours = pulled_alone(hub, folder, tmp_path, monkeypatch)
    pulled = next((tmp_path / "another cache").rglob("hyperparams.yaml")).parent
    theirs = EncoderClassifier.from_hparams(source=str(pulled), savedir=str(tmp_path / "sb"))
    torch.testing.assert_close(theirs.classify_file(str(hello))[0], ours.classify_file(hello)[0])


def test_other_weights_at_the_commit_of_a_model_are_refused(hub, on_hub, referring, folder, tmp_path, monkeypatch):
    push(referring, NAME, licence="mit")
    sha, files = hub.repositories[UPSTREAM].commits[0]
    assert sha == on_hub
    changed = bytearray(files["model.safetensors"])
    changed[-1] ^= 1
    files["model.safetensors"] = bytes(changed)
    with pytest.raises(InputError, match=r"model.safetensors: its sha256 is .*the model stands on weights of"):
        pulled_alone(hub, folder, tmp_path, monkeypatch)


def test_a_model_on_the_hub_is_published_with_its_upstream_when_that_is_asked_for(hub, referring, folder, hello, tmp_path, monkeypatch):
    before = EmotionClassifier.from_hparams(referring).predict(hello)
    push(referring, NAME, licence="mit", self_contained=True)
    del hub.repositories[UPSTREAM]
    alone = pulled_alone(hub, folder, tmp_path, monkeypatch)
    assert alone.predict(hello).posterior == pytest.approx(before.posterior, abs=1e-6)


# What is said of it


def test_card_and_info_name_the_upstream_and_its_licence(hub, on_hub, referring, monkeypatch):
    push(referring, NAME, licence="mit")
    card = ModelCard(files_of(hub)["README.md"].decode())
    assert card.data.base_model == [UPSTREAM]
    sha256 = load_bundle(referring).config.upstreams[0].files.sha256
    said = facts(Place(referring, referring))["upstream"]
    for words in (
        f"{UPSTREAM} at commit {on_hub}",
        "whisper with 3 layers",
        "hidden states 1 / all",
        "frozen",
        sha256,
        "licence apache-2.0",
    ):
        assert words in card.text and words in said
    assert "are fetched from the hub" in said and "values without those of what it stands on" in card.text
    assert "16000 Hz" in card.text


def test_a_self_contained_model_still_says_where_its_upstream_is_from(hub, on_hub, referring):
    push(referring, NAME, licence="mit", self_contained=True)
    card = ModelCard(files_of(hub)["README.md"].decode())
    assert card.data.base_model == [UPSTREAM] and f"{UPSTREAM} at commit {on_hub}" in card.text
    assert "its weights are in this model" in card.text and "without those" not in card.text


def test_a_licence_that_is_not_known_is_said_to_be_unknown_and_a_folder_is_no_base_model(bundle):
    card = ModelCard((bundle / "README.md").read_text())
    said = facts(Place(bundle, bundle))["upstream"]
    assert card.data.base_model is None
    for words in (
        "tiny (a folder, on no hub)",
        "licence unknown",
        "must lie in a folder that the environment variable MLEE_UPSTREAMS names",
    ):
        assert words in card.text and words in said


def test_layers_that_learned_are_told(known, tmp_path):
    bundle = write_bundle(tmp_path / "tuned", fusion_on(encoder_on(known, learn_layers=2)))
    assert "the last 2 layers in use trained further" in facts(Place(bundle, bundle))["upstream"]


def test_a_model_without_an_upstream_says_nothing_of_one(tmp_path):
    bundle = write_bundle(tmp_path / "paper")
    assert "pretrained network" not in (bundle / "README.md").read_text() and "upstream" not in facts(Place(bundle, bundle))
