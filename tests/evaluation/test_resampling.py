"""Intervals hold the truth as often as they say, and speakers are what is drawn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlee_sb.errors import InputError
from mlee_sb.evaluation.resampling import Resamples, holm, interval, p_value

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


def test_without_a_difference_one_p_in_twenty_is_below_5_percent():
    rng, p = np.random.default_rng(3), []
    for number in range(CORPORA):
        speakers, hits, _ = simulated(rng, 20)
        one, other = (np.where(rng.random(len(hits)) < 0.3, 1 - hits, hits) for _ in range(2))  # equally good, wrong in other places
        weights = Resamples.draw(speakers, RESAMPLES, seed=number).weights(speakers)
        p.append(p_value(accuracy(weights, one) - accuracy(weights, other), 20))
    assert 0.03 <= np.mean(np.array(p) < 0.05) <= 0.07


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


def test_one_speaker_tells_nothing_about_others():
    with pytest.raises(InputError, match="two speakers or more"):
        Resamples.draw(["a", "a"])


def test_what_a_resample_does_not_define_is_left_out_and_what_is_undefined_has_no_interval():
    found = interval(np.array([0.5, np.nan, 0.4, 0.6, np.nan]), 5)
    assert found.value == 0.5 and 0.4 <= found.low < found.high <= 0.6
    assert interval(np.array([np.nan, 0.1, 0.2]), 5).value is None
    alone = interval(np.array([0.5, np.nan]), 5)
    assert (alone.value, alone.low, alone.high) == (0.5, None, None)


def test_p_is_below_5_percent_just_where_the_interval_leaves_zero_out():
    rng = np.random.default_rng(0)
    for shift in np.linspace(0, 6, 60):
        values = np.concatenate([[shift], rng.normal(shift, 1, 20_000)])
        p = p_value(values, 8)
        if not 0.045 < p < 0.055:  # at the border, one resample decides
            assert (p < 0.05) == (interval(values, 8).low > 0)


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_keeps_the_order_and_never_makes_a_p_smaller(p):
    corrected = holm(p)
    assert all(a <= b <= 1 for a, b in zip(p, corrected, strict=True))
    assert np.all(np.diff(np.array(corrected)[np.argsort(p, kind="stable")]) >= 0)
    if p:
        assert min(corrected) == pytest.approx(min(1, len(p) * min(p)))
