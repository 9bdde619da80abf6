"""The losses of equations 2 and 6, by hand and beside torch's own."""

import math

import pytest
import torch
from torch.nn import functional as F

from mlee_sb.training.losses import existence_cross_entropy, existence_weight, softmax_cross_entropy, softmax_weight


def test_softmax_cross_entropy_by_hand():
    logits = torch.tensor([[math.log(3.0), 0.0]])  # posteriors 3/4 and 1/4
    loss = softmax_cross_entropy(logits, torch.tensor([[0.5, 0.5]]), torch.tensor([1.0, 3.0]))
    assert loss.item() == pytest.approx(-0.5 * math.log(3 / 4) - 1.5 * math.log(1 / 4))


def test_existence_cross_entropy_by_hand_sums_over_the_emotions():
    logits = torch.tensor([[math.log(3.0), 0.0]])  # probabilities 3/4 and 1/2
    weights = torch.tensor([[1.0, 2.0], [4.0, 1.0]])  # absent, present
    loss = existence_cross_entropy(logits, torch.tensor([[1.0, 0.0]]), weights)
    assert loss.item() == pytest.approx(-2 * math.log(3 / 4) - 4 * math.log(1 / 2))


def test_hard_targets_give_the_cross_entropy_of_torch():
    logits, classes, weights = torch.randn(5, 4), torch.tensor([0, 1, 2, 3, 1]), torch.rand(4) + 0.5
    expected = F.cross_entropy(logits, classes, weight=weights, reduction="none")
    torch.testing.assert_close(softmax_cross_entropy(logits, F.one_hot(classes, 4).float(), weights), expected)


def test_existence_without_weights_is_the_binary_cross_entropy_of_torch():
    logits, targets = 5 * torch.randn(6, 4), torch.randint(0, 2, (6, 4)).float()
    expected = F.binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(dim=1)
    torch.testing.assert_close(existence_cross_entropy(logits, targets, torch.ones(4, 2)), expected)


def test_an_utterance_weighs_its_class_weight_and_a_soft_target_the_mean_of_them():
    weights = torch.tensor([1.0, 3.0])
    assert softmax_weight(torch.tensor([[0.0, 1.0], [0.5, 0.5]]), weights).tolist() == [3.0, 2.0]


def test_an_utterance_weighs_the_mean_over_the_emotions_of_present_or_absent():
    weights = torch.tensor([[1.0, 2.0], [4.0, 1.0]])  # absent, present
    assert existence_weight(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), weights).tolist() == [3.0, 1.0]


def test_logits_far_from_zero_stay_finite():
    logits = torch.tensor([[200.0, -200.0]])
    assert existence_cross_entropy(logits, torch.tensor([[0.0, 1.0]]), torch.ones(2, 2)).item() == pytest.approx(400)
    assert softmax_cross_entropy(logits, torch.tensor([[0.0, 1.0]]), torch.ones(2)).item() == pytest.approx(400)
