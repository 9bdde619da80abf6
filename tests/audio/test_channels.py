"""Which channels are heard: one rule for a whole recording, the same in training, in preparation and in inference."""

import logging

import numpy as np
import pytest
import soundfile
import torch
from recordings import RATE, sound

from mlee_sb.audio.channels import SILENCE
from mlee_sb.audio.reading import BLOCK_SECONDS, n_channels
from mlee_sb.corpora.audio_headers import check_audio
from mlee_sb.errors import InputError
from mlee_sb.models.waveforms import load_waveform, read_blocks

A, B, C = (sound(0.5, seed) for seed in (1, 2, 3))
NOTHING, OFFSET = np.zeros_like(A), np.full_like(A, 0.2)
HISS = 1e-4 * B
LONG = sound(BLOCK_SECONDS + 1, 4)


def written(tmp_path, *channels, form="WAV", subtype="FLOAT"):
    path = tmp_path / f"a.{form.lower()}"
    soundfile.write(path, np.stack(channels, axis=1), RATE, format=form, subtype=subtype)
    return path


HEARD = {  # channels, the mean of those that are heard, words that are told
    "both": ((A, B), (A, B), ""),
    "the same in both": ((A, A), (A, A), ""),
    "the second is silent": ((A, NOTHING), (A,), "channel 2 of 2 is silent and is left out"),
    "the first is silent": ((NOTHING, A), (A,), "channel 1 of 2 is silent"),
    "the second is nothing but an offset": ((A, OFFSET), (A,), "channel 2 of 2 is silent"),
    "the second is the hiss of an open input": ((A, HISS), (A,), "channel 2 of 2 is silent"),
    "one bit of dither": ((A, np.sign(B).astype(np.float32) * SILENCE / 2.1), (A,), "channel 2 of 2 is silent"),
    "a quiet voice stays": ((A, 0.01 * B), (A, 0.01 * B), ""),
    "one is inverted": ((A, -A), (A,), "cancel each other (is one inverted?): channel 1"),
    "one is inverted and louder": ((A, -1.1 * A), (-1.1 * A,), "channel 2, the loudest"),
    "one is inverted, with a little noise": ((A, -0.9 * A + 0.05 * B), (A,), "cancel each other"),
    "one is inverted, and quieter": ((A, -0.5 * A), (A,), "cancel each other"),
    "two of three are inverted, and half as loud": ((A, -0.5 * A, -0.5 * A), (A,), "cancel each other"),
    "one is inverted, and a third is silent": ((A, NOTHING, -A), (A,), "cancel each other"),
    "unlike voices do not cancel": ((A - A.mean(), B - 0.5 * A), (A - A.mean(), B - 0.5 * A), ""),
    "two of four are silent": ((A, NOTHING, B, NOTHING), (A, B), "channels 2, 4 of 4 are silent"),
    "four microphones": ((A, B, C, A), (A, B, C, A), ""),
    "5.1 with voices in the center": ((B, B, A, C, B, B), (A,), "5.1 sound: its center is heard, channel 3 of 6"),
    "5.1 without a center": ((A, B, NOTHING, C, NOTHING, NOTHING), (A, B), "channels 3, 4, 5, 6 of 6 are silent"),
    "5.1 with the hiss of an empty center": ((A, B, 0.02 * C, C, A, B), (A, B, 0.02 * C, A, B), "channel 4 of 6 is silent, or of deep"),
    "5.1 with nothing but the deep channel": ((NOTHING,) * 3 + (C,) + (NOTHING,) * 2, (C,), "silent"),
    "7.1": ((B, B, A, C, B, B, B, B), (A,), "7.1 sound"),
    "all are silent": ((NOTHING, NOTHING), (NOTHING, NOTHING), ""),
}


