"""Comparison files, the grid that they make, and what they declare; nothing is trained here."""

from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pytest
from pages import blocks

from mlee_sb.errors import InputError
from mlee_sb.evaluation import paper
from mlee_sb.evaluation.declared import Pair
from mlee_sb.experiment.compared import Cell, Grid, Row, flags_of, rows_of
from mlee_sb.experiment.comparison_file import Chosen, read_comparison
from mlee_sb.experiment.hparams_files import comparisons, copy_hparams

ROWS = "rows: [dominant, mlee, {kld: {alpha: 0.75}}]\n"
PRESETS = {  # name -> primary score
    "disagreement": "ua",
    "emo_superb_crema_d": "sets_macro_f1",
    "emo_superb_iemocap": "sets_macro_f1",
    "listeners": "ua",
    "table3": "ua",
}


def written(tmp_path, text: str, name: str = "own") -> Path:
    file = tmp_path / f"{name}.yaml"
    file.write_text(text)
    return file


def comparison(tmp_path, text: str = ROWS + "baseline: dominant_soft\n", **given):
    return read_comparison(written(tmp_path, text)).given(**given)


def cells_of(grid: Grid, variant: str = "") -> list[Cell]:
    """The cells of one seed and fold, with stages that only tell their place: hard targets learn from one train set."""
    cells = []
    for number, row in product(range(len(grid.encoders)), grid.rows):
        for target, train_set in product(row.targets(grid.comparison.targets), grid.comparison.train_sets):
            name = row.name(target)
            learnt = {"train_set": "dominant" if name == "dominant_hard" else train_set}
            stage = SimpleNamespace(row=f"{name}{variant and f'@{number}{variant}'}", settings=learnt)
            cells.append(Cell(name, number, train_set, stage))
    return cells


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_found_by_its_name_and_its_claims_are_about_its_rows(name):
    grid = Grid.of(read_comparison(name), None, {})
    declared = grid.declaration(cells_of(grid))
    names = {cell.name for cell in cells_of(grid)}
    assert set(PRESETS) == set(comparisons()) and declared.name == name and declared.primary == PRESETS[name]
    assert declared.claims > 0 and {pair.baseline for pair in declared.pairs} <= names


def test_table_3_declares_the_eight_claims_of_the_paper_whatever_rows_are_trained():
    for rows in (None, ["mlee"]):
        grid = Grid.of(read_comparison("table3").given(rows=rows), None, {})
        declared = grid.declaration(cells_of(grid))
        assert declared.claims == 8 and set(declared.pairs) == set(paper.DECLARATION.pairs)
    assert [row.file.stem for row in rows_of(read_comparison("table3"), None)] == ["dominant", "mlee", "mlee_pretrain", "mlee_fusion"]


def test_a_row_that_is_there_for_several_targets_goes_through_them_and_a_row_with_one_of_its_own_does_not(tmp_path):
    grid = Grid.of(comparison(tmp_path, targets=("hard", "soft")), None, {})
    names = [cell.name for cell in cells_of(grid)]
    assert names == ["dominant_hard", "dominant_soft", "mlee", "kld@alpha=0.75"]
    hard = Row.of(Chosen("dominant", {"target": "hard"}), None)
    assert [hard.name(target) for target in hard.targets(("soft",))] == ["dominant_hard"]
    assert Row.of(Chosen("curriculum", {"target": "kld"}), None).name({}) == "curriculum@target=kld", "its name alone does not tell it"
    first = Row.of(Chosen.of("pretrain:first=jsd"), None)
    assert first.name({"target": "soft"}) == "pretrain_jsd_soft" and first.required["first"].name == "jsd.yaml"


