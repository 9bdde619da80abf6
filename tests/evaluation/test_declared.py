"""What a comparison declares: written once, with its date, told in the report, and never made better afterwards."""

import json
from dataclasses import asdict, replace

import pytest

from mlee_sb.errors import InputError
from mlee_sb.evaluation.declared import COMPARISONS, MOST_PAIRS, Declaration, Pair, declare, find_declarations
from mlee_sb.evaluation.evaluate import evaluate
from mlee_sb.evaluation.paper import DECLARATION
from mlee_sb.evaluation.report import claims, tables
from mlee_sb.evaluation.report.page import write_report

from .fabricated import fabricate

QUICK = {"resamples": 50}
PAIRS = (Pair("kld", "all", "dominant_soft", "all"), Pair("jsd@alpha=0.75", "all", "dominant_soft", "all"))
OWN = Declaration("own", "ua", PAIRS, stages=9)


def test_what_is_declared_keeps_its_date_and_what_is_declared_later_stands_beside_it(tmp_path):
    first = declare(tmp_path, OWN)
    assert first.date and declare(tmp_path, replace(OWN, finished=9)) == first, "the same again: the first one stays"
    later = declare(tmp_path, replace(OWN, primary="wa", finished=9))
    assert [one.primary for one in find_declarations(tmp_path)] == ["ua", "wa"] and later.finished == 9
    declare(tmp_path, replace(OWN, name="other"))
    assert [one.name for one in find_declarations(tmp_path)] == ["other"]
    assert find_declarations(tmp_path, "own") == [first, later]
    declare(tmp_path, replace(OWN, primary="wa"))
    assert find_declarations(tmp_path) == [first, later], "begun last"


def test_how_rows_are_called_is_no_claim_and_is_that_of_the_last_time(tmp_path):
    first = declare(tmp_path, OWN)
    again = declare(tmp_path, replace(OWN, rows={"kld@lr=0.1": "kld"}, finished=9))
    assert find_declarations(tmp_path) == [again] and again == replace(first, rows={"kld@lr=0.1": "kld"})


def test_a_comparison_that_was_never_declared_and_a_damaged_file_are_refused(tmp_path):
    assert find_declarations(tmp_path) == [] and find_declarations(None) == []
    with pytest.raises(InputError, match="no comparison was begun there, and so not own: leave --comparison out"):
        find_declarations(tmp_path, "own")
    declare(tmp_path, OWN)
    with pytest.raises(InputError, match="unknown comparison 'onw': did you mean 'own'"):
        find_declarations(tmp_path, "onw")
    (tmp_path / COMPARISONS).write_text(json.dumps({"declared": [{"name": "own"}]}))
    with pytest.raises(InputError, match=f"{COMPARISONS}.*primary is missing.*move the file away"):
        find_declarations(tmp_path)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": "../../outside"}, "outside.*no name of a file"),
        ({"name": "/tmp/outside"}, "outside.*no name of a file"),
        ({"name": ""}, "no name of a file"),
        ({"name": "a\x1b[2J"}, "no name of a file"),
        ({"of_a_later_version": 1}, "of_a_later_version"),
        ({"pairs": [{**asdict(PAIRS[0]), "of_a_later_version": 1}]}, "of_a_later_version"),
        ({"pairs": [asdict(PAIRS[0])] * (MOST_PAIRS + 1)}, "10,001 pairs of rows, and at most 10,000"),
    ],
)
def test_a_declaration_of_a_stranger_leads_no_file_out_of_its_folder_and_is_refused_in_words(tmp_path, changed, said):
    (tmp_path / COMPARISONS).write_text(json.dumps({"declared": [{**asdict(OWN), **changed}]}))
    with pytest.raises(InputError, match=f"{COMPARISONS}.*{said}.*move the file away"):
        find_declarations(tmp_path)


@pytest.fixture
def folder(tmp_path):
    fabricate(tmp_path, rows=["jsd"], train_sets=["all"], variant="alpha=0.75")
    return fabricate(tmp_path, rows=["dominant_soft", "kld", "mlee"], train_sets=["all"])


def test_the_claims_of_a_report_are_those_that_were_declared_and_count_those_that_are_missing(folder):
    declare(folder, replace(OWN, pairs=(*PAIRS, Pair("gone", "all", "dominant_soft", "all"))))
    found = evaluate(folder, **QUICK)
    declared = {(one["row"], one["score"]): one for one in found["comparisons"] if one["declared"]}
    assert set(declared) == {("kld", "ua"), ("jsd", "ua")} and found["declared"]["claims"] == 3
    p = sorted((one["p"], one["p_holm"]) for one in declared.values())
    assert p[0][1] == pytest.approx(min(1, 3 * p[0][0]))
    assert not [one for one in found["comparisons"] if one["row"] == "mlee"], "nothing was declared of it"
    table = claims.comparisons(found)
    assert table.title == "Declared claims" and "before any of its 9 stages was finished" in " ".join(table.notes)
    assert "each row differs from its baseline in UA" in table.notes[0] and not any("before:" in note for note in table.notes)


