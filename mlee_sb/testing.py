"""Checks of a plug-in, for the tests of the package that brings it."""

import copy
import json

import torch
from torch import Tensor, nn

from mlee_sb.models.encoders.base import PARTS, Encoder, check_members, learning
from mlee_sb.models.golden import tone
from mlee_sb.models.waveforms import pad

TOLERANCE = 1e-5  # for each dimension of an embedding, between alone and in a batch
SECONDS = (0.31, 1.0, 0.57)  # lengths of the utterances in the batch; the shortest possible one is added


def check_encoder(encoder: Encoder, tolerance: float = TOLERANCE) -> None:
    """Check that an encoder keeps contract 4: its members, the same embedding alone and in a batch, finite gradients, saving and loading.

    The encoder itself does not change: a copy of it is checked, with statistics of a few generated tones.

    Parameters
    ----------
    encoder : the encoder to check, on the CPU
    tolerance : the largest difference between an embedding of an utterance alone and in a batch

    Raises
    ------
    InputError
        if a member is missing or of a wrong kind: the message names the class and the member
    AssertionError
        if the encoder does not keep the contract: the message names the class and what it does wrong
    """
    check_members(encoder)
    encoder = copy.deepcopy(encoder)
    waveforms = _waveforms(encoder)
    fixed, lengths = _check_fixed(encoder, *pad(waveforms))
    encoder.fit_statistics([(fixed, lengths)])
    _check_alone_is_batched(encoder, waveforms, tolerance)
    _check_gradients(encoder, fixed, lengths)
    _check_saving(encoder, *pad(waveforms))
    if encoder.has_attention:
        weights, times = encoder.eval().attention(waveforms[0])
        _expect(encoder, weights.shape == times.shape and weights.dim() == 1, "attention must return weights and times [steps]")
        _expect(encoder, abs(float(weights.sum()) - 1) < tolerance * len(weights), f"attention sums to {float(weights.sum())}, not to 1")


def _waveforms(encoder: Encoder) -> list[Tensor]:
    """Return voice-like tones of several lengths; the last one is as short as the encoder allows."""
    rate, least = encoder.sample_rate, encoder.min_samples
    whole = tone(rate, min_samples=2 * least)
    lengths = [max(least, round(seconds * rate)) for seconds in SECONDS]
    return [*(whole[-n:] * (1 + i) / len(lengths) for i, n in enumerate(lengths)), whole[:least].clone()]


def _check_fixed(encoder: Encoder, waveforms: Tensor, n_samples: Tensor) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        found = encoder.eval().fixed(waveforms, n_samples)
        _expect(encoder, isinstance(found, tuple) and len(found) == 2, "fixed must return values and lengths")
        values, lengths = found
        right = isinstance(lengths, Tensor) and lengths.device.type == "cpu" and not lengths.is_floating_point()
        _expect(encoder, right and lengths.shape == n_samples.shape, "the lengths that fixed returns must be integers [batch] on the CPU")
        right = len(values) == len(waveforms) and int(lengths.min()) >= 1 and int(lengths.max()) <= values.shape[1]
        _expect(encoder, right, "the values that fixed returns must be [batch, steps, ...], and each length from 1 to steps")
        again, _ = encoder.train().fixed(waveforms, n_samples)
        _expect(encoder, torch.equal(again, values), "fixed gives other values in training: it must not change, because it never learns")
    return values, lengths


@torch.no_grad()
def _check_alone_is_batched(encoder: Encoder, waveforms: list[Tensor], tolerance: float) -> None:
    encoder.eval()
    batched = encoder(*pad(waveforms))
    _expect(encoder, batched.shape == (len(waveforms), encoder.embedding_size), f"embeddings are {list(batched.shape)}")
    _expect(encoder, bool(batched.isfinite().all()), "embeddings are not finite")
    for waveform, in_batch in zip(waveforms, batched, strict=True):
        alone = encoder(waveform.unsqueeze(0), torch.tensor([len(waveform)]))[0]
        difference = float((alone - in_batch).abs().max())
        what = f"an utterance of {len(waveform)} samples has another embedding alone than in a batch, by {difference:.2g}"
        _expect(encoder, difference <= tolerance, what)


def _check_gradients(encoder: Encoder, fixed: Tensor, lengths: Tensor) -> None:
    groups = encoder.parameter_groups()
    ours = [id(parameter) for parameter in learning(encoder)]
    _expect(encoder, len(ours) == len(set(ours)), "a parameter is in two of its parameter_groups")
    for name, parameter in encoder.named_parameters():
        left_out = parameter.requires_grad and id(parameter) not in ours
        _expect(encoder, not left_out, f"{name} is in none of its parameter_groups: add it, or freeze it (requires_grad_(False))")
    if not ours:
        return
    encoder.train().zero_grad()
    encoder.learned(fixed, lengths).square().mean().backward()
    for group, parameters in groups.items():
        for parameter in parameters:
            right = parameter.grad is not None and bool(parameter.grad.isfinite().all())
            what = f"a parameter {list(parameter.shape)} of the group {group!r} has no gradient, or one that is not finite"
            _expect(encoder, right, what)


@torch.no_grad()
def _check_saving(encoder: Encoder, waveforms: Tensor, n_samples: Tensor) -> None:
    settings = json.loads(json.dumps(encoder.settings, allow_nan=False))
    _expect(encoder, settings == encoder.settings, f"its settings change when they are written as JSON and read again: {settings}")
    built_on = {name: getattr(encoder, name, None) for name in PARTS}
    parts = {name: copy.deepcopy(part) for name, part in built_on.items() if isinstance(part, nn.Module)}
    with torch.device("meta"):  # as a bundle builds it first, without memory
        type(encoder)(**parts, **settings)
    again = type(encoder)(**parts, **settings)
    again.load_state_dict(encoder.state_dict(), strict=True)
    same = torch.equal(again.eval()(waveforms, n_samples), encoder.eval()(waveforms, n_samples))
    _expect(encoder, same, "an encoder that was built from its settings and loaded its weights has other embeddings")


def _expect(encoder: Encoder, right: bool, what: str) -> None:
    if not right:
        raise AssertionError(f"{type(encoder).__module__}.{type(encoder).__qualname__}: {what}")
