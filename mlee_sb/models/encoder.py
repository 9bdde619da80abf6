"""The paper's encoder (table 2): three CNN layers, a BLSTM and structured self-attention."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_sequence, pad_packed_sequence

from mlee_sb.errors import InputError
from mlee_sb.models.device import upload
from mlee_sb.models.masking import WholeBatchNorm2d, valid_frames, zero_padding
from mlee_sb.models.rows import in_rows, joined, out_of_rows

POOL = 2  # max pooling over frequency and time after each CNN layer


class CnnLayer(nn.Module):
    """Convolution, batch normalisation, ReLU and 2x2 max pooling, of each utterance as if it were alone.

    [choice] 'Same' padding, a fixed amount per side. (TensorFlow's depends on the length when the stride is 2, so an
    utterance would get other frames alone than in a batch.)
    """

    def __init__(self, in_channels: int, channels: int, kernel: Sequence[int], stride: Sequence[int]):
        super().__init__()
        frequency, time = kernel
        self.time_stride = stride[1]
        # Tensors are [batch, channels, time, frequency], so the paper's frequency x time kernels are turned round.
        self.conv = nn.Conv2d(in_channels, channels, (time, frequency), stride=(stride[1], stride[0]))
        self.norm = WholeBatchNorm2d(channels)
        self.bins, self.time = ((frequency - 1) // 2, frequency // 2), ((time - 1) // 2, time // 2)

    def forward(self, x: Tensor, lengths: list[int]) -> tuple[Tensor, list[int]]:
        """[frames of all utterances, bins, in_channels] and frames of each -> the same of the next layer."""
        x = in_rows(x, lengths, self.time, self.bins, self.time_stride)
        x = self.conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        x = out_of_rows(x, lengths, max(self.time), self.time_stride, POOL)
        x = self._pooled(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)  # [rows, frames, bins, channels]
        lengths = [self._pooled_frames(n) for n in lengths]
        return x.flatten(0, 1)[: sum(lengths)], lengths

    def padded(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward` in evaluation, of a padded batch [batch, in_channels, time, bins]: for ONNX: no shape may follow from lengths."""
        x = self.conv(F.pad(zero_padding(x, lengths), (*self.bins, *self.time)))
        return self._pooled(x), self._pooled_frames(lengths)

    def _pooled_frames(self, n):
        """How many of n frames become (an integer, or a tensor of them)."""
        return (n + self.time_stride - 1) // self.time_stride // POOL

    def _pooled(self, x: Tensor) -> Tensor:
        return F.max_pool2d(self.norm(x), POOL).relu()  # max and ReLU commute: the ReLU costs a quarter after it


