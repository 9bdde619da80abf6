"""The Brains: losses over utterances, the best checkpoint and no other, nothing moved that is frozen."""

import math

import pytest
import torch
from bundles import small_encoder
from speechbrain import Stage

from mlee_sb.errors import InputError
from mlee_sb.models.encoders.frozen import FrozenEncoders
from mlee_sb.targets.hard import HardTarget
from mlee_sb.targets.repeated_votes import RepeatedVotesTarget
from mlee_sb.training import brains
from mlee_sb.training.brains import BRAINS, LOOK_STEPS, ExistenceBrain, HardTargetBrain, SoftTargetBrain
from mlee_sb.training.checkpoints import AtomicCheckpointer, EarlyStopping
from mlee_sb.training.data import FixedDataset, make_loader
from mlee_sb.training.epoch_log import EpochLog

K = 3
loss_of = HardTarget().loss


def brain_of(kind, folder, epochs=4, lr=0.1, weights=None, loss_mean="plain", dropout=0.0):
    torch.manual_seed(0)
    classifier = torch.nn.Linear(2, K)
    stopper = EarlyStopping(epochs, patience=epochs)
    checkpointer = AtomicCheckpointer(folder / "save", {"classifier": classifier, "epochs": stopper})
    return kind(
        encoder=FrozenEncoders([small_encoder()]),  # embeddings are computed before: it only hands them on
        classifier=classifier,
        class_weights=torch.ones(K) if weights is None else weights,
        settings={"loss_mean": loss_mean, "embedding_dropout": dropout, "lr": lr},
        epochs=stopper,
        start=0.0,
        say=lambda line: None,
        log=EpochLog(folder / "log.txt"),
        opt_class=torch.optim.SGD,
        checkpointer=checkpointer,
        run_opts={"device": "cpu"},
    )


def loader(n=7, batch_size=4, seed=None):
    generator = torch.Generator().manual_seed(1)
    embeddings, classes = torch.randn(n, 2, generator=generator), torch.randint(K, (n,), generator=generator)
    data = FixedDataset(embeddings, torch.nn.functional.one_hot(classes, K).float(), list(map(str, range(n))))
    data.durations = list(range(n, 0, -1))  # so that batches do not come in the order of the rows
    return make_loader(data, batch_size, 0, seed)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "save").mkdir()
    return tmp_path


def test_there_is_a_brain_for_each_kind_of_target():
    assert {"hard": HardTargetBrain, "soft": SoftTargetBrain, "existence": ExistenceBrain} == BRAINS


