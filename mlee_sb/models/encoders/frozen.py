"""Trained encoders side by side that do not learn any more: the encoder of a stage that requires others."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from mlee_sb.errors import InputError
from mlee_sb.files import json_text
from mlee_sb.models.encoders.base import Encoder


class FrozenEncoders(Encoder):
    """Frozen encoders. Their embeddings are concatenated in the given order. All of it is the fixed part, and nothing learns.

    `train()` leaves them in eval mode. With `requires_grad=False` alone, batch-norm statistics would still change, because a
    SpeechBrain Brain calls `modules.train()` at the start of every epoch.
    """

    settings: dict = {}

    def __init__(self, encoders: Iterable[Encoder]):
        super().__init__()
        self.encoders = nn.ModuleList(encoders)
        self._groups: dict[str, list[int]] = {}  # numbers of encoders with one fixed part, which is computed once for all of them
        for number, encoder in enumerate(self.encoders):
            self._groups.setdefault(_fixed_part(encoder, number), []).append(number)
            for other in self.encoders[:number]:
                encoder.share_with(other)
        if len({encoder.sample_rate for encoder in self.encoders}) != 1:
            raise InputError("the encoders of a fusion must share one sample rate")
        self.requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> "FrozenEncoders":
        return super().train(False)

    @property
    def embedding_size(self) -> int:
        return sum(encoder.embedding_size for encoder in self.encoders)

    @property
    def sample_rate(self) -> int:
        return self.encoders[0].sample_rate

    @property
    def min_samples(self) -> int:
        return max(encoder.min_samples for encoder in self.encoders)

    @property
    def parts(self) -> list[Encoder]:
        return list(self.encoders)

    @torch.no_grad()
    def fixed(self, waveforms: Tensor, n_samples: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the embeddings of all encoders [batch, sum of the embedding sizes]; each length is this sum."""
        embeddings: dict[int, Tensor] = {}
        for numbers in self._groups.values():
            values = self.encoders[numbers[0]].fixed(waveforms, n_samples)
            embeddings |= {number: self.encoders[number].learned(*values) for number in numbers}
        return as_fixed(torch.cat([embeddings[number] for number in range(len(self.encoders))], dim=-1))

    def learned(self, fixed: Tensor, lengths: Tensor) -> Tensor:
        """Return the embeddings as they are."""
        return fixed

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return {}


def _fixed_part(encoder: Encoder, number: int) -> str:
    """Return a text that is equal for encoders with one fixed part.

    Only encoders that say themselves what it depends on can have one in common: by default it depends on their weights, and these are
    loaded later.
    """
    kind = type(encoder)
    says_it = encoder.keeps_fixed and kind.fixed_identity is not Encoder.fixed_identity
    return json_text([f"{kind.__module__}.{kind.__qualname__}", encoder.fixed_identity] if says_it else number)


def as_fixed(embeddings: Tensor) -> tuple[Tensor, Tensor]:
    """Return embeddings [batch, embedding_size] and their lengths, in the form of `Encoder.fixed`.

    >>> as_fixed(torch.zeros(2, 3))[1].tolist()
    [3, 3]
    """
    return embeddings, torch.full((embeddings.shape[0],), embeddings.shape[1])  # shape, not len: a batch of any size is exported
