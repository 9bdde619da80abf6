"""Results to plant faults in, for the tests of the protocol check."""

import shutil

import pytest
from stages import write_results


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("clean")).parent


@pytest.fixture
def results(written, tmp_path):
    """A copy to plant leaks in."""
    return shutil.copytree(written, tmp_path / "copy") / "results"
