"""The report as files: what stands in it, that its numbers are those that were found, and what it refuses to replace."""

import json
import re
from html import unescape

import numpy as np
import pytest

from mlee_sb.errors import InputError
from mlee_sb.evaluation.ambiguity import thirds
from mlee_sb.evaluation.cells import read_cells
from mlee_sb.evaluation.evaluate import evaluate
from mlee_sb.evaluation.metrics import SCORES
from mlee_sb.evaluation.paper import CITATION, ROWS, TABLE_3
from mlee_sb.evaluation.report import claims, page, tables
from mlee_sb.evaluation.report.attention import AttentionFigure, cells_of_figure, chosen_utterances
from mlee_sb.evaluation.report.entries import NOTHING, Entry, Table, as_text, title_of
from mlee_sb.evaluation.report.latex import latex_table
from mlee_sb.evaluation.report.page import write_report
from mlee_sb.evaluation.results import find_stages
from mlee_sb.labels import vote_entropy
from mlee_sb.stage_folder import REQUIRED
from mlee_sb.version import __version__

from .fabricated import fabricate, rewrite

QUICK = {"resamples": 100}
HOSTILE = "<script>alert(1)</script>|`*_&%"
FOUR = ["neu", "hap", "sad", "ang"]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return fabricate(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def found(results):
    return evaluate(results, **QUICK)


def figure(number=1, ID="a_01", names=("hard", "soft", "MLEE")) -> AttentionFigure:
    rate = 8000
    samples = 0.3 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32)
    steps = np.linspace(0.05, 0.95, 10)
    attention = {name: (steps, np.full(10, 0.1)) for name in names}
    return AttentionFigure(number, ID, {"neu": 2, "hap": 0, "other": 1}, samples, rate, attention)


@pytest.fixture
def without_plots(monkeypatch):
    """Leave the plots out of a report whose words a test is about: to draw them all takes seconds."""
    monkeypatch.setattr(page, "all_plots", lambda found: [])


def numbers_of(folder) -> dict:
    """What report.json says of the results, without when and with what it was made."""
    return {name: value for name, value in json.loads((folder / "report.json").read_text()).items() if name != "made"}


@pytest.fixture(scope="module")
def folder(found, tmp_path_factory):
    return write_report(found, tmp_path_factory.mktemp("report") / "report", [figure()]).parent


def test_it_is_one_page_with_markdown_latex_and_all_numbers_beside_it(folder, found):
    assert {path.name for path in folder.iterdir()} == {"report.html", "report.md", "table3.tex", "report.json", "plots"}
    assert numbers_of(folder) == found
    page, markdown = (folder / "report.html").read_text(), (folder / "report.md").read_text()
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", page), "it needs nothing else"
    pictures = re.findall(r"\]\((plots/[^)]+)\)", markdown)
    assert {path.name for path in (folder / "plots").iterdir()} == {name.removeprefix("plots/") for name in pictures}
    assert page.count("data:image/svg+xml") == len(pictures) == 12


