"""Which recordings can be trained on."""

import numpy as np
import pytest
import soundfile
from bundles import speech
from joblib import Parallel
from releases import write_wav

from mlee_sb.corpora import audio_headers as audio
from mlee_sb.corpora.audio_headers import Audio, check_all, check_audio

RATE = 16_000


def write_samples(path, samples, subtype="FLOAT"):
    soundfile.write(path, np.asarray(samples), RATE, subtype=subtype)
    return path


def noise(seconds=1.0):
    return np.random.default_rng(0).uniform(-0.5, 0.5, round(seconds * RATE))


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (8_000, 1), (44_100, 2)])
def test_a_good_recording_of_any_rate_and_channels_is_described(tmp_path, rate, channels):
    assert check_audio(write_wav(tmp_path / "a.wav", 0.5, rate, channels)) == Audio(0.5, rate, channels)


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.mp3", "a.aiff"])
def test_other_formats_are_read_too(tmp_path, name):
    soundfile.write(tmp_path / name, noise(), RATE)
    found = check_audio(tmp_path / name)
    assert found.reason == ""
    assert found.duration == pytest.approx(1.0, abs=0.1)


def test_a_file_that_is_not_there_is_an_annotation_without_a_wav(tmp_path):
    assert check_audio(tmp_path / "a.wav").reason.startswith("annotation without a wav")


@pytest.mark.parametrize("content", [b"", b"RIFF", b"no sound at all, but some text that goes on for a while" * 9])
def test_a_file_that_is_no_recording_is_unreadable(tmp_path, content):
    (tmp_path / "a.wav").write_bytes(content)
    assert check_audio(tmp_path / "a.wav").reason.startswith("unreadable")


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("kept", [0.99, 0.5])
def test_a_wav_that_was_cut_off_is_truncated(tmp_path, kept, subtype):
    path = write_samples(tmp_path / "a.wav", noise(), subtype)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    assert check_audio(path).reason.startswith("truncated")


