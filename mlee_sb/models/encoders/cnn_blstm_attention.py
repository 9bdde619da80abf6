"""The paper's encoder (table 2): three CNN layers, a BLSTM and structured self-attention."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_sequence, pad_packed_sequence

from mlee_sb.errors import InputError
from mlee_sb.models.device import upload
from mlee_sb.models.encoders.feature_encoder import FeatureEncoder
from mlee_sb.models.features import LogPowerSpectrogram
from mlee_sb.models.masking import WholeBatchNorm2d, valid_frames
from mlee_sb.models.packed_frames import filled_up, in_rows, joined, out_of_rows


class CnnLayer(nn.Module):
    """Convolution, batch normalisation, ReLU and max pooling. An utterance in a batch has the same result as alone.

    [choice] 'Same' padding, with a fixed number of zeros on each side. (In TensorFlow it depends on the length if the stride is 2,
    so an utterance would have other frames alone than in a batch.)
    """

    def __init__(self, in_channels: int, channels: int, kernel: Sequence[int], stride: Sequence[int], pool: int):
        super().__init__()
        frequency, time = kernel
        self.time_stride, self.pool = stride[1], pool
        # Tensors are [batch, channels, time, frequency]. The paper gives kernels as frequency x time, so the order is reversed.
        self.conv = nn.Conv2d(in_channels, channels, (time, frequency), stride=(stride[1], stride[0]))
        self.norm = WholeBatchNorm2d(channels)
        self.bins, self.time = ((frequency - 1) // 2, frequency // 2), ((time - 1) // 2, time // 2)

    def forward(self, x: Tensor, lengths: list[int]) -> tuple[Tensor, list[int]]:
        """Compute the layer for `x` [frames of all utterances, bins, in_channels] and the frames of each utterance.

        Returns
        -------
        x : [frames of all utterances, bins, channels]
        lengths : frames of each utterance after pooling
        """
        x = in_rows(x, lengths, self.time, self.bins, self.time_stride)
        x = self.conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        x = out_of_rows(x, lengths, max(self.time), self.time_stride, self.pool)
        x = self.pooled(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)  # [rows, frames, bins, channels]
        lengths = [self.pooled_frames(n) for n in lengths]
        return x.flatten(0, 1)[: sum(lengths)], lengths

    def pooled_frames(self, n):
        """Return the number of frames after pooling for n frames before the layer (an integer, or a tensor of integers)."""
        return (n + self.time_stride - 1) // self.time_stride // self.pool

    def work(self, frames: int, bins: int) -> tuple[int, int]:
        """Return numbers in memory and products for one utterance of some frames and bins (`Encoder.work`)."""
        conv = self.conv
        rows, columns = filled_up(frames + sum(self.time)), bins + sum(self.bins)
        places = -(-rows // conv.stride[0]) * -(-columns // conv.stride[1])
        taps = conv.in_channels * conv.kernel_size[0] * conv.kernel_size[1]
        return rows * columns * conv.in_channels + places * (taps + conv.out_channels), places * taps * conv.out_channels

    def pooled_bins(self, bins: int) -> int:
        """Return the number of bins after pooling for a number of bins before the layer."""
        return -(-bins // self.conv.stride[1]) // self.pool

    def pooled(self, x: Tensor) -> Tensor:
        """Normalise and pool the result of the convolution [rows, channels, frames, bins]."""
        return F.max_pool2d(self.norm(x), self.pool).relu()  # ReLU after pooling gives the same result, in a quarter of the time


class SelfAttention(nn.Module):
    """Structured self-attentive embedding with one head (Lin et al. 2017): softmax(w2 tanh(W1 H)) H."""

    def __init__(self, input_size: int, attention_size: int):
        super().__init__()
        self.hidden = nn.Linear(input_size, attention_size, bias=False)
        self.score = nn.Linear(attention_size, 1, bias=False)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return embeddings [batch, input_size] and weights [batch, steps], 0 for padding, for `x` [batch, steps, input_size]."""
        scores = self.score(self.hidden(x).tanh()).squeeze(-1)  # [batch, steps]
        padding = ~valid_frames(lengths, x.shape[1], x.device)
        weights = scores.float().masked_fill(padding, -torch.inf).softmax(dim=-1)
        return torch.einsum("bs,bsd->bd", weights, x.float()), weights


