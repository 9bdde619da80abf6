"""Which files are recordings: what libsndfile reads, what ffmpeg reads where it is installed, and what is neither."""

import gzip
import io
import json
import os
import shutil
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from recordings import RATE, encoded, sound

from mlee_sb.audio import ffmpeg
from mlee_sb.audio.formats import ENDINGS, FFMPEG_ENDINGS, audio_files_below, is_recording_name, kind_of
from mlee_sb.audio.reading import HIGHEST_RATE, LOWEST_RATE, opened, seconds_of, why_not_audio
from mlee_sb.corpora.audio_headers import check_audio
from mlee_sb.errors import InputError
from mlee_sb.models.waveforms import load_waveform

M4A = b"\x00\x00\x00\x20ftypM4A \x00\x00\x00\x00" + bytes(100)
WEBM = b"\x1a\x45\xdf\xa3" + bytes(100)
FFMPEG = {  # first bytes -> the name in an error, the reader of ffmpeg
    M4A: ("m4a (AAC)", "mov"),
    b"\x00\x00\x00\x20ftypisom" + bytes(100): ("mp4", "mov"),
    b"\x00\x00\x00\x14ftypqt  " + bytes(100): ("mov", "mov"),
    b"\x00\x00\x00\x14ftyp3gp4" + bytes(100): ("3gp", "mov"),
    WEBM: ("webm or mkv (Matroska)", "matroska"),
    b"#!AMR\n" + bytes(100): ("amr", "amr"),
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + bytes(100): ("wma (ASF)", "asf"),
    b"\xff\xf1\x50\x80" + bytes(100): ("aac (ADTS)", "aac"),
}
NO_AUDIO = {  # bytes -> words that tell what it is
    b"": "an empty file",
    b"\x89PNG\r\n\x1a\n" + bytes(99): "a picture (PNG), and no recording",
    b"\xff\xd8\xff\xe0" + bytes(99): "a picture (JPEG), and no recording",
    b"%PDF-1.7" + bytes(99): "a PDF, and no recording",
    b"PK\x03\x04" + bytes(99): "a zip archive: unpack it",
    b"\x1f\x8b\x08" + bytes(99): "a gzip archive: unpack it",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n": "run git lfs pull",
    b"<!DOCTYPE html><title>404</title>" * 9: "it is text, and no recording",
    bytes(5000): "it begins with zeros",
    b"\x07\xf3\x80" * 999: "cannot be read as audio (",
    b"RIFF\x24\x00\x00\x00WAVE": "cannot be read as audio (",
}


@pytest.fixture
def without_ffmpeg(monkeypatch, tmp_path):
    (tmp_path / "no programs").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "no programs"))


@pytest.fixture
def program(monkeypatch, tmp_path):
    """Put a program with the name of ffmpeg on the PATH, in Python: `output` is the file that it must write; it notes how it was called."""

    def put(*lines):
        folder = tmp_path / "programs"
        folder.mkdir()
        note = f"json.dump(sys.argv[1:], open({str(tmp_path / 'called.json')!r}, 'w'))"
        code = [f"#!{sys.executable}", "import json, shutil, sys, time", note, "output = sys.argv[-1].removeprefix('file:')", *lines]
        (folder / "ffmpeg").write_text("\n".join(code))
        (folder / "ffmpeg").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    return put


def write_files(folder, **content):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in content.items():
        (folder / name.replace("__", ".")).write_bytes(data)
    return folder


