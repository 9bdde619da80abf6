"""What is said of an utterance, and what may be asked."""

import numpy as np
import pytest
import soundfile
import torch
from bundles import CURVES, EMOTIONS, RATE, small_existence, small_fusion
from scipy.special import expit, softmax

from mlee_sb import EmotionClassifier
from mlee_sb.errors import InputError
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
    assert said.seconds == pytest.approx(1.3) and 0.5 < said.speech < 1


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


ASKED = {
    "predict": lambda classifier, **options: classifier.predict("nowhere.wav", **options),
    "predict_many": lambda classifier, **options: classifier.predict_many(["nowhere.wav"], **options),
    "timeline": lambda classifier, **options: classifier.timeline("nowhere.wav", **options),
    "stream": lambda classifier, **options: classifier.stream(RATE, **options),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
@pytest.mark.parametrize("name, nearest", [("coverge", "coverage"), ("confidence", "min_confidence"), ("gates", "gate")])
def test_an_argument_that_nobody_knows_is_refused_and_the_nearest_is_offered(classifier, ask, name, nearest):
    with pytest.raises(InputError, match=f"unknown argument '{name}': did you mean '{nearest}'"):
        ask(classifier, **{name: 0.5})


@pytest.mark.parametrize(
    "method, name, nearest",
    [("predict_many", "batchsize", "batch_size"), ("timeline", "widnow", "window"), ("stream", "hops", "hop")],
)
def test_the_arguments_of_a_method_itself_are_offered_too(classifier, method, name, nearest):
    offered = "coverage, min_confidence, max_uncertainty, gate"
    with pytest.raises(InputError, match=f"unknown argument '{name}': did you mean '{nearest}'.*{offered}\\)"):
        ASKED[method](classifier, **{name: 1})


def test_where_nobody_speaks_nothing_is_said(classifier, tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(RATE), RATE)
    said = classifier.predict(tmp_path / "silence.wav")
    assert (said.dominant, said.abstained, said.posterior, said.presence, said.speech) == (None, NO_SPEECH, None, None, 0)


def test_answers_hold_no_gradients(classifier, hello):
    samples = torch.from_numpy(soundfile.read(hello, dtype="float32")[0])
    answers = classifier.classify_file(hello)[0], classifier.classify_batch(samples)[0], classifier.encode_batch(samples)
    assert not any(answer.requires_grad for answer in answers)
