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
    assert labels.existence_targets(counts)[0].tolist() == [[1, 1, 0, 0]]
    assert labels.existence_targets(counts, min_votes=2)[0].tolist() == [[1, 0, 0, 0]]


def test_hard_targets_leave_out_what_has_no_dominant_target_emotion():
    targets, usable = labels.hard_targets(["sad", "", "exc"], EMOTIONS)
    assert targets[0].tolist() == [0, 0, 1, 0]
    assert usable.tolist() == [True, False, False]


@given(votes)
def test_a_soft_target_sums_to_one_and_keeps_the_order_of_the_votes(counts):
    targets, usable = labels.soft_targets(counts)
    np.testing.assert_allclose(targets[usable].sum(axis=1), 1)
    for row, count in zip(targets[usable], counts[usable], strict=True):
        assert ((row[:, None] > row) == (count[:, None] > count)).all()


@given(votes)
def test_an_utterance_without_a_target_vote_is_all_absent_and_left_out_of_soft(counts):
    counts[0] = 0
    assert not labels.existence_targets(counts)[0][0].any()
    assert labels.existence_targets(counts)[1].all()
    assert not labels.soft_targets(counts)[1][0]


@given(arrays(np.float64, st.tuples(st.integers(1, 20), st.just(4)), elements=st.floats(0.01, 1)))
def test_softmax_weights_average_one_and_are_inverse_to_the_mass(targets):
    weights = labels.softmax_class_weights(targets)
    assert weights.mean() == pytest.approx(1)
    products = weights * targets.sum(axis=0)
    np.testing.assert_allclose(products, products[0])


def test_existence_weights_average_one_for_each_emotion():
    weights = labels.existence_class_weights(np.array([[1, 0], [1, 1], [0, 0], [1, 0]]))
    np.testing.assert_allclose(weights, [[1.5, 0.5], [0.5, 1.5]])


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
        labels.soft_targets(np.array(bad))
