"""SpeechBrain's Brain for emotions, and one for each target: hard and soft (equation 2), existence of several labels (equation 6)."""

import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import speechbrain as sb
import torch
from speechbrain.utils.train_logger import FileTrainLogger
from torch import Tensor, nn

from mlee_sb.errors import InputError
from mlee_sb.files import write_text
from mlee_sb.models.device import upload
from mlee_sb.models.encoders.base import BASE_RATE, Encoder
from mlee_sb.targets import Target
from mlee_sb.targets.existence import ExistenceTarget
from mlee_sb.targets.hard import HardTarget
from mlee_sb.targets.soft import SoftTarget
from mlee_sb.training.check_settings import LEARNING_RATE, WEIGHTED_MEAN
from mlee_sb.training.checkpoints import AtomicCheckpointer, EarlyStopping
from mlee_sb.training.data import Batch
from mlee_sb.training.distributed import gathered, is_main, processes, summed

LOSS = "loss"  # the validation loss in a checkpoint's meta data
SECONDS = "seconds"  # of training up to a checkpoint, over all the runs that it took
LESS = "lower lr, or train with --precision fp32"
LOOK_STEPS = 50  # from one look at the training loss to the next: a look waits for all that a GPU was given to do
LOG_DIGITS = 6  # SpeechBrain's default of two hides what early stopping sees


class Learned(nn.Module):
    """The part of an encoder that learns, as a module: SpeechBrain wraps modules for several processes, and calls them.

    Lengths are a list of integers: DDP would move a tensor of them to the GPU.
    """

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, fixed: Tensor, lengths: list[int]) -> Tensor:
        return self.encoder.learned(fixed, torch.tensor(lengths))


