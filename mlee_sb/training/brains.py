"""SpeechBrain's Brain for emotions, and a Brain for each target: hard and soft (equation 2), and existence (equation 6)."""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial

import numpy as np
import speechbrain as sb
import torch
from torch import Tensor, nn

from mlee_sb.errors import InputError
from mlee_sb.models.device import upload
from mlee_sb.models.encoders.base import BASE_RATE, Encoder
from mlee_sb.targets import Target
from mlee_sb.targets.existence import ExistenceTarget
from mlee_sb.targets.hard import HardTarget
from mlee_sb.targets.soft import SoftTarget
from mlee_sb.training.augmentation import EMBEDDING_DROPOUT
from mlee_sb.training.check_settings import LEARNING_RATE, WEIGHTED_MEAN, built_from
from mlee_sb.training.checkpoints import AtomicCheckpointer
from mlee_sb.training.data import Batch
from mlee_sb.training.distributed import gathered, processes, summed
from mlee_sb.training.epoch_log import LOSS, EpochLog

SECONDS = "seconds"  # duration of the training up to a checkpoint, over all its runs
LESS = "lower lr, or train with --precision fp32"
LOOK_STEPS = 50  # steps between two reads of the training loss: each read waits until the GPU has finished its work


class Learned(nn.Module):
    """The part of an encoder that learns, as a module, because SpeechBrain wraps and calls modules for several processes.

    In training, a share `dropout` of the values of each embedding is set to zero, also where the encoder is frozen.
    Lengths are a list of integers, because DDP would move a tensor to the GPU.
    """

    def __init__(self, encoder: Encoder, dropout: float):
        super().__init__()
        self.encoder, self.dropout = encoder, nn.Dropout(dropout) if dropout else nn.Identity()

    def forward(self, fixed: Tensor, lengths: list[int]) -> Tensor:
        return self.dropout(self.encoder.learned(fixed, torch.tensor(lengths)))