@pytest.mark.parametrize("batch_size", [1, 4, 7])
def test_the_validation_loss_is_the_mean_over_utterances_whatever_the_batches(folder, batch_size):
    brain = brain_of(HardTargetBrain, folder, epochs=1, lr=0.0)
    data = loader().dataset
    brain.fit(brain.epochs, loader(seed=1), loader(batch_size=batch_size), progressbar=False)
    logits = brain.modules.classifier(data.values)
    expected = loss_of(logits, data.labels, torch.ones(K)).mean().item()
    assert brain.losses["valid"] == pytest.approx(expected, abs=1e-6)
    assert brain.losses["train"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("batch_size", [2, 7])
def test_a_weighted_mean_is_that_of_torchs_cross_entropy_over_the_whole_set(folder, batch_size):
    weights = torch.tensor([0.5, 1.0, 3.0])
    brain = brain_of(HardTargetBrain, folder, epochs=1, lr=0.0, weights=weights, loss_mean="weighted")
    data = loader().dataset
    brain.fit(brain.epochs, loader(seed=1), loader(batch_size=batch_size), progressbar=False)
    logits, classes = brain.modules.classifier(data.values), data.labels.argmax(dim=1)
    expected = torch.nn.functional.cross_entropy(logits, classes, weight=weights).item()
    assert brain.losses["valid"] == pytest.approx(expected, abs=1e-6)
    plain = loss_of(logits, data.labels, weights).mean().item()
    assert abs(plain - expected) > 0.01


def test_the_gradient_of_a_weighted_mean_is_that_of_torchs_cross_entropy(folder):
    weights = torch.tensor([0.5, 1.0, 3.0])
    brain = brain_of(HardTargetBrain, folder, weights=weights, loss_mean="weighted")
    batch = loader().dataset[list(range(7))]
    brain.on_stage_start(Stage.TRAIN, epoch=1)
    brain.compute_objectives(brain.compute_forward(batch, Stage.TRAIN), batch, Stage.TRAIN).backward()
    ours = brain.modules.classifier.weight.grad.clone()
    brain.modules.classifier.zero_grad()
    torch.nn.functional.cross_entropy(brain.modules.classifier(batch.inputs), batch.labels.argmax(dim=1), weight=weights).backward()
    torch.testing.assert_close(ours, brain.modules.classifier.weight.grad)


def test_a_weighted_mean_can_predict_what_has_no_labels(folder):
    brain = brain_of(HardTargetBrain, folder, epochs=1, loss_mean="weighted")
    brain.fit(brain.epochs, loader(seed=1), loader(), progressbar=False)
    without = loader()
    without.dataset.labels = torch.zeros(7, K)
    assert brain.predict(without).isfinite().all()


def test_keeping_checkpoints_takes_no_longer_from_epoch_to_epoch(folder):
    brain = brain_of(HardTargetBrain, folder, epochs=4)
    looked, lookups = brain.checkpointer.list_checkpoints, []
    brain.checkpointer.list_checkpoints = lambda: lookups.append(brain.epochs.current) or looked()
    brain.fit(brain.epochs, loader(seed=1), loader(), progressbar=False)
    assert lookups.count(2) == lookups.count(3) == lookups.count(4) > 0


def test_nothing_is_predicted_without_a_trained_checkpoint(folder):
    with pytest.raises(InputError, match="no checkpoint to test"):
        brain_of(HardTargetBrain, folder).predict(loader())


def test_predictions_are_those_of_the_best_epoch_and_not_of_the_last(folder):
    brain = brain_of(HardTargetBrain, folder, epochs=3, lr=0.0)
    shifts = iter([0.0, 1.0, 5.0])  # each epoch is worse than the one before
    original = brain.on_stage_start

    def worsen(stage, epoch=None):
        original(stage, epoch)
        if stage.name == "VALID":
            with torch.no_grad():
                brain.modules.classifier.weight += next(shifts)

    brain.on_stage_start = worsen
    first = brain.modules.classifier.weight.detach().clone()
    brain.fit(brain.epochs, loader(seed=1), loader(), progressbar=False)
    assert not torch.equal(brain.modules.classifier.weight, first)
    data = loader().dataset
    expected = torch.nn.functional.linear(data.values, first, brain.modules.classifier.bias)
    torch.testing.assert_close(brain.predict(loader()), expected, msg="of the best epoch, in the order of the rows")
    assert brain.restore_best()["epoch"] == 1


def test_a_loss_that_is_no_number_ends_training_with_what_to_do(folder):
    brain = brain_of(HardTargetBrain, folder, weights=torch.tensor([math.nan, 1.0, 1.0]))
    with pytest.raises(InputError, match="validation loss of epoch 1 is nan: lower lr"):
        brain.fit(brain.epochs, loader(seed=1), loader(), progressbar=False)
    assert not list((folder / "save").glob("CKPT*"))


def test_the_log_keeps_the_digits_that_early_stopping_sees(folder):
    brain = brain_of(SoftTargetBrain, folder, epochs=1)
    brain.fit(brain.epochs, loader(seed=1), loader(), progressbar=False)
    logged = (folder / "log.txt").read_text().split("valid loss: ")[1].strip()
    assert float(logged) == pytest.approx(brain.losses["valid"], abs=1e-5) and len(logged.split(".")[1]) >= 6


def test_losses_that_are_not_finite_end_the_training_with_a_remedy(folder):
    brain, data = brain_of(HardTargetBrain, folder), loader(batch_size=1, seed=1)
    data.dataset.values[:, 0] = math.inf
    with pytest.raises(InputError, match=r"not finite \(NaN or infinity\) in 7 batches of this epoch: lower lr"):
        brain.fit(brain.epochs, data, loader(), progressbar=False)
    assert brain.losses == {}  # before the epoch was over


def test_the_progress_bar_shows_the_mean_loss_of_the_utterances_up_to_then(folder):
    brain = brain_of(HardTargetBrain, folder)
    brain.not_finite = torch.zeros(())
    losses = torch.tensor([[1.0, 1.0], [2.0, 1.0], [6.0, 1.0]])  # and what each weighs
    brain.utterance_losses = [(torch.tensor([0, 1]), losses[:2]), (torch.tensor([2]), losses[2:])]
    shown = []
    for step in (1, 2, LOOK_STEPS, LOOK_STEPS + 1):
        brain.step = step
        shown.append(brain.update_average(None, 7.0))
    assert shown == [3.0, 7.0, 7.0, 3.0]


@pytest.mark.parametrize("batch_size", [2, 7])
def test_the_mean_is_over_what_the_target_calls_examples(folder, batch_size):
    """Of votes, an utterance with three counts three times."""
    brain = brain_of(brains.brain_of(RepeatedVotesTarget()), folder, epochs=1, lr=0.0)
    data = loader().dataset
    data.labels = data.labels * torch.arange(1, 8).unsqueeze(1)
    batches = make_loader(data, batch_size, 0, None)
    brain.fit(brain.epochs, batches, batches, progressbar=False)
    expected = loss_of(brain.modules.classifier(data.values), data.labels, torch.ones(K)).sum().item() / 28
    assert brain.losses["valid"] == pytest.approx(expected, abs=1e-6)
