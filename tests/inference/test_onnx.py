"""A model as an ONNX file says what the model says."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from bundles import RATE, small_existence, write_bundle, write_speech

from mlee_sb import EmotionClassifier
from mlee_sb.errors import InputError
from mlee_sb.inference import onnx_model
from mlee_sb.inference.onnx_model import CONFIG_KEY, LEAST_KEY, RATE_KEY, export
from mlee_sb.models.bundle import load_bundle

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture(scope="module")
def exported(bundle, tmp_path_factory):
    path, loaded = tmp_path_factory.mktemp("onnx") / "model.onnx", load_bundle(bundle)
    before = {file: file.read_bytes() for file in bundle.iterdir()}
    assert export(loaded, path) <= 1e-5
    assert {file: file.read_bytes() for file in bundle.iterdir()} == before and loaded.model.training is False  # it is not touched
    return path


@pytest.mark.parametrize("seed", range(4))
def test_batches_of_random_lengths_are_answered_as_by_the_model(bundle, exported, seed):
    random = torch.Generator().manual_seed(seed)
    lengths = torch.randint(640, 6 * RATE, (seed + 1,), generator=random)
    waveforms = torch.zeros(len(lengths), int(lengths.max()))
    for row, n in zip(waveforms, lengths.tolist(), strict=True):
        row[:n] = 0.2 * torch.randn(n, generator=random)
    ours, theirs = EmotionClassifier.from_hparams(bundle), EmotionClassifier.from_hparams(exported)
    said, expected = (classifier.classify_batch(waveforms, lengths)[0].exp() for classifier in (theirs, ours))
    torch.testing.assert_close(said, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "samples", [torch.zeros(RATE), torch.ones(640), torch.sin(torch.arange(30000) * 0.3), 1e-6 * torch.sin(torch.arange(641) ** 2)]
)
def test_silence_tones_and_the_shortest_clip_too(bundle, exported, samples):
    ours, theirs = EmotionClassifier.from_hparams(bundle), EmotionClassifier.from_hparams(exported)
    torch.testing.assert_close(theirs.classify_batch(samples)[0].exp(), ours.classify_batch(samples)[0].exp(), atol=1e-5, rtol=0)


def test_answers_for_people_are_the_same(bundle, exported, tmp_path):
    files = [write_speech(tmp_path / f"{i}.wav", 0.4 + i / 3, 44100, 2, seed=i) for i in range(3)]
    ours, theirs = EmotionClassifier.from_hparams(bundle), EmotionClassifier.from_hparams(str(exported))
    for one, other in zip(ours.predict_many(files), theirs.predict_many(files), strict=True):
        assert (one.dominant, one.candidates) == (other.dominant, other.candidates)
        assert one.posterior == pytest.approx(other.posterior, abs=1e-5) and one.presence == pytest.approx(other.presence, abs=1e-5)
    assert len(theirs.timeline(files[2], 0.5, 0.25).segments) == len(ours.timeline(files[2], 0.5, 0.25).segments)


def test_a_model_of_existence_that_hears_no_loudness_is_exported_too_even_as_the_second_in_a_process(exported, tmp_path, hello):
    bundle = write_bundle(tmp_path / "model", small_existence(front_end={"level_db": -25}), demo=True)
    export(load_bundle(bundle), tmp_path / "a.onnx")
    ours, theirs = EmotionClassifier.from_hparams(bundle), EmotionClassifier.from_hparams(tmp_path / "a.onnx")
    prediction = theirs.predict(hello)
    assert prediction.demo and prediction.posterior is None and ours.predict(hello).presence == pytest.approx(prediction.presence, abs=1e-5)
    loud, _ = soundfile.read(hello, dtype="float32")
    batch, lengths = torch.from_numpy(np.stack([loud, 0.01 * loud, 0 * loud])), torch.tensor([len(loud), len(loud) - 999, len(loud)])
    said, expected = (classifier.classify_batch(batch, lengths)[0].exp() for classifier in (theirs, ours))
    torch.testing.assert_close(said, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(said[0], theirs.classify_batch(0.01 * batch[:1])[0].exp()[0], atol=1e-5, rtol=0)


def test_a_file_that_would_answer_otherwise_is_not_written(bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_model, "TOLERANCE", 0.0)
    monkeypatch.setattr(onnx_model, "_compare", lambda *_: 0.01)
    monkeypatch.setattr(onnx_model, "_write", lambda bundle, path: path.write_bytes(b""))
    monkeypatch.setattr(onnx_model, "OnnxModel", lambda path: None)
    with pytest.raises(InputError, match="not written: it would answer otherwise than the model, by 0.01"):
        export(load_bundle(bundle), tmp_path / "a.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_file_whose_answer_is_not_finite_is_not_written(bundle, tmp_path, monkeypatch):
    loaded = load_bundle(bundle)
    monkeypatch.setattr(onnx_model, "_write", lambda bundle, path: path.write_bytes(b""))
    monkeypatch.setattr(
        onnx_model, "OnnxModel", lambda path: SimpleNamespace(logits=lambda waveforms, n: (torch.full((len(n), 3), torch.nan),) * 2)
    )
    with pytest.raises(InputError, match="not written: it would answer otherwise than the model, by inf"):
        export(loaded, tmp_path / "a.onnx")


def test_a_folder_that_cannot_be_written_is_told_before_the_work(bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_model, "_write", lambda *_: pytest.fail("worked all the same"))
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="a file is where a folder must be"):
        export(load_bundle(bundle), tmp_path / "file" / "model.onnx")


def test_an_encoder_that_cannot_be_exported_is_named(bundle, tmp_path, monkeypatch):
    loaded = load_bundle(bundle)
    monkeypatch.setattr(loaded.model.encoders[0].network, "forward", lambda features, lengths: features.tolist())
    with pytest.raises(InputError, match="PaperEncoder, PaperEncoder cannot be exported"):
        export(loaded, tmp_path / "a.onnx")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_such_file_is_refused(tmp_path, exported):
    import onnx

    (tmp_path / "a.onnx").write_bytes(b"no onnx")
    with pytest.raises(InputError, match=r"a.onnx: no ONNX file"):
        EmotionClassifier.from_hparams(tmp_path / "a.onnx")
    model = onnx.load(exported)
    config = next(prop for prop in model.metadata_props if prop.key == CONFIG_KEY)
    config.value = json.dumps({**json.loads(config.value), "schema": 9})
    onnx.save(model, tmp_path / "new.onnx")
    with pytest.raises(InputError, match="schema 9.*newer mlee_sb"):
        EmotionClassifier.from_hparams(tmp_path / "new.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(InputError, match="`mlee export` did not write"):
        EmotionClassifier.from_hparams(tmp_path / "other.onnx")
    with pytest.raises(InputError, match=r"ends in .onnx"):
        export(None, tmp_path / "a.onx")


def test_without_the_extra_the_remedy_is_told(bundle, tmp_path, monkeypatch, exported):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    for use in (lambda: EmotionClassifier.from_hparams(exported), lambda: export(load_bundle(bundle), tmp_path / "a.onnx")):
        with pytest.raises(InputError, match=r"mlee_sb\[export\]"):
            use()


@pytest.mark.parametrize(
    "key, value, words",
    [
        (CONFIG_KEY, None, "calibration.temperature"),
        (RATE_KEY, "nan", "mlee_sb.sample_rate is 'nan'"),
        (RATE_KEY, "0", "mlee_sb.sample_rate is '0'"),
        (RATE_KEY, "999999999", "mlee_sb.sample_rate is 999,999,999, and at most 1,048,576"),
        (RATE_KEY, "44100", "mlee_sb.sample_rate is 44100, but mlee_sb.config says 16000"),
        (LEAST_KEY, "1", "mlee_sb.min_samples is 1, but mlee_sb.config says 640"),
        (LEAST_KEY, "-1", "mlee_sb.min_samples is '-1'"),
    ],
)
def test_an_onnx_file_with_numbers_that_no_model_has_is_refused(tmp_path, exported, key, value, words):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(exported)
    (noted,) = [prop for prop in model.metadata_props if prop.key == key]
    noted.value = value or noted.value.replace('"temperature": 0.7', '"temperature": 5e-324')
    onnx.save(model, tmp_path / "spoilt.onnx")
    with pytest.raises(InputError, match=rf"spoilt.onnx: {words}"):
        EmotionClassifier.from_hparams(tmp_path / "spoilt.onnx")