def test_every_other_row_is_claimed_to_differ_from_the_baseline_with_each_encoder(tmp_path):
    grid = Grid.of(comparison(tmp_path, encoders=["paper", "pretrained:upstream=u"]), None, {})
    assert grid.encoders == [{"encoder": "paper"}, {"encoder": "pretrained", "upstream": "u"}]
    declared = grid.declaration(cells_of(grid, variant="x"))
    assert declared.pairs[:2] == (
        Pair("mlee@0x", "all", "dominant_soft@0x", "all"),
        Pair("kld@alpha=0.75@0x", "all", "dominant_soft@0x", "all"),
    )
    assert declared.claims == 4 and declared.pairs[-1].baseline == "dominant_soft@1x"


def test_a_report_calls_rows_as_the_comparison_does_unless_there_are_several_encoders(tmp_path):
    one, several = (Grid.of(comparison(tmp_path, encoders=names), None, {}) for names in (["paper"], ["paper", "pretrained:upstream=u"]))
    rows = one.declaration(cells_of(one, variant="x")).rows
    assert list(rows.items()) == [("dominant_soft@0x", "dominant_soft"), ("mlee@0x", "mlee"), ("kld@alpha=0.75@0x", "kld@alpha=0.75")]
    rows = several.declaration(cells_of(several, variant="x")).rows
    assert list(rows)[2:4] == ["kld@alpha=0.75@0x", "dominant_soft@1x"] and all(folder == name for folder, name in rows.items())


def test_only_rows_that_have_the_primary_score_are_claimed_to_differ_in_it(tmp_path):
    pairs = Grid.of(comparison(tmp_path, primary="JSD"), None, {}).pairs
    assert [(pair.row, pair.claimed) for pair in pairs] == [("mlee", False), ("kld@alpha=0.75", True)]
    for given, said in (
        ({"primary": "existence_auc"}, "existence AUC cannot .* no such score: dominant_soft, kld@alpha=0.75. Rows that have it: mlee. "),
        ({"primary": "disagreement_correlation"}, "Rows that have it: none. "),
    ):
        with pytest.raises(InputError, match=said):
            Grid.of(comparison(tmp_path, **given), None, {})
    with pytest.raises(InputError, match="no such score: mlee. Rows that have it: dominant_soft, kld"):
        Grid.of(comparison(tmp_path, ROWS + "claims: {mlee: dominant_soft}\n", primary="nll"), None, {})


def test_claims_of_a_file_are_counted_also_where_their_rows_are_not_trained(tmp_path):
    text = ROWS + "claims: {kld@alpha=0.75: dominant_soft, mlee: dominant_soft}\n"
    grid = Grid.of(comparison(tmp_path, text, rows=["dominant", "mlee"]), None, {})
    assert [pair.row for pair in grid.declaration(cells_of(grid)).pairs] == ["kld@alpha=0.75", "mlee"]


def test_settings_reach_the_rows_that_have_them_and_a_file_wherever_it_is_required(tmp_path):
    text = "rows: [dominant, mlee, {mlee_pretrain: {mlee.patience: 3}}]\nbaseline: dominant_soft\n"
    grid = Grid.of(comparison(tmp_path, text), None, {"alpha": 0.5, "mlee.lr": 0.001})
    of_rows = {row.file.stem: grid._overrides(row, grid.of_all) for row in grid.rows}
    assert of_rows["dominant"] == {"alpha": 0.5} and of_rows["mlee"] == {"alpha": 0.5, "lr": 0.001}
    assert of_rows["mlee_pretrain"] == {"alpha": 0.5, "requires": {"mlee": {"lr": 0.001, "patience": 3}}}
    of_all, of_files = flags_of(grid.rows, None)
    assert {"alpha", "emotions", "encoder"} <= set(of_all) and {"mlee.lr", "dominant.batch_size"} <= set(of_files)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("row: [mlee]\n", "unknown entry in .*own.yaml 'row': did you mean 'rows'"),
        ("rows: mlee\n", "own.yaml: damaged .rows is .mlee"),
        ("rows: []\n", "own.yaml: rows is empty"),
        ("rows: [mlee]\ntargets: []\n", "own.yaml: targets is empty"),
        ("rows: [mlee]\ntrain_sets: []\n", "own.yaml: train_sets is empty"),
        ("rows: [{}]\n", "{}: one name with its settings is one entry"),
        ("rows: [mlee]\nprimary: UUA\n", "unknown primary score"),
        ("rows: [mlee]\ntargets: [sfot]\n", "unknown target 'sfot': did you mean 'soft'"),
        ("rows: [mlee]\ntrain_sets: [al]\n", "unknown train_set 'al': did you mean 'all'"),
        ("rows: [mlee]\nclaims: mlee\n", "claims is 'mlee', and must be paper"),
        ("rows: [{mlee: {}, kld: {}}]\n", "mlee, kld: one name with its settings is one entry"),
        ("rows: [mlee", "not YAML"),
    ],
)
def test_a_wrong_entry_of_a_file_is_named_with_the_nearest_right_one(tmp_path, text, said):
    with pytest.raises(InputError, match=said):
        read_comparison(written(tmp_path, text))


