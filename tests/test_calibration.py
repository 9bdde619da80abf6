"""What a model may claim about its own certainty."""

import json
from itertools import product

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from scipy.special import expit, softmax

from mlee_sb.calibration import (
    CROSS,
    SLOPES,
    TEMPERATURES,
    Calibration,
    conformal_thresholds,
    fit,
    fit_presence,
    fit_temperature,
    percent_of,
)
from mlee_sb.errors import InputError

K = 4
LARGEST = float(np.finfo(float).max)


def utterances(n, temperature, rng):
    """Logits of a model that is too sure (or not sure enough) by a temperature, and the truth."""
    logits = 2 * rng.standard_normal((n, K))
    truth = np.array([rng.choice(K, p=p) for p in softmax(logits, axis=1)])
    return logits * temperature, truth


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_the_temperature_by_which_a_model_is_too_sure_is_found(temperature):
    logits, truth = utterances(4000, temperature, np.random.default_rng(0))
    assert fit_temperature(logits, truth) == pytest.approx(temperature, rel=0.08)


def test_without_an_utterance_nothing_is_changed():
    assert fit_temperature(np.zeros((0, K)), np.zeros(0, int)) == 1.0
    calibration = fit(np.zeros((2, K)), [-1, -1], ["a", "b"])
    assert calibration.thresholds == [None] * 99 and calibration.n_utterances == 0
    assert calibration.candidates(np.array([[0.7, 0.1, 0.1, 0.1]]), 0.5).all()


def test_presence_is_found_where_logits_are_stretched_and_shifted():
    rng = np.random.default_rng(1)
    logits = 2 * rng.standard_normal(6000)
    exists = rng.random(6000) < expit(0.6 * logits - 1.2)
    assert fit_presence(logits, exists) == pytest.approx((0.6, -1.2), abs=0.08)


@pytest.mark.parametrize("exists, expected", [(1, 11 / 12), (0, 1 / 12)])
def test_an_emotion_that_is_always_or_never_there_does_not_become_certain(exists, expected):
    slope, intercept = fit_presence(np.linspace(-3, 3, 10), np.full(10, exists))
    assert expit(slope * np.array([-9.0, 9.0]) + intercept) == pytest.approx(expected, abs=1e-4)


def test_logits_that_point_the_wrong_way_are_not_turned_round():
    slope, _ = fit_presence(np.array([-1.0, -1, 1, 1] * 20), np.array([1, 1, 0, 0] * 20))
    assert 0 < slope < 0.01


@pytest.mark.parametrize("percent", [50, 90])
def test_thresholds_of_one_speaker_are_those_of_split_conformal_prediction(percent):
    values = np.random.default_rng(2).random(37)
    place = int(np.ceil(38 * percent / 100))
    assert conformal_thresholds(values, ["a"] * 37)[percent - 1] == np.sort(values)[place - 1]


def test_few_utterances_can_promise_little():
    thresholds = conformal_thresholds(np.linspace(0.1, 0.9, 9), ["a"] * 9)
    assert thresholds[89] == 0.9 and thresholds[90] is None and None not in thresholds[:90]


def simulated_coverage(speakers, spread, level, corpora=300):
    """Mean coverage on new speakers, each of which is differently hard, over many corpora."""
    rng = np.random.default_rng(3)
    held = []
    for _ in range(corpora):
        hardness = rng.normal(0, spread, speakers + 5)[:, None]
        values = expit(hardness + rng.standard_normal((speakers + 5, 25)))
        names = np.repeat(np.arange(speakers), 25).astype(str)
        threshold = conformal_thresholds(values[:speakers].ravel(), names)[percent_of(level) - 1]
        held.append((values[speakers:] <= (np.inf if threshold is None else threshold)).mean())
    return np.mean(held)


@pytest.mark.parametrize("speakers", [5, 10, 30])
@pytest.mark.parametrize("level", [0.8, 0.9])
def test_sets_hold_their_coverage_on_speakers_that_were_not_heard(speakers, level):
    assert level - 0.012 <= simulated_coverage(speakers, spread=0.5, level=level) <= level + 0.06


