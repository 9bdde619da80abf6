"""Thirds of disagreement."""

from itertools import permutations

import numpy as np

from mlee_sb.evaluation.ambiguity import thirds
from mlee_sb.labels import vote_entropy


def test_the_entropy_of_votes_counts_other_as_one_answer_and_no_vote_as_agreement():
    found = vote_entropy(np.array([[4, 0, 0], [2, 2, 0], [2, 1, 1], [0, 0, 5], [0, 0, 0]]))
    np.testing.assert_allclose(found, [0, 1, 1.5, 0, 0])


def test_votes_that_differ_only_in_which_emotion_they_are_for_have_one_entropy_to_the_last_digit():
    """Rounding in another order would tear utterances of equal entropy apart."""
    for votes in ((1, 2, 4, 0), (3, 5, 1, 1), (1, 1, 1, 7)):
        assert len(set(vote_entropy(np.array(list(permutations(votes)))).tolist())) == 1


def test_thirds_are_as_equal_as_ties_allow():
    third, ends = thirds(np.arange(9.0))
    assert third.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2] and ends == (2.0, 5.0)
    third, _ = thirds(np.array([0.0] * 5 + [0.9] * 4))
    assert third.tolist() == [0] * 5 + [1] * 4


def test_a_third_that_ties_leave_empty_is_empty():
    third, _ = thirds(np.array([0.0] * 8 + [1.0]))
    assert third.tolist() == [0] * 8 + [2]