def test_everything_that_libsndfile_reads_is_found_in_a_folder(tmp_path, without_ffmpeg):
    folder = write_files(
        tmp_path / "calls", a__wav=encoded(), b__opus=encoded("OGG", "OPUS"), c__aiff=encoded("AIFF"), d__au=encoded("AU"), e__m4a=M4A
    )
    write_files(
        folder / "more",
        f__CAF=encoded("CAF"),
        g__oga=b"",
        h__aifc=b"",
        i__snd=b"",
        j__w64=b"",
        k__rf64=b"",
        l__mp2=b"",
        m__sph=b"",
        n__voc=b"",
    )
    write_files(folder, notes__txt=b"", README=b"", list__csv=b"", raw__raw=b"", two__txt=b"", __DS_Store=b"", _____a__wav=b"")
    (folder / "gone.wav").symlink_to(tmp_path / "nowhere")
    files, passed_over = audio_files_below(folder)
    assert "".join(file.name[0] for file in files) == "abcdfghijklmn"
    remedy = next(reason for reason in passed_over if reason.startswith(".m4a: "))
    assert "ffmpeg is not installed: install ffmpeg" in remedy and "convert it" in remedy
    assert passed_over == {
        remedy: 1,
        ".txt: no ending of a recording": 2,
        ".csv: no ending of a recording": 1,
        ".raw: no ending of a recording": 1,
        "no ending in the name": 1,
        "hidden": 2,
        "a link to nothing": 1,
    }


def test_with_ffmpeg_its_formats_are_found_too(tmp_path, program):
    program()
    files, passed_over = audio_files_below(write_files(tmp_path / "calls", a__m4a=M4A, b__WEBM=WEBM))
    assert [file.name for file in files] == ["a.m4a", "b.WEBM"] and not passed_over


def test_the_endings_are_those_of_libsndfile_and_what_people_use():
    names = {f".{name.lower()}" for name in soundfile.available_formats()}
    assert names - ENDINGS == {".raw"} and not ENDINGS & FFMPEG_ENDINGS
    assert all(map(is_recording_name, ("a.wav", "b/c.OPUS", Path("d.aif"), "e.m4a", "f.g.mp3")))
    assert not any(map(is_recording_name, ("wav", "a.wav.txt", "a", ".wav", "a/.wav", "a.")))


@pytest.mark.parametrize(
    "form, subtype",
    [("WAV", "ULAW"), ("WAV", "ALAW"), ("WAV", "GSM610"), ("WAV", "MS_ADPCM"), ("WAVEX", "PCM_24"), ("RF64", "DOUBLE"), ("W64", "PCM_U8")]
    + [("AIFF", "ALAW"), ("CAF", "ALAC_16"), ("AU", "G721_32"), ("VOC", "PCM_16"), ("NIST", "PCM_16"), ("PVF", "PCM_16"), ("OGG", "OPUS")],
)
def test_a_format_is_read_whatever_the_name_of_its_file(form, subtype, tmp_path):
    (tmp_path / "a.txt").write_bytes(encoded(form, subtype))
    found = load_waveform(tmp_path / "a.txt", RATE)
    assert np.corrcoef(found[:RATE], sound())[0, 1] > 0.9 or subtype in ("GSM610", "OPUS")
    assert len(found) == pytest.approx(RATE, abs=1000) and check_audio(tmp_path / "a.txt").reason == ""


