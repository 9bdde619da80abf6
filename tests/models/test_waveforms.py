"""Recordings of any length and rate, as a whole and in blocks."""

import numpy as np
import pytest
import soundfile
import torch

from mlee_sb.audio.reading import BLOCK_SECONDS
from mlee_sb.errors import InputError
from mlee_sb.models.waveforms import BlockResampler, at_level, load_waveform, read_blocks, resampler

RATES = [(48000, 16000), (44100, 16000), (8000, 16000), (11025, 16000), (22050, 16000)]


@pytest.mark.parametrize("from_rate, to_rate", RATES)
@pytest.mark.parametrize("seconds", [0.02, 0.5, 0.503, 1, 7.77])
def test_audio_resampled_in_blocks_is_that_resampled_as_a_whole(from_rate, to_rate, seconds):
    samples = torch.randn(round(seconds * from_rate), generator=torch.Generator().manual_seed(1))
    resampling = BlockResampler(from_rate, to_rate)
    parts = [resampling.feed(part) for part in samples.split(7001)]
    whole = resampler(from_rate, to_rate)(samples)
    found = torch.cat([*parts, resampling.finish()])
    assert found.shape == whole.shape
    torch.testing.assert_close(found, whole, atol=1e-5, rtol=0)


def test_how_audio_is_cut_when_it_is_fed_changes_no_sample():
    samples = torch.randn(44100 * 25)
    found = []
    for size in (1013, 44100, len(samples)):
        resampling = BlockResampler(44100, 16000)
        found.append(torch.cat([*(resampling.feed(part) for part in samples.split(size)), resampling.finish()]))
    assert torch.equal(found[0], found[1]) and torch.equal(found[1], found[2])


def test_a_long_recording_is_never_held_as_a_whole(tmp_path):
    samples = np.random.default_rng(0).standard_normal((48000 * 65, 2)).clip(-1, 1) * 0.3
    soundfile.write(tmp_path / "a.wav", samples, 48000)
    blocks = list(read_blocks(tmp_path / "a.wav", 16000))
    assert max(len(block) for block in blocks) <= BLOCK_SECONDS * 16000 * 1.1
    assert sum(len(block) for block in blocks) == 65 * 16000
    torch.testing.assert_close(torch.cat(blocks), load_waveform(tmp_path / "a.wav", 16000))


def test_a_rate_that_would_take_gigabytes_is_refused():
    with pytest.raises(InputError, match="22051 Hz cannot be resampled to 16000 Hz"):
        BlockResampler(22051, 16000)


@pytest.mark.parametrize("content, said", [(b"", "cannot be read"), (b"no audio at all" * 9, "cannot be read")])
def test_what_is_no_audio_is_named(tmp_path, content, said):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"a.wav: {said}"):
        load_waveform(path, 16000)


def test_a_recording_without_samples_or_with_nan_in_its_middle_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 16000)
    with pytest.raises(InputError, match=r"a.wav: no samples"):
        load_waveform(tmp_path / "a.wav", 16000)
    samples = np.zeros(16000 * 15)
    samples[-1] = np.nan
    soundfile.write(tmp_path / "b.wav", samples, 16000, subtype="FLOAT")
    with pytest.raises(InputError, match=r"b.wav: samples that are not finite"):
        load_waveform(tmp_path / "b.wav", 16000)


# Level


@pytest.mark.parametrize("gain", [1e-4, 1.0, 10.0])
def test_an_utterance_is_brought_to_the_level_that_was_asked_for_whatever_its_own(gain):
    (found,) = at_level(gain * torch.randn(1, 5000), torch.tensor([5000]), level_db=-25)
    assert 20 * found.square().mean().sqrt().log10() == pytest.approx(-25, abs=1e-3)


def test_the_level_is_that_of_an_utterances_own_samples_alone_and_in_a_batch():
    waveforms = torch.randn(2, 5000)
    found = at_level(waveforms, torch.tensor([5000, 777]), level_db=-25)
    assert torch.equal(found[1, :777], at_level(waveforms[1:, :777], torch.tensor([777]), level_db=-25)[0])


def test_silence_stays_silence_and_what_is_no_number_stays_none():
    silent, wrong = torch.zeros(1, 100), torch.full((1, 100), torch.nan)
    assert torch.equal(at_level(silent, torch.tensor([100]), level_db=-25), silent)
    assert at_level(wrong, torch.tensor([100]), level_db=-25).isnan().all()
