"""The losses of each epoch: what is in the log after a run that was stopped, and what TensorBoard reads."""

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mlee_sb.errors import InputError
from mlee_sb.training import epoch_log
from mlee_sb.training.epoch_log import EpochLog
from mlee_sb.training.run import check_stages, run


def shown(folder) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows of a folder: step and value, for each curve."""
    events = EventAccumulator(str(folder)).Reload()
    return {tag: [(event.step, round(event.value, 3)) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def logged(folder, after: int, *losses: tuple[float, float]) -> EpochLog:
    log = EpochLog(folder / "log.txt", folder / "tensorboard")
    log.go_on_after(after)
    for epoch, (train, valid) in enumerate(losses, after + 1):
        log.add(epoch, train, valid)
    return log


def test_a_run_that_goes_on_has_each_epoch_once(tmp_path):
    logged(tmp_path, 0, (0.9, 0.8), (0.7, 0.6))
    logged(tmp_path, 2, (0.5, 0.4))
    assert (tmp_path / "log.txt").read_text().splitlines() == [
        f"epoch: {n} - train loss: {train} - valid loss: {valid}"
        for n, train, valid in (
            (1, "9.000000e-01", "8.000000e-01"),
            (2, "7.000000e-01", "6.000000e-01"),
            (3, "5.000000e-01", "4.000000e-01"),
        )
    ]
    curves = shown(tmp_path / "tensorboard")
    assert curves["loss/train"] == [(1, 0.9), (2, 0.7), (3, 0.5)] and curves["loss/valid"] == [(1, 0.8), (2, 0.6), (3, 0.4)]


def test_an_epoch_of_a_killed_run_that_is_trained_again_is_there_once(tmp_path):
    logged(tmp_path, 0, (0.9, 0.8), (0.7, 0.6), (0.5, 0.4))
    logged(tmp_path, 1, (0.3, 0.2))
    assert shown(tmp_path / "tensorboard")["loss/train"] == [(1, 0.9), (2, 0.3)]
    assert len((tmp_path / "log.txt").read_text().splitlines()) == 2


def test_a_training_from_the_start_shows_nothing_of_the_one_before(tmp_path):
    logged(tmp_path, 0, (0.9, 0.8), (0.7, 0.6))
    logged(tmp_path, 0, (0.3, 0.2))
    assert shown(tmp_path / "tensorboard")["loss/train"] == [(1, 0.3)] and len((tmp_path / "log.txt").read_text().splitlines()) == 1


def test_a_stage_writes_for_tensorboard_only_if_asked_and_is_the_same_stage(stage):
    plain, asked = (stage("mlee", max_epochs=1, **more) for more in ({}, {"tensorboard": True}))
    assert plain.folder == asked.folder and plain.key == asked.key
    run(asked, "cpu", lambda folder: None, say=lambda line: None)
    (line,) = asked.files.train_log.read_text().splitlines()
    assert shown(asked.files.tensorboard)["loss/valid"][0][1] == pytest.approx(float(line.split("valid loss: ")[1]), abs=1e-3)


def test_without_the_package_a_stage_is_refused_before_training(stage, monkeypatch):
    monkeypatch.setattr(epoch_log.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'mlee_sb\[tensorboard\]'"):
        check_stages([stage("mlee", tensorboard=True)])
    check_stages([stage("mlee")])
