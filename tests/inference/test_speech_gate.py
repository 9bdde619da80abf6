"""Where somebody speaks."""

import numpy as np
import pytest
import torch
from bundles import speech

from mlee_sb.errors import InputError
from mlee_sb.inference.speech_gate import EnergyGate, SileroGate, Stretches, make_gate, share_of_speech


def test_what_is_louder_than_the_threshold_is_speech():
    gate = EnergyGate(16000, threshold_db=-40)
    sine = torch.sin(2 * torch.pi * 500 * torch.arange(16000) / 16000) * 2**0.5  # RMS 1: 0 dB
    loud, quiet = 10 ** (-39 / 20) * sine, 10 ** (-41 / 20) * sine
    assert all(gate.feed(loud)) and not any(gate.feed(quiet))


@pytest.mark.parametrize("size", [1, 320, 999, 10**6])
def test_the_frames_are_the_same_however_audio_comes(size):
    samples = torch.from_numpy(np.concatenate([np.zeros(5000, np.float32), speech(0.7), np.zeros(3001, np.float32)]))
    whole, gate = EnergyGate(16000), EnergyGate(16000)
    expected = [*whole.feed(samples), *whole.finish()]
    found = [flag for part in samples.split(size) for flag in gate.feed(part)] + gate.finish()
    assert found == expected and 0.3 < share_of_speech(found) < 0.8
    assert len(found) == -(-len(samples) // 320)


def test_a_part_of_a_frame_at_the_end_is_judged_by_what_there_is():
    gate = EnergyGate(16000)
    assert gate.feed(torch.ones(10)) == [] and gate.finish() == [True] and gate.finish() == []


def test_short_pauses_do_not_end_a_stretch_and_long_ones_do():
    stretches = Stretches(0.1)
    for part in ([True, False, False, True], [False] * 4, [True]):
        stretches.feed(part)
    assert stretches.found == [(0.0, pytest.approx(0.4)), (pytest.approx(0.8), pytest.approx(0.9))]


def test_silero_hears_that_a_tone_is_no_speech_and_takes_audio_in_any_parts():
    pytest.importorskip("silero_vad")
    gate, other = make_gate("silero", 16000), make_gate("silero", 16000)
    samples = torch.from_numpy(speech(1.0))
    whole = [*gate.feed(samples), *gate.finish()]
    assert whole == [flag for part in samples.split(777) for flag in other.feed(part)] + other.finish()
    assert len(whole) == 32
    assert not any(make_gate("silero", 16000).feed(torch.zeros(16000)))


def test_silero_hears_speech_where_there_is_some(crema_d_folder):
    pytest.importorskip("silero_vad")
    from mlee_sb.models.waveforms import load_waveform

    path = sorted((crema_d_folder / "AudioWAV").glob("*.wav"))[0]
    assert share_of_speech(make_gate("silero", 16000).feed(load_waveform(path, 16000))) > 0.4


def test_silero_names_what_it_needs(monkeypatch):
    pytest.importorskip("silero_vad")
    with pytest.raises(InputError, match="8000 or 16000 Hz, and the model 22050"):
        SileroGate(22050)
    monkeypatch.setitem(__import__("sys").modules, "silero_vad", None)
    with pytest.raises(InputError, match=r"mlee_sb\[vad\]"):
        SileroGate(16000)
