"""Scores of sets, distributions and rankings: against scikit-learn and scipy by name, and by hand where these have none."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cosine
from scipy.stats import entropy, spearmanr
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    hamming_loss,
    label_ranking_average_precision_score,
    log_loss,
    top_k_accuracy_score,
)

from mlee_sb.evaluation import metrics
from mlee_sb.evaluation.metrics import SCORES
from mlee_sb.targets import DIRICHLET, SIGMOID

from .test_metrics import by_hand, random_predictions

SEEDS = st.integers(0, 10_000)


def once(predictions) -> np.ndarray:
    return np.ones((1, len(predictions)))


def of(name: str, predictions) -> float:
    return SCORES[name].of(predictions, once(predictions))[0]


def voted(predictions) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the votes for targets, and posteriors, of the utterances that have such votes."""
    votes = predictions.votes[:, :-1]
    there = votes.sum(axis=1) > 0
    return votes[there] / votes[there].sum(axis=1, keepdims=True), predictions.posterior[there]


def entropies(*of: np.ndarray) -> list[np.ndarray]:
    """Entropies in which votes of 2 : 1 are no different from votes of 1 : 2 by rounding."""
    return [entropy(np.sort(shares), axis=1) for shares in of]


@settings(max_examples=25)
@given(SEEDS)
def test_distances_to_the_votes_are_those_of_scipy(seed):
    predictions = random_predictions(seed)
    q, p = voted(predictions)
    assert of("kullback_leibler", predictions) == pytest.approx(np.mean(entropy(q, p, axis=1)))
    assert of("cosine", predictions) == pytest.approx(np.mean([1 - cosine(*pair) for pair in zip(q, p, strict=True)]))
    assert of("entropy_correlation", predictions) == pytest.approx(spearmanr(*entropies(q, p)).statistic)
    each_vote = np.repeat(np.arange(q.shape[1])[None], len(q), axis=0).ravel()
    assert of("cross_entropy", predictions) == pytest.approx(
        log_loss(each_vote, np.repeat(p, q.shape[1], axis=0), sample_weight=q.ravel(), labels=range(q.shape[1]))
    )
    assert of("cross_entropy", predictions) - of("kullback_leibler", predictions) == pytest.approx(np.mean(entropy(q, axis=1)))


@settings(max_examples=25)
@given(SEEDS)
def test_scores_of_sets_are_those_of_scikit_learn(seed):
    predictions = random_predictions(seed)
    q, p = voted(predictions)
    heard, said = q > 1 / 3, p > 1 / 3
    assert of("sets_macro_f1", predictions) == pytest.approx(f1_score(heard, said, average="macro", zero_division=0))
    assert of("sets_micro_f1", predictions) == pytest.approx(f1_score(heard, said, average="micro"))
    assert of("hamming_loss", predictions) == pytest.approx(hamming_loss(heard, said))
    assert of("subset_accuracy", predictions) == pytest.approx(accuracy_score(heard, said))
    assert of("ranking_precision", predictions) == pytest.approx(label_ranking_average_precision_score(heard, p))
    tested = predictions.dominant >= 0
    expected = top_k_accuracy_score(predictions.dominant[tested], predictions.posterior[tested], k=2, labels=range(3))
    assert of("top_2", predictions) == pytest.approx(expected)


@settings(max_examples=25)
@given(SEEDS)
def test_emotions_of_equal_probability_are_ranked_as_scikit_learn_ranks_them(seed):
    existence = random_predictions(seed, decimals=1).existence
    votes = np.random.default_rng(seed).integers(0, 4, (len(existence), 4))
    predictions = random_predictions(seed)
    tied = replace(predictions, posterior=existence, votes=votes.astype(float))
    q, p = voted(tied)
    assert of("ranking_precision", tied) == pytest.approx(label_ranking_average_precision_score(q > 1 / 3, p))


def test_a_model_of_existence_says_its_sets_by_its_own_threshold_and_a_posterior_by_chance():
    """Of three emotions, 0.4 is above chance and below 0.5. Of the votes, 2 of 3 are for the first emotion."""
    predictions = replace(random_predictions(0, n=1), posterior=np.array([[0.5, 0.4, 0.1]]), votes=np.array([[2.0, 1, 0, 0]]))
    assert of("subset_accuracy", predictions) == 0 and of("hamming_loss", predictions) == pytest.approx(1 / 3)
    assert of("subset_accuracy", replace(predictions, output=SIGMOID)) == 1


