"""A row is found by its name or by a path: in the current folder, in the checkout, in the wheel."""

from pathlib import Path

import pytest

from mlee_sb.errors import InputError
from mlee_sb.experiment import hparams_files
from mlee_sb.experiment.hparams_files import find_hparams, hparams_folders, rows, shipped

CHECKOUT = Path(__file__).resolve().parents[2] / "hparams"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A current folder without hparams."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def own_row(folder: Path, name: str) -> Path:
    (folder / "hparams").mkdir(exist_ok=True)
    (folder / f"hparams/{name}.yaml").write_text(f"# mine\nrow: {name}\n")
    return Path(f"hparams/{name}.yaml")


def test_a_row_of_the_current_folder_comes_before_the_shipped_one(elsewhere):
    assert find_hparams("mlee") == CHECKOUT / "mlee.yaml"
    own = own_row(elsewhere, "mlee")
    assert find_hparams("mlee") == own
    assert find_hparams("dominant") == CHECKOUT / "dominant.yaml"
    assert hparams_folders() == [Path("hparams"), CHECKOUT]


def test_what_files_include_is_no_row(elsewhere):
    own_row(elsewhere, "my_row")
    (elsewhere / "hparams/shared.yaml").write_text("lr: 1.0\n")
    shipped_rows = {file.stem for file in CHECKOUT.glob("*.yaml")} - {"base", "frozen"}
    assert set(rows()) == {*shipped_rows, "my_row"} and "mlee_fusion" in shipped_rows


def test_a_path_is_taken_as_it_is(elsewhere):
    assert find_hparams("somewhere/own.yaml") == Path("somewhere/own.yaml")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("mlee_fusoin", "unknown row in .*hparams 'mlee_fusoin': did you mean 'mlee_fusion'"),
        ("hparams/mlee", "hparams/mlee: no hparams file .*: give the path of one, or the name of a row: .*dominant, .*mlee"),
        ("notes.txt", "notes.txt: no hparams file"),
        (".", "no hparams file"),
    ],
)
def test_another_word_is_answered_with_what_could_be_meant(elsewhere, word, message):
    with pytest.raises(InputError, match=message):
        find_hparams(word)


def test_in_a_wheel_the_files_lie_inside_of_the_package(tmp_path, monkeypatch):
    (tmp_path / "mlee_sb/hparams").mkdir(parents=True)
    monkeypatch.setattr(hparams_files, "__file__", str(tmp_path / "mlee_sb/experiment/hparams_files.py"))
    assert shipped("hparams") == tmp_path / "mlee_sb/hparams"
