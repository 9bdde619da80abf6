"""A redesign changes no number: predictions and losses of a short training of every row are those of the code before (DEMO corpus)."""

import numpy as np
import pytest

from mlee_sb.evaluation import paper
from mlee_sb.experiment.table3 import main

from .numbers_of_rows import FLAGS, kept_numbers, machine, numbers_of

ROUNDING = 0.1
"""How far a probability or a loss may be from what was kept where another processor rounds otherwise: an epoch of training makes much of
a rounding. With the instructions of an older processor (AVX2) on the same machine they were up to 0.034 and 0.055 away."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("numbers")
    with pytest.MonkeyPatch.context() as patch:
        hparams = str(hparams_folder())
        patch.chdir(folder)  # the demo release is made here
        patch.setattr("mlee_sb.demo.annotators.STYLES", {})  # its listeners are those of the version that the numbers are of
        assert main([*FLAGS, "--hparams", hparams, "--results", "results"]) == 0
    return numbers_of(folder / "results")


def hparams_folder():
    from mlee_sb.experiment.hparams_files import HPARAMS, shipped

    return shipped(HPARAMS)


def test_numbers_of_every_row_are_kept():
    assert set(kept_numbers()[1]) == set(paper.ROWS)


@pytest.mark.parametrize("row", kept_numbers()[1])
def test_every_row_has_the_numbers_that_it_had(trained, row):
    where, kept = kept_numbers()
    (losses, frame), (kept_losses, kept_frame) = trained[row], kept[row]
    assert frame["ID"].tolist() == kept_frame["ID"].tolist() and list(frame) == list(kept_frame)
    if machine() == where:  # it rounds alike: equal to the bit
        assert losses == kept_losses
        assert frame.equals(kept_frame)
    for split, loss in kept_losses.items():
        assert losses[split] == pytest.approx(loss, abs=ROUNDING)
    values, kept_values = (each.drop(columns="ID").to_numpy(float) for each in (frame, kept_frame))
    np.testing.assert_allclose(values, kept_values, rtol=0, atol=ROUNDING)
    others = {other: numbers for other, (_, numbers) in kept.items() if other != row and list(numbers) == list(frame)}
    distance = {other: np.abs(values - numbers.drop(columns="ID").to_numpy(float)).mean() for other, numbers in others.items()}
    assert all(np.abs(values - kept_values).mean() < other for other in distance.values()), "it has the numbers of another row"
