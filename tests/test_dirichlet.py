"""The Dirichlet target: its loss by hand, and what a model learns with it from listeners whose spread is known."""

import math

import numpy as np
import pytest
import torch
from bundles import small_encoder
from scipy.special import comb
from scipy.stats import betabinom, spearmanr

from mlee_sb.models.dense_classifier import DenseClassifier
from mlee_sb.models.encoders.frozen import FrozenEncoders
from mlee_sb.targets import DIRICHLET, SOFTMAX, find_target
from mlee_sb.targets.outputs import CONCENTRATIONS
from mlee_sb.training.brains import brain_of
from mlee_sb.training.data import FixedDataset, make_loader
from mlee_sb.uncertainty import expected_entropy

TARGET = find_target("dirichlet")
SETTINGS = {"emotions": ["neu", "hap"], "class_frequency": "targets", "class_weights": True, "dirichlet_kl": 0.0}
SETTINGS |= {"dirichlet_loss": "likelihood"}
VOTES = np.array([[1, 2], [1, 1], [0, 0], [4, 0]])
ONES = torch.ones(2)


def labels_of(votes, **settings) -> torch.Tensor:
    """The labels of some utterances, or of one."""
    votes = np.atleast_2d(votes)
    return torch.tensor(TARGET.training_labels("all", [""] * len(votes), votes, {**SETTINGS, **settings})[0])


def nats(concentrations, votes, weights=ONES, **settings) -> float:
    return TARGET.loss(torch.tensor([concentrations]).log(), labels_of(votes, **settings), weights).item()


@pytest.mark.parametrize("loss", ["likelihood", "density"])
def test_what_has_no_vote_is_left_out_and_class_weights_are_inverse_frequencies_of_the_votes(loss):
    dominant, settings = ["hap", "", "oth", "neu"], {**SETTINGS, "dirichlet_loss": loss, "dirichlet_kl": 20.0}
    labels, usable = TARGET.training_labels("all", dominant, VOTES, settings)
    assert usable.tolist() == [True, True, False, True]
    assert TARGET.training_class_weights(labels, dominant, settings) == pytest.approx([9 / (2 * 6), 9 / (2 * 3)])


@pytest.mark.parametrize("votes", [[1, 1], [2, 0], [0, 3], [5, 2], [40, 2]])
def test_with_two_emotions_it_is_the_beta_binomial_likelihood_of_one_order_of_the_votes(votes):
    expected = betabinom.pmf(votes[0], sum(votes), 2.0, 6.0) / comb(sum(votes), votes[0])
    assert nats([2.0, 6.0], votes) == pytest.approx(-math.log(expected), rel=1e-6)


def test_two_listeners_who_agree_and_two_who_do_not_by_hand():
    assert nats([2.0, 6.0], [1, 1]) == pytest.approx(-math.log(2 / 8 * 6 / 9))
    assert nats([2.0, 6.0], [2, 0]) == pytest.approx(-math.log(2 / 8 * 3 / 9))
    assert nats([1.0, 2.0, 3.0], [1, 1, 1], torch.ones(3)) == pytest.approx(-math.log(1 / 6 * 2 / 7 * 3 / 8))


def test_one_vote_costs_the_cross_entropy_and_so_does_each_vote_where_the_shares_are_known():
    assert nats([2.0, 6.0], [0, 1]) == pytest.approx(-math.log(6 / 8))
    sure = CONCENTRATIONS[1] * torch.tensor([0.25, 0.75])
    assert nats(sure.tolist(), [3, 1]) == pytest.approx(-3 * math.log(0.25) - math.log(0.75), abs=2e-3)


def test_the_published_loss_is_the_density_near_the_corners_and_20_times_the_divergence():
    near, far = 1 - 2e-6, 1e-6
    points = torch.tensor([[near, far, far]] * 3 + [[far, near, far]])
    density = torch.distributions.Dirichlet(torch.tensor([0.5, 2.0, 1.5], dtype=torch.double), validate_args=False).log_prob(points)
    found = nats([0.5, 2.0, 1.5], [3, 1, 0], torch.ones(3), dirichlet_loss="density")
    assert found == pytest.approx(-density.sum().item(), rel=1e-5)
    divergence = 0.75 * math.log(0.75 / (0.5 / 4)) + 0.25 * math.log(0.25 / (2 / 4))
    both = nats([0.5, 2.0, 1.5], [3, 1, 0], torch.ones(3), dirichlet_loss="density", dirichlet_kl=20.0)
    assert both == pytest.approx(found + 20 * divergence, rel=1e-5)