def test_page_and_markdown_say_the_numbers_that_were_found(folder, found):
    page, markdown = (folder / "report.html").read_text(), (folder / "report.md").read_text()
    in_page = [
        [unescape(text) for text in re.findall(r"<td[^>]*>(.*?)</td>", row)] for row in re.findall(r"<tr>(<td.*?)</tr>", page, re.DOTALL)
    ]
    in_markdown = [
        [cell.replace("\\", "").strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in markdown.splitlines()
        if line.startswith("| ")
    ]
    for table in tables.all_tables(found):
        for row in table.rows:
            assert as_text(row) in in_page and as_text(row) in in_markdown
    cell = found["cells"][-1]
    wa = cell["pooled"]["wa"]
    expected = f"{100 * wa['value']:.1f} [{100 * wa['low']:.1f}, {100 * wa['high']:.1f}]"
    assert ["MLEE pre-training fusion", "soft", "all", expected] in [row[:4] for row in in_page]


def test_every_table_is_whole(found):
    keys = [table.key for table in tables.all_tables(found)]
    assert keys == [
        "table3",
        "comparisons",
        "exploratory",
        "recalls",
        "sets",
        "distributions",
        "posteriors",
        "selective",
        "existence",
        "ambiguity",
        "over_folds",
        "table1",
        "training",
    ]
    for table in tables.all_tables(found):
        assert {len(row) for row in table.rows} == {len(table.header)}


def test_latex_has_the_rows_of_the_paper_the_same_numbers_and_one_best(found):
    text = latex_table(found)
    lines = [line for line in text.splitlines() if line.endswith(r"\\") and "textbf" in line or " [" in line]
    rows = [line for line in lines if line.count("&") == 5]
    assert len(rows) == len(ROWS) and text.count(r"\begin{") == text.count(r"\end{") == 2
    hard = next(row for row in rows if row.startswith("Dominant recognition & hard"))
    dominant, all_of_them = hard.removesuffix(r" \\").split(" & ")[2:4], hard.removesuffix(r" \\").split(" & ")[4:6]
    assert dominant == all_of_them, "one stage for both train sets"
    best = max(cell["pooled"]["ua"]["value"] for cell in found["cells"])
    assert rf"\textbf{{{100 * best:.1f}}}" in text
    assert all(f"{100 * cell['pooled']['wa']['value']:.1f}" in text for cell in found["cells"])


def test_the_papers_figures_stand_beside_those_of_iemocap_and_a_reason_beside_others(found, tmp_path):
    table = tables.all_tables(found)[0]
    assert not [title for title in table.header if "paper" in title] and table.header[3:] == [
        "WA",
        "UA",
        "macro-F1",
        "WA, share of human",
        "UA, share of human",
    ]
    assert any("this is crema_d" in note for note in table.notes)
    iemocap = evaluate(fabricate(tmp_path, corpus="iemocap", emotions=FOUR), **QUICK)
    with_paper = tables.all_tables(iemocap)[0]
    assert with_paper.header[6:8] == ["WA, paper", "UA, paper"] and any(CITATION in note for note in with_paper.notes)
    rows = with_paper.rows
    by_name = {tuple(as_text(row[:3])): as_text(row[6:8]) for row in rows}
    assert by_name["MLEE pre-training fusion", "soft", "all"] == ["66.1", "65.4"] == [str(x) for x in TABLE_3["mlee_fusion_soft"]["all"]]
    assert ["all, paper", "45.2", "24.0", "19.8", "17.8"] in [as_text(row) for row in tables.table1(iemocap).rows]


@pytest.mark.usefixtures("without_plots")
def test_a_demo_is_loud_everywhere(tmp_path):
    output = write_report(evaluate(fabricate(tmp_path, rows=["mlee"], demo=True), **QUICK), tmp_path / "report").parent
    for name in ("report.html", "report.md", "table3.tex"):
        assert "DEMO" in (output / name).read_text()


@pytest.mark.usefixtures("without_plots")
def test_it_says_when_with_what_and_how_it_was_made_on_how_much_and_after_whom(results, found, tmp_path):
    stage = find_stages(results)[0]
    command = f"mlee report {results} --seed 3"
    sized = {
        **found,
        "cells": [{**cell, "trained": [{**one, "training": 100 + one["fold"]} for one in cell["trained"]]} for cell in found["cells"]],
    }
    output = write_report(sized, tmp_path / "report", command=command).parent
    made = json.loads((output / "report.json").read_text())["made"]
    assert made["version"] == __version__ and made["command"] == command and re.fullmatch(r"\d{4}-\d\d-\d\d", made["date"])
    for name in ("report.html", "report.md"):
        text = (output / name).read_text().replace("\\", "")
        assert command in text and CITATION in text and f"{made['date']} with mlee_sb {__version__}" in text
        assert "dominant: 101 to 103; all: 101 to 103" in text
    table = next(table for table in tables.all_tables(sized) if table.key == "training")
    assert as_text(table.rows[0])[3:] == ["3", "101 to 103", "2", "1.0"] and stage.summary.seconds == 60


def test_sizes_of_training_sets_are_counted_from_what_training_noted(tmp_path):
    folder = fabricate(tmp_path, rows=["mlee"], train_sets=["all"], folds=(1, 2))
    for stage in find_stages(folder):
        for use, n in (("training", 7 + stage.summary.fold), ("selection", 3)):
            stage.files.note_use(use, map(str, range(n)))
    trained = evaluate(folder, **QUICK)["cells"][0]["trained"]
    assert [(one["fold"], one["training"], one["selection"]) for one in trained] == [(1, 8, 3), (2, 9, 3)]


def test_every_score_is_explained_where_it_stands(found, folder):
    page, markdown = (folder / "report.html").read_text(), (folder / "report.md").read_text().replace("\\", "")
    titles = {score.title for score in SCORES.values()}
    for table in tables.all_tables(found):
        unexplained = titles & set(table.header) - set(table.terms)
        assert not unexplained, table.key
        section = unescape(page.split(f'<section id="{table.key}">')[1].split("</section>")[0])
        for term, meaning in table.terms.items():
            assert f"<dt>{term}</dt><dd>{meaning}.</dd>" in section and f"- **{term}**: {meaning}." in markdown


def test_what_several_seeds_say_together_stands_beside_each_of_them_and_is_no_column_of_one_seed(found, tmp_path):
    several = evaluate(fabricate(tmp_path, rows=["mlee"], train_sets=["all"], seeds=(1, 2)), **QUICK)
    of_one, of_both = (next(t for t in tables.all_tables(some) if t.key == "over_folds") for some in (found, several))
    assert "UA, seeds together" not in of_one.header and "UA, seeds together" not in of_one.terms
    shown = dict(zip(of_both.header, as_text(of_both.rows[0]), strict=True))
    assert shown["UA, seeds together"].startswith(f"{100 * several['cells'][0]['together']['ua']['value']:.1f}")


def test_a_column_in_which_there_is_nothing_is_left_out_with_its_term():
    rows = [[Entry("a"), Entry(NOTHING), Entry("")], [Entry("b"), Entry(NOTHING), Entry("x")]]
    table = Table("key", "title", ["row", "empty", "half"], rows, terms={"empty": "nothing", "half": "something"}).without_empty_columns()
    assert table.header == ["row", "half"] and [as_text(row) for row in table.rows] == [["a", ""], ["b", "x"]]
    assert table.terms == {"half": "something"}


def test_hostile_names_are_text_on_the_page_in_markdown_and_in_latex(tmp_path):
    row = "my<b>row|x</b>"
    found = evaluate(fabricate(tmp_path, rows=["mlee", row.replace("/", "")], train_sets=["all"]), **QUICK)
    output = write_report(found, tmp_path / "report", [figure(ID=HOSTILE)]).parent
    page, markdown = (output / "report.html").read_text(), (output / "report.md").read_text()
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)" in page and "<b>row" not in page
    assert "<script>" not in re.sub(r"\\.", "", markdown) and r"my\<b\>row\|x" in markdown
    assert "my<b>row|x" in (output / "table3.tex").read_text()