def test_what_a_file_holds_in_plenty_is_not_shown_as_a_whole(tmp_path, recwarn):
    with pytest.raises(InputError) as error:
        Grid.of(comparison(tmp_path, f"rows: [{'k' * 30_000}]\nbaseline: kld\n"), None, {})
    assert len(str(error.value)) < 1000
    with pytest.raises(InputError, match="more than 10000 values"):
        comparison(tmp_path, f"rows: [{'&a x,' * 10_001}]\n")
    assert not [one for one in recwarn if "anchor" in str(one.message)]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rows": ["mleee"]}, "unknown row .*did you mean 'mlee'"),
        ({"rows": ["kld:alpa=1"]}, "unknown setting of kld 'alpa': did you mean 'alpha'"),
        ({"rows": ["kld:alpha=much"]}, "alpha much: must be a number"),
        ({"rows": ["kld:alpha"]}, "settings are written as kld:setting=value"),
        ({"rows": ["pretrain:first=jds"]}, "did you mean 'jsd'"),
        ({"encoders": ["pretraind:upstream=u"]}, "unknown encoder 'pretraind': did you mean 'pretrained'"),
        ({"encoders": ["pretrained:upsteam=u"]}, "unknown setting of pretrained 'upsteam': did you mean 'upstream'"),
        ({"baseline": "dominant_hard"}, "the baseline dominant_hard is none of the rows .*--baseline dominant_soft"),
        ({"rows": ["mlee"]}, "the baseline dominant_soft is none of the rows"),
    ],
)
def test_a_wrong_word_of_a_command_is_named_with_the_nearest_right_one(tmp_path, given, said):
    with pytest.raises(InputError, match=said):
        Grid.of(comparison(tmp_path, **given), None, {}).settings()


def test_a_claim_about_no_row_and_a_comparison_without_claims_are_refused(tmp_path):
    for text, said in (
        ("claims: {kdl: dominant_soft}\n", "unknown row in the claims of .*own.yaml 'kdl'"),
        ("", "no claims: name the baseline"),
    ):
        with pytest.raises(InputError, match=said):
            Grid.of(comparison(tmp_path, ROWS + text), None, {})


def test_a_row_of_ones_own_may_lie_beside_the_comparison_file(tmp_path):
    folder = tmp_path / "hparams"
    copy_hparams(folder)
    (folder / "kld.yaml").rename(folder / "mine.yaml")
    row = Grid.of(comparison(folder, "rows: [dominant, mine.yaml]\nbaseline: dominant_soft\n"), None, {}).rows[1]
    assert row.file == folder / "mine.yaml" and row.name({}) == "kld"


def test_an_unknown_comparison_is_named_with_the_nearest_one():
    with pytest.raises(InputError, match="unknown comparison 'tabel3': did you mean 'table3'"):
        read_comparison("tabel3")


def test_the_file_on_the_page_is_a_comparison(tmp_path):
    (text,) = blocks("yaml", "compare.md")
    shown = read_comparison(written(tmp_path, text))
    grid = Grid.of(shown, None, {})
    assert grid.declaration(cells_of(grid)).claims == 2 and shown.settings == {"emotions": ["neu", "hap", "sad", "fea"]}
