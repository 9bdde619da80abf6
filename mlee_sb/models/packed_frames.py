"""Utterances of any length without padding: their frames one after another, and rows of them for a convolution over time.

If utterances are drawn at random and padded to the longest one of their batch, most of the computation is padding. Sorting them by
length would change the experiment. Here the utterances of a batch share one row, and the zeros between them are as long as the kernel
reaches. So every frame has the same neighbours as in an utterance alone, and a batch may hold any utterances.
"""

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

LENGTHS_PER_OCTAVE = 16
"""Rows have few different lengths, because oneDNN keeps a program for each shape of a convolution, and blocks of many different sizes
leave holes between them in memory."""


def joined(padded: Tensor, lengths: list[int]) -> Tensor:
    """Return the valid frames of a padded batch [batch, frames, ...], one utterance after another, [frames of all, ...].

    >>> joined(torch.tensor([[1, 2, 0], [3, 4, 5]]), [2, 3]).tolist()
    [1, 2, 3, 4, 5]
    """
    if alike(lengths):
        return padded[:, : lengths[0]].flatten(0, 1)
    return torch.cat([utterance[:n] for utterance, n in zip(padded, lengths, strict=True)])


def separated(x: Tensor, lengths: list[int]) -> Tensor:
    """Return the frames of all utterances [frames of all, ...] as a batch padded with zeros [batch, frames, ...]. The inverse of `joined`.

    >>> separated(torch.tensor([1, 2, 3, 4, 5]), [2, 3]).tolist()
    [[1, 2, 0], [3, 4, 5]]
    """
    return x.unflatten(0, (len(lengths), lengths[0])) if alike(lengths) else pad_sequence(x.split(lengths), batch_first=True)


def alike(lengths: list[int]) -> bool:
    """Tell whether all utterances have the same length. Then each one is a row, and nothing is copied."""
    return min(lengths) == max(lengths)


def filled_up(frames: int) -> int:
    """Return the next allowed length of a row. Between n and 2 n frames there are about `LENGTHS_PER_OCTAVE` of them.

    >>> [filled_up(n) for n in (5, 100, 123, 4000)]
    [5, 100, 124, 4096]
    """
    step = max(1, 2 ** (frames.bit_length() - 1) // LENGTHS_PER_OCTAVE)
    return -(-frames // step) * step


def gaps(lengths: list[int], reach: int, stride: int) -> list[int]:
    """Return the number of zero frames after each utterance, 0 after the last: the reach of the kernel, rounded up to the next stride.

    >>> gaps([5, 4, 7], reach=3, stride=2)
    [3, 4, 0]
    """
    return [reach + -(n + reach) % stride for n in lengths[:-1]] + [0]


def in_rows(x: Tensor, lengths: list[int], time: tuple[int, int], bins: tuple[int, int], stride: int) -> Tensor:
    """Lay utterances in rows, for a convolution with 'same' padding.

    Parameters
    ----------
    x : [frames of all, bins, channels]
    lengths : frames of each utterance
    time, bins : zeros before and after, which follow from the size of the kernel
    stride : stride of the convolution over time

    Returns
    -------
    Tensor
        [rows, frames, bins, channels]: one row for each utterance if all have one length, else one row for all; filled up with zeros to
        an allowed length (`filled_up`)
    """
    if alike(lengths):
        frames = lengths[0] + sum(time)
        rest = filled_up(frames) - frames if len(lengths) == 1 else 0  # several of one length are windows: always one shape
        return F.pad(x.unflatten(0, (len(lengths), lengths[0])), (0, 0, *bins, time[0], time[1] + rest))
    x = F.pad(x, (0, 0, *bins))
    between = gaps(lengths, max(time), stride)
    zeros = x.new_zeros(max(*time, *between), *x.shape[1:])
    pieces = [zeros[: time[0]]]
    for utterance, gap in zip(x.split(lengths), between, strict=True):
        pieces += [utterance, zeros[:gap]]
    frames = sum(map(len, pieces))
    return torch.cat([*pieces, x.new_zeros(filled_up(frames + time[1]) - frames, *x.shape[1:])]).unsqueeze(0)


def out_of_rows(rows: Tensor, lengths: list[int], reach: int, stride: int, pool: int) -> Tensor:
    """Take the utterances out of the result of a convolution over their rows.

    Parameters
    ----------
    rows : [rows, frames, bins, channels], the result for the rows that `in_rows` made with the same lengths
    lengths : frames of each utterance before the convolution
    reach, stride : reach and stride of the convolution over time
    pool : frames that the next pooling joins

    Returns
    -------
    Tensor
        [rows, frames, bins, channels] without the frames between utterances. If all share one row, the frames at the end of each
        utterance that pooling would drop are moved to the end of the row.
    """
    if alike(lengths):
        return rows[:, : -(-lengths[0] // stride)]
    sizes = []
    for n, gap in zip(lengths, gaps(lengths, reach, stride), strict=True):
        n_out = -(-n // stride)
        sizes += [n_out - n_out % pool, n_out % pool, -(-(n + gap) // stride) - n_out]
    parts = rows.squeeze(0).split([*sizes, rows.shape[1] - sum(sizes)])[:-1]
    return torch.cat([*parts[0::3], *parts[1::3]]).unsqueeze(0)
