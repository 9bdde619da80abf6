"""Targets and class weights, by hand and as properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlee_sb import labels
from mlee_sb.errors import InputError

EMOTIONS = ["neu", "hap", "sad", "ang"]
votes = arrays(np.int64, st.tuples(st.integers(1, 20), st.just(4)), elements=st.integers(0, 12))


def test_soft_targets_by_hand():
    targets, usable = labels.soft_targets(np.array([[2, 1, 0, 0], [0, 0, 0, 0]]), alpha=0.75)
    np.testing.assert_allclose(targets[0], [2.75 / 6, 1.75 / 6, 0.75 / 6, 0.75 / 6])
    assert usable.tolist() == [True, False]


def test_existence_by_hand_with_one_and_with_two_votes_needed():
    counts = np.array([[2, 1, 0, 0]])
    assert labels.existence_targets(counts, min_votes=1)[0].tolist() == [[1, 1, 0, 0]]
    assert labels.existence_targets(counts, min_votes=2)[0].tolist() == [[1, 0, 0, 0]]


def test_hard_targets_leave_out_what_has_no_dominant_target_emotion():
    targets, usable = labels.hard_targets(["sad", "", "exc"], EMOTIONS)
    assert targets[0].tolist() == [0, 0, 1, 0]
    assert usable.tolist() == [True, False, False]


@given(votes)
def test_a_soft_target_sums_to_one_and_keeps_the_order_of_the_votes(counts):
    targets, usable = labels.soft_targets(counts, alpha=0.75)
    np.testing.assert_allclose(targets[usable].sum(axis=1), 1)
    for row, count in zip(targets[usable], counts[usable], strict=True):
        assert ((row[:, None] > row) == (count[:, None] > count)).all()


@given(votes)
def test_an_utterance_without_a_target_vote_is_all_absent_and_left_out_of_soft(counts):
    counts[0] = 0
    assert not labels.existence_targets(counts, min_votes=1)[0][0].any()
    assert labels.existence_targets(counts, min_votes=1)[1].all()
    assert not labels.soft_targets(counts, alpha=0.75)[1][0]


@given(arrays(np.float64, st.tuples(st.integers(1, 20), st.just(4)), elements=st.floats(0.01, 1)))
def test_softmax_weights_give_every_class_the_same_mass_and_an_example_one_on_average(targets):
    weights = labels.softmax_class_weights(targets)
    np.testing.assert_allclose(weights * targets.sum(axis=0), targets.sum() / 4)


@given(st.integers(2, 12), st.integers(1, 9))
def test_a_share_of_exactly_one_in_k_is_not_present_and_one_vote_more_is(k, times):
    """Whatever the number of votes, rounding must not decide."""
    counts = np.full(k, times)
    assert not labels.present_at_chance(counts / counts.sum()).any()
    in_a_file = (counts / counts.sum()).astype(np.float32).astype(float)
    assert not labels.present_at_chance(in_a_file).any()
    counts[0] += 1
    assert labels.present_at_chance(counts / counts.sum()).tolist() == [True] + [False] * (k - 1)


TABLE_1 = {"neu": 582, "hap": 154, "sad": 305, "ang": 159}  # of 1,000 utterances: the paper's table 1, dominant set
N_OVER_2N = {  # absent and present, by hand: 1000 / (2 * 418) and 1000 / (2 * 582), ...
    "neu": [1.196172, 0.859107],
    "hap": [0.591017, 3.246753],
    "sad": [0.719424, 1.639344],
    "ang": [0.594530, 3.144654],
}


def test_existence_weights_of_the_papers_table_1_by_hand():
    targets = np.stack([np.arange(1000) < present for present in TABLE_1.values()], axis=1).astype(float)
    np.testing.assert_allclose(labels.existence_class_weights(targets), list(N_OVER_2N.values()), rtol=1e-6)


def test_softmax_weights_of_the_dominant_emotions_of_iemocap_by_hand():
    counts = {"neu": 1099, "hap": 284, "sad": 608, "ang": 289}  # 2,280 in all: 2280 / (4 * 1099), ...
    targets = np.repeat(np.eye(4), list(counts.values()), axis=0)
    np.testing.assert_allclose(labels.softmax_class_weights(targets), [0.518653, 2.007042, 0.9375, 1.972318], rtol=1e-6)


def test_no_emotion_loses_existence_weight_by_being_rare():
    """The kind of the mistake: pairs scaled to mean 1 one by one leave 4p(1-p) of the weight, .52 for hap on the dominant set."""
    rng = np.random.default_rng(0)
    targets = (rng.random((500, 3)) < [0.5, 0.1, 0.02]).astype(float)
    weights = labels.existence_class_weights(targets)
    total = (targets * weights[:, 1] + (1 - targets) * weights[:, 0]).sum(axis=0)
    np.testing.assert_allclose(total, 500)


@pytest.mark.parametrize("targets", [[[1, 0], [1, 0]], [[1, 1], [0, 1]]])
def test_an_emotion_that_never_or_always_exists_is_named(targets):
    with pytest.raises(InputError, match="'hap'"):
        labels.existence_class_weights(np.array(targets), ["neu", "hap"])


def test_a_class_without_an_example_is_named():
    with pytest.raises(InputError, match="'hap'"):
        labels.softmax_class_weights(np.array([[1.0, 0.0]]), ["neu", "hap"])


@pytest.mark.parametrize("bad", [[[-1, 0]], [[0.5, 1]], [[np.nan, 1]]])
def test_votes_that_are_no_counts_are_refused(bad):
    with pytest.raises(InputError):
        labels.soft_targets(np.array(bad), alpha=0.75)
