"""The all-inclusive rule: labels, class weights and loss, against the code and the label files of EMO-SUPERB, and its threshold."""

import math

import numpy as np
import pytest
import torch

from mlee_sb.errors import InputError
from mlee_sb.labels import all_inclusive_targets, effective_class_weights, present_at_chance
from mlee_sb.targets import find_target

TARGET = find_target("all_inclusive")
SETTINGS = {"emotions": ["neu", "hap", "sad"], "min_votes": 1, "label_smoothing": 0.05, "class_weights": True}


@pytest.mark.parametrize(
    ("votes", "of_the_files"),
    [  # counts of votes, and the row of a published label file: CREMA-D (6 emotions, 10 and 11 votes) and IEMOCAP (9 emotions)
        ([4, 0, 0, 0, 0, 6], [0.386, 0.01, 0.01, 0.01, 0.01, 0.574]),
        ([0, 0, 0, 1, 5, 5], [0.01, 0.01, 0.01, 0.095455, 0.437273, 0.437273]),
        ([1, 0, 0, 0, 0, 0, 0, 0, 0], [0.95, *[0.00625] * 8]),
        ([0, 0, 0, 0, 1, 0, 0, 0, 2], [*[0.00625] * 4, 0.320833, 0.00625, 0.00625, 0.00625, 0.635417]),
    ],
)
def test_labels_are_those_of_the_published_files(votes, of_the_files):
    np.testing.assert_allclose(all_inclusive_targets(np.array([votes]), 0.05)[0][0], of_the_files, atol=1e-6)


def test_every_utterance_with_a_target_vote_is_used_and_keeps_all_of_them():
    labels, usable = TARGET.training_labels("all", ["", "neu", ""], np.array([[1, 1, 1], [2, 1, 0], [0, 0, 0]]), SETTINGS)
    np.testing.assert_allclose(labels[0], [1 / 3] * 3, rtol=1e-6)
    assert labels[1].argmax() == 0 and labels[1][1] > labels[1][2] > 0
    assert usable.tolist() == [True, True, False] and TARGET.one_train_set == "all"


def test_smoothing_moves_nothing_over_the_threshold():
    """In float32, too: a share of 1 / K is smoothed to itself."""
    votes = np.array([[a, b, c] for a in range(7) for b in range(7) for c in range(7) if a + b + c])
    shares = votes / votes.sum(axis=1, keepdims=True)
    for smoothing in (0.0, 0.05, 0.4):
        labels = all_inclusive_targets(votes, smoothing)[0].astype(np.float32)
        assert (present_at_chance(labels) == present_at_chance(shares)).all()


def test_class_weights_are_inverse_effective_numbers_with_a_mean_of_one():
    labels = np.array([[0.9, 0.05, 0.05]] * 6 + [[0.45, 0.5, 0.05]] * 2 + [[0.05, 0.05, 0.9]])  # present in 8, 2 and 1 of 9
    effective = np.array([(1 - (8 / 9) ** n) / (1 - 8 / 9) for n in (8, 2, 1)])
    weights = effective_class_weights(labels)
    np.testing.assert_allclose(weights * effective, (weights * effective)[0])
    assert weights.mean() == pytest.approx(1)
    assert TARGET.training_class_weights(labels, [""] * 9, {**SETTINGS, "class_weights": False}).tolist() == [1, 1, 1]


def test_an_emotion_that_is_present_nowhere_is_named():
    with pytest.raises(InputError, match="no training example with more than one vote in 3 for 'sad' in this training set: leave it out"):
        TARGET.training_class_weights(np.array([[0.5, 0.45, 0.05]] * 3), [""] * 3, SETTINGS)


def test_the_loss_by_hand_is_the_cross_entropy_times_the_mean_class_weight_of_the_label():
    logits = torch.tensor([[math.log(3.0), 0.0]])  # posteriors 3/4 and 1/4
    loss = TARGET.loss(logits, torch.tensor([[0.8, 0.2]]), torch.tensor([0.5, 3.0]))
    assert loss.item() == pytest.approx((0.8 * 0.5 + 0.2 * 3) * (-0.8 * math.log(3 / 4) - 0.2 * math.log(1 / 4)))


def test_class_weights_leave_the_best_posterior_where_the_votes_are():
    """Unlike those of equation 2, which shift it to rare emotions."""
    labels, weights = torch.tensor([[0.8, 0.2]]).double(), torch.tensor([0.5, 3.0]).double()
    logits = labels.log().requires_grad_()
    (gradient,) = torch.autograd.grad(TARGET.loss(logits, labels, weights).sum(), logits)
    torch.testing.assert_close(gradient, torch.zeros(1, 2, dtype=torch.float64))
    (shifted,) = torch.autograd.grad(find_target("soft").loss(logits, labels, weights).sum(), logits)
    assert shifted.abs().max() > 0.1
