"""Upstreams whose weights travel in the bundle of a model, under names of their own in its model.safetensors."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mlee_sb.models.config import HERE, UpstreamConfig
from mlee_sb.models.upstreams.upstream import Upstream

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
    upstreams = _all(model)
    networks = [upstream.network for upstream in upstreams]  # loaded while it is still known where their weights lie
    for described in upstreams_of(model).described:
        users = [number for number, upstream in enumerate(upstreams) if upstream.described == described]
        longest = max((networks[number] for number in users), key=lambda network: network.n_layers)
        cut = {"config": dict(longest.config), "n_layers": longest.n_layers}
        here = described.model_copy(update={**cut, "weights": HERE, "origin": described.files})
        for number in users:
            upstreams[number].described = here


def _here(model: nn.Module) -> list[tuple[str, Upstream]]:
    """Return the upstreams whose weights the bundle of a model holds, each with the prefix of its tensors there.

    Uses of one upstream have one prefix.
    """
    described = upstreams_of(model).described
    users = [upstream for upstream in _all(model) if upstream.described.here]
    return [(f"{PREFIX}{described.index(upstream.described)}.", upstream) for upstream in users]


def carried_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights that the bundle of a model holds for its upstreams, by their names there.

    Where a layer learned in one encoder and not in another one, they are the published ones. Where it learned in all, they are a copy of
    those of one encoder: what each of them learned is among the weights of the model.
    """
    found: dict[str, Tensor] = {}
    for prefix, upstream in _here(model):
        learned = {id(tensor) for tensor in upstream.network.top(upstream.use.tuned).state_dict(keep_vars=True).values()}
        for name, tensor in upstream.network.state_dict(keep_vars=True).items():
            if id(tensor) in learned:
                found.setdefault(prefix + name, tensor.detach().clone())
            else:
                found[prefix + name] = tensor.detach()
    return found


def stored_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return all weights of a model as its bundle stores them: what was learned, and the upstreams that it carries."""
    carried = {name: as_stored(tensor) for name, tensor in carried_weights(model).items()}
    return {name: tensor.detach().cpu().contiguous() for name, tensor in {**model.state_dict(), **carried}.items()}


def as_stored(tensor: Tensor) -> Tensor:
    """Return a tensor as it is stored: in 16 bits where that changes no value, as for upstreams that are published so."""
    if tensor.dtype != torch.float32:
        return tensor
    half = tensor.half()
    return half if torch.equal(half.float(), tensor) else tensor


def take_carried(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load the weights of upstreams that `carried_weights` returned. Load those of the model after them: they have layers that learned."""
    for prefix, upstream in _here(model):
        names = upstream.network.state_dict()
        upstream.network.load_state_dict({name: weights[prefix + name] for name in names}, strict=True)


def _all(model: nn.Module) -> list[Upstream]:
    """Return the upstreams of all encoders, each object once."""
    found = {id(encoder.upstream): encoder.upstream for encoder in model.encoders if getattr(encoder, "upstream", None) is not None}
    return list(found.values())
