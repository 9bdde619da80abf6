"""The parts of the uncertainty of a Dirichlet distribution, held against drawn distributions."""

import numpy as np
import pytest

from mlee_sb.uncertainty import Uncertainty, concentration_together, entropy, expected_entropy, mutual_information

DRAWS = 100_000


@pytest.mark.parametrize("mean", [[0.5, 0.5], [0.9, 0.1], [0.4, 0.3, 0.2, 0.1], [0.97, 0.01, 0.01, 0.01]])
@pytest.mark.parametrize("concentration", [0.1, 1.0, 4.0, 60.0])
def test_expected_entropy_is_the_mean_entropy_of_drawn_distributions(mean, concentration):
    drawn = np.random.default_rng(0).dirichlet(concentration * np.array(mean), DRAWS)
    assert expected_entropy(np.array(mean), concentration) == pytest.approx(entropy(drawn).mean(), abs=0.006)


def test_the_parts_add_up_to_the_entropy_of_the_mean():
    means, concentrations = np.random.default_rng(1).dirichlet(np.ones(4), 50), np.geomspace(0.01, 1e4, 50)
    parts = expected_entropy(means, concentrations) + mutual_information(means, concentrations)
    assert parts == pytest.approx(entropy(means))
    one = Uncertainty.of(means[7], concentrations[7])
    assert (one.listeners, one.model, one.total) == pytest.approx(
        (expected_entropy(means, concentrations)[7], mutual_information(means, concentrations)[7], entropy(means)[7])
    )


def test_a_large_concentration_leaves_only_the_listeners_and_a_small_one_only_the_model():
    mean = np.array([0.7, 0.3])
    sure, ignorant = Uncertainty.of(mean, 1e6), Uncertainty.of(mean, 1e-6)
    assert sure.listeners == pytest.approx(sure.total, abs=1e-5) and sure.model == pytest.approx(0, abs=1e-5)
    assert ignorant.model == pytest.approx(ignorant.total, abs=1e-5) and ignorant.listeners == pytest.approx(0, abs=1e-5)


def test_a_certain_mean_is_certain_at_any_concentration():
    assert Uncertainty.of(np.array([1.0, 0.0]), 3.0) == Uncertainty(0.0, 0.0, 0.0)
    assert np.isfinite(concentration_together(np.array([[[1.0, 0.0]]]), np.array([[3.0]]))).all()


def test_several_distributions_together_have_the_second_moment_of_their_mixture():
    random = np.random.default_rng(2)
    means, concentrations = np.array([[[0.8, 0.1, 0.1]], [[0.3, 0.3, 0.4]]]), np.array([[5.0], [40.0]])
    mixed = np.concatenate([random.dirichlet(a * m, DRAWS) for (m,), (a,) in zip(means, concentrations, strict=True)])
    together = random.dirichlet(concentration_together(means, concentrations)[0] * means.mean(axis=0)[0], 2 * DRAWS)
    assert np.square(together).sum(axis=1).mean() == pytest.approx(np.square(mixed).sum(axis=1).mean(), abs=0.003)


def test_one_distribution_alone_keeps_its_concentration():
    mean = np.array([[[0.8, 0.1, 0.1], [0.3, 0.3, 0.4]]])
    assert concentration_together(mean, np.array([[5.0, 400.0]])) == pytest.approx(np.array([5.0, 400.0]))
