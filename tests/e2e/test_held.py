"""What the tests of this room interrupt trainings with."""

import subprocess
import sys

import pytest

from .conftest import Held


@pytest.mark.parametrize("code", ["print('no GPU')", "raise SystemExit('no GPU')"], ids=["with status 0", "with an error"])
def test_a_training_that_ends_before_its_epoch_fails_the_test_at_once_with_what_it_said(held, tmp_path, code):
    process = held.start([sys.executable, "-c", code])
    with pytest.raises(pytest.fail.Exception, match=r"before each stage had a checkpoint:\nno GPU"):
        held.wait_for_an_epoch(process, tmp_path / "stage")


def test_a_test_that_fails_leaves_no_training_behind(tmp_path):
    held = Held(tmp_path)
    process = held.start([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    held.end()
    assert process.poll() is not None and not held.file.exists()