class EmotionBrain(sb.Brain):
    """Trains the learned part of an encoder and a classifier with any target. The mean loss is over the utterances of the whole set.

    [choice] `loss_mean` says which mean: ``"plain"`` over utterances (or what the target calls its examples), or ``"weighted"`` with their
    class weights.

    Parameters
    ----------
    encoder, classifier : the modules
    class_weights : class weights in the form that the loss of the target takes
    settings : settings of the stage: `loss_mean`, `embedding_dropout`, and a learning rate for each parameter group of the encoder
    epochs : the numbers of the epochs; with validation, an `EarlyStopping`
    opt_class, run_opts : as for SpeechBrain's Brain
    checkpointer : as for SpeechBrain's Brain; None for a training without validation, which keeps the weights of its last epoch
    start : `time.monotonic()` at the start of the training, minus the seconds of the earlier runs that this run resumes
    say : called with a line for a person after each epoch with validation
    log : takes the losses of each epoch with validation; None without one
    target : the target; None for the target of the subclass
    """

    target: Target

    def __init__(
        self,
        encoder: Encoder,
        classifier: nn.Module,
        class_weights: Tensor,
        settings: Mapping,
        epochs: Iterable[int],
        opt_class: Callable,
        run_opts: dict,
        checkpointer: AtomicCheckpointer | None = None,
        start: float = 0.0,
        say: Callable[[str], None] = print,
        log: EpochLog | None = None,
        target: Target | None = None,
    ):
        modules = {"encoder": Learned(encoder, settings[EMBEDDING_DROPOUT]), "classifier": classifier}
        super().__init__(modules=modules, opt_class=opt_class, checkpointer=checkpointer, run_opts=run_opts)
        self.target = target or self.target
        self.groups = parameter_groups(encoder, classifier, settings)
        self.class_weights, self.loss_mean = class_weights.to(self.device), settings["loss_mean"]
        self.epochs, self.start, self.say, self.log = epochs, start, say, log
        self.losses: dict[str, float] = {}

    def init_optimizers(self) -> None:
        """Give each group of parameters its own learning rate."""
        with built_from("opt_class"):
            self.optimizer = self.opt_class(self.groups)
        self.optimizers_dict = {"opt_class": self.optimizer}
        if self.checkpointer:
            self.checkpointer.add_recoverable("optimizer", self.optimizer)

    def on_fit_start(self) -> None:
        """Resume a killed run."""
        super().on_fit_start()
        if self.log:
            self.log.go_on_after(self.epochs.current)

    def on_stage_start(self, stage: sb.Stage, epoch: int | None = None) -> None:
        self.utterance_losses: list[tuple[Tensor, Tensor]] = []  # items [batch], and losses with their weights [batch, 2]
        self.outputs: list[tuple[Tensor, Tensor]] = []  # items and logits
        self.not_finite = torch.zeros((), dtype=torch.long, device=self.device)  # number of batches with a loss that is not finite
        number, n = processes()
        if stage == sb.Stage.TRAIN and n > 1:  # dropout needs other masks in each process, and the same masks after a resume
            torch.manual_seed((self.train_sampler.seed * 1_000_003 + epoch) * n + number)

    def compute_forward(self, batch: Batch, stage: sb.Stage) -> Tensor:
        """Return what the loss of the target takes: logits [batch, K] or all outputs of the classifier; in a test, logits."""
        embeddings = self.modules.encoder(upload(batch.inputs, self.device), batch.lengths.tolist())
        if self.target.all_outputs and stage != sb.Stage.TEST:
            return self.modules.classifier(embeddings, all_outputs=True)
        return self.modules.classifier(embeddings)

    def compute_objectives(self, logits: Tensor, batch: Batch, stage: sb.Stage) -> Tensor:
        """Return the mean loss of the batch of what `compute_forward` returned; with several processes, the part of this one; in a test 0.

        DDP takes the mean of the gradients of all `n` processes. So a part is `n` times the sum of its losses, divided by the weight of
        the whole batch.
        """
        if stage == sb.Stage.TEST:  # there are no labels
            self.outputs.append((batch.items, logits.detach().float()))
            return logits.new_zeros(())
        labels = upload(batch.labels, self.device)
        losses = self.target.loss(logits.float(), labels, self.class_weights)
        weights = self.target.weight(labels, self.class_weights) if self.loss_mean == WEIGHTED_MEAN else self.target.examples(labels)
        self.utterance_losses.append((batch.items, torch.stack([losses.detach(), weights], dim=-1)))
        _, n = processes()
        if n == 1 or stage != sb.Stage.TRAIN:
            return losses.sum() / weights.sum()
        return losses.sum() * n / summed(weights.sum())

    def fit_batch(self, batch: Batch) -> Tensor:
        """Train one step as SpeechBrain does, but without its two waits for a GPU: to check the loss, and to copy it to the CPU."""
        with self.training_ctx:
            loss = self.compute_objectives(self.compute_forward(batch, sb.Stage.TRAIN), batch, sb.Stage.TRAIN)
        self.not_finite += ~loss.detach().isfinite()
        self.scaler.scale(loss).backward()
        self.optimizers_step()
        return loss.detach()

    def update_average(self, loss: Tensor, avg_loss: float) -> float:
        """Return the loss for the progress bar: the mean over the utterances of the epoch so far, computed every `LOOK_STEPS` steps."""
        if self.step % LOOK_STEPS != 1 or not self.utterance_losses:
            return avg_loss
        self._check_losses_are_finite()
        return _mean(torch.cat([losses for _, losses in self.utterance_losses]))

    def _check_losses_are_finite(self) -> None:
        """Raise an InputError in all processes after more than a few batches with such a loss, as many as SpeechBrain allows."""
        n = int(summed(self.not_finite))
        if n > self.nonfinite_patience:
            raise InputError(f"the training loss was not finite (NaN or infinity) in {n} batches of this epoch: {LESS}")

    def on_stage_end(self, stage: sb.Stage, stage_loss: float, epoch: int | None = None) -> None:
        if stage == sb.Stage.TEST:
            return
        if stage == sb.Stage.TRAIN:
            self._check_losses_are_finite()
        # The sum is taken in a fixed order, so that it does not depend on the batches and processes of the utterances.
        self.losses[stage.name.lower()] = _mean(in_order(self.utterance_losses))
        if stage == sb.Stage.VALID:
            self._end_of_epoch(epoch)

    def _end_of_epoch(self, epoch: int) -> None:
        loss = self.losses["valid"]
        if not math.isfinite(loss):
            raise InputError(f"the validation loss of epoch {epoch} is {loss}: {LESS}")
        self.epochs.update_metric(loss)  # before saving, so that a resumed run knows whether it had stopped
        best = "  best so far" if self.epochs.best_limit == epoch else ""
        self.log.add(epoch, self.losses["train"], loss)
        self.say(f"  epoch {epoch:3d}  train loss {self.losses['train']:.4f}  valid loss {loss:.4f}{best}")
        ranked = loss if self.epochs.counts else math.inf  # the best one is looked for among those that count
        meta = {LOSS: ranked, "epoch": epoch, "train_loss": self.losses["train"], SECONDS: time.monotonic() - self.start}
        self.checkpointer.save_epoch(meta, best_by=LOSS)

    def restore_best(self) -> dict:
        """Load the checkpoint with the smallest validation loss, and return its epoch and losses."""
        best = self.checkpointer.recover_if_possible(min_key=LOSS)
        if best is None:
            raise InputError(f"{self.checkpointer.checkpoints_dir}: no checkpoint to test: the stage was not trained")
        return {"epoch": best.meta["epoch"], "train": best.meta["train_loss"], "valid": best.meta[LOSS]}

    def on_evaluate_start(self, max_key: str | None = None, min_key: str | None = None) -> None:
        """Load the best checkpoint, if there are any. Without this, SpeechBrain would score an untrained model without a warning."""
        if self.checkpointer:
            self.restore_best()

    def predict(self, loader) -> Tensor:
        """Return the logits [n, K] of the best checkpoint (without checkpoints, of the model as it is), in the order of the items."""
        self.evaluate(loader, progressbar=False)
        return in_order(self.outputs)


def _mean(losses: Tensor) -> float:
    """Return the mean of losses with their weights [n, 2]."""
    loss, weight = losses.double().sum(dim=0).tolist()
    return loss / weight


def in_order(parts: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Return the values [n, ...] of all processes in the order of the items, each item once, from pairs of items and values of batches."""
    here = tuple(torch.cat(part).cpu() for part in zip(*parts, strict=True))
    items, values = (torch.cat(part) for part in zip(*gathered(here), strict=True))
    _, first = np.unique(items, return_index=True)
    return values[first]


def parameter_groups(encoder: Encoder, classifier: nn.Module, settings: Mapping) -> list[dict]:
    """Return the groups of parameters for the optimiser, each with its learning rate. The classifier learns with ``lr``.

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
    """Learns which emotions are present: a binary decision for each emotion (equations 5 and 6)."""

    target = ExistenceTarget()


BRAINS = {brain.target.name: brain for brain in (HardTargetBrain, SoftTargetBrain, ExistenceBrain)}


def brain_of(target: Target) -> type[EmotionBrain] | partial:
    """Return the Brain that learns a target: its own one, or the general one for the target of a plug-in."""
    return BRAINS.get(target.name) or partial(EmotionBrain, target=target)
