"""A curriculum: what the listeners agree on is heard first, exactly, in every epoch; what is best is chosen where all is heard."""

import pandas as pd
import pytest
import torch

from mlee_sb.errors import InputError
from mlee_sb.training.brains import SoftTargetBrain
from mlee_sb.training.check_settings import epochs_before_all
from mlee_sb.training.checkpoints import EarlyStopping
from mlee_sb.training.curriculum import first_epochs
from mlee_sb.training.data import FixedDataset, UtteranceSampler, make_loader
from mlee_sb.training.settings import read_settings
from mlee_sb.training.train_stage import train_stage

from .conftest import VOTES, stage_on
from .test_brains import brain_of, loader

THREE_BINS = {"curriculum_bins": 3, "curriculum_epochs": 2}
SMALL = {"curriculum_bins": 3, "curriculum_epochs": 1}


def rows_of(votes) -> pd.DataFrame:
    """Rows of a manifest with votes for two emotions and for all others."""
    counts = pd.DataFrame(votes, columns=["votes_neu", "votes_hap", "votes_oth"])
    return pd.concat([pd.DataFrame({"ID": [f"u{number}" for number in range(len(votes))]}), counts], axis=1)


DISPUTED, AGREED, BETWEEN = [(1, 1, 1), (2, 2, 2)], [(4, 0, 0), (0, 0, 5)], [(3, 1, 0), (0, 1, 3)]