def test_the_divergence_is_nothing_where_the_mean_is_that_of_the_votes():
    assert nats([2.0, 6.0], [1, 3], dirichlet_kl=20.0) == pytest.approx(nats([2.0, 6.0], [1, 3]))


def test_class_weights_can_be_undone_to_what_the_likelihood_is_of():
    logits, weights = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0.5, 1.0, 2.0, 3.0])
    votes = labels_of([[3, 0, 0, 1]] * 5)
    of_the_votes = logits - weights.log()
    torch.testing.assert_close(TARGET.loss(logits, votes, weights), TARGET.loss(of_the_votes, votes, torch.ones(4)))
    means, w = DIRICHLET.probabilities(logits.numpy()), weights.numpy()
    assert DIRICHLET.undo_class_weights(means, w) == pytest.approx(DIRICHLET.probabilities(of_the_votes.numpy()), rel=1e-5)
    undone = DIRICHLET.undo_in_concentrations(DIRICHLET.concentrations(logits.numpy()), means, w)
    assert undone == pytest.approx(DIRICHLET.concentrations(of_the_votes.numpy()), rel=1e-5)


@pytest.mark.parametrize("logits", [[6e4, 5.99e4], [-6e4, -6e4], [6e4, -6e4], [400.0, -400.0], [300.0, -300.0], [0.0, 0.0]])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_the_loss_and_its_gradient_are_finite_at_any_logits_of_half_precision(logits, dtype):
    leaf = torch.tensor([logits], dtype=dtype, requires_grad=True)
    loss = TARGET.loss(leaf.float(), labels_of([3, 1], dirichlet_kl=1.0), ONES)
    loss.sum().backward()
    assert loss.isfinite().all() and leaf.grad.isfinite().all() and loss.dtype == torch.float32


def test_the_posterior_is_that_of_a_softmax_and_the_concentration_stays_in_its_bounds():
    logits = np.array([[3.0, 1.0], [800.0, 799.0], [-800.0, -800.0]])
    assert DIRICHLET.probabilities(logits).tolist() == SOFTMAX.probabilities(logits).tolist()
    assert DIRICHLET.concentrations(logits) == pytest.approx([math.exp(3) + math.exp(1), CONCENTRATIONS[1], CONCENTRATIONS[0]])
    assert SOFTMAX.concentrations(logits) is None


def listeners(n: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Utterances [n, 4], and the mean [n, 3] and the concentration [n] of the Dirichlet distribution that their listeners vote by."""
    utterances = random.normal(size=(n, 4))
    means = SOFTMAX.probabilities(2 * utterances[:, :3])
    return utterances, means, np.exp(1.0 + 1.5 * np.tanh(utterances[:, 3]))


def trained(utterances: np.ndarray, votes: np.ndarray, seed: int) -> torch.nn.Module:
    """The classifier of the rows, trained by its Brain."""
    torch.manual_seed(seed)
    classifier = DenseClassifier(utterances.shape[1], votes.shape[1], 32)
    settings = {"loss_mean": "plain", "embedding_dropout": 0.0, "lr": 0.01}
    brain = brain_of(TARGET)(
        encoder=FrozenEncoders([small_encoder()]),  # embeddings are computed before: it only hands them on
        classifier=classifier,
        class_weights=torch.ones(votes.shape[1]),
        settings=settings,
        epochs=range(1, 16),
        opt_class=torch.optim.Adam,
        run_opts={"device": "cpu"},
    )
    data = FixedDataset(torch.tensor(utterances, dtype=torch.float32), labels_of(votes), list(map(str, range(len(votes)))))
    brain.fit(brain.epochs, make_loader(data, 64, 0, seed), None, progressbar=False)
    return classifier


@pytest.mark.parametrize("seed", [1, 2])
def test_the_uncertainty_follows_the_known_spread_of_the_votes(seed):
    random = np.random.default_rng(seed)
    utterances, means, concentrations = listeners(1000, random)
    shares = np.array([random.dirichlet(a * m) for a, m in zip(concentrations, means, strict=True)])
    classifier = trained(utterances, random.multinomial(8, shares), seed)
    new, means, concentrations = listeners(500, random)
    with torch.no_grad():
        logits = classifier(torch.tensor(new, dtype=torch.float32)).numpy()
    found = DIRICHLET.concentrations(logits)
    disagreement = expected_entropy(DIRICHLET.probabilities(logits), found)
    assert spearmanr(disagreement, expected_entropy(means, concentrations)).statistic > 0.9
    assert spearmanr(found, concentrations).statistic > 0.7
