"""A constant offset is no speech, and speech on top of one still is: through every door that listens, at every rate."""

import numpy as np
import pytest
import soundfile
from bundles import RATE, speech

from mlee_sb.inference.answers import NO_SPEECH

SECONDS = 3
RATES = (8000, RATE, 44100)


def time_of(rate):
    return np.arange(SECONDS * rate) / rate


def noise(rate, db, seed=0):
    return np.random.default_rng(seed).standard_normal(SECONDS * rate) * 10 ** (db / 20)


def with_peaks(samples, every):
    samples[every // 2 :: every] += 0.5
    return samples


NO_VOICE = {
    "an offset and noise at -80 dB": lambda rate: 0.005 + noise(rate, -80),
    "a large one below zero": lambda rate: -0.3 + noise(rate, -75),
    "an offset alone, so that resampling makes an edge at both ends": lambda rate: np.full(SECONDS * rate, 0.3),
    "drift": lambda rate: 0.005 + 0.02 * time_of(rate) + noise(rate, -80),
    "a wander of half a hertz": lambda rate: 0.05 * np.sin(np.pi * time_of(rate)) + noise(rate, -80),
    "a step": lambda rate: 0.1 * (time_of(rate) > 1.5) + noise(rate, -80),
    "steps, eight a second": lambda rate: 0.02 * (np.floor(8 * time_of(rate)) % 2) + noise(rate, -80),
    "it begins after digital silence": lambda rate: 0.3 * (time_of(rate) > 1),
    "hum": lambda rate: 0.005 + 0.01 * np.sin(2 * np.pi * 50 * time_of(rate)) + noise(rate, -80),
    "one spike": lambda rate: with_peaks(0.005 + noise(rate, -80), SECONDS * rate),
    "clicks": lambda rate: with_peaks(0.005 + noise(rate, -80), rate // 2),
    "many clicks": lambda rate: with_peaks(0.005 + noise(rate, -80), rate // 8),
    "one of two channels is that of the other upside down": lambda rate: np.stack([0.1 + noise(rate, -70), -0.1 - noise(rate, -70)]),
    "two channels with different offsets": lambda rate: np.stack([0.1 + noise(rate, -80), -0.3 + noise(rate, -80, seed=1)]),
}


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("make", NO_VOICE.values(), ids=NO_VOICE)
def test_what_is_only_an_offset_has_no_speech(classifier, make, rate):
    samples = make(rate)
    said = classifier.predict(samples, sample_rate=rate)
    assert (said.dominant, said.abstained) == (None, NO_SPEECH)
    timeline, stream = classifier.timeline(samples, 1.0, 0.5, sample_rate=rate), classifier.stream(rate, 1.0, 0.5)
    segments = stream.feed(samples) + stream.finish()
    assert timeline.speech == stream.stretches.found == []
    assert {one.prediction.abstained for one in [*timeline.segments, *segments]} == {NO_SPEECH}


@pytest.mark.parametrize("rate", RATES)
def test_a_moment_of_an_offset_has_no_speech_either(classifier, rate):
    samples = (0.005 + noise(rate, -80))[: 2 * rate // 5]
    assert classifier.predict(samples, sample_rate=rate).abstained == NO_SPEECH


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("offset", [0.005, -0.3, 0.9])
@pytest.mark.parametrize("gain_db", [0, -30])
def test_speech_on_an_offset_is_heard_as_without_it(classifier, rate, offset, gain_db):
    voice = 10 ** (gain_db / 20) * speech(SECONDS, rate)
    heard = [classifier.predict(samples + noise(rate, -90), sample_rate=rate).speech for samples in (voice, offset + voice)]
    assert heard[0] > 0.5 and heard[1] == pytest.approx(heard[0], abs=0.05)


def test_real_speech_on_an_offset_is_heard_as_without_it(classifier, crema_d_folder):
    for path in sorted((crema_d_folder / "AudioWAV").glob("*.wav"))[::280]:
        samples, rate = soundfile.read(path, dtype="float32")
        heard = [classifier.predict(one, sample_rate=rate).speech for one in (samples, samples + 0.05)]
        assert heard[0] > 0.1 and heard[1] == pytest.approx(heard[0], abs=0.02)