class EmotionBrain(sb.Brain):
    """Trains an encoder's learned part with a classifier on any target. Losses are kept per utterance: a mean is over the set.

    [choice] `loss_mean` says which mean: ``"plain"`` over utterances, or ``"weighted"`` by their class weights.

    Parameters
    ----------
    encoder, classifier : the modules
    class_weights : as the loss takes them
    settings : of the stage: `loss_mean`, and a learning rate for each parameter group of the encoder
    epochs : counts epochs and stops early
    start : `time.monotonic()` when training began, less the seconds of the runs that this one resumes
    say : called with a line after each epoch
    log_file : where the same is kept
    opt_class, checkpointer, run_opts : as for SpeechBrain's Brain
    target : what is learnt; a subclass names its own
    """

    target: Target

    def __init__(
        self,
        encoder: Encoder,
        classifier: nn.Module,
        class_weights: Tensor,
        settings: Mapping,
        epochs: EarlyStopping,
        start: float,
        say: Callable[[str], None],
        log_file: str,
        opt_class: Callable,
        checkpointer: AtomicCheckpointer,
        run_opts: dict,
        target: Target | None = None,
    ):
        modules = {"encoder": Learned(encoder), "classifier": classifier}
        super().__init__(modules=modules, opt_class=opt_class, checkpointer=checkpointer, run_opts=run_opts)
        self.target = target or self.target
        self.groups = parameter_groups(encoder, classifier, settings)
        self.class_weights, self.loss_mean = class_weights.to(self.device), settings["loss_mean"]
        self.epochs, self.start, self.say = epochs, start, say
        self.log = FileTrainLogger(log_file, precision=LOG_DIGITS)
        self.losses: dict[str, float] = {}

    def init_optimizers(self) -> None:
        """Give each group of parameters its own learning rate."""
        self.optimizer = self.opt_class(self.groups)
        self.optimizers_dict = {"opt_class": self.optimizer}
        self.checkpointer.add_recoverable("optimizer", self.optimizer)

    def on_fit_start(self) -> None:
        """Resume; an epoch that was logged, but killed before its checkpoint, comes again and must not stand in the log twice."""
        super().on_fit_start()
        log = Path(self.log.save_file)
        if is_main() and log.is_file():
            lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
            write_text(log, "".join(lines[: self.epochs.current]))

    def on_stage_start(self, stage: sb.Stage, epoch: int | None = None) -> None:
        self.utterance_losses: list[tuple[Tensor, Tensor]] = []  # items [batch], and losses and what each weighs [batch, 2]
        self.outputs: list[tuple[Tensor, Tensor]] = []  # items and logits
        self.not_finite = torch.zeros((), dtype=torch.long, device=self.device)  # losses of batches
        number, n = processes()
        if stage == sb.Stage.TRAIN and n > 1:  # an encoder with dropout: other masks on each process, the same ones after a resume
            torch.manual_seed((self.train_sampler.seed * 1_000_003 + epoch) * n + number)

    def compute_forward(self, batch: Batch, stage: sb.Stage) -> Tensor:
        """Batch -> logits [batch, K]."""
        return self.modules.classifier(self.modules.encoder(upload(batch.inputs, self.device), batch.lengths.tolist()))

    def compute_objectives(self, logits: Tensor, batch: Batch, stage: sb.Stage) -> Tensor:
        """Logits [batch, K] -> mean loss of the batch; of several processes, this one's part of it; in a test, 0.

        DDP takes the mean of the processes' gradients, so a part is `n` times its sum over what all utterances of the batch weigh.
        """
        if stage == sb.Stage.TEST:  # what is predicted has no labels
            self.outputs.append((batch.items, logits.detach().float()))
            return logits.new_zeros(())
        labels = upload(batch.labels, self.device)
        losses = self.target.loss(logits.float(), labels, self.class_weights)
        weights = self.target.weight(labels, self.class_weights) if self.loss_mean == WEIGHTED_MEAN else torch.ones_like(losses)
        self.utterance_losses.append((batch.items, torch.stack([losses.detach(), weights], dim=-1)))
        _, n = processes()
        if n == 1 or stage != sb.Stage.TRAIN:
            return losses.sum() / weights.sum()
        return losses.sum() * n / summed(weights.sum())

    def fit_batch(self, batch: Batch) -> Tensor:
        """As SpeechBrain's, which waits for a GPU twice in every step: to look at the loss, and to bring it home."""
        with self.training_ctx:
            loss = self.compute_objectives(self.compute_forward(batch, sb.Stage.TRAIN), batch, sb.Stage.TRAIN)
        self.not_finite += ~loss.detach().isfinite()
        self.scaler.scale(loss).backward()
        self.optimizers_step()
        return loss.detach()

    def update_average(self, loss: Tensor, avg_loss: float) -> float:
        """What the progress bar shows: at the first step, and every `LOOK_STEPS`, the mean over the utterances of the epoch up to then."""
        if self.step % LOOK_STEPS != 1 or not self.utterance_losses:
            return avg_loss
        self._check_losses_are_finite()
        return _mean(torch.cat([losses for _, losses in self.utterance_losses]))

    def _check_losses_are_finite(self) -> None:
        """As SpeechBrain, which lets a few such batches pass and then gives up; with a remedy in the error, and on all processes."""
        n = int(summed(self.not_finite))
        if n > self.nonfinite_patience:
            raise InputError(f"the training loss was not finite (NaN or infinity) in {n} batches of this epoch: {LESS}")

    def on_stage_end(self, stage: sb.Stage, stage_loss: float, epoch: int | None = None) -> None:
        if stage == sb.Stage.TEST:
            return
        if stage == sb.Stage.TRAIN:
            self._check_losses_are_finite()
        # Summed in a fixed order: how utterances fell into batches and to processes must not show.
        self.losses[stage.name.lower()] = _mean(in_order(self.utterance_losses))
        if stage == sb.Stage.VALID:
            self._end_of_epoch(epoch)

    def _end_of_epoch(self, epoch: int) -> None:
        loss = self.losses["valid"]
        if not math.isfinite(loss):
            raise InputError(f"the validation loss of epoch {epoch} is {loss}: {LESS}")
        self.epochs.update_metric(loss)  # before saving: a resumed run must know that it had stopped
        best = "  best so far" if self.epochs.best_limit == epoch else ""
        self.log.log_stats({"epoch": epoch}, train_stats={LOSS: self.losses["train"]}, valid_stats={LOSS: loss})
        self.say(f"  epoch {epoch:3d}  train loss {self.losses['train']:.4f}  valid loss {loss:.4f}{best}")
        meta = {LOSS: loss, "epoch": epoch, "train_loss": self.losses["train"], SECONDS: time.monotonic() - self.start}
        self.checkpointer.save_epoch(meta, best_by=LOSS)

    def restore_best(self) -> dict:
        """Load the checkpoint with the smallest validation loss, and return its epoch and losses."""
        best = self.checkpointer.recover_if_possible(min_key=LOSS)
        if best is None:
            raise InputError(f"{self.checkpointer.checkpoints_dir}: no checkpoint to test: the stage was not trained")
        return {"epoch": best.meta["epoch"], "train": best.meta["train_loss"], "valid": best.meta[LOSS]}

    def on_evaluate_start(self, max_key: str | None = None, min_key: str | None = None) -> None:
        """Test nothing but the best checkpoint: SpeechBrain scores an untrained model in silence."""
        self.restore_best()

    def predict(self, loader) -> Tensor:
        """Logits of every item of the loader's data in the order of the items, [n, K], with the best checkpoint."""
        self.evaluate(loader, progressbar=False)
        return in_order(self.outputs)


