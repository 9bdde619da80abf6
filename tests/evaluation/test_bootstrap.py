"""Intervals hold the truth as often as they say, and speakers are what is drawn."""

import numpy as np
import pytest

from mlee_sb.evaluation.bootstrap import Resamples, interval

CORPORA, RESAMPLES = 500, 600
EXPECTED_ACCURACY, SKILL = 0.6, (6, 4)  # of a beta distribution with this mean: speakers differ more than chance alone would have them


def simulated(rng: np.random.Generator, n_speakers: int, better: float = 0.0):
    """Who spoke each utterance, and whether it was recognised, by two models of which the second is better by `better`."""
    speakers = np.repeat(np.arange(n_speakers), rng.integers(12, 36, n_speakers))
    easy = rng.beta(*SKILL, n_speakers)[speakers]
    luck = rng.random(len(speakers))  # shared: the two models err on the same utterances
    return speakers.astype(str), (luck < easy).astype(float), (luck < easy + better * (1 - easy) / (1 - EXPECTED_ACCURACY)).astype(float)


def accuracy(weights: np.ndarray, hits: np.ndarray) -> np.ndarray:
    return weights @ hits / weights.sum(axis=1)


@pytest.mark.parametrize("n_speakers", [10, 30])
def test_an_interval_of_95_percent_holds_the_truth_in_95_percent_of_corpora(n_speakers):
    rng = np.random.default_rng(n_speakers)
    covered = covered_difference = 0
    for number in range(CORPORA):
        speakers, hits, better = simulated(rng, n_speakers, better=0.05)
        weights = Resamples.draw(speakers, RESAMPLES, seed=number).weights(speakers)
        found = interval(accuracy(weights, hits), n_speakers)
        covered += found.low <= EXPECTED_ACCURACY <= found.high
        found = interval(accuracy(weights, better) - accuracy(weights, hits), n_speakers)
        covered_difference += found.low <= 0.05 <= found.high
    assert 0.93 <= covered / CORPORA <= 0.97
    assert 0.93 <= covered_difference / CORPORA <= 0.97


def test_speakers_are_drawn_whole():
    speakers = np.array(["b", "a", "b", "c", "a"])
    resamples = Resamples.draw(speakers, 50, seed=1)
    weights = resamples.weights(speakers)
    assert weights[0].tolist() == [1] * 5
    assert (weights[:, 0] == weights[:, 2]).all() and (weights[:, 1] == weights[:, 4]).all()
    assert (resamples.counts.sum(axis=1) == 3).all() and len(np.unique(weights[:, 0])) > 1


def test_utterances_of_a_speaker_who_is_always_right_make_no_one_surer():
    """Ten speakers, half of them always right: were utterances drawn, the interval would shrink with their number."""
    widths = []
    for utterances in (2, 200):
        speakers = np.repeat(np.arange(10), utterances).astype(str)
        hits = (np.repeat(np.arange(10), utterances) < 5).astype(float)
        found = interval(accuracy(Resamples.draw(speakers, 1000).weights(speakers), hits), 10)
        widths.append(found.high - found.low)
    assert widths[0] == pytest.approx(widths[1]) and widths[0] > 0.5


def test_the_same_seed_draws_the_same_speakers_whatever_the_order_of_the_rows():
    assert (Resamples.draw(["a", "b", "c"], 20, seed=4).counts == Resamples.draw(["c", "b", "a", "a"], 20, seed=4).counts).all()
    assert (Resamples.draw(["a", "b", "c"], 20, seed=4).counts != Resamples.draw(["a", "b", "c"], 20, seed=5).counts).any()


def test_no_resamples_leave_the_speakers_themselves():
    assert Resamples.draw(["b", "a", "a"], 0).counts.tolist() == [[1, 1]]
    found = interval(np.array([0.5]), 2)
    assert (found.value, found.low, found.high) == (0.5, None, None)


def test_resamples_that_do_not_define_a_score_do_not_count_and_where_they_are_many_there_is_no_interval():
    drawn = np.tile([0.4, 0.6], 50)
    few = interval(np.array([0.5, *drawn, *[np.nan] * 5]), 9)
    assert (few.value, few.low, few.high) == (0.5, 0.4, 0.6)
    many = interval(np.array([0.5, *drawn, *[np.nan] * 15]), 9)
    assert (many.value, many.low, many.high) == (0.5, None, None)
    assert interval(np.array([np.nan, 0.1, 0.2]), 5).value is None


@pytest.mark.parametrize(("n_of_emotion", "has_interval"), [(1, False), (2, False), (3, True), (10, True)])
def test_a_score_that_one_or_two_speakers_decide_about_has_no_interval(n_of_emotion, has_interval):
    counts = Resamples.draw(np.arange(10).astype(str), 2000).counts
    spoke = counts[:, :n_of_emotion].sum(axis=1)
    assert (interval(np.where(spoke > 0, 0.5, np.nan), 10).low is not None) == has_interval
