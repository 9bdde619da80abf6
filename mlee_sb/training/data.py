"""Batches with integer lengths from the rows of a manifest: waveforms at a speed, or the values of the fixed part of an encoder."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
import torchaudio
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, Sampler

from mlee_sb.corpora.manifest import pieces_of
from mlee_sb.models.encoders.base import Encoder
from mlee_sb.models.waveforms import load_waveform, pad
from mlee_sb.training.augmentation import WaveformAugmentation
from mlee_sb.training.distributed import ALONE


@dataclass(frozen=True)
class Batch:
    """A batch of utterances.

    Attributes
    ----------
    inputs, lengths : arguments of `Encoder.learned`, [batch, steps, ...] and [batch] (integers on the CPU)
    labels : [batch, ...], as the loss of the target takes them: [batch, K] for most
    items : [batch], numbers of the items in the dataset
    """

    inputs: Tensor
    lengths: Tensor
    labels: Tensor
    items: Tensor


class WaveformDataset(Dataset):
    """Waveforms of utterances at each of several speeds: item `i` is row `i % n` at the speed with number `i // n`.

    The index is a list of items, and the result is a `Batch` of them.

    Parameters
    ----------
    frame : rows of a manifest
    data_folder : the folder that the wav paths are relative to
    encoder : the encoder of the model, for its sample rate and its shortest waveform
    labels : [n, K]
    speeds : speed factors; 0.9 is slower and lower, 1.0 leaves an utterance as it is
    augmentation : changes the waveforms of a training set in every epoch; None leaves them as they are
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        data_folder: str | Path,
        encoder: Encoder,
        labels: Tensor,
        speeds: Sequence[float] = (1.0,),
        augmentation: WaveformAugmentation | None = None,
    ):
        self.ids = frame["ID"].tolist()
        self.data_folder, self.pieces = Path(data_folder), pieces_of(frame)
        self.sample_rate, self.min_samples, self.labels = encoder.sample_rate, encoder.min_samples, labels
        # One transform for each factor: SpeechBrain's SpeedPerturb has one speed for a whole batch, and changes it in evaluation, too.
        self.perturb = [None if speed == 1.0 else torchaudio.transforms.Speed(self.sample_rate, speed) for speed in speeds]
        self.augmentation = augmentation
        self.durations = [duration / speed for speed in speeds for duration in frame["duration"]]

    def __len__(self) -> int:
        return len(self.pieces) * len(self.perturb)

    def __getitem__(self, items: list[int]) -> Batch:
        padded, lengths = pad([self._waveform(item) for item in items])
        numbers = torch.tensor(items)
        return Batch(padded, lengths, self.labels[numbers % len(self.pieces)], numbers)

    def _waveform(self, item: int) -> Tensor:
        copy, row = divmod(item, len(self.pieces))
        wav, start, end = self.pieces[row]
        waveform = load_waveform(self.data_folder / wav, self.sample_rate, start=start, end=end)
        if self.perturb[copy] is not None:
            waveform, _ = self.perturb[copy](waveform)
            # A faster utterance is shorter. It must not become too short for a frame.
            waveform = F.pad(waveform, (0, max(0, self.min_samples - len(waveform))))
        return waveform if self.augmentation is None else self.augmentation(waveform, item)


class FixedDataset(Dataset):
    """Values of the fixed part of an encoder that were computed before, in the order and with the index of a `WaveformDataset`.

    Parameters
    ----------
    values : for each speed and utterance, [steps, ...]
    labels : [n, K]
    ids : IDs of the n utterances
    """

    augmentation = None  # waveforms were read before, once for all epochs

    def __init__(self, values: Sequence[Tensor], labels: Tensor, ids: list[str]):
        self.values, self.labels, self.ids = values, labels, ids
        self.durations = [float(len(value)) for value in values]

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, items: list[int]) -> Batch:
        padded, lengths = pad([self.values[item] for item in items])
        numbers = torch.tensor(items)
        return Batch(padded, lengths, self.labels[numbers % len(self.labels)], numbers)


class UtteranceSampler(Sampler[list[int]]):
    """Batches of utterances: shuffled again in every epoch for training, sorted by length for evaluation.

    In training they are not sorted: utterances of one length are similar in other ways, too, and an encoder that lays them in rows
    (`mlee_sb.models.packed_frames`) has little padding anyway.
    The order depends on seed and epoch alone, so a resumed run has the same batches as a run without a stop.

    Parameters
    ----------
    durations : seconds of each item
    batch_size : utterances
    seed : seed of the shuffling; None for evaluation
    share : number of this process, and number of processes that share every batch. If a batch has fewer utterances than there are
        processes, each one gets the whole batch: every process must give a gradient, and the mean of equal gradients is right.
    augmentation : of the dataset, which is told the number of each epoch; None if it has none
    first_epochs : the number of the first epoch that hears each item, from 1; None where all are heard from the first one on
    """

    def __init__(
        self,
        durations: Sequence[float],
        batch_size: int,
        seed: int | None = None,
        share: tuple[int, int] = ALONE,
        augmentation: WaveformAugmentation | None = None,
        first_epochs: Tensor | None = None,
    ):
        self.durations = torch.tensor(durations, dtype=torch.float64)
        self.first_epochs = torch.ones(len(durations), dtype=torch.long) if first_epochs is None else first_epochs
        self.batch_size, self.seed, self.epoch, self.share, self.augmentation = batch_size, seed, 0, share, augmentation

    def set_epoch(self, epoch: int) -> None:
        """Set the number of the epoch. The Brain calls this at the start of each one."""
        self.epoch = epoch
        if self.augmentation is not None:
            self.augmentation.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self._heard()) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        number, n = self.share
        for items in self._order().split(self.batch_size):
            batch = items.tolist()
            yield batch[number::n] if len(batch) >= n else batch

    def _order(self) -> Tensor:
        if self.seed is None:
            return torch.argsort(self.durations, stable=True)
        heard = self._heard()
        return heard[torch.randperm(len(heard), generator=torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch))]

    def _heard(self) -> Tensor:
        """Return the numbers of the items of this epoch."""
        return (self.first_epochs <= max(self.epoch, 1)).nonzero().flatten()  # before the first epoch it is asked for its length, too


def make_loader(
    dataset: WaveformDataset | FixedDataset,
    batch_size: int,
    num_workers: int,
    seed: int | None = None,
    share: tuple[int, int] = ALONE,
    first_epochs: Tensor | None = None,
) -> DataLoader:
    """Return the batches of a dataset, or the share of one process in each batch. The order is that of `UtteranceSampler`.

    `first_epochs` [n] are those of the n utterances. All copies of an utterance, at other speeds, are heard from the same epoch on.

    The global random generator does not change: otherwise the first weights of a model would depend on the data read before.
    """
    if first_epochs is not None:
        first_epochs = first_epochs.repeat(len(dataset) // len(first_epochs))
    sampler = UtteranceSampler(dataset.durations, batch_size, seed, share, dataset.augmentation, first_epochs)
    generator = torch.Generator().manual_seed(seed or 0)  # without it, a DataLoader draws from the global one
    return DataLoader(dataset, batch_size=None, sampler=sampler, num_workers=num_workers, generator=generator)
