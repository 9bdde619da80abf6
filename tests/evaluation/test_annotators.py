"""Accuracy for each annotator, by hand: of what the model says in their place, and of its answer for all."""

import json

import pandas as pd
import pytest

from mlee_sb.evaluation.annotators import each_annotator
from mlee_sb.evaluation.evaluate import evaluate
from mlee_sb.evaluation.report.page import write_report
from mlee_sb.evaluation.results import find_stages
from mlee_sb.evaluation.scores import score_folder
from mlee_sb.stage_folder import ANNOTATOR_COLUMNS, StageFolder

from .fabricated import cell, fabricate, rewrite

SAID = [  # of three utterances, for which the model says hap, neu and hap: what an annotator said, and what the model says in their place
    ("s2_00", "Ann", "hap", "hap"),
    ("s2_01", "Ann", "hap", "hap"),
    ("s2_02", "Ann", "sad", "hap"),
    ("s2_00", "Bob", "neu", "sad"),
    ("s2_00", "Bob", "hap", "sad"),
    ("s2_01", "Bob", "neu", "neu"),
]
FOR_ALL = {"s2_00": "hap", "s2_01": "neu", "s2_02": "hap"}


@pytest.fixture
def results(tmp_path):
    """A row that learns annotators, and one that does not."""
    results = fabricate(tmp_path, rows=("dominant_soft", "mine"), train_sets=("all",), folds=(1,))

    def decided(frame):
        for ID, emotion in FOR_ALL.items():
            frame.loc[frame["ID"] == ID, ["p_neu", "p_hap", "p_sad"]] = [0.8 if emotion == code else 0.1 for code in ("neu", "hap", "sad")]
        return frame

    rewrite(results, decided)
    for stage in find_stages(results):
        if stage.summary.row == "mine":
            stage.files.write_annotators(pd.DataFrame([(*said, 0.5) for said in SAID], columns=ANNOTATOR_COLUMNS))
    return results


def stage_of(results, row) -> StageFolder:
    (stage,) = [stage for stage in find_stages(results) if stage.summary.row == row]
    return stage.files


def test_an_answer_is_right_if_it_is_one_of_the_labels_of_the_annotator(results):
    ann, bob = each_annotator([stage_of(results, "dominant_soft"), stage_of(results, "mine")])
    assert ann == {"annotator": "Ann", "judgements": 3, "own": pytest.approx(2 / 3), "mean": pytest.approx(1 / 3)}
    assert bob == {"annotator": "Bob", "judgements": 2, "own": pytest.approx(1 / 2), "mean": 1.0}


def test_scores_json_tells_it_of_all_annotators_and_names_none(results):
    score_folder(stage_of(results, "mine").path)
    text = stage_of(results, "mine").scores.read_text()
    assert json.loads(text)["annotators"] == {"annotators": 2, "judgements": 5, "own": 3 / 5, "mean": 3 / 5}
    assert "Ann" not in text and "Bob" not in text
    assert "annotators" not in score_folder(stage_of(results, "dominant_soft").path)


def test_the_report_has_a_line_for_each_annotator_of_such_a_row(results, tmp_path):
    found = evaluate(results, resamples=10)
    assert [one["annotator"] for one in cell(found, "mine", "all")["annotators"]] == ["Ann", "Bob"]
    assert cell(found, "dominant_soft", "all")["annotators"] == []
    page = (write_report(found, tmp_path / "report").parent / "report.md").read_text()
    assert "| Ann | 3 | 66.7 | 33.3 |" in page and "| Bob | 2 | 50.0 | 100.0 |" in page


def test_the_name_of_an_annotator_commands_no_terminal_and_no_page(results, tmp_path):
    files = stage_of(results, "mine")
    files.write_annotators(pd.DataFrame([("s2_00", "a\x1b[2J|<b>", "hap", "hap", 0.5)], columns=ANNOTATOR_COLUMNS))
    folder = write_report(evaluate(results, resamples=10), tmp_path / "report").parent
    page, text = ((folder / name).read_text() for name in ("report.html", "report.md"))
    assert "\x1b" not in page + text
    assert r"a\x1b[2J|&lt;b&gt;" in page and r"a\x1b\[2J\|\<b\>" in text
