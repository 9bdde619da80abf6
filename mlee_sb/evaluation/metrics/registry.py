"""All scores by name, in the order in which tables show them."""

import re
from functools import partial

import numpy as np

from mlee_sb.errors import choose
from mlee_sb.evaluation.metrics.decisions import by_dominant, macro_f1, risk_coverage, top_2, ua, wa
from mlee_sb.evaluation.metrics.distributions import (
    cosine,
    cross_entropy,
    disagreement_correlation,
    entropy_correlation,
    has_votes,
    jensen_shannon,
    kullback_leibler,
)
from mlee_sb.evaluation.metrics.existence import PRESENT, by_existence, every, existence_auc, existence_average_precision, existence_f1
from mlee_sb.evaluation.metrics.posteriors import BINS, brier, expected_calibration_error, nll
from mlee_sb.evaluation.metrics.score import Score
from mlee_sb.evaluation.metrics.sets import by_heard, hamming_loss, ranking_precision, sets_macro_f1, sets_micro_f1, subset_accuracy
from mlee_sb.evaluation.metrics.weighted import mean_over_emotions
from mlee_sb.targets import DIRICHLET, SIGMOID, SOFTMAX

DECISIONS, SELECTIVE, POSTERIORS, DISTRIBUTIONS, SETS, EXISTENCE = THEMES = (
    "decisions",
    "selective",
    "posteriors",
    "distributions",
    "sets",
    "existence",
)

_decision = partial(Score, theme=DECISIONS)
_selective = partial(Score, theme=SELECTIVE)
_posterior = partial(Score, theme=POSTERIORS, higher_is_better=False, percent=False, needs=SOFTMAX)
_distribution = partial(Score, theme=DISTRIBUTIONS, higher_is_better=False, percent=False, needs=SOFTMAX, counted=has_votes)
_set = partial(Score, theme=SETS, counted=has_votes)
_existence = partial(Score, theme=EXISTENCE, needs=SIGMOID, counted=every, by_emotion=by_existence)

