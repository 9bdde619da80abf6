"""wav2vec 2.0 and what came of it: HuBERT, WavLM and data2vec. They take waveforms."""

import math
import warnings

import torch
from torch.nn.utils.rnn import pad_sequence

from mlee_sb.models.upstreams.base import SAMPLE_RATE, Network, normalised

NO_MASKS_IN_TRAINING = {"mask_time_prob": 0.0, "mask_feature_prob": 0.0}  # SpecAugment is off, so its embedding is not needed
SHARED = (
    "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act", "hidden_dropout", "activation_dropout",
    "attention_dropout", "layer_norm_eps", "feat_extract_activation", "conv_dim", "conv_stride", "conv_kernel", "conv_bias",
    "num_conv_pos_embeddings", "num_conv_pos_embedding_groups",
)  # fmt: skip


class Wav2Vec2Network(Network):
    """wav2vec 2.0 (Baevski et al. 2020). Waveforms are normalised where ``do_normalize`` of `processor` says so."""

    SETTINGS = (*SHARED, "feat_extract_norm", "do_stable_layer_norm", "adapter_attn_dim")
    PROCESSOR = {SAMPLE_RATE: 16000, "do_normalize": True}

    def __init__(self, config, processor):
        super().__init__(config, processor)
        self.step_seconds = math.prod(self.config["conv_stride"]) / self.sample_rate
        self.min_samples = 1
        for kernel, stride in reversed(self._convolutions):
            self.min_samples = (self.min_samples - 1) * stride + kernel
        self._check_work()

    def _build(self, config):
        made_config, made_model = self._classes()
        made = made_config(**config, **NO_MASKS_IN_TRAINING)
        return made, made_model(made)

    def _classes(self):
        """Return the classes of transformers: of the config and of the model."""
        from transformers import Wav2Vec2Config, Wav2Vec2Model

        return Wav2Vec2Config, Wav2Vec2Model

    def _work(self, n_samples):
        most, products, channels = n_samples, 0, 1
        for (kernel, stride), size in zip(self._convolutions, self.config["conv_dim"], strict=True):
            n_samples = (n_samples - kernel) // stride + 1
            most = max(most, n_samples * (size + channels * kernel))
            products, channels = products + n_samples * size * channels * kernel, size
        return max(most, self.config["num_attention_heads"] * n_samples**2, n_samples * self.config["intermediate_size"]), products

    @property
    def _convolutions(self) -> list[tuple[int, int]]:
        """The kernel and the stride of each convolution over the waveform."""
        return list(zip(self.config["conv_kernel"], self.config["conv_stride"], strict=True))

    @property
    def _normalises_before(self) -> bool:
        """Whether layers normalise what they take, and not what they give: then there is a norm after the last one."""
        return self.config["do_stable_layer_norm"]

    @property
    def _final_norm(self):
        return "layer_norm" if self._normalises_before else None

    @property
    def _takes_masks(self):
        """With a group norm, the first convolution normalises over all frames of a batch's row, padding too."""
        return self.config["feat_extract_norm"] == "layer"

    def n_steps(self, n_samples):
        for kernel, stride in self._convolutions:
            n_samples = (n_samples - kernel) // stride + 1
        return n_samples

    def _features(self, waveform):
        return normalised(waveform) if self.processor["do_normalize"] else waveform

    def _first_state(self, features):
        in_use = torch.tensor([self.n_steps(len(waveform)) for waveform in features])
        x = self.model.feature_extractor(pad_sequence(features, batch_first=True)).transpose(1, 2)
        x = self.model.feature_projection(x)
        x = x[0] if isinstance(x, tuple) else x  # HuBERT returns no other tensor
        if len(in_use.unique()) > 1:  # the convolution over positions must find zeros past an end, as it pads with them
            x = x * (torch.arange(x.shape[1]) < in_use[:, None]).to(x.device).unsqueeze(-1)
        x = x + self._body.pos_conv_embed(x)
        return x if self._normalises_before else self._body.layer_norm(x), in_use


class HubertNetwork(Wav2Vec2Network):
    """HuBERT (Hsu et al. 2021)."""

    SETTINGS = (*SHARED, "feat_extract_norm", "do_stable_layer_norm", "feat_proj_layer_norm", "conv_pos_batch_norm")

    def _classes(self):
        from transformers import HubertConfig, HubertModel

        return HubertConfig, HubertModel

    @property
    def _takes_masks(self):
        """A batch norm before the convolution over positions would make numbers of the zeros past an end."""
        return super()._takes_masks and not self.config["conv_pos_batch_norm"]


class WavlmNetwork(Wav2Vec2Network):
    """WavLM (Chen et al. 2022). Its attention has a bias for positions, which the first layer computes for all."""

    SETTINGS = (*SHARED, "feat_extract_norm", "do_stable_layer_norm", "num_buckets", "max_bucket_distance")

    def _classes(self):
        from transformers import WavLMConfig, WavLMModel

        return WavLMConfig, WavLMModel

    def _next_states(self, state, valid, n):
        bias = None
        for layer in self._body.layers[:n]:
            with warnings.catch_warnings():  # transformers gives torch a mask of truth values beside a bias of numbers
                warnings.filterwarnings("ignore", message="Support for mismatched key_padding_mask and attn_mask")
                state, bias = layer(state, attention_mask=valid, position_bias=bias)
            yield state


class Data2VecNetwork(Wav2Vec2Network):
    """The audio encoder of data2vec (Baevski et al. 2022)."""

    SETTINGS = (*SHARED, "conv_pos_kernel_size")

    def _classes(self):
        from transformers import Data2VecAudioConfig, Data2VecAudioModel

        return Data2VecAudioConfig, Data2VecAudioModel

    @property
    def _normalises_before(self):
        return False

    @property
    def _takes_masks(self):
        """Several convolutions over positions follow one another: the second one finds numbers past an end."""
        return False
