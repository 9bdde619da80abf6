"""Checkpoints: whole or not there, and with all that a resumed run must know."""

import random
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from damages import empty, gone, half, zeros

from mlee_sb.training.checkpoints import AtomicCheckpointer, EarlyStopping, RandomState

KILLED_WHILE_SAVING = """
    import os, sys, torch
    from mlee_sb.training.checkpoints import AtomicCheckpointer

    checkpointer = AtomicCheckpointer(sys.argv[1], {"a": torch.nn.Linear(2, 2), "b": torch.nn.Linear(2, 2)})
    checkpointer.save_checkpoint(meta={"loss": 2.0})
    checkpointer.custom_save_hooks["b"] = lambda module, path: os._exit(9)
    checkpointer.save_checkpoint(meta={"loss": 1.0})
"""


def test_a_run_that_is_killed_while_saving_falls_back_to_the_checkpoint_before(tmp_path):
    died = subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED_WHILE_SAVING), str(tmp_path)])
    assert died.returncode == 9
    modules = {"a": torch.nn.Linear(2, 2), "b": torch.nn.Linear(2, 2)}
    checkpointer = AtomicCheckpointer(tmp_path, modules, allow_partial_load=False)
    assert checkpointer.recover_if_possible(min_key="loss").meta["loss"] == 2.0
    checkpointer.save_and_keep_only(meta={"loss": 0.5}, min_keys=["loss"])
    assert [path.name[:4] for path in tmp_path.iterdir()] == ["CKPT"], "what was begun is cleared away"
    assert checkpointer.recover_if_possible(min_key="loss").meta["loss"] == 0.5


def test_the_best_and_the_latest_are_kept(tmp_path):
    module = torch.nn.Linear(1, 1)
    checkpointer = AtomicCheckpointer(tmp_path, {"module": module})
    for loss in (3.0, 1.0, 2.0, 2.5):
        with torch.no_grad():
            module.weight.fill_(loss)
        checkpointer.save_and_keep_only(meta={"loss": loss}, min_keys=["loss"])
    assert sorted(c.meta["loss"] for c in checkpointer.list_checkpoints()) == [1.0, 2.5]
    checkpointer.recover_if_possible(min_key="loss")
    assert module.weight.item() == 1.0
    checkpointer.recover_if_possible()
    assert module.weight.item() == 2.5


def test_the_newest_two_are_kept_and_the_best_of_them_all_and_of_those_before_the_newest(tmp_path):
    checkpointer = AtomicCheckpointer(tmp_path, {"module": torch.nn.Linear(1, 1)})
    for loss in (3.0, 1.0, 4.0, 2.0, 2.5, 0.5):
        checkpointer.save_epoch({"loss": loss}, best_by="loss")
    assert [checkpoint.meta["loss"] for checkpoint in checkpointer.find_checkpoints()] == [0.5, 2.5, 1.0]


@pytest.mark.parametrize("damage", [empty, half, zeros, gone])
@pytest.mark.parametrize("file", ["module.ckpt", "CKPT.yaml", "sha256.json"])
def test_a_damaged_checkpoint_counts_as_absent(tmp_path, damage, file):
    checkpointer = AtomicCheckpointer(tmp_path, {"module": torch.nn.Linear(1, 1)})
    for loss in (2.0, 1.0):
        checkpointer.save_epoch({"loss": loss}, best_by="loss")
    newest = max(tmp_path.iterdir())
    assert not checkpointer.drop_damaged()
    damage(newest / file)
    assert checkpointer.drop_damaged() == [newest]
    assert checkpointer.recover_if_possible().meta["loss"] == 2.0


def test_what_was_trained_after_a_damaged_best_checkpoint_is_trained_again(tmp_path):
    checkpointer = AtomicCheckpointer(tmp_path, {"module": torch.nn.Linear(1, 1)})
    for loss in (3.0, 1.0, 4.0, 2.0):
        checkpointer.save_epoch({"loss": loss}, best_by="loss")
    best = checkpointer.find_checkpoint(min_key="loss").path
    empty(best / "module.ckpt")
    assert checkpointer.drop_damaged()[0] == best and checkpointer.find_checkpoint() is None


def epochs_after(stopper, checkpointer, losses) -> list[int]:
    """Run epochs with these validation losses, saved after each; the epochs that ran."""
    ran = []
    losses = iter(losses)
    for epoch in stopper:
        loss = next(losses, None)
        if loss is None:
            break
        ran.append(epoch)
        stopper.update_metric(loss)
        checkpointer.save_checkpoint(meta={"loss": loss})
    return ran


def test_training_stops_when_the_validation_loss_has_not_improved_for_patience_epochs(tmp_path):
    stopper = EarlyStopping(max_epochs=50, patience=2)
    checkpointer = AtomicCheckpointer(tmp_path, {"epochs": stopper})
    assert epochs_after(stopper, checkpointer, [3, 2, 2.5, 2.1, 1, 1]) == [1, 2, 3, 4]


@pytest.mark.parametrize(("before", "after", "ran"), [([3, 2, 2.5], [2.1, 1, 1], [4]), ([3, 2, 2.5, 2.1], [1, 1], [])])
def test_a_resumed_run_knows_how_long_it_has_waited_and_that_it_had_stopped(tmp_path, before, after, ran):
    stopper = EarlyStopping(max_epochs=50, patience=2)
    epochs_after(stopper, AtomicCheckpointer(tmp_path, {"epochs": stopper}), before)
    resumed = EarlyStopping(max_epochs=50, patience=2)
    checkpointer = AtomicCheckpointer(tmp_path, {"epochs": resumed})
    checkpointer.recover_if_possible()
    assert epochs_after(resumed, checkpointer, after) == ran


def test_the_random_generators_go_on_where_they_were(tmp_path):
    def draw():
        return random.random(), np.random.rand(), np.random.randn(), torch.rand(1).item()

    np.random.randn()  # leaves half of a pair behind, which belongs to the state
    RandomState().save(tmp_path / "state")
    expected = draw()
    assert draw() != expected
    RandomState().load(tmp_path / "state", end_of_epoch=True)
    assert draw() == expected
