"""What is said of an utterance, and of many."""

import io

import numpy as np
import pytest
import soundfile
import torch
from bundles import CURVES, EMOTIONS, RATE, small_existence, small_fusion, speech, write_speech
from scipy.special import expit, softmax

from mlee_sb import EmotionClassifier
from mlee_sb.errors import InputError
from mlee_sb.inference import classifier as classifier_module
from mlee_sb.inference.answers import NO_SPEECH, NOTHING_EXCLUDED, UNSURE
from mlee_sb.models.waveforms import load_waveform


def test_probabilities_are_those_of_the_model_calibrated(classifier, hello):
    waveform = load_waveform(hello, RATE)
    with torch.no_grad():
        logits, presence = (x[0].double().numpy() for x in classifier.model.logits(waveform.unsqueeze(0), torch.tensor([len(waveform)])))
    said = classifier.predict(hello)
    np.testing.assert_allclose(list(said.posterior.values()), softmax(logits / 0.7), rtol=1e-6)
    slopes, intercepts = np.array(CURVES).T
    np.testing.assert_allclose(list(said.presence.values()), expit(slopes * presence + intercepts), rtol=1e-6)
    assert list(said.posterior) == list(said.presence) == EMOTIONS
    best = max(said.posterior, key=said.posterior.get)
    assert said.confidence == said.posterior[best] and best in said.candidates
    assert said.seconds == pytest.approx(1.3) and said.speech == 1


def test_without_calibration_probabilities_are_as_they_come_and_there_are_no_candidates(hello):
    said = EmotionClassifier(small_fusion(calibration=False)).predict(hello)
    assert said.candidates is None and said.dominant
    assert sum(said.posterior.values()) == pytest.approx(1)


def test_a_model_of_existence_tells_presence_and_the_emotion_most_likely_to_exist(hello):
    classifier = EmotionClassifier(small_existence())
    said = classifier.predict(hello)
    assert said.posterior is None and set(said.presence) == set(EMOTIONS)
    _, _, index, _ = classifier.classify_file(hello)
    assert said.dominant in (None, EMOTIONS[index])


def test_more_coverage_means_more_candidates_and_with_all_of_them_the_model_abstains(classifier, hello):
    sets = [set(classifier.predict(hello, coverage=c).candidates) for c in (0.05, 0.5, 0.9, 0.99)]
    assert all(a <= b for a, b in zip(sets, sets[1:], strict=False)) and len(sets[0]) < len(sets[-1])
    classifier = EmotionClassifier(small_fusion())
    classifier.model.calibration.thresholds[:] = [None] * 99
    said = classifier.predict(hello)
    assert said.dominant is None and said.abstained == NOTHING_EXCLUDED and said.candidates == tuple(EMOTIONS)


def test_below_a_confidence_that_is_asked_for_the_model_abstains(classifier, hello):
    sure = classifier.predict(hello).confidence
    assert classifier.predict(hello, min_confidence=sure).dominant
    said = classifier.predict(hello, min_confidence=min(1.0, sure + 1e-6))
    assert said.dominant is None and said.abstained == UNSURE


WRONG_CONFIDENCES = [{"min_confidence": value} for value in (1.1, np.nan, "high", None)]


@pytest.mark.parametrize("arguments", [{"coverage": 1.0}, {"coverage": 0}, {"coverage": np.nan}, *WRONG_CONFIDENCES, {"gate": "no"}])
def test_a_wrong_argument_is_refused_before_a_file_is_read(classifier, arguments):
    with pytest.raises(InputError, match=f"{next(iter(arguments))}"):
        classifier.predict("nowhere.wav", **arguments)
    with pytest.raises(InputError, match=f"{next(iter(arguments))}"):
        classifier.predict_many(["nowhere.wav"], **arguments)


def test_where_nobody_speaks_nothing_is_said(classifier, tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(RATE), RATE)
    said = classifier.predict(tmp_path / "silence.wav")
    assert (said.dominant, said.abstained, said.posterior, said.presence, said.speech) == (None, NO_SPEECH, None, None, 0)


def test_an_hour_is_no_utterance(classifier, tmp_path):
    soundfile.write(tmp_path / "long.wav", np.zeros(8000 * 121, dtype=np.int16), 8000)
    with pytest.raises(InputError, match=r"long.wav: 121 s long.*timeline"):
        classifier.predict(tmp_path / "long.wav")
    with pytest.raises(InputError, match=r"unnamed audio: 121 s long"):
        classifier.predict(io.BytesIO((tmp_path / "long.wav").read_bytes()))


# Many


@pytest.fixture
def files(tmp_path):
    seconds = [1.2, 0.3, 2.5, 0.31, 0.9, 1.21, 0.05]
    return [write_speech(tmp_path / f"{i}.wav", s, seed=i) for i, s in enumerate(seconds)]


@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_many_files_are_answered_in_their_order_as_each_alone(classifier, files, batch_size):
    for file, said in zip(files, classifier.predict_many(files, batch_size=batch_size), strict=True):
        alone = classifier.predict(file)
        assert said.dominant == alone.dominant and said.seconds == alone.seconds
        np.testing.assert_allclose(list(said.posterior.values()), list(alone.posterior.values()), atol=1e-5)
        np.testing.assert_allclose(list(said.presence.values()), list(alone.presence.values()), atol=1e-5)


