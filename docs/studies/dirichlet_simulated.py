#!/usr/bin/env python
"""What the row dirichlet learns from simulated listeners whose spread is known, and what class weights cost it. Without audio, in a minute.

python docs/studies/dirichlet_simulated.py

Utterances are four numbers. Three of them decide on the mean of the distribution that eight listeners vote by, and the fourth on how far
they are apart.
"""

import argparse
import sys

import numpy as np
import torch
from scipy.stats import spearmanr

from mlee_sb.labels import vote_entropy
from mlee_sb.models.dense_classifier import DenseClassifier
from mlee_sb.targets import DIRICHLET, SOFTMAX, find_target
from mlee_sb.uncertainty import entropy, expected_entropy, mutual_information

EMOTIONS, LISTENERS = ["first", "second", "third"], 8
EVEN, ONE_FREQUENT = np.zeros(3), np.array([2.0, 0.0, -0.5])  # added to the logits of the means
BASE = {"emotions": EMOTIONS, "alpha": 0.75, "class_frequency": "targets", "dirichlet_loss": "likelihood", "dirichlet_kl": 0.0}
PUBLISHED = {"dirichlet_loss": "density", "dirichlet_kl": 20.0}
ROWS = {  # name -> target, and its settings
    "soft, class weights": ("soft", {"class_weights": True}),
    "dirichlet, class weights": ("dirichlet", {"class_weights": True}),
    "dirichlet without class weights": ("dirichlet", {"class_weights": False}),
    "dirichlet with the published loss, class weights": ("dirichlet", {"class_weights": True, **PUBLISHED}),
}


def utterances(n: int, sharpness: float, frequent: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Return utterances [n, 4], and the mean [n, 3] and the concentration [n] of the votes, and the votes [n, 3]."""
    found = rng.normal(size=(n, 4))
    means, concentrations = SOFTMAX.probabilities(sharpness * found[:, :3] + frequent), np.exp(1 + 1.5 * np.tanh(found[:, 3]))
    shares = np.array([rng.dirichlet(a0 * mean) for a0, mean in zip(concentrations, means, strict=True)])
    return found, means, concentrations, rng.multinomial(LISTENERS, shares)


def trained(row: str, found: np.ndarray, votes: np.ndarray, seed: int, epochs: int) -> torch.nn.Module:
    """Return the classifier of a row, trained on utterances and their votes."""
    name, settings = ROWS[row]
    target, dominant, settings = find_target(name), [""] * len(votes), {**BASE, **settings}
    labels, _ = target.training_labels("all", dominant, votes, settings)
    weights = torch.tensor(target.training_class_weights(labels, dominant, settings), dtype=torch.float32)
    torch.manual_seed(seed)
    classifier = DenseClassifier(found.shape[1], len(EMOTIONS), 32)
    optimizer = torch.optim.Adam(classifier.parameters(), lr=0.01)
    heard, learnt = torch.tensor(found, dtype=torch.float32), torch.tensor(labels)
    for _ in range(epochs):
        for batch in torch.randperm(len(heard)).split(64):
            optimizer.zero_grad()
            target.loss(classifier(heard[batch]), learnt[batch], weights).mean().backward()
            optimizer.step()
    return classifier


@torch.no_grad()
def logits(classifier: torch.nn.Module, found: np.ndarray) -> np.ndarray:
    return classifier(torch.tensor(found, dtype=torch.float32)).numpy()


def known_spread(n: int, seed: int, epochs: int) -> dict[str, float]:
    """Return how well the uncertainty follows the known spread of the votes, and the model's part on inputs like and unlike training."""
    rng = np.random.default_rng(seed)
    found, _, _, votes = utterances(n, 2.0, EVEN, rng)
    classifier = trained("dirichlet without class weights", found, votes, seed, epochs)
    new, means, concentrations, _ = utterances(n, 2.0, EVEN, rng)
    (near, a0), (far, far_a0) = (
        (DIRICHLET.probabilities(of), DIRICHLET.concentrations(of)) for of in (logits(classifier, scale * new) for scale in (1, 3))
    )
    return {
        "rank correlation of the disagreement": spearmanr(expected_entropy(near, a0), expected_entropy(means, concentrations)).statistic,
        "rank correlation of a0": spearmanr(a0, concentrations).statistic,
        "model's part, bits": mutual_information(near, a0).mean(),
        "model's part, bits, three times as far from the middle": mutual_information(far, far_a0).mean(),
    }


def one_frequent(row: str, n: int, seed: int, epochs: int) -> dict[str, float]:
    """Return the UA of a row where one emotion is frequent, and the rank correlation of what it says of the disagreement with the votes."""
    rng = np.random.default_rng(seed)
    (found, _, _, votes), (new, _, _, of_new) = (utterances(n, 1.5, ONE_FREQUENT, rng) for _ in range(2))
    said = logits(trained(row, found, votes, seed, epochs), new)
    most, decided = of_new.argmax(axis=1), said.argmax(axis=1)
    means = SOFTMAX.probabilities(said)
    disagreement = entropy(means) if ROWS[row][0] == "soft" else expected_entropy(means, DIRICHLET.concentrations(said))
    recalls = [(decided[most == k] == k).mean() for k in range(len(EMOTIONS))]
    return {"UA": np.mean(recalls), "correlation": spearmanr(disagreement, vote_entropy(of_new)).statistic}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--utterances", type=int, default=1500)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    asked = parser.parse_args()
    torch.set_num_threads(1)
    show("listeners of a known spread", [known_spread(asked.utterances, seed, asked.epochs) for seed in asked.seeds])
    for row in ROWS:
        show(row, [one_frequent(row, asked.utterances, seed, asked.epochs) for seed in asked.seeds])
    return 0


def show(what: str, of_seeds: list[dict[str, float]]) -> None:
    """Write the smallest and the largest value of each figure over the seeds."""
    for name in of_seeds[0]:
        values = [found[name] for found in of_seeds]
        print(f"{what}: {name} {min(values):.2f} to {max(values):.2f}")


if __name__ == "__main__":
    sys.exit(main())
