"""Checkpoints that stay whole if a run is killed at any moment. A resumed run has the same result as a run that was never killed."""

import random
import shutil
from pathlib import Path

import numpy as np
import torch
from speechbrain.utils.checkpoints import CKPT_PREFIX, Checkpointer, mark_as_loader, mark_as_saver, register_checkpoint_hooks
from speechbrain.utils.epoch_loop import EpochCounterWithStopper

from mlee_sb.disk import told
from mlee_sb.errors import InputError
from mlee_sb.files import read_json, sha256_of, sync, write_json
from mlee_sb.stage_folder import CHECKPOINTS
from mlee_sb.training.distributed import on_main

UNFINISHED = "unfinished"
DIGESTS = "sha256.json"  # in the folder of a checkpoint: the sha256 of each other file in it
NEWEST = 2  # checkpoints that are kept: where the disk has damaged the newest one, training goes on from the one before


class AtomicCheckpointer(Checkpointer):
    """SpeechBrain's Checkpointer, but each checkpoint is written in a separate folder, which is renamed when it is whole.

    The original first writes the file that makes a folder a checkpoint. A run that is killed while it saves cannot be resumed then.
    """

    def save_epoch(self, meta: dict, best_by: str) -> None:
        """Save a checkpoint in the main process. Keep the newest ones, and those with the smallest value `best_by` in `meta`.

        The best one before the newest is kept, too: a run that goes on without the newest one must not have lost it.
        """
        on_main(self._save_epoch, meta, best_by)

    def _save_epoch(self, meta: dict, best_by: str) -> None:
        self.save_checkpoint(meta=meta)
        newest_first = self.find_checkpoints()
        best = [min(some, key=lambda one: one.meta[best_by]).path for some in (newest_first, newest_first[1:]) if some]
        for checkpoint in newest_first[NEWEST:]:
            if checkpoint.path not in best:
                shutil.rmtree(checkpoint.path)

    def save_checkpoint(self, *args, **kwargs):
        """Save a checkpoint. Arguments and result are those of `Checkpointer.save_checkpoint`."""
        home = Path(self.checkpoints_dir)
        with told(home):
            self.checkpoints_dir = home / UNFINISHED
            shutil.rmtree(self.checkpoints_dir, ignore_errors=True)
            self.checkpoints_dir.mkdir()
            try:
                saved = super().save_checkpoint(*args, **kwargs)
            finally:
                self.checkpoints_dir = home
            write_json(saved.path / DIGESTS, _digests(saved.path))
            sync(saved.path)
            path = self._new_checkpoint_dirpath()
            saved.path.rename(path)
            sync(home, whole=False)
            (home / UNFINISHED).rmdir()
        return saved._replace(path=path, paramfiles={name: path / file.name for name, file in saved.paramfiles.items()})

    def drop_damaged(self) -> list[Path]:
        """Remove the first checkpoint that is not as it was written, and all after it, whose best one may be lost with it. Return them."""
        checkpoints = sorted(Path(self.checkpoints_dir).glob(CHECKPOINTS))
        first = next((number for number, path in enumerate(checkpoints) if not _is_whole(path)), len(checkpoints))
        for path in checkpoints[first:]:
            shutil.rmtree(path)
        return checkpoints[first:]

    def _new_checkpoint_dirpath(self) -> Path:
        """Return a path for the next checkpoint. SpeechBrain's names tell the time of day, by which nobody can sort when a clock is set."""
        numbers = [int(path.name.rpartition("+")[2]) for path in self.checkpoints_dir.glob(f"{CKPT_PREFIX}+*")]
        return self.checkpoints_dir / f"{CKPT_PREFIX}+{max(numbers, default=0) + 1:06d}"


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: sha256_of(path) for path in sorted(folder.iterdir()) if path.name != DIGESTS}


def _is_whole(folder: Path) -> bool:
    try:
        return read_json(folder / DIGESTS, "") == _digests(folder)
    except (InputError, OSError):
        return False


@register_checkpoint_hooks
class EarlyStopping(EpochCounterWithStopper):
    """Counts epochs, and stops if the validation loss has not improved for `patience` epochs. Both are saved in checkpoints.

    The first `warmup` epochs do not count: none of them is the best one, and training does not stop in them.

    SpeechBrain registers only hooks that are defined in the class itself. Without the hooks below, those of `EpochCounter` would save
    only the epoch. A run that had stopped would forget its best loss when it is resumed, and train on.
    """

    def __init__(self, max_epochs: int, patience: int, warmup: int = 0):
        super().__init__(limit=max_epochs, limit_to_stop=patience, limit_warmup=warmup, direction="min")

    @property
    def counts(self) -> bool:
        """Whether the epoch that runs now may be the best one."""
        return self.current > self.limit_warmup

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