def test_what_the_differences_say_is_said_in_words(found):
    sure = {"row": "mlee_fusion_soft", "baseline": "dominant_soft", "train_set": "all", "score": "ua", "p": 0.001, "p_holm": 0.01}
    sure["declared"] = True
    sure["difference"] = {"value": -0.031, "low": -0.05, "high": -0.01}
    said = claims.verdict(found | {"comparisons": [sure]})
    assert "MLEE pre-training fusion, soft (all) is worse than Dominant recognition, soft in UA by 3.1 points" in said
    assert "The other claims are not" in claims.verdict(found | {"comparisons": [sure, sure | {"p_holm": 0.06}]})
    assert "no row can be called better" in claims.verdict(found | {"comparisons": [sure | {"p_holm": 0.06}]})
    assert "None of the claims can be tested" in claims.verdict(found | {"comparisons": [sure | {"p_holm": None}]})


@pytest.mark.usefixtures("without_plots")
def test_claims_and_what_is_exploratory_stand_apart(tmp_path):
    found = evaluate(fabricate(tmp_path, folds=range(1, 8)), **QUICK)
    folder = write_report(found, tmp_path / "report").parent
    declared, others = claims.comparisons(found), claims.exploratory(found)
    assert (len(declared.rows), len(others.rows)) == (8, 16)
    assert "p, corrected" in declared.header and "p, uncorrected" in others.header and "p, corrected" not in others.header
    shown = as_text(declared.rows[0])
    claim = next(c for c in found["comparisons"] if c["declared"])
    assert shown[8] == f"{100 * claim['detectable']:.1f}" and shown[9] == f"{claim['units']} ({claim['df']} df)"
    page = (folder / "report.html").read_text()
    gains = [100 * c["detectable"] for c in found["comparisons"] if c["declared"]]
    assert f"here {min(gains):.1f} to {max(gains):.1f} points" in page and "were not declared beforehand" in page
    assert "8 claims are declared before the figures" in page and "a test at 0.05 / 8 finds" in page