@pytest.mark.parametrize("name", HEARD)
def test_what_is_heard_is_the_mean_of_the_channels_with_sound(name, tmp_path, caplog):
    channels, heard, told = HEARD[name]
    path = written(tmp_path, *channels)
    with caplog.at_level(logging.WARNING):
        found = load_waveform(path, RATE)
    np.testing.assert_allclose(found, np.mean(heard, axis=0), rtol=0, atol=1e-7)
    said = "\n".join(record.message for record in caplog.records)
    assert told in said and bool(told) == bool(said)


def test_two_channels_with_sound_are_averaged_to_the_bit(tmp_path):
    path = written(tmp_path, A, B)
    expected = torch.from_numpy(soundfile.read(path, dtype="float32")[0]).mean(dim=1)
    assert torch.equal(load_waveform(path, RATE), expected)


@pytest.mark.parametrize("late", [0, 1])
def test_the_choice_is_made_for_the_whole_recording_and_not_for_a_block(tmp_path, late):
    """A voice that begins late, behind the first block, is in the mix from the first sample."""
    begins_late = LONG.copy()
    begins_late[: BLOCK_SECONDS * RATE] = 0
    channels = [LONG, begins_late]
    path = written(tmp_path, *channels[:: 1 - 2 * late])
    np.testing.assert_allclose(torch.cat(list(read_blocks(path, RATE))), np.mean(channels, axis=0), rtol=0, atol=1e-7)
    np.testing.assert_allclose(load_waveform(path, RATE, start=1, end=2), np.mean(channels, axis=0)[RATE : 2 * RATE], rtol=0, atol=1e-7)


@pytest.mark.parametrize("form, subtype", [("OGG", "VORBIS"), ("OGG", "OPUS")])
def test_the_center_of_ogg_is_its_second_channel(tmp_path, form, subtype):
    rate = 48_000
    channels = [sound(1.0, seed, rate) for seed in range(6)]
    channels[1] = 0.3 * np.sin(np.arange(rate) * 2 * np.pi * 500 / rate).astype(np.float32)
    soundfile.write(tmp_path / "a.ogg", np.stack(channels, axis=1), rate, format=form, subtype=subtype)
    found = load_waveform(tmp_path / "a.ogg", rate)
    assert np.corrcoef(found, channels[1])[0, 1] > 0.99


@pytest.mark.parametrize("channel", [1, 2, 3])
def test_one_channel_can_be_chosen_also_a_silent_one(tmp_path, channel):
    path = written(tmp_path, A, NOTHING, B)
    assert n_channels(path) == 3
    np.testing.assert_array_equal(load_waveform(path, RATE, channel=channel), (A, NOTHING, B)[channel - 1])


@pytest.mark.parametrize("channel", [0, -1, 3, 1.0, "1", True])
def test_a_channel_that_is_none_is_refused(tmp_path, channel):
    with pytest.raises(InputError, match=r"a.wav: channel .*: give one from 1 to 2"):
        load_waveform(written(tmp_path, A, B), RATE, channel=channel)


def test_a_mix_of_very_many_channels_is_refused_and_one_of_them_is_read(tmp_path):
    path = written(tmp_path, *[A] * 255)
    with pytest.raises(InputError, match="255 channels, and 64 are mixed at most: choose one"):
        load_waveform(path, RATE)
    np.testing.assert_array_equal(load_waveform(path, RATE, channel=255), A)


def test_a_recording_that_changed_is_listened_to_again(tmp_path):
    path = written(tmp_path, A, NOTHING)
    load_waveform(path, RATE)
    written(tmp_path, NOTHING, np.append(B, B)[: len(B)])
    path.write_bytes(path.read_bytes() + b"LIST\x04\x00\x00\x00abcd")
    np.testing.assert_array_equal(load_waveform(path, RATE), B)


@pytest.mark.parametrize("name", HEARD)
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_preparation_refuses_as_silent_what_is_heard_as_silent(name, subtype, tmp_path):
    path = written(tmp_path, *HEARD[name][0], subtype=subtype)
    heard = load_waveform(path, RATE)
    assert (check_audio(path).reason == "silence only") == (float(heard.max() - heard.min()) <= SILENCE)
