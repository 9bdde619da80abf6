"""How long a recording is: as long as what is in it, whatever its header says; and one that was cut off is refused."""

import io
import os
import struct
import threading
from contextlib import suppress

import numpy as np
import pytest
import soundfile
from recordings import RATE, encoded, mp3_frames, patched, sound, wav_with_size

from mlee_sb.audio.faults import NoRecording
from mlee_sb.audio.flac import flac_layout
from mlee_sb.audio.reading import opened, seconds_of
from mlee_sb.corpora.audio_headers import check_audio
from mlee_sb.errors import InputError
from mlee_sb.models.waveforms import load_waveform

WAV, FLAC, OGG, MP3 = (encoded(form) for form in ("WAV", "FLAC", "OGG", "MP3"))
OPUS = encoded("OGG", "OPUS")
INFO, FRAMES = mp3_frames(encoded("MP3", samples=sound(5.0)))
TOLD_LESS = INFO.replace(struct.pack(">I", len(FRAMES)), struct.pack(">I", 9), 1)
SECOND_MP3 = encoded("MP3", samples=sound(0.7, seed=1))
NOT_TOLD = "does not tell the number of samples"


def read(source):
    with opened(source) as recording:
        found = np.concatenate(list(recording.blocks()))
        assert len(found) == recording.frames
        return found, recording


def tag(size):
    """An ID3 tag with a picture of a number of bytes, full of what looks like frames."""
    digits = bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\x04\x00\x00" + digits + (b"\xff\xfb\x90\x64" + bytes(60)) * (size // 64) + bytes(size % 64)


def aiff_of_a_stream():
    content = encoded("AIFF", "PCM_16")
    common, data = content.index(b"COMM") + 8, content.index(b"SSND") + 4
    return patched(patched(patched(content, 4, ">I", 0x7F00002E), common + 2, ">I", 0x7F000000), data, ">I", 0x7F000008)


def flac_with_total(total):
    return patched(FLAC, 22, ">I", total)


WHOLE = {  # bytes of 1 s (others: with their seconds), and what is told of them
    "wav": (WAV, 1, ""),
    "wav: size 0": (wav_with_size(0), 1, NOT_TOLD),
    "wav: the size that sox writes to a pipe": (wav_with_size(0x7FFFF000), 1, NOT_TOLD),
    "wav: 0xffffffff": (wav_with_size(0xFFFFFFFF), 1, NOT_TOLD),
    "wav: 0x80000000": (wav_with_size(0x80000000), 1, NOT_TOLD),
    "wav: 0x7fffffff": (wav_with_size(0x7FFFFFFF), 1, NOT_TOLD),
    "wav: a quarter": (wav_with_size(8000), 1, "promises 0.250 s, and samples go on for 0.750 s"),
    "wav: 44 too many": (wav_with_size(32044), 1, ""),
    "wav: 44 too few": (wav_with_size(32000 - 44), 0.998625, ""),
    "wav: one byte is missing": (WAV[:-1], 1 - 1 / RATE, ""),
    "wav: an odd size, and a chunk without padding": (wav_with_size(31999)[:-1] + b"LIST\x04\x00\x00\x00abcd", 1 - 1 / RATE, ""),
    "wav: chunks behind the samples": (WAV + b"LIST\x04\x00\x00\x00abcdid3 \x02\x00\x00\x00ab", 1, ""),
    "wav: a tag behind the samples": (WAV + b"TAG" + bytes(125), 1, ""),
    "wav: filled up to a block of a disk": (WAV + bytes(-len(WAV) % 512), 1, ""),
    "wav: two joined": (WAV + encoded(samples=sound(0.5, 1)), 1.5, "joined"),
    "wav: three joined, the last of a stream": (WAV + WAV + wav_with_size(0), 3, "joined"),
    "rf64 of a stream": (patched(encoded("RF64"), 20, "<QQ", 0, 0), 1, NOT_TOLD),
    "w64 of a stream": (patched(encoded("W64"), encoded("W64").index(b"data") + 16, "<Q", 0), 1, NOT_TOLD),
    "aiff of a stream": (aiff_of_a_stream(), 1, NOT_TOLD),
    "au of a stream": (patched(encoded("AU"), 8, ">I", 0xFFFFFFFF), 1, NOT_TOLD),
    "caf of a stream": (patched(encoded("CAF"), encoded("CAF").index(b"data") + 4, ">q", -1), 1, NOT_TOLD),
    "caf: two joined": (encoded("CAF") * 2, 2, "joined"),
    "sphere": (encoded("NIST"), 1, ""),
    "flac of a stream": (flac_with_total(0), 1, NOT_TOLD),
    "flac: too small a number of samples": (flac_with_total(4000), 1, "promises 0.250 s, and it has 1.000 s"),
    "flac: two joined": (FLAC + encoded("FLAC", samples=sound(0.3, 1)), 1.3, "joined"),
    "flac: two of streams joined": (flac_with_total(0) * 2, 2, "joined"),
    "flac behind a tag": (tag(1000) + FLAC, 1, ""),
    "ogg: two joined": (OGG + encoded("OGG", samples=sound(0.4, 1)), 1.4, "joined"),
    "opus: three joined": (OPUS * 3, 3, "joined"),
    "mp3": (MP3, 1, ""),
    "mp3 behind a tag with a picture": (tag(100_000) + MP3, 1, ""),
    "mp3 before tags": (MP3 + b"APETAGEX" + bytes(60) + b"TAG" + bytes(125), 1, ""),
    "mp3 behind other bytes": (b"HTTP/1.1 200 OK\r\n\xff\xfb\x90\r\n\r\n" * 20 + MP3, 1, ""),
    "mp3: two joined": (MP3 + SECOND_MP3, 1.7, "joined"),
    "mp3: two joined, with tags": (tag(300) + MP3 + b"TAG" + bytes(125) + tag(90_000) + SECOND_MP3, 1.7, "joined"),
    "mp3 without a number of frames": (b"".join(FRAMES), 5.03, ""),
    "mp3 without one, joined": (b"".join(FRAMES) * 2, 10.1, ""),
    "mp3 with too small a number of frames": (TOLD_LESS + b"".join(FRAMES), 5.03, "promises"),
}

