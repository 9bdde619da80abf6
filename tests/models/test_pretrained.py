"""Encoders on a pretrained network keep contract 4, whatever of it learns, and an ONNX file gets the same numbers of them."""

import pytest
import soundfile
import torch
from bundles import speech
from upstreams import RATE, pretrained_encoder, real_upstream, write_upstream

from mlee_sb.errors import InputError
from mlee_sb.models.encoders.frozen import FrozenEncoders
from mlee_sb.models.encoders.pretrained import POOLINGS, statistics
from mlee_sb.models.export.encoders import EXPORTED, exportable
from mlee_sb.models.upstreams.base import Network
from mlee_sb.models.upstreams.networks import FAMILIES
from mlee_sb.models.upstreams.whisper import CONTEXTS
from mlee_sb.models.waveforms import pad
from mlee_sb.testing import check_encoder

WHISPER_TAKES = 2 * RATE  # samples of a piece of the small Whisper
each_pooling = pytest.mark.parametrize("pooling", POOLINGS)


@pytest.fixture(scope="module")
def upstream(tmp_path_factory):
    """`upstream(family)` is the folder of a small network; not to be changed."""
    folder = tmp_path_factory.mktemp("upstreams")
    return lambda family: folder / family if (folder / family).is_dir() else write_upstream(folder / family, family)


@pytest.fixture
def computed(monkeypatch):
    """The layers that networks were asked for, one entry a call."""
    asked, forward = [], Network.forward
    monkeypatch.setattr(Network, "forward", lambda self, *given: asked.append(tuple(given[2])) or forward(self, *given))
    return asked


def noise(*n_samples):
    """A padded batch of noise with these lengths in samples, each of another loudness."""
    return pad([0.1 * (1 + row) * torch.randn(n) for row, n in enumerate(n_samples)])


# Contract 4


@each_pooling
@pytest.mark.parametrize("learn_layers", [0, 1])
@pytest.mark.parametrize("family", FAMILIES)
def test_an_encoder_on_each_family_keeps_the_contract(upstream, family, pooling, learn_layers):
    check_encoder(pretrained_encoder(upstream(family), pooling=pooling, learn_layers=learn_layers))


def test_with_silence_up_to_30_s_a_level_and_some_layers_only_too(upstream):
    check_encoder(pretrained_encoder(upstream("whisper"), context="padded", level_db=-25, layers=[0, 2]))


@torch.no_grad()
@each_pooling
@pytest.mark.parametrize("name", ["whisper_base", "whisper_tiny_en"])
def test_on_real_networks_an_utterance_has_the_same_embedding_alone_as_in_a_batch(name, pooling, crema_d_folder):
    encoder = pretrained_encoder(real_upstream(name), pooling=pooling).eval()
    files = sorted((crema_d_folder / "AudioWAV").glob("*.wav"))[:4]
    utterances = [torch.from_numpy(soundfile.read(file, dtype="float32")[0]) for file in files]
    batch = pad([*utterances, utterances[0][: encoder.min_samples]])
    kept = encoder.fixed(*batch)
    encoder.fit_statistics([kept])
    together, (waveforms, lengths) = encoder.learned(*kept), batch
    for row, n in enumerate(lengths):
        alone = encoder(waveforms[row : row + 1, :n], lengths[row : row + 1])[0]
        torch.testing.assert_close(together[row], alone, atol=1e-5, rtol=0)


def test_a_level_out_of_range_is_refused(upstream):
    with pytest.raises(InputError, match=r"level_db 25: it must be a number from -90 to 0"):
        pretrained_encoder(upstream("whisper"), level_db=25)


# A fusion


@torch.no_grad()
def test_a_fusion_on_one_upstream_runs_it_once_and_holds_it_once(upstream, computed):
    encoders = [pretrained_encoder(upstream("whisper")).eval() for _ in range(3)]
    waveforms, lengths = noise(RATE, 9000)
    alone = torch.cat([encoder(waveforms, lengths) for encoder in encoders], dim=1)
    computed.clear()
    fusion = FrozenEncoders(encoders)
    assert torch.equal(fusion(waveforms, lengths), alone) and len(computed) == 1
    assert len({id(encoder.upstream.network) for encoder in encoders}) == 1


