"""Checkpoints that survive a kill at any moment, and resume to the same result as a run that was never killed."""

import random
import shutil
from pathlib import Path

import numpy as np
import torch
from speechbrain.utils.checkpoints import Checkpointer, mark_as_loader, mark_as_saver, register_checkpoint_hooks
from speechbrain.utils.epoch_loop import EpochCounterWithStopper

from mlee_sb.training.distributed import on_main

UNFINISHED = "unfinished"


class AtomicCheckpointer(Checkpointer):
    """SpeechBrain's Checkpointer, but a checkpoint is written in a folder of its own and renamed when it is whole.

    The original writes the file that makes a folder a checkpoint first: a run killed while saving cannot be resumed.
    """

    def save_epoch(self, meta: dict, best_by: str) -> None:
        """Save a checkpoint, and keep the newest one and the one with the smallest `meta` of a name. The main process does it."""
        # SpeechBrain adds to its default list of importance keys at every call, and sorts by all of them: each epoch would take longer.
        on_main(self.save_and_keep_only, meta=meta, min_keys=[best_by], importance_keys=[])

    def save_checkpoint(self, *args, **kwargs):
        """As `Checkpointer.save_checkpoint`."""
        home = Path(self.checkpoints_dir)
        self.checkpoints_dir = home / UNFINISHED
        shutil.rmtree(self.checkpoints_dir, ignore_errors=True)
        self.checkpoints_dir.mkdir()
        try:
            saved = super().save_checkpoint(*args, **kwargs)
        finally:
            self.checkpoints_dir = home
        path = self._new_checkpoint_dirpath()
        saved.path.rename(path)
        (home / UNFINISHED).rmdir()
        return saved._replace(path=path, paramfiles={name: path / file.name for name, file in saved.paramfiles.items()})


@register_checkpoint_hooks
class EarlyStopping(EpochCounterWithStopper):
    """Counts epochs, stops when the validation loss has not improved for `patience` of them, and remembers both.

    SpeechBrain registers hooks of a class only where they are defined in it: without those below, those of `EpochCounter`
    would save the epoch alone, and a stopped and resumed run would forget its best loss and train on.
    """

    def __init__(self, max_epochs: int, patience: int):
        super().__init__(limit=max_epochs, limit_to_stop=patience, limit_warmup=0, direction="min")

    @mark_as_saver
    def save(self, path):
        self._save(path)

    @mark_as_loader
    def load(self, path, end_of_epoch):
        self._recover(path, end_of_epoch)


@register_checkpoint_hooks
class RandomState:
    """The state of every random generator: SpeechBrain saves none, so dropout would differ after a resume."""

    @mark_as_saver
    def save(self, path):
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        torch.save({"torch": torch.get_rng_state(), "cuda": cuda, "python": random.getstate(), "numpy": _numpy_state()}, path)

    @mark_as_loader
    def load(self, path, end_of_epoch):
        state = torch.load(path, weights_only=True)
        torch.set_rng_state(state["torch"])
        if state["cuda"]:
            torch.cuda.set_rng_state_all(state["cuda"])
        version, internal, gauss = state["python"]
        random.setstate((version, tuple(internal), gauss))
        name, keys, *rest = state["numpy"]
        np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))


def _numpy_state() -> tuple:
    name, keys, *rest = np.random.get_state()
    return (name, keys.tolist(), *rest)
