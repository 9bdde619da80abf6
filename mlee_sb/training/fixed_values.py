"""The values of fixed parts on disk: computed once, by whichever run comes first, and mapped into memory where they are read."""

import errno
import hashlib
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from mlee_sb.corpora.manifest import pieces_of
from mlee_sb.disk import FULL, DiskError
from mlee_sb.errors import InputError
from mlee_sb.files import clear_left, written_beside
from mlee_sb.locks import check_lockable
from mlee_sb.models.device import upload
from mlee_sb.models.waveforms import pad
from mlee_sb.training.data import FixedDataset, WaveformDataset
from mlee_sb.training.distributed import is_main
from mlee_sb.training.fixed_parts import SHOWN_DIGITS, FixedPart
from mlee_sb.training.stage import Data

BATCH_SIZE = 32  # utterances that are computed together; the values of an utterance do not depend on its batch
BATCH_SECONDS = 120  # [choice] of waveforms with padding that are computed together: all layers of a large network take 5 MB a second
FILE_SECONDS = 120  # [choice] of speech in a file. A file is in memory while it is computed, and is lost if the run is killed then
MAPPED = 1 << 27  # [choice] bytes of the files that are mapped at one time
MARGIN = 1.05  # [choice] free space that is asked for, as a multiple of what the values take
WAIT = 0.5  # seconds until a run looks again whether another one has finished a file

Wanted = Sequence[tuple[pd.DataFrame, Sequence[float]]]


def keep(parts: Sequence[FixedPart], wanted: Wanted, data: Data, device: str, say: Callable[[str], None]) -> None:
    """Compute the values of some parts that are not on disk yet, with a line before it and a progress bar.

    Runs that need the same values at the same time share the work, also on several machines with a shared folder.

    Parameters
    ----------
    parts : the fixed parts
    wanted : rows of a manifest, and the speeds at which each of them is needed
    data : of these rows
    device : that computes
    say : called with each line for a person

    Raises
    ------
    InputError
        if the disk has not enough space
    """
    for part in parts:
        files = {file.path: file for rows, speeds in wanted for file in _files(part, rows, data, speeds)}
        if missing := [file for file in files.values() if not file.is_kept]:
            keep(part.below, [(file.rows, [file.speed]) for file in missing], data, device, say)
            _compute_missing(part, missing, data, device, say)


def kept(parts: Sequence[FixedPart], split: pd.DataFrame, data: Data, speeds: Sequence[float], ids: list[str]) -> "KeptValues":
    """Return the values that `keep` computed: at the first speed those of each ID, then at the next speed, and so on.

    Parameters
    ----------
    parts : the fixed parts; their values for an utterance are joined
    split : all rows that were given to `keep` together
    data : of these rows
    speeds : speed factors
    ids : of the rows whose values are wanted
    """
    by_part = []
    for part in parts:
        at = {(ID, file.speed): place for file in _files(part, split, data, speeds) for ID, place in file.places()}
        by_part.append([at[ID, speed] for speed in speeds for ID in ids])
    return KeptValues(list(zip(*by_part, strict=True)))


@dataclass(frozen=True)
class _File:
    """The values of some rows at one speed."""

    path: Path
    key: str
    rows: pd.DataFrame
    speed: float

    @property
    def is_kept(self) -> bool:
        """Whether it is there, whole, and holds what its key says."""
        try:
            with safe_open(self.path, framework="pt") as file:
                return (file.metadata() or {}).get("key") == self.key
        except (FileNotFoundError, SafetensorError):
            return False

    def read(self, name: str) -> Tensor:
        """Take a tensor of the file, mapped into memory: ``"values"`` [steps of all rows, ...] or ``"lengths"`` [n]."""
        try:
            with safe_open(self.path, framework="pt") as file:
                if (file.metadata() or {}).get("key") == self.key:
                    return file.get_tensor(name)
        except (FileNotFoundError, SafetensorError):
            pass
        raise InputError(f"{self.path}: taken away, or computed again by another run since this run began: begin this run again")

    def places(self) -> Iterator[tuple[str, "_Place"]]:
        """Yield each ID, and where its values are."""
        stops = self.read("lengths").cumsum(0).tolist()
        for ID, start, stop in zip(self.rows["ID"], [0, *stops], stops, strict=False):
            yield ID, (self, start, stop)


_Place = tuple[_File, int, int]  # a file, and the first and last step in it


