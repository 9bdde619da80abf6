"""Listeners with known shares of votes: what the best model says of utterances that all sound alike, by each row without names."""

import numpy as np
import pytest
import torch

from mlee_sb.labels import present_at_chance
from mlee_sb.targets import find_target

EMOTIONS = ["neu", "hap", "sad", "ang"]
SETTINGS = {"emotions": EMOTIONS, "min_votes": 1, "alpha": 0.0, "label_smoothing": 0.05, "class_frequency": "targets"}
SHARES = np.array([0.55, 0.3, 0.1, 0.05])  # two emotions have more than 1 / K
FEW, MANY, LISTENERS = 100, 400, 10


def heard_by(shares, n, listeners=LISTENERS) -> np.ndarray:
    """Votes [n, K] of listeners who hear the emotions with known shares."""
    return np.random.default_rng(1).multinomial(listeners, shares, size=n)


def best(name: str, votes: np.ndarray, class_weights: bool = False) -> np.ndarray:
    """The posterior [K] with the smallest mean loss over utterances that no model can tell apart."""
    target, dominant = find_target(name), [""] * len(votes)
    settings = {**SETTINGS, "class_weights": class_weights}
    labels, _ = target.training_labels("all", dominant, votes, settings)
    weights = torch.tensor(target.training_class_weights(labels, dominant, settings))
    labels, logits = torch.tensor(labels).double(), torch.zeros(1, len(EMOTIONS), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=100, line_search_fn="strong_wolfe")

    def mean_loss():
        optimizer.zero_grad()
        mean = target.loss(logits.expand(len(labels), -1), labels, weights).sum() / target.examples(labels).sum()
        mean.backward()
        return mean

    optimizer.step(mean_loss)
    return logits.softmax(dim=-1)[0].detach().numpy()


@pytest.mark.parametrize("name", ["kld", "repeated_votes", "soft"])
def test_the_shares_of_the_votes_are_found(name):
    votes = heard_by(SHARES, MANY)
    np.testing.assert_allclose(best(name, votes), votes.sum(axis=0) / votes.sum(), atol=1e-4)
    assert np.abs(best(name, votes) - SHARES).max() < 0.02


def test_repeated_votes_trust_many_listeners_more_than_few_and_kld_does_not():
    crowd, alone = heard_by(SHARES, MANY, listeners=20), heard_by(SHARES[::-1], MANY, listeners=1)
    assert np.abs(best("repeated_votes", np.concatenate([crowd, alone])) - SHARES).max() < 0.05
    np.testing.assert_allclose(best("kld", np.concatenate([crowd, alone])), (SHARES + SHARES[::-1]) / 2, atol=0.03)


def test_strange_labels_disturb_the_jensen_shannon_divergence_less():
    """One utterance of five, on which all say what else nearly nobody hears."""
    votes = heard_by(SHARES, MANY)
    strange = np.concatenate([votes, np.tile([0, 0, 0, LISTENERS], (FEW, 1))])
    moved = {name: (best(name, strange) - best(name, votes))[-1] for name in ("kld", "jsd")}
    assert moved["kld"] > 0.18 and moved["jsd"] < 0.75 * moved["kld"]


@pytest.mark.parametrize("class_weights", [False, True])
def test_the_all_inclusive_rule_finds_what_more_than_one_in_k_hears_and_class_weights_add_nothing(class_weights):
    found = best("all_inclusive", heard_by(SHARES, MANY), class_weights)
    assert present_at_chance(found).tolist() == present_at_chance(SHARES).tolist() == [True, True, False, False]


def test_class_weights_of_equation_2_would_leave_no_emotion_over_the_threshold():
    """They make all emotions equally probable where nothing but the frequencies can be learnt."""
    np.testing.assert_allclose(best("soft", heard_by(SHARES, MANY), class_weights=True), [1 / 4] * 4, atol=1e-4)
