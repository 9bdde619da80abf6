"""w2v-BERT 2.0 (Communication et al. 2023), a conformer. It takes frames of log mel features, as Kaldi computes them."""

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mlee_sb.errors import InputError
from mlee_sb.models.upstreams.base import MOST_BINS, SAMPLE_RATE, Network, at_most
from mlee_sb.models.upstreams.wav2vec2 import NO_MASKS_IN_TRAINING

WINDOW, HOP, DFT = 400, 160, 512  # samples and points of a frame, as SeamlessM4TFeatureExtractor of transformers has them, also below
LOWEST_HZ, PREEMPHASIS, LOWEST_POWER, FULL_SCALE = 20, 0.97, 1.192092955078125e-07, 2**15
POSITIONS = "relative_key"  # how the published model knows positions


class W2vBertNetwork(Network):
    """w2v-BERT 2.0, without its adapter. A step has ``stride`` frames of `processor`; frames that fill no step are left out."""

    SETTINGS = (
        "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "feature_projection_input_dim", "hidden_act",
        "hidden_dropout", "activation_dropout", "attention_dropout", "layer_norm_eps", "position_embeddings_type",
        "left_max_position_embeddings", "right_max_position_embeddings", "conv_depthwise_kernel_size", "conformer_conv_dropout",
    )  # fmt: skip
    PROCESSOR = {SAMPLE_RATE: 16000, "num_mel_bins": 80, "stride": 2}

    def __init__(self, config, processor):
        super().__init__(config, processor)
        self.stride, bins = self.processor["stride"], self.processor["num_mel_bins"]
        at_most("num_mel_bins", bins, MOST_BINS)
        wanted = self.config["feature_projection_input_dim"]
        if self.stride * bins != wanted:
            given = f"stride {self.stride} and num_mel_bins {bins}"
            raise InputError(f"processor: {given} give {self.stride * bins} numbers a step, and the network takes {wanted}")
        self.step_seconds = self.stride * HOP / self.sample_rate
        self.min_samples = WINDOW + HOP * (max(self.stride, 2) - 1)  # one frame alone has no deviation
        self._check_work()
        with torch.device("cpu"):
            self.register_buffer("window", torch.hann_window(WINDOW, periodic=False, dtype=torch.float64) ** 0.85, persistent=False)
            self.register_buffer("filters", self._mel_filters(bins), persistent=False)  # [frequencies, bins]

    def _build(self, config):
        from transformers import Wav2Vec2BertConfig, Wav2Vec2BertModel

        made = Wav2Vec2BertConfig(**config, **NO_MASKS_IN_TRAINING)
        if made.position_embeddings_type != POSITIONS:
            raise InputError(f"position_embeddings_type is {made.position_embeddings_type!r}, and only {POSITIONS!r} can be computed")
        return made, Wav2Vec2BertModel(made)

    def _mel_filters(self, bins: int) -> Tensor:
        from transformers.audio_utils import mel_filter_bank

        shape = {"num_frequency_bins": DFT // 2 + 1, "num_mel_filters": bins, "sampling_rate": self.sample_rate}
        scale = {"min_frequency": LOWEST_HZ, "max_frequency": self.sample_rate // 2, "norm": None, "mel_scale": "kaldi"}
        return torch.from_numpy(mel_filter_bank(**shape, **scale, triangularize_in_mel_space=True))

    def _work(self, n_samples):
        frames, steps = self._n_frames(n_samples), self.n_steps(n_samples)
        heads = self.config["num_attention_heads"]
        attention = steps**2 * (heads + self.size // heads)  # it knows distances, each by a vector of the size of a head
        return max(4 * frames * DFT, attention, steps * self.config["intermediate_size"]), frames * DFT * self.processor["num_mel_bins"]

    @property
    def _takes_masks(self):
        """Its convolutions look back only, so no step sees the padding after the end."""
        return True

    def _n_frames(self, n_samples: int) -> int:
        return 1 + (n_samples - WINDOW) // HOP

    def n_steps(self, n_samples):
        return self._n_frames(n_samples) // self.stride

    def _features(self, waveform):
        """Return the features [steps, stride * bins] of a waveform, each bin normalised over all frames of the utterance."""
        frames = (waveform.double() * FULL_SCALE).unfold(0, WINDOW, HOP)  # [frames, window]; float64 as in transformers
        frames = frames - frames.mean(dim=1, keepdim=True)
        before = torch.cat([frames[:, :1], frames[:, :-1]], dim=1)
        powers = torch.fft.rfft((frames - PREEMPHASIS * before) * self.window, n=DFT).abs().square()
        mel = (powers @ self.filters).clamp(min=LOWEST_POWER).log()
        mel = (mel - mel.mean(dim=0)) / (mel.var(dim=0) + 1e-7).sqrt()
        whole = len(mel) // self.stride * self.stride
        return mel[:whole].float().reshape(-1, self.stride * mel.shape[1])

    def _first_state(self, features):
        x, _ = self.model.feature_projection(pad_sequence(features, batch_first=True))
        return x, torch.tensor([len(steps) for steps in features])
