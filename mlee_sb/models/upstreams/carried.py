"""Upstreams whose weights travel in the bundle of a model, under names of their own in its model.safetensors."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mlee_sb.models.config import UpstreamConfig
from mlee_sb.models.upstreams.base import Network
from mlee_sb.models.upstreams.upstream import HERE, Upstream

PREFIX = "upstreams."  # before the number of an upstream and the name of a tensor


@dataclass(frozen=True)
class Described:
    """The upstreams of a model, each one once, as config.json describes them.

    Attributes
    ----------
    described : in the order of their numbers
    of_encoders : for each encoder the number of its upstream; None where it has none
    """

    described: list[UpstreamConfig]
    of_encoders: list[int | None]


def upstreams_of(model: nn.Module) -> Described:
    """Return the upstreams of an `EmotionModel`."""
    described: list[UpstreamConfig] = []
    numbers: list[int | None] = []
    for encoder in model.encoders:
        upstream = getattr(encoder, "upstream", None)
        if upstream is not None and upstream.described not in described:
            described.append(upstream.described)
        numbers.append(None if upstream is None else described.index(upstream.described))
    return Described(described, numbers)


def carry(model: nn.Module) -> None:
    """Let a model carry the weights of its upstreams, without the layers that no encoder uses.

    From then on, its description says so, and `carried_weights` returns them.
    """
    by_key: dict[str, list[Upstream]] = {}
    for upstream in _all(model):
        by_key.setdefault(upstream.described.model_dump_json(), []).append(upstream)
    for users in by_key.values():
        longest = max(users, key=lambda user: max(user.use.layers)).network
        here = users[0].described.model_copy(
            update={
                "config": dict(longest.config),
                "processor": users[0].described.processor,
                "n_layers": longest.n_layers,
                "weights": HERE,
            }
        )
        for user in users:
            user.network  # loaded while it is still known where its weights lie  # noqa: B018
        for user in users:
            user.described = here


def networks_here(model: nn.Module) -> dict[int, list[Network]]:
    """Return the networks whose weights the bundle of a model holds: number of the upstream -> its networks, the largest one first."""
    described = upstreams_of(model).described
    found: dict[int, list[Network]] = {}
    for upstream in _all(model):
        if upstream.described.weights == HERE:
            found.setdefault(described.index(upstream.described), []).append(upstream.network)
    return {number: sorted(networks, key=lambda network: -network.n_layers) for number, networks in found.items()}


def carried_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights that the bundle of a model holds for its upstreams, by their names there."""
    return {
        f"{PREFIX}{number}.{name}": tensor
        for number, (largest, *_) in networks_here(model).items()
        for name, tensor in largest.state_dict().items()
    }


def as_stored(tensor: Tensor) -> Tensor:
    """Return a tensor as it is stored: in 16 bits where that changes no value, as for upstreams that are published so."""
    if tensor.dtype != torch.float32:
        return tensor
    half = tensor.half()
    return half if torch.equal(half.float(), tensor) else tensor


def take_carried(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load the weights of upstreams that `carried_weights` returned."""
    for number, networks in networks_here(model).items():
        prefix = f"{PREFIX}{number}."
        of_upstream = {name.removeprefix(prefix): tensor.float() for name, tensor in weights.items() if name.startswith(prefix)}
        for network in networks:
            network.load_state_dict({name: of_upstream[name] for name in network.state_dict()}, strict=True)


def _all(model: nn.Module) -> list[Upstream]:
    """Return the upstreams of all encoders, each object once."""
    found = {id(encoder.upstream): encoder.upstream for encoder in model.encoders if getattr(encoder, "upstream", None) is not None}
    return list(found.values())