@pytest.mark.parametrize("content", NO_AUDIO)
def test_what_is_no_recording_is_named_by_its_content_at_every_door(content, tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    assert NO_AUDIO[content] in why_not_audio(path) and str(path) in why_not_audio(path)
    for source in (path, io.BytesIO(content)):
        with pytest.raises(InputError) as caught:
            load_waveform(source, RATE)
        assert NO_AUDIO[content] in str(caught.value) and "object at" not in str(caught.value)
    assert check_audio(path).reason.startswith("unreadable: ") and seconds_of(path) == 0


@pytest.mark.parametrize("content", FFMPEG)
def test_what_only_ffmpeg_reads_is_named_with_the_remedy_where_it_is_not_installed(content, tmp_path, without_ffmpeg):
    (tmp_path / "a.wav").write_bytes(content)
    told = why_not_audio(tmp_path / "a.wav")
    assert f"a.wav: {FFMPEG[content][0]}, which is read through ffmpeg" in told and "install ffmpeg" in told


def test_a_good_recording_is_audio(tmp_path):
    (tmp_path / "a").write_bytes(encoded())
    assert why_not_audio(tmp_path / "a") == ""
    assert "no such file" in why_not_audio(tmp_path / "b") and "a folder" in why_not_audio(tmp_path)


WRITES = "shutil.copy({!r}, output)"


@pytest.mark.parametrize("door", ["path", "memory"])
@pytest.mark.parametrize("content", FFMPEG)
def test_ffmpeg_is_given_the_file_and_the_kind_that_its_content_says_and_nothing_else(content, door, tmp_path, program):
    result = tmp_path / "result.w64"
    result.write_bytes(encoded("W64", "FLOAT", sound(0.5, channels=2)))
    program(WRITES.format(str(result)))
    path = tmp_path / "-i http:; a.wav"
    path.write_bytes(content)
    found = load_waveform(path if door == "path" else io.BytesIO(content), RATE, channel=2)
    assert np.array_equal(found.numpy(), sound(0.5, channels=2)[:, 1])
    called = json.loads((tmp_path / "called.json").read_text())
    assert called[called.index("-f") + 1] == FFMPEG[content][1] and called[called.index("-protocol_whitelist") + 1] == "file"
    given = called[called.index("-i") + 1]
    assert given == f"file:{path}" if door == "path" else given.startswith("file:/")
    assert called[called.index(given) :].count("wav") == 1  # libsndfile reads its floats of many channels, and not those of its w64
    assert not Path(called[-1].removeprefix("file:")).exists()


def test_a_reason_of_ffmpeg_is_the_same_each_time(tmp_path, program):
    program("print(f'[aist#0:0/aac @ {hex(id(output))}] [dec:aac @ 0x55cb7b9c9f40] Invalid data [1 of 2]', file=sys.stderr)")
    (tmp_path / "a.m4a").write_bytes(M4A)
    assert check_audio(tmp_path / "a.m4a").reason.endswith("(ffmpeg: Invalid data [1 of 2]): copy it again")


@pytest.mark.parametrize(
    "lines, said",
    [
        (
            ["print('moov atom not found', file=sys.stderr)", "sys.exit(1)"],
            r"truncated: this m4a \(AAC\) cannot be read to its end .*moov atom",
        ),
        (["print('stream 0: partial file', file=sys.stderr)"], "truncated: .*partial file"),
        (["time.sleep(60)"], "took more than 0.5 s"),
        ([], "cannot be read as audio: an empty file"),
    ],
)
def test_what_ffmpeg_cannot_read_to_its_end_is_refused(lines, said, tmp_path, program, monkeypatch):
    program(*lines)
    monkeypatch.setattr(ffmpeg, "LONGEST", 0.5 if "sleep" in "".join(lines) else 60)
    (tmp_path / "a.m4a").write_bytes(M4A)
    with pytest.raises(InputError, match=f"a.m4a: .*{said}"):
        load_waveform(tmp_path / "a.m4a", RATE)


def test_what_would_fill_the_disk_is_refused(tmp_path, program, monkeypatch):
    program("open(output, 'wb').write(bytes(1000))")
    monkeypatch.setattr(ffmpeg, "LARGEST", 1000)
    (tmp_path / "a.m4a").write_bytes(M4A)
    with pytest.raises(InputError, match="too long to be decoded at once"):
        load_waveform(tmp_path / "a.m4a", RATE)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize("ending, demuxer", [("m4a", "mov"), ("mkv", "matroska"), ("webm", "matroska"), ("mp4", "mov"), ("aac", "aac")])
def test_ffmpeg_itself_reads_them(ending, demuxer, tmp_path):
    soundfile.write(tmp_path / "a.wav", sound(2.0), RATE)
    made = tmp_path / f"a.{ending}"
    os.spawnlp(os.P_WAIT, "ffmpeg", "ffmpeg", "-v", "error", "-i", str(tmp_path / "a.wav"), str(made))
    assert kind_of(made.read_bytes()).demuxer == demuxer
    assert len(load_waveform(made, RATE)) == pytest.approx(2 * RATE, abs=2500)
    made.write_bytes(made.read_bytes()[:-2000])
    with pytest.raises(InputError, match="truncated"):
        load_waveform(made, RATE)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_ffmpeg_itself_reads_all_channels(tmp_path):
    tone = 0.1 * np.sin(np.arange(2 * RATE) * 0.3)
    soundfile.write(tmp_path / "a.wav", np.stack([(n + 1) / 6 * tone for n in range(6)], axis=1), RATE)
    os.spawnlp(
        os.P_WAIT, "ffmpeg", "ffmpeg", "-v", "error", "-i", str(tmp_path / "a.wav"), "-ac", "6", "-c:a", "flac", str(tmp_path / "a.mkv")
    )
    peaks = [float(load_waveform(tmp_path / "a.mkv", RATE, channel=n + 1).abs().max()) for n in range(6)]
    assert peaks == pytest.approx([0.1 * (n + 1) / 6 for n in range(6)], abs=1e-3)


@pytest.mark.parametrize("ending", ["au", "snd", "vox", "gsm", "mp3"])
def test_noise_is_no_recording_because_its_name_has_an_ending(ending, tmp_path):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(np.random.default_rng(0).bytes(9000))
    assert "cannot be read as audio (" in why_not_audio(path)


@pytest.mark.parametrize("rate", [1, 100, LOWEST_RATE - 1, HIGHEST_RATE + 1, 768_000])
def test_a_sample_rate_that_no_recording_has_is_refused(rate, tmp_path):
    (tmp_path / "a.wav").write_bytes(encoded(rate=rate))
    with pytest.raises(InputError, match=f"a.wav: {rate} Hz: give a sample rate from 2000 to 384000 Hz"):
        load_waveform(tmp_path / "a.wav", RATE)
    assert check_audio(tmp_path / "a.wav").reason.startswith(f"{rate} Hz")


def test_a_rate_without_a_common_factor_is_refused_before_its_filter_takes_the_memory(tmp_path):
    (tmp_path / "a.wav").write_bytes(encoded(rate=3121))
    with pytest.raises(InputError, match="3121 Hz cannot be resampled"):
        load_waveform(tmp_path / "a.wav", RATE)


def test_a_wav_without_channels_is_refused(tmp_path):
    (tmp_path / "a.wav").write_bytes(encoded()[:22] + b"\x00\x00" + encoded()[24:])
    with pytest.raises(InputError, match=r"a.wav: cannot be read as audio \("):
        load_waveform(tmp_path / "a.wav", RATE)


def test_a_file_that_is_unpacked_while_it_is_read_is_read_unpacked(tmp_path):
    with gzip.open(tmp_path / "a.wav.gz", "wb") as file:
        file.write(encoded())
    with gzip.open(tmp_path / "a.wav.gz") as file, opened(file) as recording:
        assert recording.seconds == 1


def test_a_long_pipe_is_read_block_by_block():
    reading, writing = os.pipe()
    content = encoded(samples=sound(30.0))

    def write():
        with open(writing, "wb") as file:
            file.write(content)

    threading.Thread(target=write, daemon=True).start()
    with open(reading, "rb") as pipe, opened(pipe) as recording:
        assert max(len(block) for block in recording.blocks()) == 10 * RATE


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no /dev/zero here")
def test_a_device_without_an_end_is_refused_before_it_fills_the_disk():
    with pytest.raises(InputError, match="/dev/zero: a device, which may send bytes without end"):
        load_waveform("/dev/zero", RATE)
    with open("/dev/zero", "rb") as zeros, pytest.raises(InputError, match="a device"):
        load_waveform(zeros, RATE)
