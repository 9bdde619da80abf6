"""Augmentation: other in every epoch, the same for one seed, epoch and item, and only where a model learns."""

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from bundles import small_encoder

from mlee_sb.errors import InputError
from mlee_sb.models.bundle import load_bundle
from mlee_sb.models.encoders.base import Encoder
from mlee_sb.training.augmentation import SpectrogramMasks, WaveformAugmentation, check_augmentation, set_masks, switched_on
from mlee_sb.training.brains import Learned
from mlee_sb.training.checkpoints import AtomicCheckpointer
from mlee_sb.training.data import WaveformDataset, make_loader
from mlee_sb.training.run import check_stages
from mlee_sb.training.settings import read_settings
from mlee_sb.training.train_stage import train_stage

OFF = read_settings("hparams/mlee.yaml")
ON = {"time_mask_frames": 3, "frequency_mask_bins": 40, "embedding_dropout": 0.3, "gain_db": 6.0, "noise_snr_db": 20.0}
SHORT = {"max_epochs": 2, "batch_size": 4, "speeds": [1.0]}


def level(waveform) -> float:
    return 10 * float(waveform.double().square().mean().log10())


# Waveforms


@pytest.fixture
def dataset(tmp_path):
    """`dataset()` is a training set of five tones with gain and noise."""
    for i in range(5):
        soundfile.write(tmp_path / f"{i}.wav", 0.3 * np.sin(0.2 * np.arange(3000 + 100 * i)), 16000)
    frame = pd.DataFrame({"ID": list("abcde"), "wav": [f"{i}.wav" for i in range(5)], "duration": [0.2] * 5})
    return lambda: WaveformDataset(frame, tmp_path, small_encoder(), torch.zeros(5, 2), augmentation=WaveformAugmentation(6.0, 20.0, 1))


def epoch(dataset, number, workers=0, share=(0, 1)) -> dict[int, torch.Tensor]:
    """The waveform of each item of an epoch."""
    loader = make_loader(dataset, 2, workers, seed=1, share=share)
    loader.sampler.set_epoch(number)
    return {
        item: waveform[:n]
        for batch in loader
        for item, waveform, n in zip(batch.items.tolist(), batch.inputs, batch.lengths.tolist(), strict=True)
    }


def test_waveforms_are_others_in_every_epoch_and_the_same_in_one_whoever_reads_them(dataset):
    first, second = epoch(dataset(), 1), epoch(dataset(), 2)
    again = epoch(dataset(), 2, workers=1)  # as after a resume, by a process that reads ahead
    shared = {item: waveform for number in (0, 1) for item, waveform in epoch(dataset(), 2, share=(number, 2)).items()}
    assert sorted(first) == sorted(second) == sorted(again) == sorted(shared) == list(range(5))
    for item, waveform in second.items():
        assert torch.equal(waveform, again[item]) and torch.equal(waveform, shared[item])
        assert not torch.equal(waveform, first[item])


def test_before_the_first_epoch_waveforms_are_those_of_the_recordings(dataset):
    data = dataset()
    expected = [torch.from_numpy(soundfile.read(data.data_folder / path, dtype="float32")[0]) for path, *_ in data.pieces]
    assert all(torch.equal(data[[i]].inputs[0], waveform) for i, waveform in enumerate(expected))


def test_gain_reaches_both_sides_up_to_its_setting():
    gains = [level(WaveformAugmentation(6.0, None, 1, epoch=3)(torch.ones(10), item)) for item in range(300)]
    assert -6 <= min(gains) < -5.5 and 5.5 < max(gains) <= 6


@pytest.mark.parametrize("loudness", [1.0, 0.01])
def test_noise_lies_as_far_below_the_waveform_as_its_setting_says(loudness):
    waveform = loudness * torch.sin(torch.arange(16000) * 0.3)
    noise = WaveformAugmentation(0.0, 15.0, 1, epoch=1)(waveform, 0) - waveform
    assert level(waveform) - level(noise) == pytest.approx(15, abs=0.3)
    assert not WaveformAugmentation(0.0, 15.0, 1, epoch=1)(torch.zeros(10), 0).any()


# Masks


def test_masks_lie_in_the_frames_of_each_utterance_and_leave_at_least_half_of_it_by_a_mask():
    features, lengths = torch.ones(64, 100, 40), torch.tensor([100, 8] * 32)
    masked = SpectrogramMasks(1, frames=30, bins=10)(features, lengths)
    kept_frames, kept_bins = masked.amax(dim=2), masked.amax(dim=1)
    hidden = [int((kept[:n] == 0).sum()) for kept, n in zip(kept_frames, lengths.tolist(), strict=True)]
    assert 20 < max(hidden[0::2]) <= 30 and max(hidden[1::2]) == 4
    assert 7 < int((kept_bins == 0).sum(dim=1).max()) <= 10
    assert len(set(hidden[0::2])) > 5, "each utterance has masks of its own"


