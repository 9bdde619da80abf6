"""Everything that a person does with a model works with one on a pretrained network, which lies elsewhere and is found."""

import json
import os
import shutil

import pytest
import soundfile
import torch
from bundles import RATE, copy_of, small_encoder, small_existence, small_fusion, speech, write_bundle, write_speech
from speechbrain.inference.classifiers import EncoderClassifier
from upstreams import pretrained_encoder, write_upstream

from mlee_sb import EmotionClassifier
from mlee_sb.errors import InputError, NoAttention
from mlee_sb.inference import onnx_model
from mlee_sb.inference.hub import Place
from mlee_sb.inference.model_facts import facts
from mlee_sb.inference.onnx_model import export
from mlee_sb.inference.verify import verify
from mlee_sb.models.bundle import load_bundle
from mlee_sb.models.upstreams.base import Network
from mlee_sb.models.upstreams.find import FOLDERS
from mlee_sb.models.waveforms import pad

NAME = "small_whisper"


@pytest.fixture(scope="module")
def upstreams(tmp_path_factory):
    """A folder with the folder of a network in it; not to be changed."""
    return write_upstream(tmp_path_factory.mktemp("upstreams") / NAME, "whisper", encoder_layers=2).parent


@pytest.fixture(autouse=True)
def known(upstreams, monkeypatch):
    monkeypatch.setenv(FOLDERS, str(upstreams))


@pytest.fixture(scope="module")
def fusion(upstreams, tmp_path_factory):
    """The bundle of two encoders on one upstream, of which the first looks at steps, beside the paper's encoder; not to be changed."""
    made = small_fusion(encoders=lambda: [*(pretrained_encoder(upstreams / NAME, pooling="attention") for _ in range(2)), small_encoder()])
    return write_bundle(tmp_path_factory.mktemp("bundle") / "model", made)


@pytest.fixture
def classifier(fusion):
    return EmotionClassifier.from_hparams(fusion)


# What a person asks


def test_many_files_are_told_as_each_one_alone(classifier, tmp_path):
    files = [write_speech(tmp_path / f"{i}.wav", 0.4 + i / 3, 44100, seed=i) for i in range(4)]
    for together, alone in zip(classifier.predict_many(files), map(classifier.predict, files), strict=True):
        assert together.dominant == alone.dominant and together.candidates == alone.candidates
        assert together.posterior == pytest.approx(alone.posterior, abs=1e-5)
        assert together.presence == pytest.approx(alone.presence, abs=1e-5)


def test_a_timeline_and_a_stream_say_the_same_and_of_a_short_clip_what_predict_says(classifier, tmp_path):
    path = write_speech(tmp_path / "a.wav", 2.3)
    samples = torch.from_numpy(soundfile.read(path, dtype="float32")[0])
    from_file, stream = classifier.timeline(path, 1.0, 0.5).segments, classifier.stream(RATE, 1.0, 0.5)
    as_it_comes = [segment for part in samples.split(1999) for segment in stream.feed(part)] + stream.finish()
    assert len(from_file) == 4
    for one, other in zip(from_file, as_it_comes, strict=True):
        assert (one.start, one.end, one.prediction.dominant) == (other.start, other.end, other.prediction.dominant)
        assert one.prediction.posterior == pytest.approx(other.prediction.posterior, abs=1e-6)
    (only,) = classifier.timeline(path, 3.0, 1.0).segments
    assert only.prediction == classifier.predict(path)


def test_attention_is_shown_where_the_encoder_has_it(classifier, upstreams, hello, tmp_path):
    seconds, weights = classifier.attention_file(hello)
    assert len(seconds) == 65 and seconds[0] == pytest.approx(0.01) and seconds[-1] == pytest.approx(1.29)  # 1.3 s, steps of 20 ms
    assert weights.sum() == pytest.approx(1, abs=1e-5)
    assert len(classifier.attention_file(hello, encoder=2)[0])  # the paper's
    of_means = small_existence()
    of_means.encoder = pretrained_encoder(upstreams / NAME).eval()
    with pytest.raises(NoAttention, match="encoder 0 of this model has no attention"):
        EmotionClassifier(of_means).attention_file(hello)


def test_verify_and_info_know_the_upstream(fusion):
    assert [check for check in verify(Place(fusion, fusion)) if not check.passed] == []
    assert (
        facts(Place(fusion, fusion))["encoders"]
        == f"pretrained on {NAME}, pretrained on {NAME}, cnn_blstm_attention on log_power_spectrogram"
    )


def test_speechbrains_encoder_classifier_says_the_same(fusion, classifier, hello, tmp_path):
    theirs = EncoderClassifier.from_hparams(source=str(fusion), savedir=str(tmp_path / "sb"))
    assert torch.equal(theirs.classify_file(str(hello))[0], classifier.classify_file(hello)[0])
    batch, lengths = pad([torch.from_numpy(speech(seconds)) for seconds in (1.2, 0.7)])
    said = theirs.classify_batch(batch, lengths / lengths.max())[0]
    torch.testing.assert_close(said, classifier.classify_batch(batch, lengths)[0], atol=1e-5, rtol=0)


def test_two_encoders_run_their_upstream_once(classifier, hello, monkeypatch):
    computed, forward = [], Network.forward
    monkeypatch.setattr(Network, "forward", lambda *given: computed.append(given) or forward(*given))
    classifier.predict(hello)
    assert len(computed) == 1


# ONNX


