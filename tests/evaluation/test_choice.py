"""Which row to choose: a best row that is known is found, rows that are alike are not told apart, and luck is not taken for more."""

from types import SimpleNamespace

import numpy as np
import pytest

from mlee_sb.evaluation.choice import ALIKE, BEST, UNTESTED, WORSE, best_in, choose_row, costs_of
from mlee_sb.evaluation.comparisons import SPEAKERS, Difference, Scored
from mlee_sb.evaluation.metrics import SCORES
from mlee_sb.evaluation.report.choice import choice, verdict

SPEAKER = 12  # how many
NOISE = np.linspace(-0.02, 0.02, SPEAKER)


def scored(of_speakers: np.ndarray) -> Scored:
    """A mean over speakers, and what it is without each of them."""
    without = np.array([np.delete(of_speakers, i).mean() for i in range(len(of_speakers))])
    return Scored(float(of_speakers.mean()), {SPEAKERS: without}, {SPEAKERS: len(of_speakers) - 1})


def chosen(of_rows: dict[str, np.ndarray], score: str = "ua", confidence: float = 0.95, resamples: int = 200) -> dict[str, dict]:
    """What is said of each row, from its values of each speaker; the speakers are drawn once for all rows."""
    n = len(next(iter(of_rows.values())))
    drawn = np.concatenate([np.ones((1, n)), np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), resamples)]) / n
    keys = {row: (row, "all") for row in of_rows}
    found = choose_row(
        {keys[row]: scored(values) for row, values in of_rows.items()},
        {keys[row]: drawn @ values for row, values in of_rows.items()},
        SCORES[score],
        confidence,
    )
    return {one["row"]: one for one in found}


def test_the_share_of_resamples_in_which_a_row_is_best_is_counted_over_the_same_resamples():
    assert best_in(np.array([[0.5, 0.2, 0.3], [0.4, 0.6, 0.3], [0.1, 0.1, 0.3]])).tolist() == pytest.approx(
        [(1 + 1 / 3) / 3, (1 + 1 / 3) / 3, (1 / 3) / 3]
    )
    assert np.isnan(best_in(np.empty((2, 0)))).all()
    found = chosen({"a": 0.6 + NOISE, "b": 0.5 + NOISE[::-1]})
    assert list(found) == ["a", "b"] and sum(one["best_in"] for one in found.values()) == pytest.approx(1)
    assert chosen({"a": 0.6 + NOISE, "b": 0.5 + NOISE})["a"]["best_in"] == 1, "speakers are easy or hard for both rows"


def test_a_row_that_is_far_behind_is_worse_and_one_that_is_near_cannot_be_told_from_the_best():
    found = chosen({"far": 0.3 + NOISE, "best": 0.6 + NOISE, "near": 0.599 + NOISE[::-1]})
    assert [one["said"] for one in found.values()] == [BEST, ALIKE, WORSE] and list(found) == ["best", "near", "far"]
    assert found["far"]["behind"]["value"] == pytest.approx(0.3) and found["best"]["behind"]["value"] == 0


def test_where_less_is_better_the_best_row_has_the_least():
    found = chosen({"much": 0.6 + NOISE, "little": 0.3 + NOISE}, score="nll")
    assert list(found) == ["little", "much"] and found["much"]["said"] == WORSE and found["little"]["best_in"] == 1
    assert found["much"]["behind"]["value"] == pytest.approx(0.3)


def test_each_row_is_tested_at_a_level_for_all_rows_and_its_interval_leaves_zero_out_just_where_it_is_worse():
    values = {"best": 0.6 + NOISE, **{f"row{i}": 0.6 + NOISE + 0.01 * i * np.roll(NOISE, i) / 0.02 - 0.006 for i in range(1, 8)}}
    found = chosen(values)
    level = 0.05 / (len(values) - 1)
    for row, one in found.items():
        if one["said"] != BEST:
            p = Difference.between(scored(values["best"]), scored(values[row])).p
            assert (one["said"] == WORSE) == (p < level) == (one["behind"]["low"] > 0)
    alone = {row: chosen({"best": values["best"], row: values[row]})[row]["said"] for row in found if row != "best"}
    assert any(alone[row] == WORSE and found[row]["said"] == ALIKE for row in alone), "a row counts for less among many"