CUT = {
    "wav": WAV[: len(WAV) // 2],
    "wav: more than a moment": WAV[:-400],
    "wav: the second of two": WAV + WAV[:9000],
    "wav of floats": encoded("WAV", "FLOAT")[:-20_000],
    "wav of ADPCM": encoded("WAV", "IMA_ADPCM")[:-4000],
    "rf64": encoded("RF64")[:-9000],
    "w64": encoded("W64")[:-9000],
    "aiff": encoded("AIFF")[:-9000],
    "aiff-c": encoded("AIFF", "FLOAT")[:-9000],
    "au": encoded("AU")[:-9000],
    "caf": encoded("CAF")[:-9000],
    "sphere": encoded("NIST")[:-9000],
    "flac": FLAC[: len(FLAC) // 2],
    "flac: the last byte": FLAC[:-1],
    "flac of a stream": flac_with_total(0)[:-900],
    "flac: the first of two": FLAC[:-900] + FLAC,
    "ogg": OGG[:-100],
    "opus": OPUS[: len(OPUS) // 2],
    "ogg: the second of two": OGG + OGG[:-100],
    "mp3: in the middle of a frame": MP3[:-50],
    "mp3: between frames": INFO + b"".join(FRAMES[:100]),
    "mp3: in the number of its frames": INFO[: (INFO.find(b"Xing") + 1 or INFO.index(b"Info") + 1) + 8],
    "mp3 without a number of frames: in the middle of one": b"".join(FRAMES)[:-50],
    "mp3: the second of two": MP3 + SECOND_MP3[: len(SECOND_MP3) // 2],
}


def by_path(content, tmp_path):
    path = tmp_path / "a.recording"
    path.write_bytes(content)
    return path


def by_pipe(content, tmp_path):
    """What comes through a pipe has no size, and no way back."""
    reading, writing = os.pipe()

    def write():
        with open(writing, "wb") as file, suppress(BrokenPipeError):
            file.write(content)

    threading.Thread(target=write, daemon=True).start()
    return open(reading, "rb")


DOORS = {"a path": by_path, "a pipe": by_pipe, "memory": lambda content, tmp_path: io.BytesIO(content)}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", WHOLE)
def test_all_that_is_in_a_recording_is_read_and_a_wrong_header_is_told(name, door, tmp_path):
    content, seconds, told = WHOLE[name]
    found, recording = read(DOORS[door](content, tmp_path))
    assert len(found) / RATE == pytest.approx(seconds, abs=0.04 if "mp3 w" in name else 1e-9)
    assert told in "; ".join(recording.remarks) and bool(told) == bool(recording.remarks)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", CUT)
def test_a_recording_that_was_cut_off_is_refused(name, door, tmp_path):
    with pytest.raises(InputError, match="truncated: .*copy it again"):
        read(DOORS[door](CUT[name], tmp_path))


@pytest.mark.parametrize("name", CUT)
def test_it_is_refused_when_a_corpus_is_prepared_too(name, tmp_path):
    assert check_audio(by_path(CUT[name], tmp_path)).reason.startswith("truncated: ")


@pytest.mark.parametrize("name", WHOLE)
def test_preparation_knows_the_same_seconds_and_says_the_same(name, tmp_path):
    path = by_path(WHOLE[name][0], tmp_path)
    found, recording = read(path)
    prepared = check_audio(path)
    assert (prepared.reason, prepared.remark) == ("", "; ".join(recording.remarks))
    assert prepared.duration == seconds_of(path) == len(found) / RATE


def test_samples_of_joined_recordings_are_those_of_each(tmp_path):
    both = [sound(1.0), sound(0.5, 1)]
    content = b"".join(encoded("FLAC", samples=one) for one in both)
    alone = [soundfile.read(io.BytesIO(encoded("FLAC", samples=one)), dtype="float32")[0] for one in both]
    assert np.array_equal(read(io.BytesIO(content))[0][:, 0], np.concatenate(alone))


def test_an_mp3_read_in_blocks_is_the_one_read_as_a_whole(tmp_path):
    """A decoder that is sent back to the place where it stands forgets what the frames before have left for the next one."""
    path = by_path(encoded("MP3", samples=sound(4.0)), tmp_path)
    with opened(path) as recording:
        small, large = (np.concatenate(list(recording.blocks(size=size))) for size in (5000, 10**6))
    np.testing.assert_allclose(small, large, rtol=0, atol=1e-6)
    np.testing.assert_allclose(large[:, 0], soundfile.read(path, dtype="float32")[0], rtol=0, atol=1e-6)


def test_an_mp3_without_its_number_of_frames_has_the_samples_of_the_one_with_it(tmp_path):
    with_it, without = (read(by_path(content, tmp_path))[0][:, 0] for content in (INFO + b"".join(FRAMES), b"".join(FRAMES)))
    delay = 576  # what the encoder puts before the first sample is left out only where the file tells it
    np.testing.assert_allclose(without[delay : delay + 70_000], with_it[:70_000], rtol=0, atol=1e-6)


def test_joined_recordings_of_other_rates_are_refused():
    content = encoded("FLAC") + encoded("FLAC", rate=8000)
    with pytest.raises(NoRecording, match="several kinds in one file .*8000 Hz and .*16000 Hz"):
        read(io.BytesIO(content))


def test_a_stream_that_was_broken_off_between_pages_is_used_and_told():
    content = encoded("OGG", samples=sound(20.0))
    last = content.rindex(b"OggS")
    found, recording = read(io.BytesIO(content[:last]))
    assert 5 < len(found) / RATE < 20
    assert "not marked as the last one" in recording.remarks[0]


def test_a_named_pipe_is_read_as_a_file_is(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    threading.Thread(target=lambda: (tmp_path / "a.wav").write_bytes(wav_with_size(0)), daemon=True).start()
    assert len(load_waveform(tmp_path / "a.wav", RATE)) == RATE


@pytest.mark.parametrize("bits", ["PCM_16", "PCM_24"])
@pytest.mark.parametrize("rate", [8000, 22_050, 44_100, 96_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_last_frame_of_a_flac_tells_its_samples(rate, channels, bits):
    samples = sound(1.3, rate=rate, channels=channels)
    content = bytearray(encoded("FLAC", bits, samples, rate))
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    layout = flac_layout(bytes(content), 0)
    assert int.from_bytes(layout.links[0][0][22:26], "big") == len(samples)


@pytest.mark.parametrize("junk", [bytes(3000), b"<html>moved</html>" * 30], ids=["zeros", "text"])
def test_an_mp3_after_other_bytes_is_whole_though_libsndfile_believes_the_ending_of_its_name(junk, tmp_path):
    content = junk + b"".join(mp3_frames(encoded("MP3", samples=np.concatenate([0 * sound(1.0), sound(3.0)])))[1])
    (tmp_path / "a.mp3").write_bytes(content)
    found = load_waveform(tmp_path / "a.mp3", RATE)
    assert len(found) > 4 * RATE and np.array_equal(found, load_waveform(io.BytesIO(content), RATE))


@pytest.mark.parametrize("ends", [0, 40], ids=["whole", "cut off"])
def test_an_mp3_with_the_head_of_a_wav_is_as_long_as_its_frames(ends, tmp_path):
    mp3 = b"".join(FRAMES)
    head = struct.pack("<HHIIHHHHIHHH", 0x55, 1, RATE, 3000, 1, 0, 12, 1, 2, 144, 1, 1105)
    chunks = (
        b"WAVEfmt "
        + struct.pack("<I", len(head))
        + head
        + b"fact"
        + struct.pack("<II", 4, 5 * RATE)
        + b"data"
        + struct.pack("<I", len(mp3))
    )
    content = b"RIFF" + struct.pack("<I", len(chunks) + len(mp3)) + chunks + mp3[: len(mp3) - ends]
    (tmp_path / "a.wav").write_bytes(content)
    if ends:
        assert "truncated" in check_audio(tmp_path / "a.wav").reason
    else:
        assert np.array_equal(load_waveform(tmp_path / "a.wav", RATE), load_waveform(io.BytesIO(mp3), RATE))
