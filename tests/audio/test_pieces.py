"""Pieces of a recording: those samples of it, and no others, cut at its own rate."""

import numpy as np
import pytest
import soundfile
import torch
from recordings import encoded, sound

from mlee_sb.audio.reading import opened
from mlee_sb.corpora import audio_headers
from mlee_sb.corpora.audio_headers import check_below
from mlee_sb.errors import InputError
from mlee_sb.models.waveforms import load_waveform, resampler

FORMATS = ["WAV", "FLAC", "OGG", "MP3", "AIFF", "CAF", "AU", "W64"]
PIECES = [(None, None), (0.0, 0.5), (0.25, 1.0), (1.5, None), (2.9, 3.0), (1.23456, 2.34567)]


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("form", FORMATS)
def test_a_piece_is_the_whole_recording_cut_at_its_own_rate(form, rate, tmp_path):
    path = tmp_path / "a.recording"
    path.write_bytes(encoded(form, samples=sound(3.0, rate=rate), rate=rate))
    with opened(path) as recording:
        whole = torch.from_numpy(np.concatenate(list(recording.blocks()))[:, 0])
    for start, end in PIECES:
        cut = whole[round((start or 0) * rate) : None if end is None else round(end * rate)]
        found = load_waveform(path, 16_000, start=start, end=end)
        torch.testing.assert_close(found, cut if rate == 16_000 else resampler(rate, 16_000)(cut), rtol=0, atol=1e-6)


@pytest.mark.parametrize("form", ["WAV", "FLAC"])
def test_a_piece_over_the_border_of_joined_recordings(form, tmp_path):
    both = [sound(1.0, 1), sound(1.0, 2)]
    path = tmp_path / "a.recording"
    path.write_bytes(b"".join(encoded(form, samples=one) for one in both))
    expected = np.concatenate(both)[12_000:20_000]
    np.testing.assert_allclose(load_waveform(path, 16_000, start=0.75, end=1.25), expected, rtol=0, atol=1 / 2**15)


@pytest.mark.parametrize(
    "start, end, said",
    [
        (0, 3.02, "a piece ends at 3.02 s, and the recording at 3.000 s"),
        (3, None, "no samples"),
        (2, 2, "no samples"),
        (2, 1, "no samples"),
    ],
)
def test_a_piece_that_is_none_of_the_recording_is_refused(start, end, said, tmp_path):
    soundfile.write(tmp_path / "a.wav", sound(3.0), 16_000)
    with pytest.raises(InputError, match=f"a.wav: {said}"):
        load_waveform(tmp_path / "a.wav", 16_000, start=start, end=end)
    (found,) = check_below(tmp_path, [("a.wav", start, end)])
    assert found.reason.startswith(said)


def test_a_piece_may_end_a_moment_after_the_recording(tmp_path):
    """Tables are written with few decimals."""
    soundfile.write(tmp_path / "a.wav", sound(2.996), 16_000)
    assert len(load_waveform(tmp_path / "a.wav", 16_000, start=2, end=3.0)) == round(0.996 * 16_000)


@pytest.fixture
def read_once(monkeypatch, tmp_path):
    """The recordings whose bytes are read; nothing is kept from before."""
    monkeypatch.setenv("MLEE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("mlee_sb.corpora.audio_cache.SETTLED", -(10**18))
    names, bytes_of = [], audio_headers.bytes_of
    monkeypatch.setattr(audio_headers, "bytes_of", lambda path: names.append(str(path)[-5:]) or bytes_of(path))
    return names


def test_each_piece_has_its_own_answer_and_the_recording_is_read_once(tmp_path, read_once):
    samples = sound(3.0)
    samples[16_000:32_000] = 0
    soundfile.write(tmp_path / "a.wav", samples, 16_000)
    soundfile.write(tmp_path / "b.wav", samples, 16_000)
    pieces = [("a.wav", 0, 1), "b.wav", ("a.wav", 1, 2), ("a.wav", 2, None), ("a.wav", 0, 0.01), ("a.wav", 2.5, 9), ("a.wav", None, None)]
    found = check_below(tmp_path, pieces)
    assert [one.duration for one in found] == [1, 3, 1, 1, 0.01, 0, 3]
    assert [one.reason.split(":")[0] for one in found] == [
        "",
        "",
        "silence only",
        "",
        "shorter than 40 ms",
        "a piece ends at 9 s, and the recording at 3.000 s",
        "",
    ]
    assert found[0].fingerprint == found[3].fingerprint == found[6].fingerprint != ""
    assert read_once == ["a.wav", "b.wav"]


def test_the_answer_for_a_piece_is_kept_and_is_not_that_of_another(tmp_path, read_once):
    soundfile.write(tmp_path / "a.wav", sound(3.0), 16_000)
    first = check_below(tmp_path, [("a.wav", 0, 1)])
    assert check_below(tmp_path, [("a.wav", 0, 1)]) == first
    assert read_once == ["a.wav"]
    assert check_below(tmp_path, [("a.wav", 0, 2), ("a.wav", 0, 1)])[0].duration == 2
    assert check_below(tmp_path, ["a.wav"])[0].duration == 3
    assert read_once == ["a.wav"] * 3


@pytest.mark.parametrize("seconds", [0.04, 0.1, 3.0])
@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("rate", [8000, 44_100])
def test_a_plain_wav_has_the_answer_that_a_decoder_gives(seconds, channels, rate, tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.wav", sound(seconds, rate=rate, channels=channels), rate)
    found = audio_headers.check_audio(tmp_path / "a.wav")
    monkeypatch.setattr(audio_headers, "plain_wav", lambda content: None)
    decoded = audio_headers.check_audio(tmp_path / "a.wav")
    assert found == decoded and found.fingerprint == decoded.fingerprint and found.reason == ""