def test_files_of_like_length_are_computed_together_the_longest_first(classifier, files, monkeypatch):
    batches = []
    answer = classifier.model.logits
    monkeypatch.setattr(classifier.model, "logits", lambda waveforms, n: batches.append(n.tolist()) or answer(waveforms, n))
    list(classifier.predict_many(files, batch_size=3))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert sorted(sum(batches, []), reverse=True) == sum(batches, [])
    batches.clear()
    monkeypatch.setitem(classifier_module.BATCH_SECONDS, "cpu", 1.0)
    list(classifier.predict_many(files))
    assert sorted(sum(batches, []), reverse=True) == sum(batches, [])
    assert all(len(batch) == 1 or max(batch) * len(batch) <= RATE for batch in batches) and max(map(len, batches)) > 1


def test_a_bad_file_is_told_in_its_place_or_raised(classifier, files, tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"nothing")
    paths = [files[0], tmp_path / "bad.wav", tmp_path / "missing.wav", files[1]]
    said = list(classifier.predict_many(paths, on_error="return"))
    assert [isinstance(one, InputError) for one in said] == [False, True, True, False]
    assert "bad.wav" in str(said[1]) and "missing.wav: no such file" in str(said[2])
    with pytest.raises(InputError, match=r"(bad|missing).wav"):
        list(classifier.predict_many(paths))


def test_no_file_gives_no_answer(classifier):
    assert list(classifier.predict_many([])) == []


def test_answers_hold_no_gradients(classifier, hello):
    samples = torch.from_numpy(soundfile.read(hello, dtype="float32")[0])
    answers = classifier.classify_file(hello)[0], classifier.classify_batch(samples)[0], classifier.encode_batch(samples)
    assert not any(answer.requires_grad for answer in answers)


# Samples


OF_SAMPLES = {
    "classify_batch": lambda classifier, samples: classifier.classify_batch(samples)[0],
    "encode_batch": lambda classifier, samples: classifier.encode_batch(samples),
    "stream": lambda classifier, samples: classifier.stream(RATE, 0.5, 0.25).feed(samples),
}
ASK = pytest.mark.parametrize("ask", OF_SAMPLES.values(), ids=OF_SAMPLES)


@ASK
@pytest.mark.parametrize(
    "taken",
    [
        lambda samples: samples,
        lambda samples: samples.astype(np.float64),
        lambda samples: samples.astype(">f4"),
        lambda samples: samples[::-1].copy()[::-1],
        lambda samples: samples.tolist(),
        lambda samples: torch.from_numpy(samples).double().requires_grad_(),
        lambda samples: list(torch.from_numpy(samples)),
    ],
    ids=["array", "doubles", "other endian", "backwards in memory", "list", "tensor with gradients", "list of tensors"],
)
def test_floats_are_taken_as_people_have_them(classifier, ask, taken):
    samples = speech(0.5)
    found, expected = ask(classifier, taken(samples)), ask(classifier, torch.from_numpy(samples))
    assert len(found) == 1 and (found.equal(expected) if isinstance(found, torch.Tensor) else found == expected)


@ASK
@pytest.mark.parametrize(
    "samples, words",
    [
        (np.zeros(9000, np.int16), "a ndarray of int16: give floats in -1 to 1"),
        (torch.zeros(9000, dtype=torch.int16), "samples of kind torch.int16: give floats"),
        ([0] * 9000, "a list of int64: give floats"),
        ([[0.0] * 9000, [0.0] * 8000], "a list that is no array .*, in rows of one length"),
        (None, "a NoneType of object: give floats"),
        ("hello.wav", "a str of <U9: give floats .*a file is for predict"),
        (np.zeros(9000, complex), "a ndarray of complex128: give floats"),
        (np.full(9000, 1e300), "not finite"),
        (np.zeros((2, 2, 2)), r"of shape \[2, 2, 2\]: give"),
        (0.5, r"of shape \[\]: give"),
    ],
)
def test_what_are_no_such_samples_is_refused_by_what_they_are(classifier, ask, samples, words):
    with pytest.raises(InputError, match=f"^(waveforms|what was fed).*{words}"):
        ask(classifier, samples)


@pytest.mark.parametrize("lengths", [np.array([8000, 4000]), [8000, 4000], [1.0, 0.5], torch.tensor([1.0, 0.5])])
def test_lengths_are_taken_as_people_have_them_too(classifier, lengths):
    samples = np.stack([speech(0.5), np.pad(speech(0.25, seed=1), (0, 4000))])
    expected = classifier.classify_batch(torch.from_numpy(samples), torch.tensor([8000, 4000]))[0]
    assert classifier.classify_batch(samples, lengths)[0].equal(expected)


@pytest.mark.parametrize("lengths", [[8000], [1.0, np.nan], [8001, 1000], [0, 1000], "two", [[8000, 4000]], [8000, None], 1.0])
def test_what_are_no_lengths_is_refused(classifier, lengths):
    with pytest.raises(InputError, match=r"wav_lens .*give one length for each of 2 waveforms, up to 8000 samples"):
        classifier.classify_batch(np.zeros((2, 8000)), lengths)


@pytest.mark.parametrize(
    "ask, message",
    [
        (lambda classifier, hello: classifier.predict(np.zeros(16000)), "ndarray: give a file; samples are for classify_batch"),
        (lambda classifier, hello: classifier.predict(hello.parent), "a folder: give the files in it"),
        (lambda classifier, hello: classifier.predict_many(str(hello)), "give a list of files"),
        (lambda classifier, hello: classifier.stream(0), "sample_rate 0: give a whole number of Hz"),
        (lambda classifier, hello: classifier.stream("16k"), "sample_rate '16k'"),
        (lambda classifier, hello: classifier.predict_many([hello], batch_size=np.nan), "batch_size is nan, and must be 1 or more"),
    ],
)
def test_what_is_no_recording_is_answered_with_what_to_give(classifier, hello, ask, message):
    with pytest.raises(InputError, match=message):
        ask(classifier, hello)