def test_where_no_gain_could_be_found_or_rows_answer_alike_no_gain_is_told(found):
    claim = next(c for c in found["comparisons"] if c["declared"])
    none, alike = claim | {"error": 0.2, "detectable": None}, claim | {"error": 0.0, "detectable": None}
    said = claims.comparisons(found | {"comparisons": [none, alike]})
    assert any("For 1 of the claims, not even the largest gain could be found" in note for note in said.notes)
    assert [row[8].text for row in said.rows] == [NOTHING] * 2 and not any("Detectable gain" in note for note in said.notes)
    both = claims.comparisons(found | {"comparisons": [claim | {"detectable": 0.07}, alike]}).notes
    assert any("here 7.0 to 7.0 points" in note for note in both) and not any("not even the largest" in note for note in both)


def test_of_a_score_in_which_lower_is_better_the_words_and_numbers_are_those_of_that_score(results):
    found = evaluate(results, primary="nll", **QUICK)
    claim = next(c for c in found["comparisons"] if c["declared"])
    table = claims.comparisons(found)
    assert "above 0 the row is better, in NLL (nats) below 0" in table.terms["difference"]
    assert as_text(table.rows[0])[5].startswith(f"{claim['difference']['value']:+.3f} [")
    assert any("on the scale of the score" in note for note in table.notes) and not any(" points" in note for note in table.notes)
    sure = claim | {"p_holm": 0.01, "difference": {"value": -0.31, "low": -0.5, "high": -0.1}}
    assert f"is better than {title_of(claim['baseline'])} in NLL (nats) by 0.310" in claims.verdict(found | {"comparisons": [sure]})


def test_a_score_that_was_chosen_for_the_report_is_said_to_be(results, found):
    chosen = claims.comparisons(evaluate(results, primary="wa", **QUICK)).notes
    assert any("chose that the claims are about WA and not about UA" in note for note in chosen)
    assert not any("The person who made this report" in note for note in claims.comparisons(found).notes)


@pytest.mark.usefixtures("without_plots")
def test_with_class_weights_undone_nothing_is_declared_or_sure(results, tmp_path):
    undone = evaluate(results, undo_class_weights=True, **QUICK)
    output = write_report(undone, tmp_path / "report").parent
    for name in ("report.html", "report.md"):
        text = (output / name).read_text()
        assert "With the class weights undone no claim is declared" in text and "none: they are about decisions as trained" in text
        assert "Declared claims" not in text and "After correction" not in text and "Exploratory: all differences" in text


@pytest.mark.parametrize("dominant", ["", "oth"], ids=["no majority", "other emotions"])
def test_without_a_dominant_emotion_there_is_a_report_of_existence_and_no_plot_of_decisions(tmp_path, dominant):
    folder = fabricate(tmp_path, train_sets=["all"])
    rewrite(folder, lambda frame: frame.assign(dominant=dominant))
    undecided = evaluate(folder, **QUICK)
    output = write_report(undecided, tmp_path / "report").parent
    assert not {path.name for path in (output / "plots").iterdir()} & {"forest.svg", "forest_selective.svg", "confusions.svg"}
    assert undecided["n"] == 0 and "Existence of each emotion" in (output / "report.html").read_text()


