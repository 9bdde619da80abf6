"""An upstream as a part of an encoder: loaded when it is first used, and not among the weights of the model that stands on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from mlee_sb.errors import InputError
from mlee_sb.models.config import AGAIN, UpstreamConfig
from mlee_sb.models.upstreams.base import Network
from mlee_sb.models.upstreams.find import FoundUpstream, locate
from mlee_sb.models.upstreams.folder import CONFIG, PROCESSOR
from mlee_sb.models.upstreams.networks import make_network, read_network
from mlee_sb.models.upstreams.whisper import CONTEXT


@dataclass(frozen=True)
class Use:
    """How an encoder uses an upstream. In a fusion, encoders with equal uses hold one network, unless layers of it learn.

    Attributes
    ----------
    layers : numbers of hidden states, as for `mlee_sb.models.upstreams.base.Network`; those above the last one are never computed
    context : for Whisper: ``"cut"`` or ``"padded"``
    tuned : the number of layers that learn, from the last one that is used
    """

    layers: tuple[int, ...]
    context: str
    tuned: int = 0


class Upstream(nn.Module):
    """A pretrained network that an encoder stands on.

    Its weights are not in the `state_dict` of the encoder, because many stages stand on one upstream. It is loaded when it is first used: a
    stage whose fixed part is on disk never loads it.

    Parameters
    ----------
    described : what it is
    places : folders in which its files may lie, besides those of `mlee_sb.models.upstreams.find.locate`
    """

    def __init__(self, described: UpstreamConfig, places: Sequence[Path] = ()):
        super().__init__()
        self.described, self.places = described, list(places)
        self.use: Use | None = None
        self.register_buffer("place", torch.empty(0), persistent=False)  # is where the network must be
        self._held: list[Network] = []  # a list: as a module, its weights would be among those of the encoder

    @classmethod
    def of(cls, found: FoundUpstream) -> "Upstream":
        """Return an upstream that was found."""
        return cls(found.described, [found.folder])

    def used(self, use: Use) -> "Upstream":
        """Return the same upstream for one use. What is not loaded yet is loaded for this use only."""
        if wrong := [layer for layer in use.layers if not 0 <= layer <= self.described.n_layers]:
            raise InputError(f"layers: {wrong[0]}: the upstream has hidden states 0 to {self.described.n_layers}")
        if not 0 <= use.tuned <= max(use.layers):
            raise InputError(f"learn_layers is {use.tuned}, and must be 0 to {max(use.layers)}")
        made = Upstream(self.described, self.places)
        made.use = use
        return made

    @property
    def key(self) -> dict:
        """What its hidden states depend on, besides the recording, as JSON. It is the same wherever the weights lie."""
        return {
            "weights": self.described.files.sha256,
            "config": self.described.config,
            "processor": self.described.processor,
            "layers": list(self.use.layers),
            "context": self.use.context if CONTEXT in self.described.processor else None,
        }

    @property
    def network(self) -> Network:
        """The network, loaded if it was not yet.

        Raises
        ------
        InputError
            if its weights are nowhere, or are not the ones that the model was made with
        """
        if not self._held:
            network = self._made()
            if self.use.tuned:
                network.tune(self.use.tuned, checkpointing=True)
            self._held = [network.to(self.place.device)]
        return self._held[0]

    def _made(self) -> Network:
        described, name = self.described, self.described.files.name
        if self.place.is_meta or described.here:  # the second ones are loaded with those of the model
            network = make_network(described.config, self._processor)
        else:
            network = read_network(locate(described.weights, self.places))
            if (network.config, network.processor) != (described.config, described.processor):
                files = f"its {CONFIG} or {PROCESSOR} is not the one that the model was made with"
                raise InputError(f"upstream {name}: {files}: get {name} again")
            network.processor.update(self._processor)
        if wrong := [fact for fact, value in network.facts.items() if value != getattr(described, fact)]:
            raise InputError(f"upstream {name}: its config makes a network with another {wrong[0]} than is said; {AGAIN}")
        return self._fit(network)

    @property
    def _processor(self) -> dict:
        processor = self.described.processor
        return {**processor, CONTEXT: self.use.context} if CONTEXT in processor else dict(processor)

    def _fit(self, network: Network) -> Network:
        if max(self.use.layers) < network.n_layers:
            network.cut(max(self.use.layers))
        return network

    def forward(self, waveforms: Tensor, n_samples: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the hidden states of the layers in use, each [batch, steps, size], and the steps of each utterance [batch]."""
        return self.network(waveforms, n_samples, self.use.layers)

    def _apply(self, fn, recurse=True):
        super()._apply(fn, recurse)
        for network in self._held:
            network._apply(fn, recurse)
        return self

    def train(self, mode: bool = True) -> "Upstream":
        """Leave all in eval mode, except the layers that learn. Returns the upstream."""
        super().train(mode)
        for network in self._held:
            network.train(mode)
        return self
