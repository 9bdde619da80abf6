"""The encoder of Whisper for ONNX: a padded batch with utterances of any lengths, and its log mel spectrum from matrix products."""

import torch
from torch import Tensor, nn

from mlee_sb.models.export.tensors import at_steps, powers
from mlee_sb.models.masking import valid_frames
from mlee_sb.models.upstreams.upstream import Upstream
from mlee_sb.models.upstreams.whisper import CONTEXT, LOWEST_POWER, PADDED, WhisperNetwork, compressed


class ExportableWhisper(nn.Module):
    """The same hidden states as `Upstream` on a Whisper encoder, from tensors whose shapes do not depend on the lengths.

    The weights of the network are among its own, so that they travel in the exported file.

    Parameters
    ----------
    upstream : an upstream of the family whisper
    """

    def __init__(self, upstream: Upstream):
        super().__init__()
        self.network: WhisperNetwork = upstream.network
        self.layers = upstream.use.layers
        self.padded = self.network.processor[CONTEXT] == PADDED

    def forward(self, waveforms: Tensor, n_samples: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return hidden states, each [batch, steps, size], and the steps of each utterance [batch].

        Every utterance of a batch gets as many pieces as a waveform of the padded length has; those that it does not need are empty.
        """
        network = self.network
        starts, lengths = self._pieces(n_samples, network.n_pieces(waveforms.shape[1]))  # [batch, pieces] each
        features, n_frames = self._features(waveforms, starts, lengths)
        first = network.embedded(features)  # [batch * pieces, steps of a piece, size]
        in_use = network.n_steps(n_frames * network.hop).clamp(min=1)  # at least one, because an average over no step is no number
        states = network.states(first, valid_frames(in_use, first.shape[1]), self.layers)
        places = self._places(starts // network.step_samples, waveforms.shape[1], first.shape[1])
        joined = [at_steps(state.unflatten(0, starts.shape).flatten(1, 2), places) for state in states]
        return joined, network.n_steps(n_samples)

    def _pieces(self, n_samples: Tensor, n_pieces: int) -> tuple[Tensor, Tensor]:
        """Return where the pieces of each utterance start, and their lengths in samples, both [batch, pieces]."""
        n_samples = n_samples.unsqueeze(1)
        numbers = torch.arange(n_pieces).unsqueeze(0)
        starts, ends = (torch.minimum(self.network.piece_end(n_samples, number), n_samples) for number in (numbers, numbers + 1))
        return starts, ends - starts

    def _features(self, waveforms: Tensor, starts: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return features [batch * pieces, frames, bins], zeros past an end, and the frames of each piece [batch * pieces]."""
        network = self.network
        given = torch.full_like(lengths, network.longest) if self.padded else lengths  # samples of each piece with its silence
        samples = self._reflected(waveforms, starts, lengths, given)
        frames = samples.unfold(-1, network.window_samples, network.hop)[:, :-1] * network.window  # [batch * pieces, frames, window]
        n_bins = network.window_samples // 2 + 1
        mel = powers(frames.double(), network.window_samples, n_bins) @ network.filters.T.double()
        log_powers = mel.clamp(min=LOWEST_POWER).log10()
        n_frames = given.flatten() // network.hop
        own = valid_frames(n_frames, log_powers.shape[1]).unsqueeze(-1)
        largest = log_powers.masked_fill(~own, -torch.inf).amax(dim=(1, 2), keepdim=True)
        return (compressed(log_powers, largest) * own).float(), n_frames

    def _reflected(self, waveforms: Tensor, starts: Tensor, lengths: Tensor, given: Tensor) -> Tensor:
        """Return the samples of pieces [batch * pieces, samples], with half a window reflected at each end."""
        half = self.network.window_samples // 2
        longest = self.network.longest if self.padded else waveforms[:, : self.network.longest].shape[1]
        lengths, last = lengths.unsqueeze(-1), given.unsqueeze(-1) - 1  # [batch, pieces, 1]
        places = torch.arange(-half, longest + half).abs()  # [samples]
        places = (last - (last - places).abs()).clamp(min=0)  # [batch, pieces, samples]
        source = torch.minimum(starts.unsqueeze(-1) + places, torch.tensor(waveforms.shape[1] - 1))
        samples = waveforms.gather(1, source.flatten(1)).unflatten(1, source.shape[1:]) * (places < lengths)
        return samples.flatten(0, 1)

    def _places(self, first_steps: Tensor, n_samples: int, steps_of_piece: int) -> Tensor:
        """Return where each step of an utterance stands among the steps of all its pieces in a row [batch, steps]."""
        steps = torch.arange(self.network.n_steps(n_samples))
        pieces = (steps[:, None] >= first_steps[:, None, 1:]).sum(-1)  # [batch, steps]: empty pieces start at the end
        within = steps - first_steps.gather(1, pieces)
        return pieces * steps_of_piece + within.clamp(max=steps_of_piece - 1)
