"""Corpora in which the truth is known: whom eleven models recognise, of speakers who are easy or hard for all of them.

`python tests/evaluation/simulated.py 3000` prints how often the declared claims are called sure, with a gain and without, and
how often intervals of UA hold the truth with few folds, with few speakers, or with few speakers of one emotion.
"""

import sys
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mlee_sb.evaluation import metrics
from mlee_sb.evaluation.bootstrap import Resamples, interval
from mlee_sb.evaluation.comparisons import FOLDS, SPEAKERS, Scored, compare
from mlee_sb.evaluation.paper import DECLARED, ONE_FOR_BOTH
from mlee_sb.targets import TRAIN_SETS

BASELINES = ("dominant_hard", "dominant_soft")
CELLS = [(row, train_set) for row in (*BASELINES, *DECLARED) for train_set in TRAIN_SETS[: 1 if row in ONE_FOR_BOTH else 2]]
SHARED_LUCK = 0.6  # correlation of two models about one utterance


@dataclass(frozen=True)
class Corpus:
    """What is simulated. Spreads are on the probit scale, where .25 is about ten points of recall.

    Attributes
    ----------
    speakers, folds : how many; speakers are dealt out to the folds
    utterances, recall : of each emotion
    rare : speakers who have utterances of the second emotion; None for all
    evenness : how evenly the utterances of an emotion are spread over speakers (Dirichlet); 4 spreads them by half their mean
    speaker : spread of the speakers, and of the emotions of a speaker, for all models alike
    training : spread of the emotions of one trained model, shared by the speakers of its fold
    model : spread of the emotions of one speaker between models
    """

    speakers: int = 10
    folds: int = 10
    utterances: tuple[int, ...] = (1099, 284, 608, 289)  # IEMOCAP: neu hap sad ang
    recall: tuple[float, ...] = (0.62, 0.45, 0.72, 0.70)
    rare: int | None = None
    evenness: float = 4.0
    speaker: float = 0.35
    training: float = 0.15
    model: float = 0.15


IEMOCAP = Corpus()
CREMA_D = Corpus(52, 10, (797, 166, 101, 75), (0.35, 0.55, 0.60, 0.50), training=0.0)  # the part that is published here: 70 % neutral