def _mean(losses: Tensor) -> float:
    """Losses and what each weighs, [n, 2] -> their mean."""
    loss, weight = losses.double().sum(dim=0).tolist()
    return loss / weight


def in_order(parts: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Join the batches of all processes: pairs of items [batch] and values [batch, ...] -> values in the order of the items, each once."""
    here = tuple(torch.cat(part).cpu() for part in zip(*parts, strict=True))
    items, values = (torch.cat(part) for part in zip(*gathered(here), strict=True))
    _, first = np.unique(items, return_index=True)
    return values[first]


def parameter_groups(encoder: Encoder, classifier: nn.Module, settings: Mapping) -> list[dict]:
    """Return the groups that an optimiser takes: parameters with their learning rate. The classifier learns with ``lr``.

    Raises
    ------
    InputError
        if a group of the encoder has no learning rate in the settings, or a learning rate has no group
    """
    groups = {BASE_RATE: [], **encoder.parameter_groups()}
    groups[BASE_RATE] = [*groups[BASE_RATE], *classifier.parameters()]
    kind = type(encoder).__name__
    for name in groups:
        if name not in settings:
            raise InputError(f"{kind}: its parameters {name!r} have no learning rate: add {name} to the hparams file")
    for name in settings:
        if name.startswith(LEARNING_RATE) and name not in groups:
            raise InputError(f"{name}: {kind} has no parameters with this learning rate: it has {', '.join(groups)}")
    return [{"params": parameters, "lr": settings[name]} for name, parameters in groups.items() if parameters]


class HardTargetBrain(EmotionBrain):
    """Learns the dominant emotion from one-hot labels (equations 2 and 3)."""

    target = HardTarget()


class SoftTargetBrain(EmotionBrain):
    """Learns the dominant emotion from the smoothed proportions of the votes (equations 2 and 4)."""

    target = SoftTarget()


class ExistenceBrain(EmotionBrain):
    """Learns which emotions are present: several labels for an utterance, one binary decision each (equations 5 and 6)."""

    target = ExistenceTarget()


BRAINS = {brain.target.name: brain for brain in (HardTargetBrain, SoftTargetBrain, ExistenceBrain)}


def brain_of(target: Target) -> type[EmotionBrain] | partial:
    """Return the Brain that learns a target: its own, or for a target of a plug-in the general one."""
    return BRAINS.get(target.name) or partial(EmotionBrain, target=target)