def test_a_flac_that_was_cut_off_is_not_used(tmp_path):
    soundfile.write(tmp_path / "a.flac", noise(3), RATE)
    content = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(content[: len(content) // 2])
    assert check_audio(tmp_path / "a.flac").reason.split(":")[0] in ("truncated", "unreadable")


def test_chunks_before_and_after_the_samples_are_no_truncation(tmp_path):
    content = write_samples(tmp_path / "a.wav", noise(), "PCM_16").read_bytes()
    assert content[36:40] == b"data"
    odd = b"LIST\x03\x00\x00\x00abc\x00"
    (tmp_path / "a.wav").write_bytes(content[:36] + odd + content[36:] + odd)
    assert check_audio(tmp_path / "a.wav").reason == ""
    (tmp_path / "b.wav").write_bytes((content[:36] + odd + content[36:])[:-400])
    assert check_audio(tmp_path / "b.wav").reason.startswith("truncated")


def test_a_streamed_wav_that_does_not_know_its_size_is_used(tmp_path):
    content = bytearray(write_samples(tmp_path / "a.wav", noise(), "PCM_16").read_bytes())
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"
    (tmp_path / "a.wav").write_bytes(content)
    found = check_audio(tmp_path / "a.wav")
    assert found == Audio(1.0, RATE, 1, remark=found.remark)
    assert found.remark.startswith("the header does not tell the number of samples")


def test_no_samples(tmp_path):
    assert check_audio(write_samples(tmp_path / "a.wav", [])).reason == "zero samples"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_single_sample_that_is_not_finite_is_found_wherever_it_is(tmp_path, bad):
    samples = noise(2)
    samples[-1] = bad
    assert "not finite" in check_audio(write_samples(tmp_path / "a.wav", samples)).reason


@pytest.mark.parametrize("channels", [1, 2])
def test_a_single_sample_far_beyond_full_scale_is_found_wherever_it_is(tmp_path, channels):
    samples = np.stack([noise(2)] * channels, axis=1)
    samples[-1] = [1e20, -1e20][:channels]  # which would cancel each other
    assert check_audio(write_samples(tmp_path / "a.wav", samples)).reason.startswith("samples beyond full scale: up to 1e+20, and 64")


def test_integers_that_were_cast_to_floats_are_told_with_what_to_divide_by(tmp_path):
    reason = check_audio(write_samples(tmp_path / "a.wav", noise() * 2**15)).reason
    assert "integers that were cast to floats? divide 16-bit ones by 32768" in reason


def test_floats_may_overshoot_full_scale(tmp_path):
    assert check_audio(write_samples(tmp_path / "a.wav", noise() * 60)).reason == ""


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
@pytest.mark.parametrize("level", [0.0, 0.25])
def test_samples_that_are_all_the_same_are_silence(tmp_path, level, subtype):
    assert check_audio(write_samples(tmp_path / "a.wav", np.full(RATE, level), subtype)).reason == "silence only"


def test_dither_is_silence_and_a_whisper_is_not(tmp_path):
    dither = np.sign(noise()) / 2**15
    assert check_audio(write_samples(tmp_path / "a.wav", dither, "PCM_16")).reason == "silence only"
    assert check_audio(write_samples(tmp_path / "b.wav", 30 * dither, "PCM_16")).reason == ""


def test_channels_that_cancel_each_other_are_no_silence_as_one_of_them_is_heard(tmp_path):
    assert check_audio(write_samples(tmp_path / "a.wav", np.stack([noise(), -noise()], axis=1), "PCM_16")).reason == ""


def test_a_sound_after_a_long_silence_is_heard(tmp_path):
    assert check_audio(write_samples(tmp_path / "a.wav", np.append(np.zeros(5 * RATE), noise(0.1)), "PCM_16")).reason == ""


def test_forty_milliseconds_are_the_shortest(tmp_path):
    assert check_audio(write_samples(tmp_path / "a.wav", noise(0.040))).reason == ""
    assert check_audio(write_samples(tmp_path / "b.wav", noise(0.040)[:-1])).reason.startswith("shorter than 40 ms")


@pytest.mark.parametrize(("worth_workers", "workers"), [(0, 2), (1e9, 1)])
def test_many_files_keep_their_order_in_workers_and_without(tmp_path, monkeypatch, worth_workers, workers):
    asked = []
    monkeypatch.setattr(audio, "WORTH_WORKERS", worth_workers)
    monkeypatch.setattr(audio, "Parallel", lambda n, **how: asked.append(n) or Parallel(n, **how))
    paths = [write_wav(tmp_path / f"{i}.wav", 0.05 + i / 100) for i in range(5)] * 200
    assert [round(found.duration, 2) for (found,) in check_all([(path, [(None, None)]) for path in paths])] == [
        0.05,
        0.06,
        0.07,
        0.08,
        0.09,
    ] * 200
    assert asked == [workers]


def test_no_files_are_no_results():
    assert check_all([]) == []


def test_the_silent_clip_of_crema_d_is_found(crema_d_folder):
    assert check_audio(crema_d_folder / "AudioWAV" / "1076_MTI_SAD_XX.wav").reason == "silence only"


NO_SOUND = {
    "an offset and noise at -80 dB": lambda time, noise: 0.005 + noise,
    "a large offset": lambda time, noise: 0.7 + 0 * noise,
    "drift": lambda time, noise: -0.2 + 0.1 * time + noise,
    "a wander of half a hertz": lambda time, noise: 0.05 * np.sin(np.pi * time) + noise,
    "a step": lambda time, noise: 0.1 * (time > 1.5) + noise,
    "steps": lambda time, noise: 0.02 * (np.floor(8 * time) % 2) + noise,
    "it begins after digital silence": lambda time, noise: (0.3 + noise) * (time > 1),
    "a spike": lambda time, noise: 0.005 + noise + 0.5 * (np.arange(len(time)) == 9000),
    "clicks": lambda time, noise: 0.005 + noise + 0.5 * (np.arange(len(time)) % 4000 == 9),
    "an offset in each channel": lambda time, noise: np.stack([0.1 + noise, -0.3 + noise[::-1]], axis=1),
    "offsets that cancel": lambda time, noise: np.stack([0.1 + noise, -0.1 - noise], axis=1),
}


@pytest.mark.parametrize("rate", [8000, RATE, 44100])
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
@pytest.mark.parametrize("make", NO_SOUND.values(), ids=NO_SOUND)
def test_an_offset_with_the_noise_of_a_sound_card_is_silence(tmp_path, make, subtype, rate):
    time = np.arange(3 * rate) / rate
    samples = make(time, 1e-4 * np.random.default_rng(0).standard_normal(len(time)))
    soundfile.write(tmp_path / "a.wav", samples, rate, subtype=subtype)
    assert check_audio(tmp_path / "a.wav").reason == "silence only"


@pytest.mark.parametrize("gain_db", [0, -20, -40])
@pytest.mark.parametrize("offset", [0.0, 0.005, -0.3])
def test_speech_on_an_offset_is_no_silence(tmp_path, offset, gain_db):
    soundfile.write(tmp_path / "a.wav", offset + 10 ** (gain_db / 20) * speech(3.0), RATE)
    assert check_audio(tmp_path / "a.wav").reason == ""


def test_a_rate_that_no_model_could_hear_is_found_before_training(tmp_path):
    assert check_audio(write_wav(tmp_path / "a.wav", rate=15_907)).reason == (
        "15907 Hz cannot be resampled to 16000 Hz in reasonable memory: convert it to 16000 Hz first"
    )
    assert "cannot be resampled" in check_audio(write_wav(tmp_path / "c.wav", rate=16_004)).reason  # the filter would take half a gigabyte
    assert check_audio(write_wav(tmp_path / "b.wav", rate=44_100)).reason == ""
