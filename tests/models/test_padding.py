"""An utterance gives the same embedding alone and padded in a batch, and padding moves no statistic."""

import pytest
import torch
from bundles import built, paper_encoder

from mlee_sb.errors import InputError
from mlee_sb.models.encoders.cnn_blstm_attention import CnnLayer
from mlee_sb.models.encoders.frozen import FrozenEncoders
from mlee_sb.models.normalization import ZNorm
from mlee_sb.models.packed_frames import LENGTHS_PER_OCTAVE, in_rows

LONGEST = 16000  # samples


def trained_encoder():
    torch.manual_seed(0)
    encoder = paper_encoder().eval()
    for layer in encoder.network.cnn:  # as after training: a shift that would leak into padding
        layer.norm.running_mean.uniform_(-1, 1)
        layer.norm.bias.data.uniform_(-1, 1)
    return encoder


@pytest.mark.parametrize("n_samples", [640, 799, 800, 2880, 3040, 3200, 9999, LONGEST])
def test_alone_and_padded_in_a_batch_an_utterance_has_the_same_embedding(n_samples):
    encoder = trained_encoder()
    waveforms = torch.randn(3, LONGEST)
    waveforms[1, n_samples:] = 0
    with torch.no_grad():
        batched = encoder(waveforms, torch.tensor([LONGEST, n_samples, 5000]))[1]
        alone = encoder(waveforms[1:2, :n_samples], torch.tensor([n_samples]))[0]
    assert (batched - alone).norm() / alone.norm() < 1e-5


def test_what_lies_in_the_padding_does_not_matter():
    encoder = trained_encoder()
    lengths = torch.tensor([LONGEST, 5000])
    quiet, loud = torch.randn(2, LONGEST), torch.randn(2, LONGEST)
    loud[0], loud[1, :5000] = quiet[0], quiet[1, :5000]
    with torch.no_grad():
        assert torch.equal(encoder(quiet, lengths), encoder(loud, lengths))


def plain_layer(layer, utterance):
    """The convolution of a CNN layer over one utterance alone, [1, channels, time, bins], with 'same' padding."""
    padded = torch.nn.functional.pad(utterance.permute(2, 0, 1).unsqueeze(0), (*layer.bins, *layer.time))
    return torch.nn.functional.conv2d(padded, layer.conv.weight, layer.conv.bias, layer.conv.stride)


@pytest.mark.parametrize("lengths", [[50, 3, 17, 36], [9, 9], [21], [2, 40], [7, 6, 5]])
@pytest.mark.parametrize("kernel, stride", [((12, 16), (2, 2)), ((8, 12), (1, 1)), ((5, 7), (1, 1)), ((3, 4), (2, 3))])
def test_in_training_a_layer_gives_each_utterance_what_plain_modules_give_it_alone(lengths, kernel, stride):
    """Batch norm counts the frames of the utterances and no other, and gradients are those of the plain computation."""
    torch.manual_seed(0)
    layer = CnnLayer(3, 4, kernel, stride, pool=2)
    layer.norm.momentum = 1.0
    layer.norm.weight.data.uniform_(0.5, 2)
    lengths = [max(n, 2 * stride[1]) for n in lengths]
    utterances = [(torch.randn(n, 20, 3) + 2).requires_grad_() for n in lengths]
    out, n_out = layer(torch.cat(utterances), lengths)
    weights = torch.randn_like(out)
    (out * weights).sum().backward()
    ours = [utterance.grad for utterance in utterances] + [p.grad for p in (layer.conv.weight, layer.norm.weight, layer.norm.bias)]
    for tensor in (*utterances, *layer.parameters()):
        tensor.grad = None

    convolved = [plain_layer(layer, utterance) for utterance in utterances]
    frames = torch.cat(convolved, dim=2)  # [1, channels, all valid frames, bins]
    torch.testing.assert_close(layer.norm.running_mean, frames.mean(dim=(0, 2, 3)))
    torch.testing.assert_close(layer.norm.running_var, frames.var(dim=(0, 2, 3)))
    normalised = torch.nn.functional.batch_norm(frames, None, None, layer.norm.weight, layer.norm.bias, training=True, eps=layer.norm.eps)
    parts = normalised.split([part.shape[2] for part in convolved], dim=2)
    expected = [torch.nn.functional.max_pool2d(part.relu(), 2).squeeze(0).permute(1, 2, 0) for part in parts]
    assert n_out == [len(part) for part in expected]
    torch.testing.assert_close(out, torch.cat(expected), rtol=1e-4, atol=1e-5)
    (torch.cat(expected) * weights).sum().backward()
    plain = [utterance.grad for utterance in utterances] + [p.grad for p in (layer.conv.weight, layer.norm.weight, layer.norm.bias)]
    for gradient, reference in zip(ours, plain, strict=True):
        torch.testing.assert_close(gradient, reference, rtol=1e-4, atol=1e-4 * float(reference.abs().max()))


