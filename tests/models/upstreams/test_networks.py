"""Networks of pretrained encoders: what transformers computes, alone as in a batch, and which layers are kept and learn."""

import copy
import json
import sys
from itertools import product

import pytest
import soundfile
import torch
import transformers
from upstreams import RATE, real_upstream, write_upstream

from mlee_sb.errors import InputError
from mlee_sb.models.golden import tone
from mlee_sb.models.upstreams.networks import FAMILIES, make_network, read_network
from mlee_sb.models.upstreams.whisper import CONTEXT, CUT, PADDED
from mlee_sb.models.waveforms import pad

TOLERANCE = 1e-5
LEFT_OUT = {"whisper": 14, "wav2vec2-bert": 1}  # steps of 1.73 s: of the silence up to 2 s, and one that is half filled
NORMS = [{"feat_extract_norm": norm, "do_stable_layer_norm": stable} for norm, stable in product(["group", "layer"], [True, False])]
KINDS = [(family, norms) for family, norms in product(["wav2vec2", "hubert", "wavlm"], NORMS)]
KINDS += [("hubert", NORMS[2] | {"conv_pos_batch_norm": True}), ("wav2vec2", NORMS[2] | {"adapter_attn_dim": 4})]
KINDS += [("hubert", NORMS[2] | {"feat_proj_layer_norm": False}), ("data2vec-audio", {}), ("wav2vec2-bert", {}), ("whisper", {})]
each_kind = pytest.mark.parametrize(
    ("family", "settings"), [pytest.param(family, kind, id=" ".join([family, *map(str, kind.values())])) for family, kind in KINDS]
)
each_family = pytest.mark.parametrize("family", FAMILIES)
each_context = pytest.mark.parametrize("context", [CUT, PADDED])


@pytest.fixture
def network(tmp_path, family):
    """A small network of a family."""
    return read_network(write_upstream(tmp_path / "upstream", family))


def speech(*seconds):
    """Waveforms [samples] of these lengths, each of another loudness and with its own offset."""
    voice = tone(RATE, min_samples=round(max(seconds) * RATE))
    noise = torch.randn(len(seconds), len(voice)) * 0.05
    return [(0.02 + voice * (1 + i) + noise[i])[-round(s * RATE) :] for i, s in enumerate(seconds)]


def everything(network):
    return list(range(network.n_layers + 1))


def alone(network, waveform):
    """All hidden states [layers, steps, size] of an utterance alone."""
    states, steps = network(waveform.unsqueeze(0), torch.tensor([len(waveform)]), everything(network))
    assert steps.tolist() == [states[0].shape[1]]
    return torch.stack([state[0] for state in states])


def reference(folder, waveform):
    """What transformers itself computes of one utterance: all hidden states [layers, steps, size]."""
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    inputs = extractor(waveform.numpy(), sampling_rate=RATE, return_tensors="pt")
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    model = model.encoder if hasattr(model, "decoder") else model
    found = model(**inputs, output_hidden_states=True)
    return torch.cat([*found.hidden_states[:-1], found.last_hidden_state])


@torch.no_grad()
@each_kind
def test_hidden_states_are_those_of_transformers(tmp_path, family, settings):
    folder = write_upstream(tmp_path, family, **settings)
    network, waveform = read_network(folder), speech(1.73)[0]
    if family == "whisper":
        network.processor[CONTEXT] = PADDED
    ours, theirs = alone(network, waveform), reference(folder, waveform)
    assert theirs.shape[1] - ours.shape[1] == LEFT_OUT.get(family, 0)
    torch.testing.assert_close(ours, theirs[:, : ours.shape[1]], atol=1e-4, rtol=0)
    assert (len(ours), ours.shape[-1]) == (network.n_layers + 1, network.size)
    assert 1.73 - 2 * network.step_seconds < ours.shape[1] * network.step_seconds <= 1.73


@torch.no_grad()
@each_kind
def test_alone_and_in_a_batch_an_utterance_has_the_same_hidden_states(tmp_path, family, settings):
    network = read_network(write_upstream(tmp_path, family, **settings))
    utterances = speech(0.31, 1.0, 0.57, 1.0)
    utterances.append(utterances[0][: network.min_samples])
    waveforms, n_samples = pad(utterances)
    for row, n in enumerate(n_samples):
        waveforms[row, n:] = 9.0  # what lies in the padding does not matter
    states, n_steps = network(waveforms, n_samples, everything(network))
    assert n_steps[-1] == 1
    for row, waveform in enumerate(utterances):
        expected = alone(network, waveform)
        batched = torch.stack([state[row] for state in states])
        torch.testing.assert_close(batched[:, : n_steps[row]], expected, atol=TOLERANCE, rtol=0)
        assert not batched[:, n_steps[row] :].any()
    check_together(network, utterances)


