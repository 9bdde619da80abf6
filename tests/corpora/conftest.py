"""Fixtures of several files about preparing."""

import pytest
from releases import FOUR_SPEAKERS, write_table


@pytest.fixture
def data(tmp_path):
    """An own corpus of four speakers."""
    return write_table(tmp_path / "data", FOUR_SPEAKERS)