@pytest.mark.real
def test_an_onnx_file_carries_the_upstream_once_and_says_the_same(fusion, classifier, hello, tmp_path, monkeypatch):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime"), pytest.importorskip("onnxscript")
    path = tmp_path / "model.onnx"
    assert export(load_bundle(fusion), path) <= 1e-5
    monkeypatch.delenv(FOLDERS)
    theirs = EmotionClassifier.from_hparams(path)
    batch = pad([torch.from_numpy(speech(seconds, seed=row)) for row, seconds in enumerate((4.5, 0.5, 2.0))])  # Whisper takes 2 s here
    torch.testing.assert_close(theirs.classify_batch(*batch)[0].exp(), classifier.classify_batch(*batch)[0].exp(), atol=1e-5, rtol=0)
    assert theirs.predict(hello).presence == pytest.approx(classifier.predict(hello).presence, abs=1e-5)
    convolutions = [node for node in onnx.load(path).graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 2 + 3  # of the upstream, and of the paper's encoder


def test_an_upstream_that_onnx_does_not_get_is_named(upstreams, tmp_path):
    pytest.importorskip("onnxruntime"), pytest.importorskip("onnxscript")
    wavlm = write_upstream(tmp_path / "small_wavlm", "wavlm")
    bundle = write_bundle(tmp_path / "model", small_fusion(encoders=lambda: [small_encoder(), pretrained_encoder(wavlm)]))
    loaded = load_bundle(bundle, places=[wavlm])
    with pytest.raises(InputError, match="family wavlm cannot be exported to ONNX: of upstreams, only those of the family whisper"):
        export(loaded, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_an_upstream_that_is_too_large_for_an_onnx_file_is_refused_before_the_export(fusion, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime"), pytest.importorskip("onnxscript")
    monkeypatch.setattr(onnx_model, "LARGEST_FILE", 10_000)
    with pytest.raises(InputError, match="those of upstreams, take .* GB, and an ONNX file holds .* GB at most: use the model"):
        export(load_bundle(fusion), tmp_path / "model.onnx")


# Where the upstream is looked for


@pytest.fixture
def copied(upstreams, tmp_path):
    """A folder with a copy of the network in it, to spoil."""
    return copy_of(upstreams, tmp_path / "copied")


def refused(bundle, *words):
    with pytest.raises(InputError) as raised:
        EmotionClassifier.from_hparams(bundle)
    assert all(word in str(raised.value) for word in words), raised.value


def test_its_folder_may_be_named_the_folder_above_or_several(fusion, upstreams, tmp_path, monkeypatch):
    for folders in ([upstreams / NAME], [upstreams], [tmp_path, tmp_path / "none", upstreams]):
        monkeypatch.setenv(FOLDERS, os.pathsep.join(map(str, folders)))
        EmotionClassifier.from_hparams(fusion)


def test_a_folder_of_another_name_is_found_by_what_is_in_it(fusion, upstreams, copied, monkeypatch):
    (copied / NAME).rename(copied / "renamed")
    monkeypatch.setenv(FOLDERS, str(copied / "renamed"))
    EmotionClassifier.from_hparams(fusion)


@pytest.mark.parametrize("folders", [None, "", "none"])
def test_where_it_is_nowhere_the_remedy_names_it_and_its_sha256(fusion, tmp_path, monkeypatch, folders):
    monkeypatch.setenv(FOLDERS, str(tmp_path / folders) if folders else "")
    if folders is None:
        monkeypatch.delenv(FOLDERS)
    sha256 = json.loads((fusion / "config.json").read_text())["upstreams"][0]["weights"]["files"]["model.safetensors"]
    now = f" (now {tmp_path / folders})" if folders else ""
    refused(fusion, f"upstream {NAME}: its weights are not in this model", f"set {FOLDERS}{now} to the folder", sha256)


def test_other_weights_are_refused_unless_the_right_ones_are_found_too(fusion, upstreams, copied, monkeypatch):
    write_upstream(copied / NAME, "whisper", encoder_layers=3)
    monkeypatch.setenv(FOLDERS, str(copied))
    refused(fusion, str(copied / NAME / "model.safetensors"), "its sha256 is", "another upstream")
    monkeypatch.setenv(FOLDERS, f"{copied}{os.pathsep}{upstreams}")
    EmotionClassifier.from_hparams(fusion)


CHANGED = [("config.json", {"activation_function": "relu"}), ("preprocessor_config.json", {"n_fft": 512})]


@pytest.mark.parametrize(("file", "setting"), CHANGED)
def test_other_settings_with_the_right_weights_are_refused(fusion, copied, monkeypatch, file, setting):
    path = copied / NAME / file
    path.write_text(json.dumps(json.loads(path.read_text()) | setting))
    monkeypatch.setenv(FOLDERS, str(copied))
    refused(fusion, f"upstream {NAME}: its config.json or preprocessor_config.json is not the one", f"get {NAME} again")


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_a_file_that_is_missing_is_named(fusion, copied, monkeypatch, file):
    (copied / NAME / file).unlink()
    monkeypatch.setenv(FOLDERS, str(copied))
    refused(fusion, NAME if file == "model.safetensors" else str(copied / NAME / file))


def test_what_is_loaded_needs_its_folder_no_more(fusion, copied, hello, monkeypatch):
    monkeypatch.setenv(FOLDERS, str(copied))
    loaded = EmotionClassifier.from_hparams(fusion)
    first = loaded.predict(hello)
    shutil.rmtree(copied)
    assert loaded.predict(hello) == first