def test_too_few_speakers_make_a_whole_report_that_says_why_there_are_no_intervals(tmp_path):
    found = evaluate(fabricate(tmp_path, folds=(1,)), **QUICK)
    output = write_report(found, tmp_path / "report").parent
    for name in ("report.html", "report.md"):
        text = (output / name).read_text().replace("\\", "")
        assert "No intervals and no tests: 2 test speakers are too few" in text and "95% intervals" not in text
    latex = (output / "table3.tex").read_text()
    assert "no intervals: too few folds or speakers" in latex and "scriptsize" not in latex
    assert f"{100 * found['cells'][-1]['pooled']['ua']['value']:.1f}" in latex
    assert numbers_of(output) == found


@pytest.mark.usefixtures("without_plots")
def test_cautions_and_folds_that_lack_an_emotion_are_said_on_the_page_and_in_markdown(found, tmp_path):
    lacking = found | {"folds_without": {"hap": [2], "sad": [1, 3]}}
    output = write_report(lacking, tmp_path / "report").parent
    for name in ("report.html", "report.md"):
        text = (output / name).read_text().replace("\\", "")
        assert "6 test speakers are few" in text
        assert "No test utterance with dominant hap in 1 of 3 folds (2); sad in 2 of 3 folds (1, 3)" in text
    assert "Every fold tests every emotion." in tables.over_folds(found).notes


@pytest.mark.usefixtures("without_plots")
def test_an_older_report_is_replaced_whole_and_anything_else_is_left(found, tmp_path):
    output = tmp_path / "report"
    write_report(found, output, [figure()])
    write_report(found, output, no_attention="no sound here")
    assert not (output / "plots/attention_1.svg").exists() and "no sound here" in (output / "report.html").read_text()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="a file is where a folder must be"):
        write_report(found, tmp_path / "mine/thesis.tex/report")
    for other in (tmp_path / "mine", tmp_path / "mine/thesis.tex"):
        with pytest.raises(InputError, match="not a report, and it would be replaced"):
            write_report(found, other)
    assert (tmp_path / "mine/thesis.tex").read_text() == "years of work"


def with_heads(results) -> list:
    """The stages. Those that stand on the encoder of another one say so, as training has them say."""
    stages = find_stages(results)
    for stage in stages:
        if stage.summary.row.startswith("mlee_"):
            stage.files.write_identity({**stage.files.read_identity(), f"{REQUIRED}mlee": "its key"})
    return find_stages(results)


def test_figure_3_takes_the_encoders_of_the_fold_that_tests_the_utterance(tmp_path):
    results = fabricate(tmp_path)
    shown = cells_of_figure(read_cells(with_heads(results)))
    assert [next(iter(cell.stages.values()))[2].folder.relative_to(results).as_posix() for cell in shown] == [
        "dominant_hard/dominant/seed1/fold2",
        "dominant_soft/all/seed1/fold2",
        "mlee/all/seed1/fold2",
    ]


def test_figure_3_shows_whatever_rows_there_are(tmp_path):
    own = fabricate(tmp_path / "own", rows=["mlee", "mine", "mlee_fusion_soft"], train_sets=["dominant"])
    shown = cells_of_figure(read_cells(with_heads(own)))
    assert [(cell.row, cell.train_set) for cell in shown] == [("mlee", "dominant"), ("mine", "dominant")]
    heads = fabricate(tmp_path / "heads", rows=["mlee_pretrain_soft", "mlee_fusion_soft"])
    shown = cells_of_figure(read_cells(with_heads(heads)))
    assert [(cell.row, cell.train_set) for cell in shown] == [("mlee_pretrain_soft", "all"), ("mlee_fusion_soft", "all")]


def test_the_utterances_of_figure_3_are_disputed_ones_of_each_emotion(results):
    cells = read_cells(find_stages(results))
    shown = cells_of_figure(cells)
    chosen = chosen_utterances(cells, shown)
    assert len(chosen) == len(set(chosen)) == 3 and chosen == chosen_utterances(cells, shown)
    utterances = cells.utterances
    rows = [list(utterances.ids).index(ID) for ID in chosen]
    assert utterances.votes[rows, :-1].argmax(axis=1).tolist() == [0, 1, 2]
    _, (_, disputed_from) = thirds(vote_entropy(utterances.votes))
    assert (vote_entropy(utterances.votes[rows]) > disputed_from).all()
