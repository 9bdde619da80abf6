"""The paper's network (section 3.2 and table 2) in plain PyTorch: torch.stft, default memory layout, ordinary batch norm."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

WINDOW, SHIFT, DFT, BINS, FLOOR = 640, 160, 1600, 400, 1e-8  # samples at 16 kHz; points; bins; added to the power
CHANNELS, KERNELS, STRIDES = (16, 24, 32), ((12, 16), (8, 12), (5, 7)), ((2, 2), (1, 1), (1, 1))  # frequency x time


def log_power(waveforms: Tensor) -> Tensor:
    """[batch, samples] -> [batch, frames, 400]."""
    frames = F.pad(waveforms, (0, DFT - WINDOW))  # torch.stft centres a short window in the frame: the last one needs room
    window = F.pad(torch.hamming_window(WINDOW, device=waveforms.device), (0, DFT - WINDOW))
    spectrum = torch.stft(frames, DFT, SHIFT, DFT, window, center=False, return_complex=True)[:, :BINS]
    return (spectrum.abs().square() + FLOOR).log().transpose(1, 2)


class ReferenceEncoder(nn.Module):
    """Features and lengths in, embedding out; the LSTM is packed and the attention masked, the rest knows no padding."""

    def __init__(self, mean: Tensor, std: Tensor, lstm_size: int = 128, attention_size: int = 64):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        layers, channels_in, bins = [], 1, BINS
        for channels, (frequency, time), stride in zip(CHANNELS, KERNELS, STRIDES, strict=True):
            pad = nn.ZeroPad2d(((frequency - 1) // 2, frequency // 2, (time - 1) // 2, time // 2))
            conv = nn.Conv2d(channels_in, channels, (time, frequency), (stride[1], stride[0]))
            layers.append(nn.Sequential(pad, conv, nn.BatchNorm2d(channels), nn.ReLU(), nn.MaxPool2d(2)))
            channels_in, bins = channels, -(-bins // stride[0]) // 2
        self.layers = nn.ModuleList(layers)
        self.lstm = nn.LSTM(channels_in * bins, lstm_size, batch_first=True, bidirectional=True)
        self.hidden = nn.Linear(2 * lstm_size, attention_size, bias=False)
        self.score = nn.Linear(attention_size, 1, bias=False)

    def forward(self, waveforms: Tensor, n_samples: Tensor) -> Tensor:
        """[batch, samples] and samples of each [batch] -> [batch, 2 * lstm_size]."""
        x = ((log_power(waveforms) - self.mean) / self.std).unsqueeze(1)
        steps = 1 + (n_samples - WINDOW) // SHIFT
        for layer, stride in zip(self.layers, STRIDES, strict=True):
            x = layer(x)
            steps = ((steps + stride[1] - 1) // stride[1] // 2).clamp(min=1)
        x = x.transpose(1, 2).flatten(2)
        packed = pack_padded_sequence(x, steps, batch_first=True, enforce_sorted=False)
        x, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=x.shape[1])
        scores = self.score(self.hidden(x).tanh()).squeeze(-1)
        padding = torch.arange(x.shape[1]) >= steps.unsqueeze(1)
        weights = scores.masked_fill(padding.to(scores.device), -torch.inf).softmax(-1)
        return (weights.unsqueeze(-1) * x).sum(1)


def take_weights(reference: ReferenceEncoder, encoder: nn.Module) -> None:
    """Give the reference the weights of an encoder of mlee_sb, so that both compute the same."""
    network, normalizer = encoder.network, encoder.normalizer
    with torch.no_grad():
        reference.mean.copy_(normalizer.mean)
        reference.std.copy_(normalizer.std)
        for layer, ours in zip(reference.layers, network.cnn, strict=True):
            layer[1].load_state_dict(ours.conv.state_dict())
            layer[2].load_state_dict(ours.norm.state_dict())
        reference.lstm.load_state_dict(network.blstm.state_dict())
        reference.hidden.load_state_dict(network.attention.hidden.state_dict())
        reference.score.load_state_dict(network.attention.score.state_dict())