def test_an_epoch_hears_the_bins_that_have_joined_and_an_utterance_at_all_its_speeds():
    """Known difficulties, in a row order that is none of them."""
    rows = rows_of([*DISPUTED, *AGREED, *BETWEEN])  # numbers 0 1, 2 3, 4 5
    values, speeds = torch.zeros(2 * len(rows), 1), 2
    data = FixedDataset(values, torch.zeros(len(rows), 2), rows["ID"].tolist())
    loader = make_loader(data, 4, 0, seed=1, first_epochs=first_epochs(rows, THREE_BINS, seed=1))
    heard = []
    for epoch in range(1, 8):
        loader.sampler.set_epoch(epoch)
        items = [item for batch in loader for item in batch.items.tolist()]
        assert len(loader) == -(-len(items) // 4) and len(set(items)) == len(items)
        heard.append({item % len(rows) for item in items})
        assert len(items) == speeds * len(heard[-1])
    assert heard == [{2, 3}, {2, 3}, {2, 3, 4, 5}, {2, 3, 4, 5}, *[set(range(6))] * 3]


def test_without_a_curriculum_there_is_none():
    assert first_epochs(rows_of(AGREED), {"curriculum_bins": 1, "curriculum_epochs": 2}, seed=1) is None


def test_the_same_split_of_votes_is_as_hard_for_whichever_emotions():
    """Their entropies differ in the last bit, which must not decide: over many seeds each of them comes first."""
    rows = rows_of([(1, 3, 2), (1, 2, 3), (2, 3, 1)])
    first = {first_epochs(rows, {"curriculum_bins": 3, "curriculum_epochs": 1}, seed).argmin().item() for seed in range(20)}
    assert first == {0, 1, 2}


def test_equal_agreement_comes_in_an_order_that_the_seed_alone_decides_and_not_the_speaker():
    rows = rows_of([(3, 0, 0)] * 100)  # in a manifest, the speakers follow one another
    settings = {"curriculum_bins": 2, "curriculum_epochs": 1}
    once, again, other = (first_epochs(rows, settings, seed) for seed in (1, 1, 2))
    assert torch.equal(once, again) and not torch.equal(once, other)
    assert (once == 1).sum() == (once == 2).sum() == 50
    assert 10 < (once[:50] == 1).sum() < 40


def test_with_more_bins_than_utterances_the_first_epoch_still_hears_one():
    assert first_epochs(rows_of([(1, 1, 0), (3, 0, 0)]), {"curriculum_bins": 5, "curriculum_epochs": 1}, seed=1).tolist() == [3, 1]


def test_processes_share_each_epoch_of_a_curriculum():
    first = torch.tensor([1, 2, 1, 3, 2, 1, 1])
    whole, *shares = (UtteranceSampler([1.0] * 7, 3, 1, share, first_epochs=first) for share in ((0, 1), (0, 2), (1, 2)))
    for epoch in (1, 2, 3):
        for sampler in (whole, *shares):
            sampler.set_epoch(epoch)
        for batch, *parts in zip(whole, *shares, strict=True):
            assert sorted({item for part in parts for item in part}) == sorted(batch)


def test_training_does_not_stop_while_bins_are_missing_and_none_of_these_epochs_is_the_best():
    stopper, counted = EarlyStopping(max_epochs=50, patience=2, warmup=4), []
    for epoch, loss in zip(stopper, [1, 2, 3, 4, 9, 8, 8, 8, 1], strict=False):
        stopper.update_metric(loss)
        counted += [epoch] if stopper.counts else []
    assert counted == [5, 6, 7, 8] and (stopper.best_limit, stopper.best_score) == (6, 8)


def test_a_training_that_ends_before_the_last_bin_joins_is_refused_with_what_works():
    with pytest.raises(InputError, match="max_epochs is 8, and the last bin of the curriculum joins in epoch 9: give max_epochs 9 or"):
        read_settings("hparams/curriculum.yaml", {"max_epochs": 8})
    assert read_settings("hparams/curriculum.yaml", {"max_epochs": 9})["curriculum_bins"] == 5


def test_settings_of_a_curriculum_make_another_stage_only_where_there_is_one(data, tmp_path):
    on = data()

    def stage(row, **settings):
        return stage_on(on, tmp_path / "results", row, **settings)

    plain = stage("dominant")
    assert stage("dominant", curriculum_epochs=7).key == plain.key and stage("dominant", curriculum_epochs=7).row == "dominant_soft"
    assert not [name for name in plain.identity if name.startswith("curriculum")], "as before there were curricula"
    keys = {plain.key, *(stage("dominant", curriculum_bins=5, curriculum_epochs=epochs).key for epochs in (1, 2))}
    assert len(keys) == 3
    assert stage("curriculum", curriculum_bins=1).folder != stage("curriculum").folder


class Killed(Exception):
    """The machine went down."""


def trained(folder, killed_after=None):
    """A Brain that was trained with a curriculum of three bins, or was killed after an epoch. What it learns makes it worse and worse."""
    (folder / "save").mkdir(parents=True, exist_ok=True)
    brain, data, valid = brain_of(SoftTargetBrain, folder, epochs=4), loader().dataset, loader()
    valid.dataset.labels = 1 - data.labels
    brain.epochs.limit_warmup = epochs_before_all(SMALL)
    rows = rows_of([*DISPUTED, *AGREED, *BETWEEN, (3, 0, 0)])
    train = make_loader(data, 2, 0, seed=1, first_epochs=first_epochs(rows, SMALL, seed=1))
    brain.train_sampler = train.sampler
    save = brain.checkpointer.save_epoch

    def save_epoch(meta, best_by):
        save(meta, best_by=best_by)
        if meta["epoch"] == killed_after:
            raise Killed

    brain.checkpointer.save_epoch = save_epoch
    brain.fit(brain.epochs, train, valid, progressbar=False)
    return brain


def test_a_killed_curriculum_goes_on_with_the_bins_that_it_had_and_its_best_epoch_hears_all(tmp_path):
    whole = trained(tmp_path / "whole")
    for epoch in (1, 2):  # while two bins are missing, and while one is
        with pytest.raises(Killed):
            trained(tmp_path / "killed", killed_after=epoch)
    resumed = trained(tmp_path / "killed")
    weights = [brain.modules.classifier.state_dict() for brain in (whole, resumed)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert (tmp_path / "whole/log.txt").read_text() == (tmp_path / "killed/log.txt").read_text()
    assert resumed.restore_best() == whole.restore_best() and whole.restore_best()["epoch"] == whole.epochs.best_limit == 3


def test_the_curriculum_of_a_stage_is_that_of_its_training_set(stage, monkeypatch):
    """Of the two training speakers' five kinds of votes, those of one bin each."""
    heard = []

    def fit(brain, epochs, train, valid, progressbar):
        for epoch in (1, 3, 5):
            train.sampler.set_epoch(epoch)
            heard.append({train.dataset.ids[item % len(train.dataset.ids)] for batch in train.sampler for item in batch})
        raise KeyboardInterrupt

    monkeypatch.setattr("mlee_sb.training.brains.EmotionBrain.fit", fit)
    with pytest.raises(KeyboardInterrupt):
        train_stage(stage("curriculum", curriculum_epochs=1), "cpu", lambda line: None)
    agreed, split = {"c0", "d0", "c1", "d1"}, {"c2", "d2", "c3", "d3"}
    assert VOTES[4] == "1,1,1"
    assert len(heard[0]) == 2 and heard[0] < agreed
    assert len(heard[1]) == 6 and agreed < heard[1] < agreed | split
    assert heard[2] == agreed | split | {"c4", "d4"}