def check_together(network, utterances):
    """In one computation, as on a GPU: of all lengths where the network takes masks, or else of one length."""
    if not network._takes_masks:
        utterances = [utterances[1], utterances[3]]
    for waveform, states in zip(utterances, network.together(utterances, everything(network)), strict=True):
        torch.testing.assert_close(torch.stack(states), alone(network, waveform), atol=TOLERANCE, rtol=TOLERANCE)


each_real = pytest.mark.parametrize("name", ["whisper_base", "whisper_tiny_en"])


def recordings(folder, n):
    """Waveforms [samples] of real speech."""
    paths = sorted((folder / "AudioWAV").glob("*.wav"))[:n]
    return [torch.from_numpy(soundfile.read(path, dtype="float32")[0]) for path in paths]


@torch.no_grad()
@each_real
def test_a_real_encoder_hears_real_speech_alone_as_in_a_batch(name, crema_d_folder):
    network, utterances = read_network(real_upstream(name)), recordings(crema_d_folder, 3)
    states, n_steps = network(*pad(utterances), everything(network))
    for row, waveform in enumerate(utterances):
        batched = torch.stack([state[row, : n_steps[row]] for state in states])
        torch.testing.assert_close(batched, alone(network, waveform), atol=TOLERANCE, rtol=0)


@torch.no_grad()
@each_real
def test_a_real_encoder_hears_real_speech_as_transformers_does(name, crema_d_folder):
    folder, waveform = real_upstream(name), recordings(crema_d_folder, 1)[0]
    network = read_network(folder)
    network.processor[CONTEXT] = PADDED
    ours = alone(network, waveform)
    torch.testing.assert_close(ours, reference(folder, waveform)[:, : ours.shape[1]], atol=1e-4, rtol=0)