SCORES = {
    "wa": _decision(
        "WA",
        "weighted accuracy: the share of the utterances that are decided rightly. A frequent emotion counts more than a rare one",
        wa,
    ),
    "ua": _decision(
        "UA",
        "unweighted accuracy: the mean of the recalls of the emotions. A rare emotion counts as much as a frequent one",
        ua,
        by_emotion=by_dominant,
    ),
    "macro_f1": _decision(
        "macro-F1",
        "the mean over the emotions of F1, which is high where an emotion is both found and rarely said wrongly",
        macro_f1,
        by_emotion=by_dominant,
    ),
    "top_2": _selective(
        "top 2",
        "how often the dominant emotion is among the two that are most probable, in %",
        top_2,
    ),
    "aurc": _selective(
        "AURC",
        "area under the risk-coverage curve: the share of wrong decisions if only the surest ones are given, mean over all shares of them, "
        "in %. Lower is better. A model whose confidence tells nothing has its share of errors (100 - WA)",
        risk_coverage,
        higher_is_better=False,
    ),
    "nll": _posterior(
        "NLL (nats)",
        "negative log likelihood of the dominant emotion. 0 is perfect, equal posteriors of K emotions have ln K, and an answer that is "
        "wrong and certain costs most",
        nll,
        widest=np.inf,
    ),
    "brier": _posterior(
        "Brier",
        "squared distance from the posterior to the right answer, 0 (perfect) to 2",
        brier,
        widest=2.0,
    ),
    "ece": _posterior(
        "ECE",
        f"expected calibration error: the mean distance between how sure the model is and how often it is right, over {BINS} bins, in %",
        expected_calibration_error,
        percent=True,
    ),
    "jensen_shannon": _distribution(
        "JSD to the votes (bits)",
        "Jensen-Shannon divergence: how far the posterior is from the shares of the votes, 0 (the same) to 1 (nothing in common)",
        jensen_shannon,
    ),
    "kullback_leibler": _distribution(
        "KLD to the votes (nats)",
        "Kullback-Leibler divergence: how much worse the votes are told by the posterior than by their own shares. 0 is perfect, and an "
        "emotion that listeners heard and the model rules out costs most",
        kullback_leibler,
        widest=np.inf,
    ),
    "cross_entropy": _distribution(
        "cross entropy (nats)",
        "how well the posterior tells a vote: KLD and the entropy of the votes together. Two rows differ in it exactly as in KLD",
        cross_entropy,
        widest=np.inf,
    ),
    "cosine": _distribution(
        "cosine",
        "how alike the posterior and the shares of the votes are as directions, 0 (nothing in common) to 1 (the same)",
        cosine,
        higher_is_better=True,
    ),
    "entropy_correlation": _distribution(
        "entropy correlation",
        "whether the model is less sure where the listeners agree less: rank correlation (Spearman) of the two entropies over "
        "utterances, -1 to 1. 0 is chance",
        entropy_correlation,
        higher_is_better=True,
        widest=2.0,
    ),
    "disagreement_correlation": _distribution(
        "disagreement correlation",
        "the same for the expected entropy of a row that learnt a Dirichlet distribution: how much the listeners would disagree, without "
        "what the model does not know",
        disagreement_correlation,
        higher_is_better=True,
        widest=2.0,
        needs=DIRICHLET,
    ),
    "sets_macro_f1": _set(
        "macro-F1 of sets",
        "for each emotion, F1 of saying that it is heard; the mean over the emotions, in %",
        sets_macro_f1,
        by_emotion=by_heard,
    ),
    "sets_micro_f1": _set(
        "micro-F1 of sets",
        "F1 over the answers for all emotions together, in %. A frequent emotion counts more than a rare one",
        sets_micro_f1,
    ),
    "hamming_loss": _set(
        "Hamming loss",
        "the share of wrong answers, where each emotion of each utterance is an answer (heard or not), in %. Lower is better",
        hamming_loss,
        higher_is_better=False,
    ),
    "subset_accuracy": _set(
        "subset accuracy",
        "the share of utterances of which all emotions are told rightly, in %",
        subset_accuracy,
    ),
    "ranking_precision": _set(
        "ranking precision",
        "label ranking average precision: whether the emotions that are heard are more probable than the others, whatever the threshold, "
        "in %. 100 is perfect",
        ranking_precision,
    ),
    "existence_auc": _existence(
        "existence AUC",
        "how often an utterance in which an emotion is present gets a higher probability of it than one in which it is not, mean over "
        "the emotions, in %. Guessing has 50",
        partial(mean_over_emotions, existence_auc),
    ),
    "existence_ap": _existence(
        "existence AP",
        "average precision of existence, mean over the emotions, in %. Guessing has the share of utterances with the emotion",
        partial(mean_over_emotions, existence_average_precision),
    ),
    "existence_f1": _existence(
        "existence F1",
        f"F1 of saying that an emotion is present from a probability of {PRESENT} on, mean over the emotions, in %",
        partial(mean_over_emotions, existence_f1),
    ),
}


def scores_of(theme: str) -> list[str]:
    """Return the names of the scores of a theme, in their order.

    >>> scores_of("decisions")
    ['wa', 'ua', 'macro_f1']
    """
    return [name for name, score in SCORES.items() if score.theme == theme]


def find_score(words: str, what: str = "score") -> str:
    """Return the name in `SCORES` of a score that a person calls by its name or its title, in small letters or large ones.

    The first words are enough where no other score begins with them.

    Parameters
    ----------
    words : what the person wrote
    what : what the score is, as the error calls it

    Raises
    ------
    InputError
        if there is no such score; the message names the nearest one

    >>> find_score("UA"), find_score("macro-F1 of sets"), find_score("JSD")
    ('ua', 'sets_macro_f1', 'jensen_shannon')
    """
    names = {_plain(called): name for name, score in SCORES.items() for called in (score.title, name)}
    plain = _plain(words)
    begun = {name for called, name in names.items() if called.startswith(f"{plain}_")}
    if plain in names:
        return names[plain]
    return begun.pop() if len(begun) == 1 else choose(words, SCORES, what)


def _plain(words: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
