"""Where somebody speaks."""

import numpy as np
import pytest
import torch
from bundles import RATE, speech

from mlee_sb.errors import InputError
from mlee_sb.inference.speech_gate import EnergyGate, SileroGate, Stretches, make_gate, share_of_speech
from mlee_sb.models.waveforms import load_waveform

SECONDS = 4
TIME = torch.arange(SECONDS * RATE) / RATE


def heard(gate, samples, size=10**6) -> list[bool]:
    """Whether each frame is speech, of samples that are fed in parts."""
    return gate.speech([value for part in samples.split(size) for value in gate.feed(part)] + gate.finish())


def in_16_bits(samples, gain_db=0.0):
    """The samples as a file of 16 bits holds them at another level."""
    return (samples * 10 ** (gain_db / 20) * 2**15).round().clamp(-(2**15), 2**15 - 1) / 2**15


def noise(falls_by: float = 0.0):
    """Steady noise whose power falls by some dB an octave, RMS 0.1."""
    spectrum = torch.fft.rfft(torch.randn(len(TIME), generator=torch.Generator().manual_seed(1)))
    spectrum[1:] *= torch.arange(1, len(spectrum)) ** (-falls_by / 6.02)
    samples = torch.fft.irfft(spectrum, n=len(TIME))
    return 0.1 * samples / samples.square().mean().sqrt()


STEADY = {
    "silence": torch.zeros(len(TIME)),
    "offset": torch.ones(len(TIME)),
    "white noise": noise(),
    "pink noise": noise(3),
    "brown noise": noise(6),
    "hum": sum(torch.sin(2 * torch.pi * 60 * k * TIME) / k for k in (1, 2, 3, 5)) / 4,
    "hum and noise": 0.1 * torch.sin(2 * torch.pi * 50 * TIME) + 0.1 * noise(),
    "tone": 0.1 * torch.sin(2 * torch.pi * 1000 * TIME),
}


@pytest.mark.parametrize("gain_db", [0, -20, -40, -60, -80])
@pytest.mark.parametrize("name", STEADY)
def test_what_is_steady_is_no_speech_at_any_level(name, gain_db):
    assert not any(heard(EnergyGate(RATE), in_16_bits(STEADY[name], gain_db)))


@pytest.mark.parametrize("seconds", [0.1, 0.5, 3.0])
@pytest.mark.parametrize("name", ["white noise", "hum and noise"])
def test_digital_silence_does_not_make_speech_of_what_is_steady(name, seconds):
    samples = 0.1 * STEADY[name]
    samples[: round(seconds * RATE)] = 0
    assert not any(heard(EnergyGate(RATE), samples))


@pytest.mark.parametrize("gain_db", [-40, -20, 10, 20])
def test_speech_and_its_pauses_are_the_same_at_any_level(gain_db):
    samples = torch.cat([0.0005 * noise()[: RATE // 2], torch.from_numpy(speech(2.0)), torch.zeros(RATE // 2)])
    expected = heard(EnergyGate(RATE), samples)
    assert heard(EnergyGate(RATE), samples * 10 ** (gain_db / 20)) == expected
    assert not any(expected[:25]) and share_of_speech(expected[25:125]) > 0.7 and not any(expected[125:])


def test_speech_is_heard_above_noise_and_a_pause_is_not():
    samples = torch.cat([torch.from_numpy(speech(2.0)), torch.zeros(2 * RATE)]) + 0.1 * noise(3)
    found = heard(EnergyGate(RATE), samples)
    assert share_of_speech(found[:100]) > 0.5 and not any(found[105:])


@pytest.mark.parametrize("gain_db", [-40, -20, 10])
def test_real_speech_is_heard_at_any_level(crema_d_folder, gain_db):
    found = []
    for path in sorted((crema_d_folder / "AudioWAV").glob("*.wav"))[::56]:
        samples = load_waveform(path, RATE)
        plain, other = (heard(EnergyGate(RATE), in_16_bits(samples, db)) for db in (0, gain_db))
        assert share_of_speech(plain) > 0.1 and share_of_speech(other) > 0.1
        found += [one == two for one, two in zip(plain, other, strict=True)]
    assert np.mean(found) > 0.97


def test_digital_silence_around_real_speech_changes_nothing_in_it(crema_d_folder):
    silence, frames = torch.zeros(RATE), RATE // EnergyGate(RATE).frame_samples
    for path in sorted((crema_d_folder / "AudioWAV").glob("*.wav"))[::56]:
        samples = load_waveform(path, RATE)
        alone, between = (heard(EnergyGate(RATE), part) for part in (samples, torch.cat([silence, samples, silence])))
        assert between[frames : frames + len(alone) - 1] == alone[:-1] and not any(between[:frames])


def test_in_little_audio_all_that_is_not_silent_is_speech():
    assert all(heard(EnergyGate(RATE), noise()[: RATE // 4])) and not any(heard(EnergyGate(RATE), torch.zeros(RATE // 4)))


@pytest.mark.parametrize("size", [1, 320, 999, 10**6])
def test_the_frames_are_the_same_however_audio_comes(size):
    samples = torch.from_numpy(np.concatenate([np.zeros(5000, np.float32), speech(0.7), np.zeros(3001, np.float32)]))
    expected = heard(EnergyGate(RATE), samples)
    found = heard(EnergyGate(RATE), samples, size)
    assert found == expected and 0.3 < share_of_speech(found) < 0.8
    assert len(found) == -(-len(samples) // 320)


def test_a_part_of_a_frame_at_the_end_is_judged_by_what_there_is():
    gate = EnergyGate(RATE)
    assert gate.feed(torch.sin(torch.arange(100.0))) == [] and gate.speech(gate.finish()) == [True] and gate.finish() == []
    assert gate.feed(torch.ones(1)) == [] and gate.speech(gate.finish()) == [False], "too short to have a level"


def test_short_pauses_do_not_end_a_stretch_and_long_ones_do():
    stretches = Stretches(0.1)
    for part in ([True, False, False, True], [False] * 4, [True]):
        stretches.feed(part)
    assert stretches.found == [(0.0, pytest.approx(0.4)), (pytest.approx(0.8), pytest.approx(0.9))]


def test_silero_hears_that_a_tone_is_no_speech_and_takes_audio_in_any_parts():
    pytest.importorskip("silero_vad")
    gate, other = make_gate("silero", 16000), make_gate("silero", 16000)
    samples = torch.from_numpy(speech(1.0))
    whole = heard(gate, samples)
    assert whole == heard(other, samples, 777) and len(whole) == 32
    assert not any(heard(make_gate("silero", 16000), torch.zeros(16000)))


def test_silero_hears_speech_where_there_is_some(crema_d_folder):
    pytest.importorskip("silero_vad")
    path = sorted((crema_d_folder / "AudioWAV").glob("*.wav"))[0]
    assert share_of_speech(heard(make_gate("silero", 16000), load_waveform(path, 16000))) > 0.4


def test_silero_names_what_it_needs(monkeypatch):
    pytest.importorskip("silero_vad")
    with pytest.raises(InputError, match="8000 or 16000 Hz, and the model 22050"):
        SileroGate(22050)
    monkeypatch.setitem(__import__("sys").modules, "silero_vad", None)
    with pytest.raises(InputError, match=r"mlee_sb\[vad\]"):
        SileroGate(16000)