@each_family
def test_on_a_gpu_a_batch_is_computed_together_as_far_as_that_is_exact(network):
    """The meta device stands for a GPU. The second of its clips is too long for Whisper, and comes in two pieces."""
    lengths = (RATE, 3 * RATE, RATE // 2, RATE)
    utterances = [torch.empty(n, device="meta").split(network._pieces(n)) for n in lengths]
    expected = {"whisper": [[0, 2, 3], [1]], "wav2vec2-bert": [[0, 1, 2, 3]]}
    assert network._batches(utterances) == expected.get(network.config["model_type"], [[0, 3], [1], [2]])
    assert network._batches([tuple(torch.empty(n) for n in network._pieces(length)) for length in lengths]) == [[0], [1], [2], [3]]


# What is given to a network


@torch.no_grad()
@each_family
def test_digital_silence_has_finite_hidden_states(network):
    assert alone(network, torch.zeros(RATE)).isfinite().all()


@torch.no_grad()
@each_family
def test_what_is_shorter_than_a_step_is_refused(network):
    shortest = network.min_samples
    assert network(torch.randn(1, shortest), torch.tensor([shortest]), [0])[1].tolist() == [1]
    message = rf"an utterance of {shortest - 1} samples is shorter than one step of the upstream \({shortest} samples"
    with pytest.raises(InputError, match=message):
        network(torch.randn(2, RATE), torch.tensor([RATE, shortest - 1]), [0])


@pytest.mark.parametrize("family", ["hubert"])
def test_a_waveform_is_normalised_over_the_utterance_only_where_the_processor_says_so(network):
    waveform = speech(0.5)[0]
    torch.testing.assert_close(alone(network, waveform), alone(network, 0.1 * waveform), atol=1e-3, rtol=0)
    network.processor["do_normalize"] = False
    assert not torch.allclose(alone(network, waveform), alone(network, 0.1 * waveform), atol=1e-1)


@pytest.mark.parametrize("family", ["whisper"])
def test_the_log_mel_spectrum_of_whisper_is_that_of_transformers(network, crema_d_folder):
    real = recordings(crema_d_folder, 1)[0]
    extractor = transformers.WhisperFeatureExtractor(feature_size=20)
    theirs = extractor(real.numpy(), sampling_rate=RATE, padding="do_not_pad", return_tensors="pt").input_features[0]
    torch.testing.assert_close(network.log_mel(real), theirs, atol=TOLERANCE, rtol=0)


@torch.no_grad()
@each_context
@pytest.mark.parametrize("family", ["whisper"])
def test_a_clip_longer_than_whisper_takes_is_computed_in_equal_pieces(network, context):
    network.processor[CONTEXT] = context
    long, short = speech(5.3, 0.9)  # the small network takes 2 s
    states, n_steps = network(*pad([long, short]), [3])
    assert n_steps.tolist() == [265, 45]
    pieces = network._pieces(len(long))
    assert len(pieces) == 3 and sum(pieces) == len(long) and max(pieces) - min(pieces) <= 2 * network.step_samples
    expected = torch.cat([alone(network, piece)[3] for piece in long.split(pieces)])
    torch.testing.assert_close(states[0][0], expected, atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(states[0][1, :45], alone(network, short)[3], atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("family", ["whisper"])
@pytest.mark.parametrize("n_samples", [1, 32000, 32001, 63999, 64000, 64001, 12345678])
def test_no_piece_is_longer_than_whisper_takes(network, n_samples):
    pieces = network._pieces(n_samples)
    assert sum(pieces) == n_samples and max(pieces) <= 2 * RATE and all(piece % network.step_samples == 0 for piece in pieces[:-1])


@pytest.mark.parametrize("family", ["whisper"])
def test_a_short_clip_of_whisper_may_be_filled_up_with_silence_or_not(network):
    waveform = speech(0.7)[0]
    cut = alone(network, waveform)
    network.processor[CONTEXT] = PADDED
    padded = alone(network, waveform)
    assert padded.shape == cut.shape and not torch.allclose(padded, cut, atol=1e-3)
    with pytest.raises(InputError, match="unknown context 'paded': did you mean 'padded'"):
        make_network(network.config, network.processor | {CONTEXT: "paded"})


# Descriptions


@each_kind
def test_a_network_is_built_again_from_its_description(tmp_path, family, settings):
    network = read_network(write_upstream(tmp_path, family, **settings))
    config, processor = json.loads(json.dumps([network.config, network.processor]))
    before = torch.get_rng_state()
    again = make_network(config, processor)
    assert torch.equal(torch.get_rng_state(), before)
    assert (again.config, again.processor, again.size) == (config, processor, network.size)
    again.load_state_dict(network.state_dict())
    waveform = speech(0.4)[0]
    assert torch.equal(alone(again, waveform), alone(network, waveform))
    with torch.device("meta"):
        empty = make_network(config, processor)
    assert all(parameter.is_meta for parameter in empty.parameters()) and empty.min_samples == network.min_samples
    assert not any(parameter.requires_grad for parameter in again.parameters())


@pytest.mark.parametrize(
    ("config", "processor", "message"),
    [
        ({"model_type": "bert"}, {}, "unknown model_type 'bert': .*whisper, wav2vec2, hubert, wavlm, data2vec-audio, wav2vec2-bert"),
        ({"model_type": "wavlm", "attn_implementation": "stranger/code"}, {}, "wavlm: takes no attn_implementation"),
        ({"model_type": "wavlm", "hidden_size": "768"}, {}, "wavlm: these settings make no network"),
        ({"model_type": "wavlm", "hidden_size": 10, "num_attention_heads": 3}, {}, "wavlm: these settings make no network"),
        ({"model_type": "wavlm", "num_hidden_layers": 2**31}, {}, "num_hidden_layers is 2147483648, and must be 0 to 256"),
        ({"model_type": "wavlm"}, {"sampling_rate": 0}, "processor: sampling_rate is 0, and must be like 16000"),
        ({"model_type": "wavlm"}, {"do_normalize": 1}, "processor: do_normalize is 1, and must be like True"),
        ({"model_type": "wavlm"}, {"dither": 1}, "processor: takes no dither"),
        ({"model_type": "whisper"}, {"feature_size": 128}, "feature_size is 128, and the network was made for num_mel_bins 80"),
        ({"model_type": "whisper"}, {"n_fft": 2**15}, "n_fft is 32768, and may be 16384 at most"),
        ({"model_type": "whisper", "num_mel_bins": 2**18}, {"feature_size": 2**18}, "feature_size is 262144, and may be 1024 at most"),
        ({"model_type": "whisper", "max_source_positions": 2**20}, {}, "max_source_positions is 1048576, and may be 8192 at most"),
        ({"model_type": "wav2vec2-bert"}, {"num_mel_bins": 2**18}, "num_mel_bins is 262144, and may be 1024 at most"),
        ({"model_type": "wav2vec2-bert"}, {"stride": 1}, "stride 1 and num_mel_bins 80 give 80 numbers a step, and the network takes 160"),
        ({"model_type": "wav2vec2-bert", "position_embeddings_type": "rotary"}, {}, "'rotary', and only 'relative_key' can be computed"),
    ],
)
def test_a_description_that_makes_no_network_is_refused(config, processor, message):
    with torch.device("meta"), pytest.raises(InputError, match=message):
        make_network(config, processor)


def test_without_transformers_what_to_install_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError, match=r'pip install "mlee_sb\[pretrained\]"'):
        make_network({"model_type": "wavlm"}, {})
    assert make_network({"model_type": "whisper", "encoder_layers": 1, "d_model": 12}, {}).n_layers == 1, "Whisper needs none"


# Layers


@torch.no_grad()
@each_kind
def test_layers_that_are_cut_away_change_no_state_below(tmp_path, family, settings):
    network = read_network(write_upstream(tmp_path, family, **settings))
    waveform = speech(0.4)[0]
    expected, n_weights = alone(network, waveform), len(network.state_dict())
    network.cut(2)
    assert network.n_layers == 2 and len(network.state_dict()) < n_weights
    assert torch.equal(alone(network, waveform), expected[:3])
    network.cut(2)
    again = make_network(network.config, network.processor)
    again.load_state_dict(network.state_dict())
    assert torch.equal(alone(again, waveform), expected[:3])
    network.cut(0)
    assert torch.equal(alone(network, waveform), expected[:1])


@each_family
def test_layers_that_are_not_there_are_refused(network):
    waveform = torch.randn(1, RATE), torch.tensor([RATE])
    for call in (lambda: network(*waveform, [4]), lambda: network(*waveform, [-1]), lambda: network.cut(4), lambda: network.top(4)):
        with pytest.raises(InputError, match="give 0 to 3, because the upstream has 3 layers"):
            call()


def last_state(network, waveforms, n_samples):
    torch.manual_seed(3)
    return network(waveforms, n_samples, [network.n_layers])[0][0]


@each_family
def test_only_the_layers_that_are_tuned_learn_and_drop_out(tmp_path, family):
    dropout = {"dropout": 0.3} if family == "whisper" else {"hidden_dropout": 0.3, "layerdrop": 0.99}
    network = read_network(write_upstream(tmp_path, family, **dropout))
    batch = pad(speech(0.4, 0.3))
    expected = last_state(network, *batch)
    assert torch.equal(last_state(network.train(), *batch), expected) and not expected.requires_grad
    network.tune(1)
    trained = last_state(network, *batch)
    assert not torch.allclose(trained, expected)
    torch.testing.assert_close(last_state(network.eval(), *batch).detach(), expected, atol=TOLERANCE, rtol=0)
    trained.square().mean().backward()
    learned = {id(parameter) for parameter in network.top(1).parameters()}
    for parameter in network.parameters():
        assert parameter.requires_grad == (parameter.grad is not None) == (id(parameter) in learned)
    network.tune(0)
    assert torch.equal(last_state(network.train(), *batch), expected) and not any(p.requires_grad for p in network.parameters())


@each_family
def test_checkpointing_computes_layers_again_for_the_same_gradients(tmp_path, family):
    network = read_network(write_upstream(tmp_path, family, attention_dropout=0.2))
    batch, gradients, calls = pad(speech(0.4, 0.3)), [], []
    for checkpointing in (False, True):
        tuned = copy.deepcopy(network)
        tuned.tune(2, checkpointing)
        next(tuned.top(2)[0].children()).register_forward_hook(lambda *_, checkpointing=checkpointing: calls.append(checkpointing))
        last_state(tuned.train(), *batch).square().mean().backward()
        gradients.append([parameter.grad for parameter in tuned.top(2).parameters()])
    assert calls.count(False) == 2 and calls.count(True) == 4
    for plain, checkpointed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, checkpointed)


@pytest.mark.parametrize("family", ["wav2vec2", "whisper"])
def test_the_final_norm_learns_with_the_last_layer_where_there_is_one(tmp_path, family):
    network = read_network(write_upstream(tmp_path / "with", family, **({"do_stable_layer_norm": True} if family == "wav2vec2" else {})))
    assert isinstance(network.top(1)[-1], torch.nn.LayerNorm) and len(network.top(2)) == 3 and len(network.top(0)) == 0
    network.cut(2)
    assert not list(network.top(1)[1].parameters())