def test_a_share_of_just_one_in_k_is_not_heard_and_votes_for_no_target_count_nowhere():
    """Two utterances of equal shares, one with votes for another emotion only, and one of which a third of all votes is for neu."""
    votes = [[1, 1, 0], [2, 2, 5], [0, 0, 3], [1, 0, 2]]
    predictions = by_hand([[0.5, 0.5], [0.9, 0.1], [0.1, 0.9], [0.9, 0.1]], [-1] * 4, votes)
    assert of("subset_accuracy", predictions) == pytest.approx(2 / 3), "the first and the last; the third is left out"
    assert of("hamming_loss", predictions) == pytest.approx(1 / 6)
    assert of("kullback_leibler", predictions) == pytest.approx((0 + np.log(0.5 / 0.3) + np.log(1 / 0.9)) / 3)
    assert of("sets_macro_f1", predictions) == pytest.approx(2 / 3), "hap is never heard: it has no F1"


def test_an_emotion_that_the_model_rules_out_costs_much_but_not_without_end():
    predictions = by_hand([[1.0, 0.0], [1.0, 0.0]], [0, 0], [[1, 1, 0], [1, 0, 0]])
    assert of("kullback_leibler", predictions) == pytest.approx((0.5 * np.log(0.5) + 0.5 * np.log(0.5 / 1e-12)) / 2)
    assert of("cross_entropy", predictions) == pytest.approx(-0.5 * np.log(1e-12) / 2)


def test_the_entropies_of_listeners_who_always_agree_correlate_with_nothing():
    assert np.isnan(of("entropy_correlation", by_hand([[0.9, 0.1], [0.6, 0.4]], [0, 0], [[3, 0, 0], [2, 0, 0]])))


def test_a_dirichlet_row_is_also_judged_by_what_it_tells_of_the_listeners_alone():
    """Of three equal posteriors, the surest distribution tells that listeners will disagree most, and they do."""
    votes = [[4, 0, 0], [3, 1, 0], [2, 2, 0]]
    unsure = replace(by_hand([[0.5, 0.5]] * 3, [-1] * 3, votes), output=DIRICHLET, concentrations=np.array([1.0, 10.0, 100.0]))
    assert of("disagreement_correlation", unsure) == pytest.approx(1) and np.isnan(of("entropy_correlation", unsure))
    assert SCORES["nll"].defined_for(unsure) and not SCORES["disagreement_correlation"].defined_for(random_predictions(0))


def test_the_risk_coverage_curve_by_hand():
    """From the surest on: right, wrong, right. The risks are 0, 1/2 and 1/3; the last utterance has no dominant emotion."""
    p = [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [1.0, 0.0]]
    assert of("aurc", by_hand(p, [0, 0, 0, -1])) == pytest.approx((0 + 1 / 2 + 1 / 3) / 3)
    assert of("aurc", by_hand(p[:3], [1, 0, 1])) == 1 and of("aurc", by_hand(p[:3], [0, 1, 0])) == 0


def test_utterances_of_equal_confidence_are_answered_together_so_that_their_order_does_not_count():
    p = [[0.8, 0.2], [0.2, 0.8], [0.6, 0.4]]
    one, other = by_hand(p, [0, 0, 0]), by_hand([p[1], p[0], p[2]], [0, 0, 0])
    assert of("aurc", one) == of("aurc", other) == pytest.approx((1 / 2 + 1 / 2 + 1 / 3) / 3)


def test_confidence_that_tells_nothing_has_the_share_of_errors_as_its_area():
    rng = np.random.default_rng(0)
    confidence, right = rng.uniform(0.5, 1, 4000), rng.random(4000) < 0.7
    predictions = by_hand(np.column_stack([confidence, 1 - confidence]), np.where(right, 0, 1))
    assert of("aurc", predictions) == pytest.approx(0.3, abs=0.03) and of("wa", predictions) == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize(("posterior", "among"), [([1 / 3] * 3, [1, 1, 0]), ([0.2, 0.4, 0.4], [0, 1, 1]), ([0.2, 0.2, 0.6], [1, 0, 1])])
def test_the_first_two_in_label_order_are_taken_on_a_tie(posterior, among):
    predictions = replace(random_predictions(0, n=1), posterior=np.array([posterior]))
    assert [of("top_2", replace(predictions, dominant=np.array([k]))) for k in range(3)] == among


def test_without_a_vote_or_a_dominant_emotion_no_score_is_defined():
    nothing = by_hand([[0.9, 0.1]], [-1], [[0, 0, 2]])
    assert all(np.isnan(of(name, nothing)) for name, score in SCORES.items() if score.defined_for(nothing))


@pytest.mark.parametrize("words", ["UA", "ua", "Macro-F1 of sets", "JSD to the votes (bits)", "jensen-shannon", "AURC"])
def test_a_score_is_found_by_its_name_and_by_its_title(words):
    assert metrics.find_score(words) in SCORES


def test_every_score_says_of_which_utterances_it_is_and_no_two_have_one_title():
    predictions = random_predictions(1)
    assert len({score.title.lower() for score in SCORES.values()}) == len(SCORES)
    for name, score in SCORES.items():
        changed = np.where(score.counted(predictions), 1.0, 5.0)[None]
        assert score.of(predictions, changed)[0] == pytest.approx(score.of(predictions, once(predictions))[0]), name
