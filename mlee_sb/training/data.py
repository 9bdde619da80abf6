"""From the rows of a manifest to batches, with integer lengths: waveforms at a speed, or what an encoder's fixed part made of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
import torchaudio
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, Sampler

from mlee_sb.models.encoders.base import Encoder
from mlee_sb.models.waveforms import load_waveform, pad
from mlee_sb.training.distributed import ALONE


@dataclass(frozen=True)
class Batch:
    """A batch of utterances.

    Attributes
    ----------
    inputs, lengths : what an encoder's `learned` takes, [batch, steps, ...] and [batch] (integers on the CPU)
    labels : [batch, K]
    items : [batch], their numbers in the dataset
    """

    inputs: Tensor
    lengths: Tensor
    labels: Tensor
    items: Tensor


class WaveformDataset(Dataset):
    """Waveforms of utterances at each of several speeds: item `i` is row `i % n` at speed `i // n`, so training data is a multiple.

    An index is a list of items and gives a `Batch` of them.

    Parameters
    ----------
    frame : rows of a manifest
    data_folder : what its wav paths are relative to
    encoder : the model's, for its sample rate and the shortest waveform that it takes
    labels : [n, K]
    speeds : speed factors; 0.9 is slower and lower, 1.0 leaves an utterance as it is
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        data_folder: str | Path,
        encoder: Encoder,
        labels: Tensor,
        speeds: Sequence[float] = (1.0,),
    ):
        self.ids = frame["ID"].tolist()
        self.paths = [Path(data_folder) / wav for wav in frame["wav"]]
        self.sample_rate, self.min_samples, self.labels = encoder.sample_rate, encoder.min_samples, labels
        # A speed stage for each factor: SpeechBrain's SpeedPerturb has one speed for a whole batch, and perturbs in evaluation too.
        self.perturb = [None if speed == 1.0 else torchaudio.transforms.Speed(self.sample_rate, speed) for speed in speeds]
        self.durations = [duration / speed for speed in speeds for duration in frame["duration"]]

    def __len__(self) -> int:
        return len(self.paths) * len(self.perturb)

    def __getitem__(self, items: list[int]) -> Batch:
        padded, lengths = pad([self._waveform(*divmod(item, len(self.paths))) for item in items])
        numbers = torch.tensor(items)
        return Batch(padded, lengths, self.labels[numbers % len(self.paths)], numbers)

    def _waveform(self, copy: int, row: int) -> Tensor:
        waveform = load_waveform(self.paths[row], self.sample_rate)
        if self.perturb[copy] is not None:
            waveform, _ = self.perturb[copy](waveform)
            # The shortest utterance of all must not become too short for a frame by being spoken faster.
            waveform = F.pad(waveform, (0, max(0, self.min_samples - len(waveform))))
        return waveform


class FixedDataset(Dataset):
    """What an encoder's fixed part made of utterances, computed before; ordered and indexed as a `WaveformDataset`.

    Parameters
    ----------
    values : for each speed and utterance, [steps, ...]
    labels : [n, K]
    ids : of the n utterances
    """

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
    """Batches of utterances: in training drawn at random, anew in every epoch; otherwise sorted by length.

    Sorting by length would spare an encoder padding, and make batches of utterances that are alike in more than that; one that lays
    them in rows (`mlee_sb.models.rows`) needs no sorting.
    An epoch's order follows from seed and epoch alone, so a run that was resumed sees the batches it would have seen.

    Parameters
    ----------
    durations : seconds of each item
    batch_size : utterances
    seed : of the shuffling; None for evaluation, without any
    share : number of this process and of all that share every batch. A batch of fewer utterances than processes is given to each
        of them whole: none may stand idle while others wait for its gradient, and the mean of equal gradients is the right one.
    """

    def __init__(self, durations: Sequence[float], batch_size: int, seed: int | None = None, share: tuple[int, int] = ALONE):
        self.durations = torch.tensor(durations, dtype=torch.float64)
        self.batch_size, self.seed, self.epoch, self.share = batch_size, seed, 0, share

    def set_epoch(self, epoch: int) -> None:
        """Called by the Brain at the start of an epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.durations) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        number, n = self.share
        for items in self._order().split(self.batch_size):
            batch = items.tolist()
            yield batch[number::n] if len(batch) >= n else batch

    def _order(self) -> Tensor:
        if self.seed is None:
            return torch.argsort(self.durations, stable=True)
        return torch.randperm(len(self.durations), generator=torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch))


def make_loader(
    dataset: WaveformDataset | FixedDataset, batch_size: int, num_workers: int, seed: int | None = None, share: tuple[int, int] = ALONE
) -> DataLoader:
    """Return batches of a dataset, or the share of one process in each: with a seed shuffled anew in every epoch, else sorted by length.

    It leaves the global random generator alone: else the first weights of a model would depend on what was read before.
    """
    sampler = UtteranceSampler(dataset.durations, batch_size, seed, share)
    generator = torch.Generator().manual_seed(seed or 0)  # without one of its own, a DataLoader draws from the global one
    return DataLoader(dataset, batch_size=None, sampler=sampler, num_workers=num_workers, generator=generator)