def test_two_masks_hide_more_than_one():
    torch.manual_seed(0)
    one, two = (SpectrogramMasks(n, frames=20, bins=0)(torch.ones(200, 100, 4), torch.full((200,), 100)).mean() for n in (1, 2))
    assert one == pytest.approx(0.9, abs=0.02) and two == pytest.approx(0.81, abs=0.03)


def test_an_encoder_masks_in_training_only():
    encoder, waveforms, lengths = small_encoder(), torch.randn(2, 16000), torch.tensor([16000, 9000])
    plain = encoder.eval()(waveforms, lengths), encoder.train()(waveforms, lengths)
    set_masks(encoder, OFF | ON)
    assert not torch.equal(encoder.train()(waveforms, lengths), plain[1])
    again = small_encoder()
    again.load_state_dict(encoder.state_dict())
    assert torch.equal(encoder.eval()(waveforms, lengths), again.eval()(waveforms, lengths))
    assert set(encoder.state_dict()) == set(small_encoder().state_dict())


# Dropout


class Given(Encoder):
    """Hands on what it is given, as frozen encoders do."""

    def learned(self, fixed, lengths):
        return fixed


def test_embeddings_are_dropped_out_in_training_also_where_nothing_else_learns():
    learned, embeddings = Learned(Given(), dropout=0.3), torch.ones(100, 50)
    assert torch.equal(learned.eval()(embeddings, [50] * 100), embeddings)
    dropped = learned.train()(embeddings, [50] * 100)
    assert float((dropped == 0).float().mean()) == pytest.approx(0.3, abs=0.03)
    assert float(dropped.mean()) == pytest.approx(1, abs=0.03)


# Stages


def test_all_is_off_in_the_rows_and_draws_no_random_number():
    assert not switched_on(OFF) and not OFF["embedding_dropout"]
    encoder = small_encoder()
    set_masks(encoder, OFF)
    learned, state = Learned(encoder, OFF["embedding_dropout"]).train(), torch.get_rng_state()
    learned(torch.randn(2, 16000, generator=torch.Generator()), [16000, 9000])
    assert torch.equal(torch.get_rng_state(), state)


def weights(stage) -> dict[str, torch.Tensor]:
    return load_bundle(stage.model_folder).model.state_dict()


def train(stage):
    train_stage(stage, "cpu", say=lambda line: None)
    return stage


def test_a_resumed_run_is_that_without_a_stop_and_statistics_are_those_of_the_recordings(stage, data, tmp_path, monkeypatch):
    on = data()
    plain, whole = train(stage("mlee", on=on, **SHORT)), train(stage("mlee", on=on, **SHORT, **ON))
    statistics = [name for name in weights(plain) if "normalizer" in name]
    assert statistics and all(torch.equal(weights(plain)[name], weights(whole)[name]) for name in statistics)
    assert any(not torch.equal(weight, weights(plain)[name]) for name, weight in weights(whole).items())

    stopped = stage("mlee", on=on, **SHORT, **ON, num_workers=1)
    whole.folder.rename(tmp_path / "whole")
    save_epoch = AtomicCheckpointer.save_epoch

    def killed(checkpointer, *args, **kwargs):
        save_epoch(checkpointer, *args, **kwargs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(AtomicCheckpointer, "save_epoch", killed)
        with pytest.raises(KeyboardInterrupt):
            train(stopped)
    train(stopped)
    expected = load_bundle(tmp_path / "whole/model").model.state_dict()
    assert all(torch.equal(weight, expected[name]) for name, weight in weights(stopped).items())


@pytest.mark.parametrize("name", ["gain_db", "noise_snr_db", "time_mask_frames"])
def test_a_stage_on_frozen_encoders_names_where_the_setting_belongs(stage, name):
    with pytest.raises(InputError, match=rf"frozen encoders.*--mlee.{name} {ON[name]}.*or use embedding_dropout"):
        check_stages([stage("mlee_fusion", **{name: ON[name]})])


class Kept(Given):
    """An encoder of which something is kept on disk, and that has no spectrogram."""

    def fixed(self, waveforms, n_samples):
        return waveforms, n_samples


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gain_db", "computed once and kept on disk.*use embedding_dropout, or an encoder of which nothing is kept"),
        ("noise_snr_db", "computed once and kept on disk"),
        ("frequency_mask_bins", "Kept has no spectrogram to mask: use embedding_dropout"),
    ],
)
def test_what_an_encoder_cannot_do_is_refused(name, message):
    with pytest.raises(InputError, match=message):
        check_augmentation(OFF | {name: ON[name]}, Kept())
    check_augmentation(OFF | {"embedding_dropout": 0.3}, Kept())
    check_augmentation(OFF | ON, small_encoder())