def test_a_report_has_the_rows_of_the_comparison_in_its_order_and_with_its_names_and_others_after_them(folder, tmp_path):
    variant = "alpha=0.75,calibration=validation"
    fabricate(tmp_path, rows=["kld"], train_sets=["all"], variant=variant)
    rows = {"jsd@alpha=0.75": "jsd@alpha=0.75", "mlee": "mlee", f"kld@{variant}": "kld@alpha=0.75"}
    declare(folder, replace(OWN, pairs=(Pair(f"kld@{variant}", "all", "mlee", "all"), *PAIRS), rows=rows))
    found = evaluate(folder, **QUICK)
    assert [cell["row"] for cell in found["cells"]] == ["jsd@alpha=0.75", "mlee", "kld@alpha=0.75", "dominant_soft", "kld"]
    claimed = [(one["row"], one["baseline"]) for one in found["comparisons"] if one["declared"]]
    assert claimed == [("jsd@alpha=0.75", "dominant_soft"), ("kld@alpha=0.75", "mlee"), ("kld", "dominant_soft")]
    assert [words for words in found["cautions"] if f"kld@alpha=0.75: {variant}." in words], "what the name does not tell is told"


def test_two_rows_that_would_have_one_name_have_those_of_their_folders(folder, tmp_path):
    fabricate(tmp_path, rows=["kld"], train_sets=["all"], variant="lr=0.1")
    declare(folder, replace(OWN, rows={"kld@lr=0.1": "kld"}))
    rows = [cell["row"] for cell in evaluate(folder, **QUICK)["cells"]]
    assert rows == ["kld@lr=0.1", "dominant_soft", "mlee", "jsd", "kld"]


def test_claims_are_those_of_the_paper_by_what_they_say_and_not_by_the_name_of_the_comparison(folder):
    declare(folder, replace(OWN, name="table3", finished=4))
    said = claims.comparisons(evaluate(folder, **QUICK)).notes
    assert "2 claims are declared: each row differs from its baseline in UA" in said[0] and "when 4 of its 9 stages" in said[1]
    at_a_rate = tuple(replace(pair, row=f"{pair.row}@mlee.lr=0.1") for pair in DECLARATION.pairs)
    declare(folder, replace(DECLARATION, name="tuned", pairs=at_a_rate))
    assert evaluate(folder, **QUICK)["declared"]["of_the_paper"]


def test_a_primary_score_that_no_claim_can_be_about_is_refused(folder):
    declare(folder, OWN)
    with pytest.raises(InputError, match="no claim can be about existence AUC. Rows that have this score: mlee. .*--primary ua"):
        evaluate(folder, primary="existence AUC", **QUICK)


def test_without_a_declaration_the_report_is_that_of_the_paper(folder):
    found = evaluate(folder, **QUICK)
    assert found["declared"]["claims"] == DECLARATION.claims == 8 and found["choice"] == {}
    assert {(one["row"], one["baseline"]) for one in found["comparisons"]} == {("mlee", "dominant_soft")}
    assert tables.all_tables(found)[0].title.startswith("Table 3")


def test_what_was_declared_after_figures_were_there_is_said_to_be(folder):
    declare(folder, OWN)
    declare(folder, replace(OWN, primary="macro_f1", finished=4))
    found = evaluate(folder, **QUICK)
    said = " ".join(claims.comparisons(found).notes)
    assert found["primary"] == "macro_f1" and "when 4 of its 9 stages were finished" in said
    assert "It had declared something else before: on " in said and "2 claims about UA, before any of its 9 stages" in said
    said = " ".join(claims.comparisons(evaluate(folder, primary="wa", **QUICK)).notes)
    assert "chose that the claims are about WA and not about macro-F1" in said


def test_a_declared_comparison_has_its_choice_and_its_own_table_in_latex(folder, tmp_path):
    declare(folder, replace(OWN, primary="jensen_shannon"))
    found = evaluate(folder, **QUICK)
    rows = found["choice"]["rows"]
    assert found["choice"]["left_out"] == ["mlee"] and {one["row"] for one in rows} == {"dominant_soft", "kld", "jsd"}
    values = {cell["row"]: cell["pooled"]["jensen_shannon"]["value"] for cell in found["cells"] if cell["row"] != "mlee"}
    assert rows[0]["row"] == min(values, key=values.get) and sum(one["best_in"] for one in rows) == pytest.approx(1)
    output = write_report(found, tmp_path / "report").parent
    page, latex = (output / "report.html").read_text(), (output / "own.tex").read_text()
    assert "What would I choose?" in page and "<h2>Recognition of the dominant emotion" in page
    assert r"\multicolumn{3}{c}{all}" in latex and "{dominant}" not in latex and f"{min(values.values()):.3f}" in latex
    assert latex.count(r"\begin{") == latex.count(r"\end{") == 2 and r"JSD to the votes (bits)" in latex
