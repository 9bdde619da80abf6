"""Rows with other settings than those of their hparams files: their names in a report, and what is said about them."""

import pytest

from mlee_sb.errors import InputError
from mlee_sb.evaluation.evaluate import evaluate
from mlee_sb.evaluation.predictions import read_predictions
from mlee_sb.evaluation.report.latex import latex_table
from mlee_sb.evaluation.report.page import write_report
from mlee_sb.evaluation.results import find_stages

from .fabricated import fabricate

QUICK = {"resamples": 20}
ROWS = ("dominant_soft", "mlee", "mlee_fusion_soft")


def names(found) -> list[str]:
    return [cell["row"] for cell in found["cells"]]


def cautions(found) -> list[str]:
    return [words for words in found["cautions"] if "hparams" in words]


def test_the_only_variant_of_a_row_keeps_its_name_and_its_claims_with_a_caution_that_names_the_settings(tmp_path):
    """So `table3 --mlee.lr 0.0002` gives the paper's table."""
    fabricate(tmp_path, rows=["dominant_soft"], train_sets=["all"])
    fabricate(tmp_path, rows=["mlee"], train_sets=["all"], variant="lr=0.0002")
    folder = fabricate(tmp_path, rows=["mlee_fusion_soft"], train_sets=["all"], variant="mlee.lr=0.0002")
    found = evaluate(folder, **QUICK)
    assert names(found) == list(ROWS)
    assert [c["row"] for c in found["comparisons"] if c["declared"]] == ["mlee_fusion_soft"]
    (caution,) = cautions(found)
    assert "mlee: lr=0.0002; mlee_fusion_soft: mlee.lr=0.0002." in caution
    page = write_report(found, tmp_path / "report")
    assert caution in page.read_text()


def test_rows_with_the_settings_of_their_files_need_no_caution(tmp_path):
    assert cautions(evaluate(fabricate(tmp_path, rows=ROWS, train_sets=["all"]), **QUICK)) == []


def test_of_several_variants_the_one_of_the_file_keeps_the_name_and_the_others_stand_after_the_paper_without_claims(tmp_path):
    fabricate(tmp_path, rows=ROWS, train_sets=["all"])
    folder = fabricate(tmp_path, rows=["mlee_fusion_soft"], train_sets=["all"], variant="lr=0.001")
    found = evaluate(folder, **QUICK)
    assert names(found) == [*ROWS, "mlee_fusion_soft@lr=0.001"] and cautions(found) == []
    assert [c["row"] for c in found["comparisons"] if c["declared"]] == ["mlee_fusion_soft"]
    lines = [line for line in latex_table(found).splitlines() if line.startswith("MLEE pre-training fusion") and "& soft" in line]
    assert len(lines) == 2 and lines[1].startswith("MLEE pre-training fusion (lr=0.001) & soft")


def test_several_variants_of_which_none_is_that_of_the_file_all_have_their_settings_in_their_names(tmp_path):
    for lr in ("0.01", "0.001"):
        folder = fabricate(tmp_path, rows=["mlee"], train_sets=["all"], variant=f"lr={lr}")
    found = evaluate(folder, **QUICK)
    assert names(found) == ["mlee@lr=0.001", "mlee@lr=0.01"] and cautions(found) == []


def test_only_the_variants_that_are_reported_count(tmp_path):
    fabricate(tmp_path, rows=["mlee"], train_sets=["all"])
    folder = fabricate(tmp_path, rows=["mlee"], train_sets=["all"], variant="lr=0.001")
    only = [stage.folder for stage in find_stages(folder) if stage.summary.variant]
    found = evaluate(folder, only=only, **QUICK)
    assert names(found) == ["mlee"] and "mlee: lr=0.001." in cautions(found)[0]


def test_different_outputs_in_one_cell_are_refused(tmp_path):
    folder = fabricate(tmp_path, rows=["mlee"], train_sets=["all"])
    first, second, _ = find_stages(folder)
    read_predictions(second.predictions).assign(output="softmax").to_csv(second.predictions, index=False)
    with pytest.raises(InputError, match="fold1/predictions.csv and .*fold2/predictions.csv have the outputs sigmoid and softmax"):
        evaluate(folder, **QUICK)


def test_a_variant_that_was_tried_on_one_fold_leaves_the_folds_of_the_other_rows_alone(tmp_path):
    fabricate(tmp_path, rows=ROWS, train_sets=["all"])
    folder = fabricate(tmp_path, rows=["mlee"], train_sets=["all"], folds=[2], variant="lr=0.001")
    found = evaluate(folder, **QUICK)
    assert names(found) == list(ROWS) and len(found["folds"]) > 1
    assert found["left_out"] == ["mlee@lr=0.001 (all): tried on folds 2 only"]
    fabricate(tmp_path, rows=["mlee"], train_sets=["all"], variant="lr=0.001", seeds=(2,))
    assert evaluate(folder, **QUICK)["left_out"] == ["mlee@lr=0.001 (all): tried on all folds with some seeds only"]
