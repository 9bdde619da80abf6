"""The losses of each epoch: a text file and, if it is asked for, TensorBoard's files. SpeechBrain's loggers write both."""

import importlib.util
import shutil
from collections.abc import Mapping
from pathlib import Path

from speechbrain.utils.train_logger import FileTrainLogger, TensorboardLogger

from mlee_sb.errors import InputError
from mlee_sb.files import write_text
from mlee_sb.training.check_settings import TENSORBOARD
from mlee_sb.training.distributed import on_main

LOSS = "loss"
LOG_DIGITS = 6  # SpeechBrain's default of 2 is less than early stopping compares


def check_log(settings: Mapping) -> None:
    """Raise an InputError if a stage asks for TensorBoard's files and the package is not installed."""
    if settings[TENSORBOARD] and not importlib.util.find_spec(TENSORBOARD):
        raise InputError(f"--{TENSORBOARD} needs a package that is not installed: pip install 'mlee_sb[{TENSORBOARD}]'")


class EpochLog:
    """The log of a training.

    Parameters
    ----------
    path : the text file, a line for each epoch
    tensorboard : the folder for TensorBoard's files; None for none
    """

    def __init__(self, path: Path, tensorboard: Path | None = None):
        self.path, self.folder = path, tensorboard
        self._text = FileTrainLogger(str(path), precision=LOG_DIGITS)
        self._tensorboard: TensorboardLogger | None = None

    def go_on_after(self, epoch: int) -> None:
        """Keep what was logged up to an epoch: the last one that has a checkpoint, 0 before the first one.

        A later epoch of a killed run is taken out of the text file, and TensorBoard forgets it: it is trained again, and must not be there
        twice.
        """
        on_main(self._forget_after, epoch)
        if self.folder:
            from tensorboard.compat.proto.event_pb2 import Event, SessionLog

            self._tensorboard = TensorboardLogger(str(self.folder))
            self._tensorboard.global_step = {"train": {LOSS: epoch}, "valid": {LOSS: epoch}, "meta": epoch}  # it counts from its own start
            if self._tensorboard.writer:  # as SummaryWriter(purge_step=...), which SpeechBrain does not pass on
                self._tensorboard.writer.file_writer.add_event(Event(session_log=SessionLog(status=SessionLog.START), step=epoch + 1))

    def _forget_after(self, epoch: int) -> None:
        if self.path.is_file():
            lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
            write_text(self.path, "".join(lines[:epoch]))
        if self.folder and epoch == 0:
            shutil.rmtree(self.folder, ignore_errors=True)  # of another training in this folder

    def add(self, epoch: int, train: float, valid: float) -> None:
        """Write the losses of an epoch. SpeechBrain wants every process to call this; only the main one writes."""
        losses = {"stats_meta": {"epoch": epoch}, "train_stats": {LOSS: train}, "valid_stats": {LOSS: valid}}
        self._text.log_stats(**losses)
        if self._tensorboard:
            self._tensorboard.log_stats(**losses)
            if self._tensorboard.writer:
                self._tensorboard.writer.flush()  # TensorBoard may be looking
