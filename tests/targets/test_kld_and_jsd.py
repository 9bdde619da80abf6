"""Divergences from the votes: values by hand, limits, gradients, and what class weights do."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon

from mlee_sb.targets import find_target

SETTINGS = {"emotions": ["neu", "hap"], "min_votes": 1, "alpha": 0.0, "class_frequency": "targets", "class_weights": True}
KLD, JSD, SOFT = (find_target(name) for name in ("kld", "jsd", "soft"))
LOGITS = torch.tensor([[math.log(3.0), 0.0]], dtype=torch.float64)  # posteriors 3/4 and 1/4
NO_WEIGHTS = torch.ones(2, dtype=torch.float64)


def jsd(q, p):
    """The formula of the definition, over shares that are not 0."""
    m = (np.array(q) + p) / 2
    return sum(a * np.log(a / b) for x in (q, p) for a, b in zip(x, m, strict=True) if a > 0) / 2


def test_labels_are_the_shares_of_the_votes_and_smoothed_ones_where_asked():
    votes = np.array([[3, 1], [0, 0]])
    for target in (KLD, JSD):
        found, usable = target.training_labels("all", ["neu", ""], votes, SETTINGS)
        assert found.tolist() == [[0.75, 0.25], [0, 0]] and usable.tolist() == [True, False]
        assert target.training_labels("all", ["neu", ""], votes, {**SETTINGS, "alpha": 0.5})[0][0].tolist() == pytest.approx([0.7, 0.3])


@pytest.mark.parametrize(
    ("target", "labels", "expected"),
    [
        (KLD, [0.5, 0.5], 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)),
        (KLD, [0.0, 1.0], math.log(4)),
        (KLD, [0.75, 0.25], 0.0),
        (JSD, [0.5, 0.5], jsd([0.5, 0.5], [0.75, 0.25])),
        (JSD, [0.0, 1.0], jsd([0.0, 1.0], [0.75, 0.25])),
        (JSD, [0.75, 0.25], 0.0),
    ],
)
def test_divergences_by_hand(target, labels, expected):
    loss = target.loss(LOGITS, torch.tensor([labels], dtype=torch.float64), NO_WEIGHTS)
    assert loss.item() == pytest.approx(expected, abs=1e-12)


def test_the_jensen_shannon_divergence_is_that_of_scipy():
    rng = np.random.default_rng(1)
    q, logits = rng.dirichlet(np.ones(4), 20), rng.normal(size=(20, 4))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    loss = JSD.loss(torch.from_numpy(logits), torch.from_numpy(q), torch.ones(4, dtype=torch.float64))
    np.testing.assert_allclose(loss.numpy(), jensenshannon(q, p, axis=1) ** 2, rtol=1e-9)


@pytest.mark.parametrize("target", [KLD, JSD], ids=["kld", "jsd"])
@pytest.mark.parametrize("labels", [[0.0, 1.0, 0.0], [0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.2, 0.3, 0.5], [0.0, 0.0, 0.0]])
@pytest.mark.parametrize("distance", [0.0, 30.0, 300.0])  # the last one leaves a posterior of 0 in float32
def test_no_share_of_zero_gives_an_infinite_loss_or_gradient(target, labels, distance):
    logits = torch.tensor([[distance, 0.0, -distance]], requires_grad=True)
    loss = target.loss(logits, torch.tensor([labels]), torch.tensor([0.5, 1.0, 4.0]))
    loss.sum().backward()
    assert loss.isfinite().all() and loss.item() >= -1e-6 and logits.grad.isfinite().all()


def test_a_model_that_is_sure_of_the_wrong_emotion_costs_log_two_at_most():
    far = torch.tensor([[300.0, -300.0]])
    assert JSD.loss(far, torch.tensor([[0.0, 1.0]]), NO_WEIGHTS).item() == pytest.approx(math.log(2))
    assert KLD.loss(far, torch.tensor([[0.0, 1.0]]), NO_WEIGHTS).item() == pytest.approx(600)


@pytest.mark.parametrize("target", [KLD, JSD], ids=["kld", "jsd"])
def test_gradients_are_those_of_finite_differences(target):
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(5, 3, dtype=torch.float64, generator=generator, requires_grad=True)
    labels = torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0], [0.2, 0.3, 0.5], [0, 0, 1], [0, 1, 0]], dtype=torch.float64)
    weights = torch.tensor([0.5, 1.0, 3.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: target.loss(x, labels, weights), logits)


@pytest.mark.parametrize("weights", [[1.0, 1.0, 1.0], [0.5, 1.0, 3.0]], ids=["without class weights", "with class weights"])
def test_the_gradient_of_kld_is_that_of_the_soft_target_and_the_loss_differs_by_a_constant(weights):
    labels, weights = torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0], [0.2, 0.3, 0.5]]).double(), torch.tensor(weights).double()
    gradients, apart = [], []
    for seed in (1, 2):
        logits = torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed), requires_grad=True)
        losses = [target.loss(logits, labels, weights) for target in (KLD, SOFT)]
        gradients.append([torch.autograd.grad(loss.sum(), logits)[0] for loss in losses])
        apart.append(losses[1] - losses[0])
    for of_kld, of_soft in gradients:
        torch.testing.assert_close(of_kld, of_soft)
    torch.testing.assert_close(apart[0], apart[1])


@pytest.mark.parametrize("target", [KLD, JSD], ids=["kld", "jsd"])
def test_with_class_weights_a_perfect_model_is_at_zero_and_gives_rare_emotions_more(target):
    labels, weights = torch.tensor([[0.8, 0.2]]).double(), torch.tensor([0.5, 3.0]).double()
    balanced = torch.tensor([[0.4, 0.6]]).double()  # 0.8 * 0.5 to 0.2 * 3
    assert target.loss(balanced.log(), labels, weights).item() == pytest.approx(0, abs=1e-12)
    one_hot = torch.tensor([[0.0, 1.0]]).double()
    without = target.loss(LOGITS, one_hot, NO_WEIGHTS)
    assert target.loss(LOGITS, one_hot, weights).item() == pytest.approx(3 * without.item())