class SelfAttention(nn.Module):
    """Structured self-attentive embedding with one head (Lin et al. 2017): softmax(w2 tanh(W1 H)) H."""

    def __init__(self, input_size: int, attention_size: int):
        super().__init__()
        self.hidden = nn.Linear(input_size, attention_size, bias=False)
        self.score = nn.Linear(attention_size, 1, bias=False)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[batch, steps, input_size] -> embedding [batch, input_size] and weights [batch, steps], zero on padding."""
        scores = self.score(self.hidden(x).tanh()).squeeze(-1)  # [batch, steps]
        padding = ~valid_frames(lengths, x.shape[1], x.device)
        weights = scores.float().masked_fill(padding, -torch.inf).softmax(dim=-1)
        return torch.einsum("bs,bsd->bd", weights, x.float()), weights


def _steps(x: Tensor, which: Tensor) -> Tensor:
    """[batch, steps, size] and places [batch, steps] -> the steps at these places."""
    return x.gather(1, which.unsqueeze(-1).expand(-1, -1, x.shape[2]))


class CnnBlstmAttention(nn.Module):
    """Encoder of table 2: features [batch, frames, n_features] -> embedding [batch, 2 * lstm_size].

    Parameters
    ----------
    n_features : bins of a frame
    channels : channels of each CNN layer
    kernels, strides : frequency x time, one pair a CNN layer
    lstm_size : units of the BLSTM for each direction
    attention_size : hidden units of the attention
    """

    def __init__(
        self,
        n_features: int = 400,
        channels: Sequence[int] = (16, 24, 32),
        kernels: Sequence[Sequence[int]] = ((12, 16), (8, 12), (5, 7)),
        strides: Sequence[Sequence[int]] = ((2, 2), (1, 1), (1, 1)),
        lstm_size: int = 128,
        attention_size: int = 64,
    ):
        super().__init__()
        if not len(channels) == len(kernels) == len(strides):
            counts = f"{len(channels)} channels, {len(kernels)} kernels, {len(strides)} strides"
            raise InputError(f"encoder: {counts}: give one of each for every CNN layer")
        self.settings = {
            "n_features": n_features,
            "channels": [int(c) for c in channels],
            "kernels": [[int(k) for k in kernel] for kernel in kernels],
            "strides": [[int(s) for s in stride] for stride in strides],
            "lstm_size": lstm_size,
            "attention_size": attention_size,
        }
        self.cnn = nn.ModuleList()
        in_channels, bins, self.frames_per_step = 1, n_features, 1
        for out_channels, kernel, stride in zip(channels, kernels, strides, strict=True):
            self.cnn.append(CnnLayer(in_channels, out_channels, kernel, stride))
            in_channels, bins = out_channels, -(-bins // stride[0]) // POOL
            self.frames_per_step *= stride[1] * POOL
        if bins < 1:
            raise InputError(f"encoder: {n_features} features are too few for {len(channels)} CNN layers with strides {strides}")
        self.cnn.to(memory_format=torch.channels_last)  # the same numbers, in about half the time on a CPU
        self.blstm = nn.LSTM(in_channels * bins, lstm_size, batch_first=True, bidirectional=True)
        self.attention = SelfAttention(2 * lstm_size, attention_size)
        self.embedding_size = 2 * lstm_size

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Embed a padded batch.

        Parameters
        ----------
        features : [batch, frames, n_features]
        lengths : [batch], integers on the CPU: valid frames of each utterance

        Returns
        -------
        Tensor
            embeddings [batch, embedding_size]
        """
        return self.embed(features, lengths)[0]

    def embed(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As `forward`, with the attention: embeddings, weights [batch, steps] and valid steps [batch].

        A step is `frames_per_step` frames; the weights of an utterance sum to 1.
        """
        lengths = lengths.clamp(min=self.frames_per_step)  # a clip of one frame becomes one step: the rest is the mean of speech
        if torch.compiler.is_exporting():
            return self._embed_padded(F.pad(features, (0, 0, 0, self.frames_per_step)), lengths)
        if (missing := self.frames_per_step - features.shape[1]) > 0:
            features = F.pad(features, (0, 0, 0, missing))
        steps = lengths.tolist()
        x = joined(features, steps).unsqueeze(-1)  # [frames of all utterances, bins, 1]
        for layer in self.cnn:
            x, steps = layer(x, steps)
        utterances = x.transpose(1, 2).flatten(1).split(steps)  # [steps, channels * bins] each
        longest_first = sorted(range(len(steps)), key=lambda i: -steps[i])  # torch would sort them, too, and wait for the GPU to do it
        packed = pack_sequence([utterances[i] for i in longest_first])
        x, _ = pad_packed_sequence(self.blstm(packed)[0], batch_first=True)
        x = x.index_select(0, upload(torch.tensor(longest_first).argsort(), x.device))
        lengths = torch.tensor(steps)
        return *self.attention(x, lengths), lengths

    def _embed_padded(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As `embed`, of tensors whose shapes do not follow from the lengths, for ONNX: there is always a step of padding."""
        x = features.unsqueeze(1)  # [batch, 1, frames, bins]
        for layer in self.cnn:
            x, lengths = layer.padded(x, lengths)
        x = zero_padding(x, lengths).permute(0, 2, 1, 3).flatten(2)  # [batch, steps, channels * bins]
        return *self.attention(self._blstm_unpacked(x, lengths), lengths), lengths

    def _blstm_unpacked(self, x: Tensor, lengths: Tensor) -> Tensor:
        """The BLSTM without packed sequences, which ONNX has not: each direction is taken from where it begins with a valid step."""
        n_steps, size = x.shape[1], self.blstm.hidden_size
        steps = torch.arange(n_steps)
        padding = (n_steps - lengths).unsqueeze(1)
        to_the_right = (steps - padding).clamp(min=0)  # [batch, steps]: the padding comes first, and is a copy of the first step
        back = (steps + padding).clamp(max=n_steps - 1)
        forward = self.blstm(x)[0][..., :size]
        backward = self.blstm(_steps(x, to_the_right))[0][..., size:]
        return torch.cat([forward, _steps(backward, back)], dim=-1)
