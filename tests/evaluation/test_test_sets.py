"""A corpus with several test sets: each one is scored, beside all of them together."""

import pandas as pd
import pytest

from mlee_sb.corpora.manifest import test_sets_in as several_in
from mlee_sb.evaluation.evaluate import evaluate
from mlee_sb.evaluation.predictions import read_predictions
from mlee_sb.evaluation.report.tables import all_tables
from mlee_sb.evaluation.results import find_stages
from mlee_sb.evaluation.scores import format_scores, scores

from .fabricated import cell, fabricate


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = fabricate(tmp_path_factory.mktemp("results"), rows=["dominant_soft", "mlee"], train_sets=["all"])
    for stage in find_stages(folder):
        frame = pd.read_csv(stage.predictions, dtype=str, keep_default_na=False)
        frame.assign(split=["test1" if row % 3 else "test2" for row in range(len(frame))]).to_csv(stage.predictions, index=False)
    return folder


def test_each_set_has_the_scores_of_its_own_utterances(results):
    frame = read_predictions(next(results.glob("dominant_soft/all/seed1/fold1")) / "predictions.csv")
    found = scores(frame)
    assert list(found["test_sets"]) == ["test1", "test2"]
    for name, of_set in found["test_sets"].items():
        assert of_set == scores(frame[frame["split"] == name].drop(columns="split"))
    assert sum(of_set["n_all"] for of_set in found["test_sets"].values()) == found["n_all"]
    assert [line.split()[0] for line in format_scores(found).splitlines()[-2:]] == ["test1", "test2"]


def test_the_report_has_a_row_for_each_set(results):
    found = evaluate(results, resamples=50)
    of_sets = cell(found, "dominant_soft", "all")["test_sets"]
    assert list(of_sets) == ["test1", "test2"] and of_sets["test1"]["ua"]["low"] is not None
    (table,) = [table for table in all_tables(found) if table.key == "test_sets"]
    assert len(table.rows) == 2 * len(found["cells"]) and "test1 48, test2 24" in table.notes[0]


def test_a_corpus_with_one_test_set_has_no_such_table(tmp_path):
    found = evaluate(fabricate(tmp_path, rows=["dominant_soft"], train_sets=["all"]), resamples=50)
    assert "test_sets" not in [table.key for table in all_tables(found)] and found["test_sets"] == {}


@pytest.mark.parametrize(
    ("split", "sets"),
    [(["test1", "test2"], ["test1", "test2"]), (["test", "test"], []), (["1", "1"], []), (["train", "test1", "test2"], []), ([], [])],
)
def test_several_test_sets_are_told_from_folds_and_from_one_set(split, sets):
    assert several_in(pd.DataFrame({"split": pd.Series(split, dtype=str)})) == sets
