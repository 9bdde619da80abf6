"""From rows to batches: speeds, lengths, order."""

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from mlee_sb.errors import InputError
from mlee_sb.training.data import FixedDataset, UtteranceSampler, WaveformDataset, make_loader

RATE = 16000


class Encoder:
    """What a dataset asks of an encoder."""

    sample_rate, min_samples = RATE, 640


@pytest.fixture
def frame(tmp_path):
    """Three tones of 500 Hz; the last one fills just one window."""
    seconds = [0.5, 0.3, 0.04]
    for i, duration in enumerate(seconds):
        tone = 0.5 * np.sin(2 * np.pi * 500 * np.arange(round(duration * RATE)) / RATE)
        soundfile.write(tmp_path / f"{i}.wav", tone, RATE)
    return pd.DataFrame({"ID": ["a", "b", "c"], "wav": [f"{i}.wav" for i in range(len(seconds))], "duration": seconds})


def test_each_utterance_is_there_at_each_speed_with_its_own_label(frame, tmp_path):
    labels = torch.eye(3)
    data = WaveformDataset(frame, tmp_path, Encoder, labels, [0.9, 1.0, 1.1])
    assert len(data) == 9
    for copy, speed in enumerate([0.9, 1.0, 1.1]):
        batch = data[[3 * copy + 1]]
        assert batch.items.tolist() == [3 * copy + 1] and torch.equal(batch.labels, labels[1:2])
        (waveform,) = batch.inputs
        assert len(waveform) == pytest.approx(0.3 * RATE / speed, abs=2)
        spectrum = torch.fft.rfft(waveform).abs()
        assert spectrum.argmax().item() * RATE / len(waveform) == pytest.approx(500 * speed, abs=RATE / len(waveform))
        assert data.durations[3 * copy + 1] == pytest.approx(0.3 / speed)


def test_without_speeds_a_recording_is_handed_on_as_it_is(frame, tmp_path):
    data = WaveformDataset(frame, tmp_path, Encoder, torch.eye(3))
    assert len(data) == 3
    np.testing.assert_array_equal(data[[0]].inputs[0].numpy(), soundfile.read(tmp_path / "0.wav", dtype="float32")[0])


def test_a_piece_of_a_recording_is_heard_alone_at_each_speed(frame, tmp_path):
    pieces = frame.assign(wav="0.wav", start=[0.0, 0.25, np.nan], end=[0.25, np.nan, 0.1], duration=[0.25, 0.25, 0.1])
    whole = soundfile.read(tmp_path / "0.wav", dtype="float32")[0]
    data = WaveformDataset(pieces, tmp_path, Encoder, torch.eye(3), [1.0, 1.1])
    for item, expected in enumerate((whole[:4000], whole[4000:], whole[:1600])):
        np.testing.assert_array_equal(data[[item]].inputs[0].numpy(), expected)
        assert len(data[[item + 3]].inputs[0]) == pytest.approx(len(expected) / 1.1, abs=2)


def test_the_shortest_recording_spoken_faster_still_fills_a_window(frame, tmp_path):
    (waveform,) = WaveformDataset(frame, tmp_path, Encoder, torch.eye(3), [1.1])[[2]].inputs
    assert len(waveform) == Encoder.min_samples
    assert waveform[:500].abs().max() > 0.4 and (waveform[-20:] == 0).all()


def test_a_recording_with_a_sample_far_beyond_full_scale_is_named_and_not_learnt_from(frame, tmp_path):
    samples, _ = soundfile.read(tmp_path / "1.wav")
    samples[-1] = 1e20
    soundfile.write(tmp_path / "1.wav", samples, RATE, subtype="FLOAT")
    with pytest.raises(InputError, match=r"1.wav: samples beyond full scale"):
        list(make_loader(WaveformDataset(frame, tmp_path, Encoder, torch.eye(3)), 16, num_workers=0))


def test_a_batch_has_integer_lengths_and_zeros_after_them(frame, tmp_path):
    (batch,) = make_loader(WaveformDataset(frame, tmp_path, Encoder, torch.eye(3)), 16, num_workers=0)
    assert batch.lengths.dtype == torch.int64
    assert dict(zip(batch.items.tolist(), batch.lengths.tolist(), strict=True)) == {0: 8000, 1: 4800, 2: 640}
    for waveform, length in zip(batch.inputs, batch.lengths, strict=True):
        assert (waveform[length:] == 0).all()


def test_workers_that_read_ahead_change_no_batch(frame, tmp_path):
    data = WaveformDataset(frame, tmp_path, Encoder, torch.eye(3), [0.9, 1.1])
    alone, helped = ([(batch.items, batch.inputs) for batch in make_loader(data, 2, workers, seed=3)] for workers in (0, 2))
    torch.testing.assert_close(alone, helped)  # not to the bit: a worker resamples with one thread, which rounds otherwise


def lengths(n=3000):
    """Seconds, distributed as those of a corpus."""
    return np.random.default_rng(0).lognormal(1.3, 0.6, n)


def test_an_epoch_holds_every_item_once_in_batches_other_than_those_before():
    sampler = UtteranceSampler(lengths(1000), 16, seed=1)
    epochs = []
    for epoch in (1, 2):
        sampler.set_epoch(epoch)
        epochs.append([tuple(sorted(batch)) for batch in sampler])
        assert sorted(item for batch in epochs[-1] for item in batch) == list(range(1000))
        assert len(epochs[-1]) == len(sampler) == 63
    assert len(set(epochs[0]) & set(epochs[1])) < 3


def test_an_epoch_follows_from_seed_and_epoch_alone():
    first, again, other = (UtteranceSampler(lengths(100), 16, seed) for seed in (1, 1, 2))
    first.set_epoch(1)
    list(first)  # the epochs before leave no trace
    for sampler in (first, again, other):
        sampler.set_epoch(2)
    assert list(first) == list(again) != list(other)


def test_batches_do_not_follow_from_lengths():
    """As the paper draws them: the lengths in a batch spread as those of the corpus do."""
    seconds = lengths()
    found = [seconds[batch] for batch in UtteranceSampler(seconds, 16, seed=1)]
    within = np.mean([batch.var() for batch in found if len(batch) == 16])
    assert within == pytest.approx(seconds.var(), rel=0.1)


def test_evaluation_has_one_order_for_ever():
    sampler = UtteranceSampler([3.0, 1.0, 2.0], 2)
    assert list(sampler) == [[1, 2], [0]]


def test_what_was_computed_at_all_speeds_finds_the_label_of_its_utterance():
    data = FixedDataset(torch.arange(6.0).view(6, 1), torch.eye(3), ["a", "b", "c"])
    batch = data[[4, 0]]
    assert (batch.inputs.tolist(), batch.items.tolist()) == ([[4.0], [0.0]], [4, 0])
    assert batch.labels.tolist() == [[0, 1, 0], [1, 0, 0]]
