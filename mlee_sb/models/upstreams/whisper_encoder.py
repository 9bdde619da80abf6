"""The network of Whisper's encoder in plain torch, with the names that its weights have in published models.

transformers has it, too, but importing it takes longer than everything else that classifies a file, and the model that comes with the
package needs no other network. The tests hold it to that of transformers.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from mlee_sb.errors import choose

ACTIVATIONS = {"gelu": F.gelu, "relu": F.relu}
KERNEL = 3  # of both convolutions


class Attention(nn.Module):
    """Self-attention over all steps (Vaswani et al. 2017). The keys have no bias."""

    def __init__(self, size: int, heads: int, dropout: float):
        super().__init__()
        if size % heads:
            raise ValueError(f"{size} dimensions cannot be dealt to {heads} heads")
        self.heads, self.dropout = heads, dropout
        self.k_proj = nn.Linear(size, size, bias=False)
        self.v_proj, self.q_proj, self.out_proj = (nn.Linear(size, size) for _ in range(3))

    def forward(self, state: Tensor, mask: Tensor | None) -> Tensor:
        """Return [batch, steps, size]. `mask` is true where a step may be looked at, [batch, 1, 1, steps]; None for everywhere."""
        keys, values = self._by_head(self.k_proj(state)), self._by_head(self.v_proj(state))
        queries = self._by_head(self.q_proj(state) * (state.shape[-1] // self.heads) ** -0.5)  # scaled here, as in pretraining
        dropout = self.dropout if self.training else 0.0
        heard = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask, dropout_p=dropout, scale=1.0)
        return self.out_proj(heard.transpose(1, 2).flatten(2))

    def _by_head(self, values: Tensor) -> Tensor:
        return values.unflatten(-1, (self.heads, -1)).transpose(1, 2).contiguous()  # [batch, heads, steps, size of a head]


class Layer(nn.Module):
    """A transformer layer, normalised before each of its two parts. `config` are the settings of `WhisperNetwork`."""

    gradient_checkpointing = False  # whether activations are computed again for the gradients

    def __init__(self, config: dict):
        super().__init__()
        size, hidden = config["d_model"], config["encoder_ffn_dim"]
        self.self_attn = Attention(size, config["encoder_attention_heads"], config["attention_dropout"])
        self.self_attn_layer_norm, self.final_layer_norm = nn.LayerNorm(size), nn.LayerNorm(size)
        self.fc1, self.fc2 = nn.Linear(size, hidden), nn.Linear(hidden, size)
        self.activation = ACTIVATIONS[choose(config["activation_function"], ACTIVATIONS, "activation_function")]
        self.dropout, self.inner_dropout = nn.Dropout(config["dropout"]), nn.Dropout(config["activation_dropout"])

    def forward(self, state: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Return the next state [batch, steps, size]. The mask is that of `Attention`."""
        if self.gradient_checkpointing and self.training:
            return self._gradient_checkpointing_func(self._next, state, attention_mask)
        return self._next(state, attention_mask)

    def _next(self, state: Tensor, mask: Tensor | None) -> Tensor:
        state = state + self.dropout(self.self_attn(self.self_attn_layer_norm(state), mask))
        hidden = self.inner_dropout(self.activation(self.fc1(self.final_layer_norm(state))))
        return state + self.dropout(self.fc2(hidden))


class WhisperEncoder(nn.Module):
    """The modules of the encoder. `WhisperNetwork` says how they are put together. `config` are its settings."""

    def __init__(self, config: dict):
        super().__init__()
        size = config["d_model"]
        self.conv1 = nn.Conv1d(config["num_mel_bins"], size, KERNEL, padding=1)
        self.conv2 = nn.Conv1d(size, size, KERNEL, stride=2, padding=1)
        self.embed_positions = nn.Embedding(config["max_source_positions"], size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config["encoder_layers"]))
        self.layer_norm = nn.LayerNorm(size)
