"""Scores of weighted utterances: against scikit-learn, and by hand where it has none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from sklearn.metrics import average_precision_score, balanced_accuracy_score, confusion_matrix, f1_score, log_loss, roc_auc_score

from mlee_sb.evaluation import metrics
from mlee_sb.evaluation.metrics import SCORES
from mlee_sb.evaluation.predictions import Predictions
from mlee_sb.targets import SIGMOID, SOFTMAX

EMOTIONS = ["neu", "hap", "sad"]


def random_predictions(seed: int, n: int = 60, decimals: int = 2) -> Predictions:
    """Some predictions with ties, and utterances without a dominant emotion or a vote for a target."""
    rng = np.random.default_rng(seed)
    votes = rng.integers(0, 4, (n, len(EMOTIONS) + 1)).astype(float)
    posterior = rng.dirichlet(np.ones(len(EMOTIONS)), n)
    existence = rng.random((n, len(EMOTIONS))).round(decimals)
    ids = np.arange(n).astype(str)
    dominant = rng.integers(-1, len(EMOTIONS), n)
    return Predictions(EMOTIONS, SOFTMAX, ids, ids, dominant, votes, votes[:, :-1] >= 2, posterior, existence)


def resample(seed: int, n: int = 60) -> np.ndarray:
    return np.random.default_rng(seed + 1).integers(0, 4, n).astype(float)


def repeated(predictions: Predictions, counts: np.ndarray) -> Predictions:
    """The predictions that a resample consists of, each as often as it is in it."""
    rows = np.repeat(np.arange(len(predictions)), counts.astype(int))
    fields = ("ids", "speakers", "dominant", "votes", "exists", "posterior", "existence")
    return Predictions(EMOTIONS, predictions.output, **{name: getattr(predictions, name)[rows] for name in fields})


@given(st.integers(0, 10_000), st.sampled_from([0, 1, 6]))
def test_scores_are_those_of_scikit_learn(seed, decimals):
    predictions = random_predictions(seed, decimals=decimals)
    once = np.ones((1, len(predictions)))
    tested = predictions.dominant >= 0
    truth, posterior = predictions.dominant[tested], predictions.posterior[tested]
    decided = posterior.argmax(axis=1)
    assert metrics.confusion(predictions, once)[0].tolist() == confusion_matrix(truth, decided, labels=range(3)).tolist()
    assert metrics.wa(predictions, once)[0] == pytest.approx((truth == decided).mean())
    assert metrics.ua(predictions, once)[0] == pytest.approx(balanced_accuracy_score(truth, decided))
    assert metrics.macro_f1(predictions, once)[0] == pytest.approx(f1_score(truth, decided, average="macro"))
    assert metrics.nll(predictions, once)[0] == pytest.approx(log_loss(truth, posterior, labels=range(3)))
    for k in range(3):
        exists, p = predictions.exists[:, k], predictions.existence[:, k]
        assert metrics.existence_auc(predictions, once)[0, k] == pytest.approx(roc_auc_score(exists, p))
        assert metrics.existence_average_precision(predictions, once)[0, k] == pytest.approx(average_precision_score(exists, p))
        assert metrics.existence_f1(predictions, once)[0, k] == pytest.approx(f1_score(exists, p >= 0.5))


@pytest.mark.parametrize("name", SCORES)
@given(seed=st.integers(0, 10_000))
def test_a_weight_counts_an_utterance_as_often_as_it_says(name, seed):
    predictions, counts = random_predictions(seed, decimals=1), resample(seed)
    there = repeated(predictions, counts)
    expected = SCORES[name].of(there, np.ones((1, len(there))))
    both = SCORES[name].of(predictions, np.stack([counts, np.ones(len(counts))]))
    assert both[0] == pytest.approx(expected[0])
    assert both[1] == pytest.approx(SCORES[name].of(predictions, np.ones((1, len(counts))))[0])


def by_hand(posterior, dominant, votes=None, existence=None, output=SOFTMAX) -> Predictions:
    n = len(posterior)
    votes = np.zeros((n, 3)) if votes is None else np.array(votes, dtype=float)
    ids = np.arange(n).astype(str)
    return Predictions(["neu", "hap"], output, ids, ids, np.array(dominant), votes, votes[:, :-1] >= 1, np.array(posterior), existence)


def test_brier_is_the_squared_distance_to_the_one_hot_vector():
    predictions = by_hand([[0.8, 0.2], [0.4, 0.6], [0.5, 0.5]], [0, 0, -1])
    assert metrics.brier(predictions, np.ones((1, 3)))[0] == pytest.approx((0.04 + 0.04 + 0.36 + 0.36) / 2)


def test_the_divergence_to_the_votes_counts_utterances_without_a_dominant_emotion_but_none_without_a_vote():
    predictions = by_hand([[0.8, 0.2], [0.4, 0.6], [0.9, 0.1]], [0, -1, -1], votes=[[3, 1, 0], [2, 2, 1], [0, 0, 3]])
    expected = [jensenshannon([0.8, 0.2], [0.75, 0.25], base=2) ** 2, jensenshannon([0.4, 0.6], [0.5, 0.5], base=2) ** 2]
    assert metrics.jensen_shannon(predictions, np.ones((1, 3)))[0] == pytest.approx(np.mean(expected))


def test_the_calibration_error_by_hand():
    predictions = by_hand([[0.95, 0.05], [0.91, 0.09], [0.4, 0.6], [1.0, 0.0]], [0, 1, 1, -1])
    # The bin of 0.9 to 1: confidence 0.93, half right; that of 0.6: confidence 0.6, right. The last has no dominant emotion.
    assert metrics.expected_calibration_error(predictions, np.ones((1, 4)))[0] == pytest.approx((2 * abs(0.93 - 0.5) + 0.4) / 3)


def test_certainty_that_was_wrong_has_a_finite_likelihood():
    assert metrics.nll(by_hand([[1.0, 0.0]], [1]), np.ones((1, 1)))[0] == pytest.approx(-np.log(1e-12))


def test_a_resample_without_an_emotion_of_the_whole_set_has_no_mean_over_the_emotions():
    existence = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    predictions = by_hand(existence, [0, 0, 1], votes=[[1, 0, 0], [0, 1, 0], [0, 1, 0]], existence=existence)
    whole, without_hap, nothing = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])[:, None]
    assert metrics.ua(predictions, whole)[0] == pytest.approx((1 / 2 + 1) / 2)
    for score in (metrics.ua, metrics.macro_f1):
        assert np.isnan(score(predictions, without_hap)[0]) and np.isnan(score(predictions, nothing)[0])
    assert metrics.wa(predictions, without_hap)[0] == 0.5 and np.isnan(metrics.wa(predictions, nothing)[0])
    assert SCORES["existence_auc"].of(predictions, whole)[0] == 1 and np.isnan(
        SCORES["existence_auc"].of(predictions, whole * [1, 0, 0])[0]
    )


def test_an_emotion_that_the_whole_set_lacks_is_left_out_of_the_means():
    predictions = by_hand([[0.9, 0.1], [0.2, 0.8]], [0, 0])
    assert metrics.ua(predictions, np.ones((1, 2)))[0] == 0.5
    assert metrics.macro_f1(predictions, np.ones((1, 2)))[0] == pytest.approx(2 / 3)


def test_matrices_of_a_set_and_its_resamples_have_their_means_over_the_emotions_of_the_set():
    whole, without_hap = np.array([[2, 1], [0, 3]]), np.array([[2, 2], [0, 0]])
    np.testing.assert_allclose(metrics.ua_of(np.stack([whole, without_hap])), [(2 / 3 + 1) / 2, np.nan])
    np.testing.assert_allclose(metrics.macro_f1_of(np.stack([whole, without_hap])), [(4 / 5 + 6 / 7) / 2, np.nan])


def test_a_stage_that_learnt_existence_has_no_posterior_and_a_head_repeats_no_existence():
    existence = np.array([[0.9, 0.8]])
    mlee, head = by_hand(existence, [0], existence=existence, output=SIGMOID), by_hand(existence, [0], existence=existence)
    themes = {name: score.theme for name, score in SCORES.items() if score.defined_for(mlee)}
    assert set(themes.values()) == {"decisions", "selective", "sets", "existence"}
    assert not any(score.needs is SIGMOID and score.defined_for(head) for score in SCORES.values())