class KeptValues(Sequence[Tensor]):
    """Values [steps, ...] of utterances, as views of their files, which are mapped into memory when somebody asks for them.

    What was read of a mapped file counts as memory of this process until the map is closed. So the oldest maps are closed when all
    together exceed `MAPPED` bytes, and what a training holds does not grow with the corpus. The system may keep in its cache what it
    has room for.

    Parameters
    ----------
    places : of each utterance, one for each fixed part
    """

    def __init__(self, places: Sequence[Sequence[_Place]]):
        self._places, self._maps, self._bytes = places, {}, 0

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, item: int) -> Tensor:
        values = [self._mapped(file)[start:stop] for file, start, stop in self._places[item]]
        return values[0] if len(values) == 1 else torch.cat(values)

    def _mapped(self, file: _File) -> Tensor:
        if file.path not in self._maps:
            self._maps[file.path] = file.read("values")
            self._bytes += self._maps[file.path].nbytes
            while self._bytes > MAPPED and len(self._maps) > 1:
                self._bytes -= self._maps.pop(next(iter(self._maps))).nbytes  # of the oldest one
        return self._maps[file.path]


def _files(part: FixedPart, split: pd.DataFrame, data: Data, speeds: Sequence[float]) -> list[_File]:
    """Return the files with the values of all rows of a split: one, or several of each speaker where all folds share them."""
    if not part.of_corpus:
        groups, keys = ([split], [part.key]) if len(split) else ([], [])  # a final fold tests nobody
    else:
        seconds = split.groupby("speaker")["duration"].cumsum()
        groups = [rows for _, rows in split.groupby([split["speaker"], seconds // FILE_SECONDS], sort=True)]
        keys = [f"{part.key} {_digest(_recordings(rows, data))}" for rows in groups]
    names = [_digest(rows["ID"].tolist())[:SHOWN_DIGITS] for rows in groups]
    return [
        _File(part.folder / f"{name}_speed{speed:g}.safetensors", key, rows, speed)
        for name, key, rows in zip(names, keys, groups, strict=True)
        for speed in speeds
    ]


def _recordings(rows: pd.DataFrame, data: Data) -> list[tuple]:
    """Return what each utterance is a piece of, by fingerprint, and where it begins and ends."""
    pieces = zip(rows["ID"], pieces_of(rows), strict=True)
    return [(data.recordings.get(ID, data.protocol["hash"]), start, end) for ID, (_, start, end) in pieces]


def _digest(of_rows: list) -> str:
    return hashlib.sha256(json.dumps(of_rows).encode()).hexdigest()


def _compute_missing(part: FixedPart, missing: list[_File], data: Data, device: str, say: Callable[[str], None]) -> None:
    """Say what will be written, and write it."""
    part.module.to(device).eval()
    size = _size(part, missing, device)
    n = len({ID for file in missing for ID in file.rows["ID"]})
    speeds = sorted({file.speed for file in missing})
    at = f"speed{'s' * (len(speeds) > 1)} {', '.join(f'{speed:g}' for speed in speeds)}"
    with _told_if_full(part, size):
        part.folder.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(part.folder).free < size * MARGIN:
            raise OSError(errno.ENOSPC, "not enough space")
        say(f"  {part.name}: {n:,} utterances at {at}, about {_shown(size)} in {part.folder}")
        total, shows = sum(len(file.rows) for file in missing), sys.stderr.isatty() and is_main()
        with tqdm(total=total, desc=part.name, unit="utterance", disable=not shows, dynamic_ncols=True, leave=False) as bar:
            for file in _in_turn(missing, lambda file: bar.update(len(file.rows))):
                values, lengths = _compute(part, file, data, device, bar.update)
                # Not save_file: what it leaves when it is killed has a name that nobody clears away, and only the owner may read its files.
                content = save({"values": values, "lengths": lengths}, metadata={"key": file.key})
                with written_beside(file.path) as beside:
                    beside.write_bytes(content)


def _in_turn(files: Sequence[_File], found: Callable[[_File], object]) -> Iterator[_File]:
    """Yield the files that this run must compute: first those that no other run holds, then those that others gave up.

    Each file has its own lock, which this run holds until it asks for the next file. `found` is called with each file that another
    run finished.

    Where a lock (`mlee_sb.locks`) holds within a machine only, two machines compute the same file, and the second replaces it by the
    same values: the work is lost, and nothing else. A lock that is a file which exists would work everywhere, but a killed run would
    leave it closed.
    """
    waiting = list(files)
    while waiting:
        held = []
        for file in waiting:
            lock = FileLock(file.path.with_name(f".{file.path.name}.lock"))
            check_lockable(lock.lock_file)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                held.append(file)
                continue
            try:
                if file.is_kept:
                    found(file)
                else:
                    clear_left(file.path.parent, file.path.name, alone=True)  # of a killed run
                    yield file
            finally:
                lock.release()
        if len(held) == len(waiting):
            time.sleep(WAIT)
        waiting = held


@torch.no_grad()
def _compute(part: FixedPart, file: _File, data: Data, device: str, done: Callable[[int], object]) -> tuple[Tensor, Tensor]:
    """Return the values of all rows one after another [steps of all, ...], and the number of steps of each row [n].

    `done` is called with the number of utterances of each batch.
    """
    n = len(file.rows)
    no_labels, ids = torch.zeros(n, 0), file.rows["ID"].tolist()
    if part.below:
        dataset: Dataset = FixedDataset(kept(part.below, file.rows, data, [file.speed], ids), no_labels, ids)
    else:
        dataset = WaveformDataset(file.rows, data.data_folder, part.module, no_labels, (file.speed,))
    found: list[Tensor] = [torch.empty(0)] * n
    # The networks of stages have trained on batches of more seconds. What never learns may be of any size.
    for items in _batches(dataset.durations, BATCH_SECONDS if part.of_corpus else math.inf):
        batch = dataset[items]
        values, lengths = part.compute(upload(batch.inputs, device), batch.lengths)
        for item, value, steps in zip(items, values.cpu(), lengths.tolist(), strict=True):
            found[item] = value[:steps].clone()
        done(len(items))
    return torch.cat(found), torch.tensor([len(value) for value in found])


def _batches(durations: Sequence[float], longest: float) -> list[list[int]]:
    """Return batches of items, sorted by duration, each of at most `BATCH_SIZE` items and (with padding) at most `longest` seconds.

    >>> _batches([3, 1, 2, 9], longest=6)
    [[1, 2], [0], [3]]
    """
    batches: list[list[int]] = []
    for item in sorted(range(len(durations)), key=durations.__getitem__):
        last = batches[-1] if batches else None
        if last is None or len(last) == BATCH_SIZE or (len(last) + 1) * durations[item] > longest:
            batches.append([item])
        else:
            last.append(item)
    return batches


@torch.no_grad()
def _size(part: FixedPart, files: Sequence[_File], device: str) -> float:
    """Return about how many bytes the values of some files take.

    The values of an utterance are of one size, or grow with its seconds: two waveforms, one twice as long as the other, tell which.
    """
    n = sum(len(file.rows) for file in files)
    if not part.of_corpus:
        return n * part.module.embedding_size * torch.float32.itemsize
    rate = part.module.sample_rate
    short = max(part.module.min_samples, rate)
    waveforms, n_samples = pad([torch.linspace(-0.1, 0.1, short), torch.linspace(-0.1, 0.1, 2 * short)])
    values, lengths = part.compute(upload(waveforms, device), n_samples)
    of_short, of_long = (value[:steps].nbytes for value, steps in zip(values, lengths.tolist(), strict=True))
    growth, constant = (of_long - of_short) * rate / short, 2 * of_short - of_long
    return n * constant + growth * sum((file.rows["duration"] / file.speed).sum() for file in files)


@contextmanager
def _told_if_full(part: FixedPart, size: float) -> Iterator[None]:
    """Turn the error of a full disk, or of a used up quota, into an InputError."""
    try:
        yield
    except (OSError, DiskError) as error:
        number = error.number if isinstance(error, DiskError) else error.errno
        if number not in FULL:
            raise
        free = shutil.disk_usage(part.folder.anchor if not part.folder.exists() else part.folder).free
        raise InputError(
            f"{part.folder}: the {part.name} needs about {_shown(size)} here, and {_shown(free)} are free ({os.strerror(number)}): "
            f"free some space and begin again (finished files are kept), or give a folder on another disk with --results"
        ) from error


def _shown(size: float) -> str:
    """Return a number of bytes for a person.

    >>> _shown(28_672), _shown(38e6), _shown(1.25e9)
    ('29 kB', '38 MB', '1.2 GB')
    """
    if size >= 1e9:
        return f"{size / 1e9:,.1f} GB"
    return f"{size / 1e6:,.0f} MB" if size >= 1e6 else f"{size / 1e3:,.0f} kB"