@torch.no_grad()
@pytest.mark.parametrize(
    ("other", "networks"),
    [({"pooling": "attention"}, 1), ({"level_db": -25}, 1), ({"layers": [1]}, 2), ({"context": "padded"}, 2), ({"learn_layers": 1}, 2)],
    ids=str,
)
def test_encoders_that_need_other_numbers_of_one_upstream_run_it_each_and_hold_it_once_where_it_is_the_same(
    upstream, computed, other, networks
):
    encoders = [pretrained_encoder(upstream("whisper")).eval(), pretrained_encoder(upstream("whisper"), **other).eval()]
    waveforms, lengths = noise(RATE, 9000)
    alone = torch.cat([encoder(waveforms, lengths) for encoder in encoders], dim=1)
    computed.clear()
    assert torch.equal(FrozenEncoders(encoders)(waveforms, lengths), alone) and len(computed) == 2
    assert len({id(encoder.upstream.network) for encoder in encoders}) == networks


# What ONNX gets


@torch.no_grad()
@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("changed", [{}, {"pooling": "attention"}, {"learn_layers": 1, "layers": [0, 2]}, {"level_db": -25}], ids=str)
def test_in_operations_of_onnx_an_encoder_on_whisper_says_the_same(upstream, context, changed):
    encoder = pretrained_encoder(upstream("whisper"), context=context, **changed).eval()
    waveforms, lengths = noise(WHISPER_TAKES, 5000, encoder.min_samples, 9001)
    waveforms[1, :2000] = 0
    encoder.fit_statistics([encoder.fixed(waveforms, lengths)])
    torch.testing.assert_close(exportable(encoder)(waveforms, lengths), encoder(waveforms, lengths), atol=1e-5, rtol=0)


@torch.no_grad()
@each_pooling
@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("lengths", [(2.8, 0.9, 1.0), (1 + 1 / WHISPER_TAKES, 1, 2), (3 - 1 / WHISPER_TAKES, 2 + 1 / WHISPER_TAKES)])
def test_and_of_clips_longer_than_whisper_takes_too(upstream, context, pooling, lengths):
    encoder = pretrained_encoder(upstream("whisper"), context=context, pooling=pooling).eval()
    batch = noise(*(round(length * WHISPER_TAKES) for length in lengths))
    torch.testing.assert_close(exportable(encoder)(*batch), encoder(*batch), atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_quiet_end_of_a_loud_clip_is_cut_at_the_same_power(upstream):
    encoder = pretrained_encoder(upstream("whisper")).eval()
    clip = torch.from_numpy(speech(1.5))
    clip[RATE:] *= 1e-4
    batch = pad([clip, 1e-3 * clip[:9000], 0 * clip[:700]])
    torch.testing.assert_close(exportable(encoder)(*batch), encoder(*batch), atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", [family for family in FAMILIES if family not in EXPORTED])
def test_a_family_that_onnx_does_not_get_is_named(upstream, family):
    with pytest.raises(InputError, match=rf"family {family} cannot be exported to ONNX: of upstreams, only those of the family whisper"):
        exportable(FrozenEncoders([pretrained_encoder(upstream("whisper")), pretrained_encoder(upstream(family))]))


# Statistics


def test_mean_and_deviation_are_of_valid_steps_only_and_a_constant_has_a_gradient():
    states = torch.tensor([[[1.0, 4.0], [3.0, 4.0], [9.0, 9.0]]], requires_grad=True)
    found = statistics(states, torch.tensor([2]))
    assert found.tolist() == [[2, 4, 1, 0]]
    found.sum().backward()
    assert states.grad.isfinite().all() and not states.grad[0, 2].any()
