"""The encoder of Whisper (Radford et al. 2022), on clips of any length."""

from types import SimpleNamespace

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from torchaudio.functional import melscale_fbanks

from mlee_sb.errors import InputError, choose
from mlee_sb.models.upstreams.base import MOST_BINS, SAMPLE_RATE, Network, at_most
from mlee_sb.models.upstreams.whisper_encoder import WhisperEncoder

CONTEXT, CUT, PADDED = "context", "cut", "padded"
CONTEXTS = (CUT, PADDED)  # cut: a clip has its own frames and positions; padded: it is filled up to 30 s of silence, as in pretraining
FRAMES_PER_STEP = 2  # stride of the second convolution
TOP_HZ, LOWEST_POWER, DECADES = 8000.0, 1e-10, 8.0  # of the log mel spectrum: largest frequency, floor, and range below the maximum
LONGEST_WINDOW, MOST_POSITIONS = 2**14, 2**13  # samples, and steps of a piece: a config may come from a stranger, and both take memory
MOST_PIECES = 8  # of a second of audio; published models have one of 30 s


class WhisperNetwork(Network):
    """The encoder of Whisper.

    It was trained on pieces of 30 s. The entry ``context`` of `processor` says what a shorter clip is given to it as (`CONTEXTS`). A
    longer one is split into pieces of about equal length that are computed one after another, each as a clip of its own.
    """

    # With the defaults of transformers, for a config that leaves one out.
    SETTINGS = {
        "num_mel_bins": 80, "encoder_layers": 4, "encoder_attention_heads": 6, "encoder_ffn_dim": 1536, "activation_function": "gelu",
        "d_model": 384, "dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0, "max_source_positions": 1500,
    }  # fmt: skip
    PROCESSOR = {SAMPLE_RATE: 16000, "n_fft": 400, "hop_length": 160, "feature_size": 80, CONTEXT: CUT}
    LAYERS, SIZE = "encoder_layers", "d_model"

    def __init__(self, config, processor):
        super().__init__(config, processor)
        self.hop, self.window_samples = self.processor["hop_length"], self.processor["n_fft"]
        bins, wanted = self.processor["feature_size"], self.config["num_mel_bins"]
        if bins != wanted:
            raise InputError(f"processor: feature_size is {bins}, and the network was made for num_mel_bins {wanted}")
        at_most("n_fft", self.window_samples, LONGEST_WINDOW)
        at_most("feature_size", bins, MOST_BINS)
        at_most("max_source_positions", self.config["max_source_positions"], MOST_POSITIONS)
        choose(self.processor[CONTEXT], CONTEXTS, CONTEXT)
        self.step_samples = FRAMES_PER_STEP * self.hop
        self.step_seconds = self.step_samples / self.sample_rate
        self.longest = self.config["max_source_positions"] * self.step_samples  # samples of a piece: 30 s
        self.min_samples = max(self.step_samples, self.window_samples // 2 + 1)  # half a window is reflected at each end
        self._check_work()
        with torch.device("cpu"):
            self.register_buffer("window", torch.hann_window(self.window_samples), persistent=False)
            shape = {"n_freqs": self.window_samples // 2 + 1, "n_mels": wanted, "sample_rate": self.sample_rate}
            filters = melscale_fbanks(**shape, f_min=0.0, f_max=TOP_HZ, norm="slaney", mel_scale="slaney")  # [frequencies, bins]
            self.register_buffer("filters", filters.T, persistent=False)

    def _build(self, config):
        made = {**self.SETTINGS, **config}
        return SimpleNamespace(**made), WhisperEncoder(made)

    def _work(self, n_samples):
        if MOST_PIECES * self.longest < n_samples or self.longest < self.min_samples:
            given = f"max_source_positions {self.config['max_source_positions']} and hop_length {self.hop}"
            raise InputError(f"{given} make pieces of {self.longest} samples: at most {MOST_PIECES} may make a second")
        bins, frames = self.processor["feature_size"], self.longest // self.hop + 1  # a shorter clip may be filled up
        spectrum = frames * (self.window_samples + 2 * bins)
        return self.longest + 2 * spectrum + frames * self.size, -(-n_samples // self.longest) * spectrum * bins

    @property
    def _body(self):
        return self.model

    @property
    def _final_norm(self):
        return "layer_norm"

    @property
    def _takes_masks(self):
        return True

    def _pieces(self, n_samples):
        """Return pieces of about equal length, none above 30 s, all but the last a whole number of steps."""
        ends = [self.piece_end(n_samples, number) for number in range(1, self.n_pieces(n_samples))]
        return [end - start for start, end in zip([0, *ends], [*ends, n_samples], strict=True)]

    def n_pieces(self, n_samples):
        """Return the number of pieces of an utterance (an integer, or a tensor of integers)."""
        return (n_samples + self.longest - 1) // self.longest

    def piece_end(self, n_samples, number):
        """Return the sample at which a piece but the last one ends, for numbers from 1 (integers, or tensors of integers)."""
        per_step = self.n_pieces(n_samples) * self.step_samples
        return (n_samples * number + per_step - 1) // per_step * self.step_samples

    def n_steps(self, n_samples):
        return n_samples // self.step_samples

    def _features(self, waveform):
        padding = self.longest - len(waveform) if choose(self.processor[CONTEXT], CONTEXTS, CONTEXT) == PADDED else 0
        return self.log_mel(F.pad(waveform, (0, padding))).T

    def log_mel(self, waveform: Tensor) -> Tensor:
        """Return the log mel spectrum [bins, frames] of a waveform [samples], as WhisperFeatureExtractor of transformers does it."""
        spectrum = torch.stft(waveform, self.window_samples, self.hop, window=self.window, return_complex=True)  # [frequencies, frames + 1]
        powers = (self.filters @ spectrum[:, :-1].abs().square()).clamp(min=LOWEST_POWER).log10()
        return compressed(powers, powers.max())

    def _first_state(self, features):
        in_use = torch.tensor([len(frames) // FRAMES_PER_STEP for frames in features])  # whole steps: none needs a frame past the end
        padded = pad_sequence(features, batch_first=True)  # zeros past an end, as the convolution pads
        return self.embedded(padded)[:, : int(in_use.max())], in_use

    def embedded(self, features: Tensor) -> Tensor:
        """Return the input of the first layer [batch, steps, size] for features [batch, frames, bins]."""
        x = F.gelu(self.model.conv2(F.gelu(self.model.conv1(features.transpose(1, 2))))).transpose(1, 2)
        return x + self.model.embed_positions.weight[: x.shape[1]]


def compressed(log_powers: Tensor, largest: Tensor) -> Tensor:
    """Return what the network takes of log10 powers: nothing is more than `DECADES` below the largest one of the utterance."""
    return (log_powers.clamp(min=largest - DECADES) + 4) / 4
