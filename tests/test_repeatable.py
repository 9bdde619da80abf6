"""A test draws what it draws, whatever else runs in its process."""

import importlib

from hypothesis import given, settings
from hypothesis import strategies as st

NUMBERS = range(1_000_001, 1_000_101)


def drawn() -> list[int]:
    """Examples, as a test has them."""
    numbers = []

    @settings(max_examples=500)
    @given(st.integers())
    def look(number):
        numbers.append(number)

    look()
    return numbers


def test_examples_do_not_depend_on_what_is_imported(tmp_path, monkeypatch):
    before = drawn()
    (tmp_path / "with_numbers.py").write_text("\n".join(map(str, NUMBERS)))
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("with_numbers")
    assert drawn() == before and not set(NUMBERS) & set(before)