def test_taking_utterances_for_independent_would_not_hold_it():
    """Why the level is raised: the plain threshold of few speakers that differ falls short."""
    rng, held = np.random.default_rng(4), []
    for _ in range(600):
        values = expit(rng.normal(0, 1.0, 10)[:, None] + rng.standard_normal((10, 25)))
        held.append((values[5:] <= conformal_thresholds(values[:5].ravel(), ["one"] * 125)[89]).mean())
    assert np.mean(held) < 0.88
    assert simulated_coverage(5, spread=1.0, level=0.9) > np.mean(held) + 0.02


def simulated_strangers(corpora=80, speakers=10, n=12, size=80):
    """The coverage at 90 % on 20 strangers, of each corpus, by whose logits the calibration was fitted on.

    A model knows the means of three emotions from `speakers` of `n` utterances; each speaker is `size` offsets away from them.
    """
    rng, held = np.random.default_rng(6), {name: [] for name in ("one validation speaker", "training speakers", "cross")}

    def utterances_of(count):
        truth = rng.integers(3, size=(count, n))
        heard = (
            means[truth] + rng.normal(0, 0.6, (count, 1, size)) + rng.lognormal(0, 0.4, (count, 1, 1)) * rng.normal(0, 1, (count, n, size))
        )
        return heard, truth

    def logits_of(heard, known, truth_of_known):
        learnt = np.array([known[truth_of_known == k].mean(axis=0) for k in range(3)])
        return -0.5 * np.square(heard[..., None, :] - learnt).sum(axis=-1)

    for _ in range(corpora):
        means = rng.normal(0, 2.4 / np.sqrt(size), (3, size))
        (train, y), (valid, y_valid), (test, y_test) = (utterances_of(count) for count in (speakers, 1, 20))
        others = [np.arange(speakers) % 5 != g for g in range(5)]
        left_out = np.concatenate([logits_of(train[~rest], train[rest], y[rest]) for rest in others])
        order = np.concatenate([np.flatnonzero(~rest) for rest in others])
        of_valid, names = logits_of(valid, train, y), np.repeat(np.arange(speakers + 1), n).astype(str)
        fitted = {
            "one validation speaker": fit(of_valid.reshape(-1, 3), y_valid.ravel(), ["v"] * n),
            "training speakers": fit(logits_of(train, train, y).reshape(-1, 3), y.ravel(), names[:-n]),
            "cross": fit(
                np.concatenate([left_out, of_valid]).reshape(-1, 3), np.concatenate([y[order], y_valid]).ravel(), names, method=CROSS
            ),
        }
        for name, calibration in fitted.items():
            kept = calibration.candidates(calibration.posterior(logits_of(test, train, y).reshape(-1, 3)), 0.9)
            held[name].append(kept[np.arange(kept.shape[0]), y_test.ravel()].mean())
    return {name: np.array(shares) for name, shares in held.items()}


def test_out_of_fold_speakers_calibrate_for_strangers_better_than_one_validation_speaker_or_the_speakers_that_were_learnt_from():
    held = simulated_strangers()
    away = {name: np.abs(shares - 0.9).mean() for name, shares in held.items()}
    assert 0.89 <= held["cross"].mean() <= 0.96
    assert held["training speakers"].mean() < 0.85, "a model is too sure of speakers that it learnt from"
    assert away["cross"] < 0.75 * away["one validation speaker"] and away["cross"] < 0.75 * away["training speakers"]


def test_an_earlier_calibration_names_no_method_and_was_on_validation_speakers():
    earlier = {"temperature": 1.0, "presence": None, "thresholds": [None] * 99, "n_utterances": 1, "n_speakers": 1}
    found = TypeAdapter(Calibration).validate_python(earlier)
    assert found.method == "validation" and found.speakers == "validation speaker(s)"
    assert "cross-conformal" in TypeAdapter(Calibration).validate_python({**earlier, "method": CROSS}).speakers
    with pytest.raises(ValidationError):
        TypeAdapter(Calibration).validate_python({**earlier, "method": "test"})


