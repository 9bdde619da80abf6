"""Checkpoints that stay whole if a run is killed at any moment. A resumed run has the same result as a run that was never killed."""

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
    """SpeechBrain's Checkpointer, but each checkpoint is written in a separate folder, which is renamed when it is whole.

    The original first writes the file that makes a folder a checkpoint. A run that is killed while it saves cannot be resumed then.
    """

    def save_epoch(self, meta: dict, best_by: str) -> None:
        """Save a checkpoint in the main process. Keep the newest one, and the one with the smallest value `best_by` in `meta`."""
        # SpeechBrain's default list of importance keys grows at every call, and it sorts by all of them: each epoch would take longer.
        on_main(self.save_and_keep_only, meta=meta, min_keys=[best_by], importance_keys=[])

    def save_checkpoint(self, *args, **kwargs):
        """Save a checkpoint. Arguments and result are those of `Checkpointer.save_checkpoint`."""
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
    """Counts epochs, and stops if the validation loss has not improved for `patience` epochs. Both are saved in checkpoints.

    SpeechBrain registers only hooks that are defined in the class itself. Without the hooks below, those of `EpochCounter` would save
    only the epoch. A run that had stopped would forget its best loss when it is resumed, and train on.
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
    """The state of every random generator. SpeechBrain saves none of them, so dropout would be different after a resume."""

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
