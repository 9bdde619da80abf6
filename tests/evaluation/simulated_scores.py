"""How often two models of equal quality are called different, for each score of a posterior: in 5 % of corpora, if its test is right.

`python tests/evaluation/simulated_scores.py 300` simulates 300 corpora of 10 speakers and 300 of 30, which takes minutes.
"""

import sys

import numpy as np

from mlee_sb.evaluation.comparisons import SPEAKERS, Difference, Scored
from mlee_sb.evaluation.metrics import SCORES
from mlee_sb.evaluation.predictions import Predictions
from mlee_sb.targets import SOFTMAX

K, LISTENERS = 4, 5
UTTERANCES = 600
SKILL, OF_A_MODEL, BIAS = 0.3, 0.25, 0.3  # spreads of speakers: for both models, for one of them, and for an emotion in one of them


def two_models(rng: np.random.Generator, speakers: int) -> list[Predictions]:
    """Two models that know the truth about equally well, of speakers who are easy or hard for both, and for one of them."""
    n = UTTERANCES
    of = np.arange(n) % speakers
    truth = rng.dirichlet(np.full(K, 0.5), n)  # what a listener hears
    votes = rng.multinomial(LISTENERS, truth).astype(float)
    alone = (votes == votes.max(axis=1, keepdims=True)).sum(axis=1) == 1
    dominant = np.where(alone, votes.argmax(axis=1), -1)
    easy = rng.normal(0, SKILL, speakers)
    models = []
    for _ in range(2):
        skill = np.exp(easy + rng.normal(0, OF_A_MODEL, speakers))[of, None]
        logits = 1.5 * skill * np.log(truth + 0.05) + rng.normal(0, 1, (n, K)) + rng.normal(0, BIAS, (speakers, K))[of]
        posterior = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        all_votes = np.column_stack([votes, np.zeros(n)])
        models.append(Predictions(list("abcd"), SOFTMAX, of, of, dominant, all_votes, votes > 0, posterior, None))
    return models


def p_values(models: list[Predictions]) -> dict[str, float]:
    """p of the difference of two models in each score, by the test of the report over speakers."""
    first = models[0]
    members = first.speakers == np.unique(first.speakers)[:, None]  # [speakers, n]
    weights = np.concatenate([np.ones((1, len(first))), ~members * 1.0])
    found = {}
    for name, score in SCORES.items():
        if score.defined_for(first):
            df = min(int(members[:, group].any(axis=1).sum()) for group in score.groups(first).T) - 1
            values = [score.of(model, weights) for model in models]
            found[name] = Difference.between(*(Scored(v[0], {SPEAKERS: v[1:]}, {SPEAKERS: df}) for v in values)).p
    return found


def main(corpora: int) -> None:
    """Print for each score in which share of the corpora p is below .05."""
    for speakers in (10, 30):
        rng = np.random.default_rng(speakers)
        found = [p_values(two_models(rng, speakers)) for _ in range(corpora)]
        for name in found[0]:
            print(f"{speakers} speakers  {name:20} p < .05 in {np.mean([p[name] < 0.05 for p in found]):.3f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