def test_the_most_probable_emotion_is_always_a_candidate_and_more_coverage_keeps_more():
    logits, truth = utterances(500, 1.0, np.random.default_rng(5))
    calibration = fit(logits, truth, ["a"] * 250 + ["b"] * 250)
    posterior = calibration.posterior(logits)
    sets = [calibration.candidates(posterior, c) for c in (0.01, 0.5, 0.9, 0.99)]
    assert all((a <= b).all() for a, b in zip(sets, sets[1:], strict=False))
    assert sets[0][np.arange(500), posterior.argmax(1)].all()
    assert sets[2][np.arange(500), truth].mean() >= 0.9


def test_a_model_of_existence_is_compared_as_equation_7_does_and_calibrated_by_emotion():
    rng = np.random.default_rng(6)
    logits = 2 * rng.standard_normal((800, K))
    exists = rng.random((800, K)) < expit(logits)
    calibration = fit(logits, logits.argmax(1), ["a"] * 800, exists)
    assert calibration.temperature == 1 and len(calibration.presence) == K
    np.testing.assert_allclose(calibration.presence_of(logits), expit(logits), atol=0.08)
    assert calibration.thresholds[89] == pytest.approx(np.quantile(1 - expit(logits.max(1)), 0.9), abs=0.03)


def test_a_coverage_may_come_from_numpy_and_counts_as_that_percent_or_the_next():
    assert [percent_of(kind(0.9)) for kind in (float, np.float32, np.float64)] == [90] * 3


@pytest.mark.parametrize("coverage", [0, 1, 1.5, -0.1, float("nan"), float("inf"), "0.9", None])
def test_a_coverage_that_cannot_be_asked_for_is_refused(coverage):
    with pytest.raises(InputError, match=r"0.01 to 0.99"):
        percent_of(coverage)


@pytest.mark.parametrize("temperature, slope, intercept", product(TEMPERATURES, SLOPES, (-LARGEST, -1.0, 0.0, LARGEST)))
def test_whatever_it_may_hold_every_finite_logit_has_a_probability(temperature, slope, intercept):
    largest = float(np.finfo(np.float32).max)  # of what a network computes
    logits = np.array(list(product((-largest, -1.0, 0.0, 1e-45, largest), repeat=3)))
    calibration = Calibration(temperature, [(slope, intercept)] * 3, [None] * 99, 0, 0)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        posterior, present = calibration.posterior(logits), calibration.presence_of(logits)
        assert calibration.candidates(posterior, 0.5).all() and calibration.candidates(present, 0.5).all()
    np.testing.assert_allclose(posterior.sum(axis=1), 1)
    assert ((posterior >= 0) & (present >= 0) & (present <= 1)).all()


@pytest.mark.parametrize("sure", [True, False])
def test_what_is_fitted_at_the_end_of_its_range_may_be_kept(sure):
    """Of logits that are always right, and of those that are always wrong."""
    logits = 1e-3 * np.eye(K) if sure else -100 * np.eye(K)
    truth = np.arange(K)
    assert fit(logits, truth, ["a"] * K).temperature == pytest.approx(TEMPERATURES[0 if sure else 1], rel=1e-4)
    curves = fit(logits, truth, ["a"] * K, np.eye(K)).presence
    assert all(slope == pytest.approx(SLOPES[1 if sure else 0], rel=1e-4) for slope, _ in curves)


def test_it_is_kept_as_json_and_read_again():
    logits, truth = utterances(40, 1.0, np.random.default_rng(7))
    calibration = fit(logits, truth, list("ab") * 20, np.eye(K)[truth])
    adapter = TypeAdapter(Calibration)
    text = adapter.dump_json(calibration)
    assert adapter.validate_json(text) == calibration
    for name, value in {"temperature": -1, "thresholds": [1.0], "n_speakers": -1, "presence": [[0, 1]]}.items():
        with pytest.raises(ValidationError):
            adapter.validate_json(json.dumps({**json.loads(text), name: value}))