def draw(corpus: Corpus, rng: np.random.Generator, gain: float = 0.0, trade: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Utterances of each speaker and emotion [s, K], and of these the hits of each model [11, s, K].

    The models of declared rows have `gain` more of each recall, and `trade` more of every other one for as much less of the rest.
    """
    s, k, models = corpus.speakers, len(corpus.utterances), len(CELLS)
    shares = rng.dirichlet(np.full(s, corpus.evenness), k)  # [K, s]
    if corpus.rare:
        shares[1] = np.append(rng.dirichlet(np.full(corpus.rare, corpus.evenness)), np.zeros(s - corpus.rare))
    counts = np.stack([rng.multinomial(n, share) for n, share in zip(corpus.utterances, shares, strict=True)], axis=1)  # [s, K]
    recall = np.tile(corpus.recall, (models, 1))
    recall[[row in DECLARED for row, _ in CELLS]] += gain + trade * (-1.0) ** np.arange(k)
    spread = np.sqrt(1 + 2 * corpus.speaker**2 + corpus.training**2 + corpus.model**2)
    skill = (
        spread * stats.norm.ppf(recall.clip(0.01, 0.99))[:, None]
        + rng.normal(0, corpus.speaker, (s, 1))
        + rng.normal(0, corpus.speaker, (s, k))
        + rng.normal(0, corpus.training, (models, corpus.folds, k))[:, np.arange(s) % corpus.folds]
        + rng.normal(0, corpus.model, (models, s, k))
    )
    cell = np.repeat(np.arange(s * k), counts.ravel())  # of each utterance
    own, shared = rng.normal(size=(models, len(cell))), rng.normal(size=len(cell))
    hits = np.sqrt(SHARED_LUCK) * shared + np.sqrt(1 - SHARED_LUCK) * own < skill.reshape(models, -1)[:, cell]
    return counts, np.stack([np.bincount(cell, weights=hit, minlength=s * k).reshape(s, k) for hit in hits])


def confusions(counts: np.ndarray, hits: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Confusion matrices [r, K, K] of one model for weights of the speakers [r, s]; every miss is the next emotion."""
    k = counts.shape[1]
    return (weights @ hits)[:, :, None] * np.eye(k) + (weights @ (counts - hits))[:, :, None] * np.roll(np.eye(k), 1, axis=1)


def scored(counts: np.ndarray, hits: np.ndarray, folds: int) -> dict[tuple[str, str], dict[str, Scored]]:
    """The scores of each cell as `compare` takes them."""
    s = len(counts)
    units = {SPEAKERS: np.arange(s), **({FOLDS: np.arange(s) % folds} if folds < s else {})}
    members = {name: of == np.unique(of)[:, None] for name, of in units.items()}  # [m, s]
    df = {name: int(((of.astype(int) @ counts) > 0).sum(axis=0).min()) - 1 for name, of in members.items()}
    return {
        key: {
            name: Scored(score(confusions(counts, of_model, np.ones((1, s))))[0], without, df)
            for name, score in (("wa", metrics.accuracy_of), ("ua", metrics.ua_of))
            for without in [{units: score(confusions(counts, of_model, ~of * 1.0)) for units, of in members.items()}]
        }
        for key, of_model in zip(CELLS, hits, strict=True)
    }


def claims(corpus: Corpus, corpora: int, seed: int, **effects: float) -> list[list[dict]]:
    """The declared claims of each simulated corpus."""
    rng = np.random.default_rng(seed)
    found = [compare(scored(*draw(corpus, rng, **effects), corpus.folds), "ua", 0.95) for _ in range(corpora)]
    return [[claim for claim in comparisons if claim["declared"]] for comparisons in found]


def sure(found: list[list[dict]]) -> np.ndarray:
    """Which claims are called sure after correction, bool [corpora, claims]."""
    return np.array([[claim["p_holm"] < 0.05 for claim in comparisons] for comparisons in found])


def coverage(corpus: Corpus, corpora: int, seed: int) -> tuple[float, float]:
    """How often there is an interval of a model's UA, and how often it then holds the truth."""
    rng, held = np.random.default_rng(seed), []
    for number in range(corpora):
        counts, hits = draw(corpus, rng)
        drawn = Resamples.draw(np.arange(corpus.speakers), 500, seed=number).counts
        found = interval(metrics.ua_of(confusions(counts, hits[0], drawn)), corpus.speakers)
        if found.low is not None:
            held.append(found.low <= np.mean(corpus.recall) <= found.high)
    return len(held) / corpora, float(np.mean(held)) if held else np.nan


def main(corpora: int) -> None:
    """Print family-wise errors without a gain, how often a gain of ten points is found, and the coverage of intervals."""
    cases = {f"IEMOCAP, {s} speakers": Corpus(s, s) for s in (10, 30, 52)}
    cases |= {f"IEMOCAP, uneven speakers {evenness}": Corpus(evenness=evenness) for evenness in (2.0, 1.0)}
    cases |= {f"IEMOCAP, training {t}": Corpus(training=t) for t in (0.0, 0.25)}
    cases |= {f"IEMOCAP, sessions, training {t}": Corpus(folds=5, training=t) for t in (0.0, 0.15, 0.25)}
    cases |= {f"CREMA-D, training {t}": Corpus(**{**vars(CREMA_D), "training": t}) for t in (0.0, 0.15, 0.25)}
    few_folds = {
        f"{s} speakers, {folds} folds, training {t}": Corpus(s, folds, training=t)
        for s, folds in ((12, 2), (52, 2), (30, 3), (52, 4), (12, 4), (30, 5), (52, 10))
        for t in (0.15, 0.25)
    }
    for name, corpus in (cases | few_folds).items():
        none, trade, gain = (claims(corpus, corpora, seed, **e) for seed, e in enumerate(({}, {"trade": 0.1}, {"gain": 0.1})))
        alone = np.mean([[claim["p"] < 0.05 for claim in comparisons] for comparisons in none])
        errors = " ".join(f"{sure(found).any(axis=1).mean():.3f}" for found in (none, trade))
        points = 100 * np.median([[claim["detectable"] or np.inf for claim in comparisons] for comparisons in gain])
        print(f"{name:33} p < .05 {alone:.3f}  family-wise {errors}  found {sure(gain).mean():.3f}  to be found {points:.1f}", flush=True)
    few = {f"{s} speakers": Corpus(s, s, tuple(n * s // 10 for n in IEMOCAP.utterances)) for s in (4, 5, 6, 7, 8, 9, 10, 30)}
    few |= {
        f"{s} speakers, {n} of an emotion": Corpus(s, s, (1099, 15 * n, 608, 289), rare=n) for s in (10, 52) for n in (1, 2, 3, 4, 5, 8)
    }
    for name, corpus in (few_folds | few).items():
        there, held = coverage(corpus, corpora, seed=3)
        print(f"{name:33} with an interval {there:.3f}, which holds the truth {held:.3f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