class CnnBlstmAttention(nn.Module):
    """The network of table 2, from features [batch, frames, n_features] to embeddings [batch, 2 * lstm_size].

    Parameters
    ----------
    n_features : bins of a frame
    channels : channels of each CNN layer
    kernels, strides : frequency x time, one pair for each CNN layer
    pool : bins and frames that max pooling joins after each CNN layer
    lstm_size : units of the BLSTM for each direction
    attention_size : hidden units of the attention
    """

    def __init__(
        self,
        n_features: int,
        channels: Sequence[int],
        kernels: Sequence[Sequence[int]],
        strides: Sequence[Sequence[int]],
        pool: int,
        lstm_size: int,
        attention_size: int,
    ):
        super().__init__()
        if not len(channels) == len(kernels) == len(strides):
            counts = f"{len(channels)} channels, {len(kernels)} kernels, {len(strides)} strides"
            raise InputError(f"encoder: {counts}: give one of each for every CNN layer")
        if any(len(pair) != 2 for pair in (*kernels, *strides)):
            raise InputError(f"encoder: kernels {kernels}, strides {strides}: give a pair (frequency, time) for each CNN layer")
        self.cnn = nn.ModuleList()
        in_channels, bins, self.frames_per_step = 1, n_features, 1
        for out_channels, kernel, stride in zip(channels, kernels, strides, strict=True):
            layer = CnnLayer(in_channels, out_channels, kernel, stride, pool)
            self.cnn.append(layer)
            in_channels, bins = out_channels, layer.pooled_bins(bins)
            self.frames_per_step *= stride[1] * pool
        if bins < 1:
            raise InputError(f"encoder: {n_features} features are too few for {len(channels)} CNN layers with strides {strides}")
        self.cnn.to(memory_format=torch.channels_last)  # the same numbers, in about half the time on a CPU
        self.blstm = nn.LSTM(in_channels * bins, lstm_size, batch_first=True, bidirectional=True)
        self.attention = SelfAttention(2 * lstm_size, attention_size)
        self.embedding_size, self.n_features = 2 * lstm_size, n_features

    def work(self, frames: int) -> tuple[int, int]:
        """Return numbers in memory and products for one utterance of some frames (`Encoder.work`)."""
        frames, bins = max(frames, self.frames_per_step), self.n_features
        numbers, products = frames * bins, 0
        for layer in self.cnn:
            of_layer = layer.work(frames, bins)
            numbers, products = max(numbers, of_layer[0]), products + of_layer[1]
            frames, bins = layer.pooled_frames(frames), layer.pooled_bins(bins)
        weights = sum(weight.numel() for weight in self.blstm.parameters())
        return max(numbers, frames * (self.blstm.input_size + 8 * self.blstm.hidden_size)), products + frames * weights

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
        """Return embeddings as `forward` does, and the attention: weights [batch, steps] and valid steps [batch].

        A step has `frames_per_step` frames. The weights of an utterance sum to 1.
        """
        lengths = lengths.clamp(min=self.frames_per_step)  # a very short clip becomes one step, filled with the mean of speech
        if (missing := self.frames_per_step - features.shape[1]) > 0:
            features = F.pad(features, (0, 0, 0, missing))
        steps = lengths.tolist()
        x = joined(features, steps).unsqueeze(-1)  # [frames of all utterances, bins, 1]
        for layer in self.cnn:
            x, steps = layer(x, steps)
        utterances = x.transpose(1, 2).flatten(1).split(steps)  # [steps, channels * bins] each
        longest_first = sorted(range(len(steps)), key=lambda i: -steps[i])  # torch would sort them, too, but wait for the GPU
        packed = pack_sequence([utterances[i] for i in longest_first])
        x, _ = pad_packed_sequence(self.blstm(packed)[0], batch_first=True)
        x = x.index_select(0, upload(torch.tensor(longest_first).argsort(), x.device))
        lengths = torch.tensor(steps)
        return *self.attention(x, lengths), lengths


class PaperEncoder(FeatureEncoder):
    """The paper's encoder (section 3.2 and table 2): front end, z-norm, three CNN layers, BLSTM, self-attention.

    Parameters
    ----------
    front_end : from waveforms to features
    min_std : as for `ZNorm`
    channels, kernels, strides, pool, lstm_size, attention_size : as for `CnnBlstmAttention`
    """

    def __init__(
        self,
        front_end: nn.Module,
        min_std: float,
        channels: Sequence[int],
        kernels: Sequence[Sequence[int]],
        strides: Sequence[Sequence[int]],
        pool: int,
        lstm_size: int,
        attention_size: int,
    ):
        settings = {
            "channels": [int(c) for c in channels],
            "kernels": [[int(k) for k in kernel] for kernel in kernels],
            "strides": [[int(s) for s in stride] for stride in strides],
            "pool": pool,
            "lstm_size": lstm_size,
            "attention_size": attention_size,
        }
        super().__init__(front_end, CnnBlstmAttention(front_end.n_features, **settings), min_std, settings)

    def work(self, n_samples: int) -> tuple[int, int]:
        """Return numbers in memory and products for one utterance; (0, 0) for a front end that does not tell its own."""
        if not isinstance(self.front_end, LogPowerSpectrogram):
            return super().work(n_samples)
        of_network = self.network.work(self.front_end.n_frames(n_samples))
        return tuple(sum(parts) for parts in zip(self.front_end.work(n_samples), of_network, strict=True))

    @torch.no_grad()
    def attention(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Return where the encoder looks in one utterance [samples] (figure 3): weights, and times in seconds, both [steps]."""
        features, n_frames = self.features(waveform.unsqueeze(0), torch.tensor([waveform.shape[0]]))
        _, weights, n_steps = self.network.embed(features, n_frames)
        times = self.front_end.frame_times(int(n_frames)).split(self.network.frames_per_step)
        times = times[: int(n_steps)]  # a clip may be shorter than a step
        return weights[0, : int(n_steps)], torch.stack([frames.mean() for frames in times])
