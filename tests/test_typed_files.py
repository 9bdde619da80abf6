"""The door through which files of a run are read: whatever they hold, they are read rightly or an error names the file."""

import json

import pytest
from pydantic import BaseModel

from mlee_sb.errors import InputError, in_a_cell
from mlee_sb.typed_files import read_text_table, read_typed


class Kind(BaseModel):
    name: str
    numbers: list[int]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "damaged"),
        ("-1", "no object"),
        ("[" * 9999, "damaged"),
        ('{"name": ' * 9999, "damaged"),
        ('{"name": "x"}', "numbers is missing"),
        ('{"name": 1, "numbers": []}', "name is 1"),
        ('{"name": "x", "numbers": [1, true]}', "numbers.1 is true"),
        ('{"name": "x", "numbers": [1.5]}', "numbers.0 is 1.5"),
        ('{"name": "x", "numbers": [NaN]}', "damaged"),
        ('{"name": "\\ud800", "numbers": []}', "damaged"),
        ('{"name": "x", "numbers": [' + "9" * 5000 + "]}", "damaged"),
    ],
)
def test_json_of_another_kind_is_an_error_with_the_entry_and_the_remedy(content, words, tmp_path):
    (tmp_path / "notes.json").write_text(content)
    with pytest.raises(InputError, match="notes.json: ") as raised:
        read_typed(tmp_path / "notes.json", Kind, "make it again")
    assert words in str(raised.value) and str(raised.value).endswith(": make it again")


def test_what_has_its_types_is_returned_as_it_is(tmp_path):
    content = {"name": "x", "numbers": [1], "more": None}
    (tmp_path / "notes.json").write_text(json.dumps(content))
    assert read_typed(tmp_path / "notes.json", Kind, "") == content


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b'ID,n\n"a,1\n', b"ID,n\na,1,2\n", b"ID,n\na,1\nb,2,3\n", b"no,n\na,1\n", b"\0" * 9]
)
def test_a_table_that_is_none_is_an_error_and_no_wrong_row(content, tmp_path):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError, match="t.csv: .*: make it again"):
        read_text_table(tmp_path / "t.csv", ["ID", "n"], "make it again")


def test_values_of_a_table_stay_text(tmp_path):
    (tmp_path / "t.csv").write_text("ID,n\n001,NA\nx\n")
    assert read_text_table(tmp_path / "t.csv", ["ID"], "").to_numpy().tolist() == [["001", "NA"], ["x", ""]]


@pytest.mark.parametrize("text", ["=cmd()", "+1", "-a", "@x", "\tx", "\rx", "\uff1d1"])
def test_the_text_of_a_stranger_is_no_formula_in_a_spreadsheet(text):
    assert in_a_cell(text) == f"'{text}"
    assert in_a_cell(f"a{text}") == f"a{text}" and in_a_cell(-0.5) == -0.5
