"""An encoder on a pretrained network: hidden states of all its layers, weighted, pooled over time, and a dense layer."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlee_sb.errors import InputError, choose
from mlee_sb.models.encoders.base import BASE_RATE, Encoder
from mlee_sb.models.encoders.cnn_blstm_attention import SelfAttention
from mlee_sb.models.masking import valid_frames
from mlee_sb.models.normalization import ZNorm
from mlee_sb.models.upstreams.find import find_upstream
from mlee_sb.models.upstreams.upstream import Upstream, Use
from mlee_sb.models.upstreams.whisper import CONTEXTS
from mlee_sb.models.waveforms import at_level, check_level

STATISTICS, ATTENTION = "statistics", "attention"
POOLINGS = (STATISTICS, ATTENTION)
UPSTREAM_RATE = "lr_upstream"  # the setting with the learning rate of the layers of the upstream that learn


class PretrainedEncoder(Encoder):
    """Hidden states of a pretrained network, a z-norm, a weighted sum of layers, pooling over time, dropout, a dense layer and a ReLU.

    The values of a layer are first brought to one scale in each utterance (a layer norm without weights), because a few dimensions of
    published networks are much larger than the others. The z-norm then brings each value of each layer to mean 0 and deviation 1
    over the training set. The weights of the layers are a softmax of
    parameters that learn, from zeros (Yang et al. 2021, SUPERB). Mean and deviation over time are those of x-vectors (Snyder et al. 2018).

    With ``learn_layers`` 0 nothing of the network learns: mean and deviation of each layer (or all its frames, for attention) are the fixed
    part, which is kept on disk. Otherwise its last layers learn, with ``lr_upstream``, and nothing is kept.

    Parameters
    ----------
    upstream : the network, or what `mlee_sb.models.upstreams.find.find_upstream` takes: a folder, or ``user/name`` on the hub
    layers : numbers of the hidden states, 0 for the input of the first layer; None or [] for all
    context : for Whisper, ``"cut"``: a clip has its own length, or ``"padded"``: it is filled up to 30 s
    pooling : ``"statistics"``: mean and standard deviation over time; ``"attention"``: self-attention (Lin et al. 2017), as in the paper
    attention_size : hidden units of the attention
    min_std : smallest divisor of a value in the z-norm
    dropout : share of the pooled values that is dropped in training
    dense_size : units of the dense layer: the dimensions of the embedding
    learn_layers : number of layers of the network that learn, from the last one that is used
    level_db : RMS in dB of full scale that each utterance is brought to before anything is computed; None leaves it as it is
    """

    def __init__(
        self,
        upstream: Upstream | str | None,
        layers: Sequence[int] | None,
        context: str,
        pooling: str,
        attention_size: int,
        min_std: float,
        dropout: float,
        dense_size: int,
        learn_layers: int,
        level_db: float | None = None,
    ):
        super().__init__()
        if not upstream:
            raise InputError("upstream is not given: name a pretrained network, for example --upstream openai/whisper-base, or its folder")
        upstream = Upstream.of(find_upstream(upstream)) if isinstance(upstream, str) else upstream
        check_level(level_db)
        choose(pooling, POOLINGS, "pooling")
        choose(context, CONTEXTS, "context")
        _check_numbers(
            layers or [], dropout, {"attention_size": (attention_size, 1), "dense_size": (dense_size, 1), "learn_layers": (learn_layers, 0)}
        )
        self.settings = {
            "layers": list(layers or ()),
            "context": context,
            "pooling": pooling,
            "attention_size": attention_size,
            "min_std": min_std,
            "dropout": dropout,
            "dense_size": dense_size,
            "learn_layers": learn_layers,
            "level_db": level_db,
        }
        used = tuple(self.settings["layers"] or range(upstream.described.n_layers + 1))
        self.upstream = upstream.used(Use(used, context, learn_layers))
        self.sample_rate, self.min_samples = upstream.described.sample_rate, upstream.described.min_samples
        self.embedding_size, self.learn_layers, size = dense_size, learn_layers, upstream.described.size
        self.tuned = self.upstream.network.top(learn_layers) if learn_layers else nn.ModuleList()
        self.values = size if pooling == ATTENTION else 2 * size  # of a layer, in what is kept
        self.normalizer = ZNorm(len(used) * self.values, min_std)
        self.layer_weights = nn.Parameter(torch.zeros(len(used)))
        self.pool = SelfAttention(size, attention_size) if pooling == ATTENTION else None
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(self.values, dense_size)

    @property
    def keeps_fixed(self) -> bool:
        return not self.learn_layers

    @property
    def has_attention(self) -> bool:
        return self.pool is not None

    @property
    def fixed_identity(self) -> dict:
        return {**self.upstream.key, **{name: self.settings[name] for name in ("pooling", "level_db")}}

    def share_with(self, other: Encoder) -> None:
        """Use the network of another encoder if it is the same one and learns in neither, so that a fusion holds it once."""
        frozen = isinstance(other, PretrainedEncoder) and not (self.learn_layers or other.learn_layers)
        if frozen and self.upstream.key == other.upstream.key:
            self.upstream = other.upstream

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        tuned = list(self.tuned.parameters())
        of_upstream = {id(parameter) for parameter in tuned}
        return {BASE_RATE: [p for p in self.parameters() if id(p) not in of_upstream], UPSTREAM_RATE: tuned}

    def fixed(self, waveforms: Tensor, n_samples: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the hidden states that are kept.

        Returns
        -------
        values, lengths
            for statistics [batch, 1, layers * 2 * size], means and deviations of each layer, and 1 for each utterance; for attention the
            frames [batch, steps, layers * size], and the steps of each utterance. With ``learn_layers`` the waveforms as they are
        """
        if self.learn_layers:
            return waveforms, n_samples
        with torch.no_grad():
            return self._kept(waveforms, n_samples)

    def _kept(self, waveforms: Tensor, n_samples: Tensor) -> tuple[Tensor, Tensor]:
        return self.kept_of(*self.upstream(self.levelled(waveforms, n_samples), n_samples))

    def levelled(self, waveforms: Tensor, n_samples: Tensor) -> Tensor:
        """Return the waveforms [batch, samples] that the upstream takes: brought to ``level_db``, if there is one."""
        level = self.settings["level_db"]
        return waveforms if level is None else at_level(waveforms, n_samples, level)

    def kept_of(self, states: list[Tensor], n_steps: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `fixed` keeps of hidden states, each [batch, steps, size] with valid steps [batch]."""
        if self.pool:
            return torch.cat([F.layer_norm(state, state.shape[-1:]) for state in states], dim=-1), n_steps
        values = [statistics(state, n_steps) for state in states]
        return torch.cat([F.layer_norm(value, value.shape[-1:]) for value in values], dim=-1).unsqueeze(1), torch.ones_like(n_steps)

    @torch.no_grad()
    def fit_statistics(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Fill the z-norm with mean and deviation of the training set. For layers that learn, they are those before they learn."""
        self.normalizer.fit(self._kept(*batch) if self.learn_layers else batch for batch in batches)

    def learned(self, fixed: Tensor, lengths: Tensor) -> Tensor:
        """Compute embeddings [batch, dense_size] from what `fixed` returns."""
        if self.learn_layers:
            fixed, lengths = self._kept(fixed, lengths)
        return self.embedded(fixed, lengths)

    def embedded(self, kept: Tensor, lengths: Tensor) -> Tensor:
        """Return embeddings [batch, dense_size] of what `kept_of` returns."""
        return self.dense(self.dropout(self._pooled(kept, lengths)[0])).relu()

    def _pooled(self, kept: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return pooled values [batch, values], and attention weights [batch, steps] where there are some."""
        normal = self.normalizer(kept.float(), lengths).unflatten(-1, (-1, self.values))  # [batch, steps, layers, values]
        weighted = torch.einsum("l,bsld->bsd", self.layer_weights.softmax(dim=0), normal)
        return self.pool(weighted, lengths) if self.pool else (weighted.squeeze(1), None)

    @torch.no_grad()
    def attention(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Return where the encoder looks in one utterance [samples] (figure 3): weights, and times in seconds, both [steps]."""
        kept, n_steps = self._kept(waveform.unsqueeze(0), torch.tensor([len(waveform)]))
        weights = self._pooled(kept, n_steps)[1][0]
        return weights, (torch.arange(len(weights), device=weights.device) + 0.5) * self.upstream.described.step_seconds


def _check_numbers(layers, dropout, sizes: dict[str, tuple[int, int]]) -> None:
    """Refuse numbers that make no encoder. `sizes` are whole numbers, each with the smallest one that is allowed."""
    for name, (value, least) in sizes.items():
        if type(value) is not int or value < least:
            raise InputError(f"{name} is {value!r}, and must be a whole number, {least} or more")
    if not isinstance(layers, Sequence) or not all(type(layer) is int for layer in layers) or len(set(layers)) != len(layers):
        raise InputError(f"layers is {layers!r}, and must be different whole numbers: 0 is the input of the first layer")
    if not isinstance(dropout, int | float) or not 0 <= dropout < 1:
        raise InputError(f"dropout is {dropout!r}, and must be 0 or more, and less than 1")


def statistics(states: Tensor, n_steps: Tensor) -> Tensor:
    """Return mean and standard deviation over time [batch, 2 * size] of hidden states [batch, steps, size] with valid steps [batch].

    >>> statistics(torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([2]))
    tensor([[2., 1.]])
    """
    valid = valid_frames(n_steps, states.shape[1], states.device).unsqueeze(-1)
    n = n_steps.to(states.device).unsqueeze(-1)
    mean = (states * valid).sum(dim=1) / n
    variance = ((states - mean.unsqueeze(1)) * valid).square().sum(dim=1) / n
    # The root of 0 has no finite gradient, and a constant dimension must not stop the training of the upstream.
    deviation = torch.where(variance > 0, variance.clamp(min=torch.finfo(variance.dtype).tiny).sqrt(), 0.0)
    return torch.cat([mean, deviation], dim=-1)