def test_the_truly_best_row_is_seldom_lost_however_lucky_another_one_is():
    """Ten rows without any true difference, so that each of them is a truly best one; the first of them is looked for."""
    rng = np.random.default_rng(1)
    said = [chosen({f"r{i}": x for i, x in enumerate(rng.normal(0.6, 0.1, (10, 12)))}, resamples=1)["r0"]["said"] for _ in range(150)]
    assert said.count(WORSE) <= 0.05 * len(said) and said.count(BEST) < 0.25 * len(said)


def test_without_speakers_to_test_over_nothing_is_called_worse_and_a_score_that_is_not_defined_is_left_out():
    keys = [("a", "all"), ("b", "all"), ("c", "all")]
    cells = {key: Scored(value, {}, {}) for key, value in zip(keys, (0.5, 0.6, np.nan), strict=True)}
    found = choose_row(cells, {key: np.array([cells[key].value]) for key in keys}, SCORES["ua"], 0.95)
    assert [(one["row"], one["said"], one["best_in"]) for one in found] == [("b", BEST, None), ("a", UNTESTED, None)]
    assert choose_row({}, {}, SCORES["ua"], 0.95) == []


def stage(seconds: float, size: int | None, **required: str) -> SimpleNamespace:
    return SimpleNamespace(summary=SimpleNamespace(seconds=seconds), files=SimpleNamespace(weights_size=size), required=required)


def test_a_row_costs_its_training_and_that_of_the_encoders_that_it_froze():
    there = {"k1": stage(60.0, 10), "k2": stage(30.0, 10, below="k1")}
    head = stage(6.0, 30, mlee="k2", dominant="k1")
    assert costs_of(SimpleNamespace(all_stages=[head, stage(2.0, 50)]), there) == {"seconds": (6 + 30 + 60 + 60 + 2) / 2, "bytes": 40.0}
    assert costs_of(SimpleNamespace(all_stages=[stage(6.0, None, mlee="gone")]), there) == {"seconds": None, "bytes": None}


def as_found(of_rows: dict[str, np.ndarray], left_out: list[str]) -> dict:
    rows = list(chosen(of_rows).values())
    cells = [
        {
            "row": one["row"],
            "train_set": "all",
            "pooled": {"ua": {"value": of_rows[one["row"]].mean(), "low": None, "high": None}},
            "costs": {"seconds": 90.0, "bytes": None},
        }
        for one in rows
    ]
    return {
        "choice": {"rows": rows, "left_out": left_out},
        "cells": cells,
        "primary": "ua",
        "bootstrap": {"confidence": 0.95},
    }


def test_the_report_says_what_to_choose_in_words():
    found = as_found({"best": 0.6 + NOISE, "near": 0.599 + NOISE[::-1], "far": 0.3 + NOISE}, ["mlee"])
    table = choice(found)
    assert verdict(found).startswith("By UA, best (all) is the best row here, and 1 of the others cannot be told from it: near (all).")
    assert [row[6].text for row in table.rows] == ["best", "cannot be told from the best", "worse"]
    assert [row[7].text for row in table.rows] == ["1.5"] * 3 and table.rows[2][5].text.startswith("+30.0 [")
    assert any("partly the luckiest one" in note for note in table.notes) and any("MLEE only" in note for note in table.notes)
    sure = as_found({"best": 0.6 + NOISE, "far": 0.3 + NOISE}, [])
    assert verdict(sure) == "By UA, choose best (all): every other row is worse, also when one counts that it is the best of 2."
    assert choice({**found, "choice": {}}).rows == []
    assert "none of the others can be told from it: choose" in verdict(as_found({"best": 0.6 + NOISE, "near": 0.599 + NOISE[::-1]}, []))
    assert verdict(as_found({"alone": 0.6 + NOISE}, ["far"])) == "By UA there is nothing to choose: only alone (all) has this score."
