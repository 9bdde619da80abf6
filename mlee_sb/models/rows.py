"""Utterances of any lengths without padding: their frames one after another, and laid in rows for a convolution over time.

A batch that is padded to its longest utterance computes mostly padding where utterances are drawn at random; sorting them by length
would make another experiment of it. Here the utterances of a batch share one row, with as many zeros between them as the kernel
reaches: every frame sees what it would see in an utterance alone, and a batch may hold any utterances.
"""

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

LENGTHS_PER_OCTAVE = 16
"""Of rows: oneDNN keeps a program for each shape of a convolution, and blocks of ever new sizes leave holes between them in memory."""


def joined(padded: Tensor, lengths: list[int]) -> Tensor:
    """[batch, frames, ...] -> the valid frames, utterance after utterance, [frames of all, ...].

    >>> joined(torch.tensor([[1, 2, 0], [3, 4, 5]]), [2, 3]).tolist()
    [1, 2, 3, 4, 5]
    """
    if alike(lengths):
        return padded[:, : lengths[0]].flatten(0, 1)
    return torch.cat([utterance[:n] for utterance, n in zip(padded, lengths, strict=True)])


def separated(x: Tensor, lengths: list[int]) -> Tensor:
    """The other way: [frames of all, ...] -> [batch, frames, ...] padded with zeros.

    >>> separated(torch.tensor([1, 2, 3, 4, 5]), [2, 3]).tolist()
    [[1, 2, 0], [3, 4, 5]]
    """
    return x.unflatten(0, (len(lengths), lengths[0])) if alike(lengths) else pad_sequence(x.split(lengths), batch_first=True)


def alike(lengths: list[int]) -> bool:
    """Whether all utterances have one length: then each is a row of its own, and nothing is copied."""
    return min(lengths) == max(lengths)


def filled_up(frames: int) -> int:
    """The least of few lengths that holds so many frames: between n and 2 n there are about `LENGTHS_PER_OCTAVE` of them.

    >>> [filled_up(n) for n in (5, 100, 123, 4000)]
    [5, 100, 124, 4096]
    """
    step = max(1, 2 ** (frames.bit_length() - 1) // LENGTHS_PER_OCTAVE)
    return -(-frames // step) * step


def gaps(lengths: list[int], reach: int, stride: int) -> list[int]:
    """Zero frames after each utterance but the last: as far as the kernel reaches, and up to where a stride begins.

    >>> gaps([5, 4, 7], reach=3, stride=2)
    [3, 4, 0]
    """
    return [reach + -(n + reach) % stride for n in lengths[:-1]] + [0]


def in_rows(x: Tensor, lengths: list[int], time: tuple[int, int], bins: tuple[int, int], stride: int) -> Tensor:
    """Lay utterances in rows, for a convolution of 'same' padding.

    Parameters
    ----------
    x : [frames of all, bins, channels]
    lengths : frames of each utterance
    time, bins : zeros before and after, by the kernel's size
    stride : of the convolution, over time

    Returns
    -------
    Tensor
        [rows, frames, bins, channels]: a row an utterance where all are alike, else one row for all; filled up to one of few lengths
    """
    if alike(lengths):
        frames = lengths[0] + sum(time)
        rest = filled_up(frames) - frames if len(lengths) == 1 else 0  # several that are alike are windows of one size: one shape
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
    """Take the utterances out of what a convolution made of their rows.

    Parameters
    ----------
    rows : [rows, frames, bins, channels], after a convolution over what `in_rows` gave for the same lengths
    lengths : frames of each utterance before the convolution
    reach, stride : of the convolution over time
    pool : frames that pooling joins next

    Returns
    -------
    Tensor
        [rows, frames, bins, channels] without a frame between utterances. Of one row, the frames that pooling would drop at the end
        of each utterance come last.
    """
    if alike(lengths):
        return rows[:, : -(-lengths[0] // stride)]
    sizes = []
    for n, gap in zip(lengths, gaps(lengths, reach, stride), strict=True):
        n_out = -(-n // stride)
        sizes += [n_out - n_out % pool, n_out % pool, -(-(n + gap) // stride) - n_out]
    parts = rows.squeeze(0).split([*sizes, rows.shape[1] - sum(sizes)])[:-1]
    return torch.cat([*parts[0::3], *parts[1::3]]).unsqueeze(0)