def test_gradients_of_a_batch_are_the_sum_of_those_of_its_utterances_alone():
    encoder, lengths = trained_encoder(), [LONGEST, 5000, 640, 9999]
    waveforms, weights = torch.randn(4, LONGEST), torch.randn(4, 256)
    embeddings = encoder(waveforms, torch.tensor(lengths))
    alone = torch.cat([encoder(waveform[None, :n], torch.tensor([n])) for waveform, n in zip(waveforms, lengths, strict=True)])
    torch.testing.assert_close(embeddings, alone, rtol=1e-4, atol=1e-6)
    parameters = dict(encoder.named_parameters())
    together, summed = (torch.autograd.grad((out * weights).sum(), parameters.values()) for out in (embeddings, alone))
    for name, gradient, reference in zip(parameters, together, summed, strict=True):
        torch.testing.assert_close(gradient, reference, rtol=1e-4, atol=1e-4 * float(reference.abs().max()), msg=name)


@pytest.mark.parametrize("lengths", [[447, 120, 890, 300], [447]])
def test_a_row_has_little_but_utterances(lengths):
    for layer in paper_encoder().network.cnn:
        between = len(lengths) * (sum(layer.time) + layer.time_stride)
        n_frames = row_of(layer, lengths).shape[1]
        assert sum(lengths) < n_frames <= (sum(lengths) + between) * (1 + 1 / LENGTHS_PER_OCTAVE)


def test_utterances_of_any_lengths_have_rows_of_few_lengths():
    layer = paper_encoder().network.cnn[0]
    assert len({row_of(layer, [n]).shape for n in range(250, 500)}) <= LENGTHS_PER_OCTAVE + 1
    assert len({row_of(layer, [n, 70]).shape for n in range(250, 500)}) <= LENGTHS_PER_OCTAVE + 1


def row_of(layer, lengths):
    return in_rows(torch.zeros(sum(lengths), 1, 1), lengths, layer.time, (0, 0), layer.time_stride)


def test_frozen_encoders_stay_as_they_are_when_everything_is_set_to_training():
    frozen = FrozenEncoders([trained_encoder(), trained_encoder()])
    before = {name: tensor.clone() for name, tensor in frozen.state_dict().items()}
    torch.nn.ModuleDict({"encoder": frozen}).train()  # as a Brain does at the start of an epoch
    embedding = frozen(torch.randn(2, LONGEST), torch.tensor([LONGEST, 5000]))
    assert embedding.shape == (2, 512)
    assert not embedding.requires_grad
    assert all(torch.equal(tensor, before[name]) for name, tensor in frozen.state_dict().items())


def test_frames_start_at_multiples_of_the_shift_without_centring():
    front_end = built("features")
    clicks = torch.zeros(1, LONGEST)
    clicks[0, 800:] = 1.0  # the first frame that holds a sample from 800 on is frame 2: 320 to 959
    features, n_frames = front_end(clicks, torch.tensor([LONGEST]))
    assert n_frames.tolist() == [1 + (LONGEST - 640) // 160]
    silent = torch.log(torch.tensor(front_end.log_floor))
    assert (features[0, :2] == silent).all()
    assert (features[0, 2] > silent).any()


def test_a_tone_peaks_in_its_ten_hertz_bin():
    time = torch.arange(LONGEST) / 16000
    features, _ = built("features")(torch.sin(2 * torch.pi * 1230 * time).unsqueeze(0), torch.tensor([LONGEST]))
    assert set(features[0].argmax(dim=-1).tolist()) == {123}


def test_less_than_one_window_is_refused_with_its_length():
    with pytest.raises(InputError, match="639 samples"):
        built("features")(torch.zeros(1, 639), torch.tensor([639]))


def test_z_norm_has_the_statistics_of_the_valid_frames_of_all_batches():
    batches = [(torch.randn(2, 9, 5) * 3 + 1, torch.tensor([9, 4])), (torch.randn(1, 6, 5), torch.tensor([6]))]
    norm = ZNorm(n_features=5, min_std=0.001)
    norm.fit(batches)
    valid = torch.cat([batches[0][0][0], batches[0][0][1, :4], batches[1][0][0]])
    torch.testing.assert_close(norm.mean, valid.mean(0))
    torch.testing.assert_close(norm.std, valid.std(0, correction=0))
    assert {"mean", "std"} <= set(norm.state_dict())


@pytest.mark.parametrize("n_samples", [640, 800, 1500, 3000])
def test_the_attention_of_a_tiny_clip_lies_in_the_clip(n_samples):
    weights, times = trained_encoder().attention(torch.randn(n_samples))
    assert weights.shape == times.shape
    assert times.min() > 0 and times.max() < n_samples / 16000


def test_attention_weights_sum_to_one_and_their_times_lie_in_the_utterance():
    weights, times = trained_encoder().attention(torch.randn(LONGEST))
    assert weights.shape == times.shape
    assert weights.sum() == pytest.approx(1, abs=1e-5)
    assert (times.diff() > 0).all() and times[0] > 0 and times[-1] < 1.0
