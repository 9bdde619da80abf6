"""A recording is known by all of its bytes, and is read again only where it has changed."""

import inspect
import os
from pathlib import Path

import pytest
from releases import write_wav

from mlee_sb.corpora import audio_cache
from mlee_sb.corpora import audio_headers as audio
from mlee_sb.corpora.audio_headers import check_below

WAVS = ["a.wav", "b.wav", "gone.wav"]


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """The folder that fingerprints are kept in, empty."""
    monkeypatch.setenv("MLEE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(audio_cache, "SETTLED", -(10**18))  # the files of a test are a moment old
    return tmp_path / "cache"


@pytest.fixture
def data(tmp_path):
    for wav in WAVS[:2]:
        write_wav(tmp_path / "data" / wav, seconds=1.0)
    return tmp_path / "data"


@pytest.fixture
def hashed(monkeypatch):
    """The names of the files that were read whole, as they are."""
    names, check = [], audio.check_pieces
    monkeypatch.setattr(
        audio, "check_pieces", lambda path, pieces: names.extend([Path(path).name] if Path(path).exists() else []) or check(path, pieces)
    )
    return names


def fingerprints(data):
    return [found.fingerprint for found in check_below(data, WAVS)]


def change_one_bit(path, place=-2):
    content, before = bytearray(path.read_bytes()), path.stat().st_ctime_ns
    content[place] ^= 1
    path.write_bytes(content)
    while path.stat().st_ctime_ns == before:  # the clock of a file system may tick in hundredths of a second
        path.write_bytes(content)


@pytest.mark.parametrize("place", [44, 16_000, -1])
def test_one_bit_anywhere_in_a_recording_makes_another_one(data, cache, place):
    before = fingerprints(data)
    change_one_bit(data / "b.wav", place)
    after = fingerprints(data)
    assert after[0] == before[0] and after[1] != before[1]


def test_a_recording_is_read_whole_once(data, cache, hashed):
    first = fingerprints(data)
    assert first[0] and first[1] and first[2] == ""
    assert fingerprints(data) == first
    assert hashed == ["a.wav", "b.wav"]


def test_only_a_recording_that_changed_is_read_again_even_where_its_time_was_set_back(data, cache, hashed):
    fingerprints(data)
    before = (data / "b.wav").stat()
    change_one_bit(data / "b.wav")
    os.utime(data / "b.wav", ns=(before.st_atime_ns, before.st_mtime_ns))
    fingerprints(data)
    assert hashed == ["a.wav", "b.wav", "b.wav"]


def test_what_was_kept_of_other_recordings_of_the_folder_stays(data, cache, hashed):
    fingerprints(data)
    write_wav(data / "c.wav")
    check_below(data, ["c.wav"])
    fingerprints(data)
    assert hashed == ["a.wav", "b.wav", "c.wav"]


def test_a_file_that_was_written_a_moment_ago_is_not_kept(data, cache, hashed, monkeypatch):
    monkeypatch.setattr(audio_cache, "SETTLED", 10**18)
    assert fingerprints(data) == fingerprints(data)
    assert hashed == ["a.wav", "b.wav"] * 2


def test_what_is_kept_is_all_that_was_found(data, cache):
    first = check_below(data, WAVS)
    again = check_below(data, WAVS)
    assert again == first and [one.fingerprint for one in again] == [one.fingerprint for one in first]


def test_a_recording_that_cannot_be_used_is_looked_at_again(data, cache, monkeypatch):
    """The disk may have been away for a moment."""
    check, away = audio.check_pieces, True
    unreadable = audio.Audio(reason="unreadable")
    monkeypatch.setattr(audio, "check_pieces", lambda path, pieces: [unreadable] * len(pieces) if away else check(path, pieces))
    assert check_below(data, WAVS)[0].reason == "unreadable"
    away = False
    assert check_below(data, WAVS)[0].reason == ""


def test_where_a_check_is_changed_everything_is_checked_again(data, cache, hashed, monkeypatch):
    fingerprints(data)
    read = inspect.getsource
    monkeypatch.setattr(inspect, "getsource", lambda module: f"{read(module)}# edited" if module is audio else read(module))
    fingerprints(data)
    assert hashed == ["a.wav", "b.wav"] * 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"\xff\xfe"),
        lambda file: file.write_text("0\n{}"),
        lambda file: file.write_text(file.read_text()[:-20]),
        lambda file: change_one_bit(file, -10),  # in the last fingerprint
        lambda file: file.unlink() or file.mkdir(),
    ],
    ids=["empty", "no text", "a wrong sum", "cut off", "one bit", "a folder"],
)
def test_a_damaged_cache_is_made_again(data, cache, hashed, damage):
    right = fingerprints(data)
    (file,) = (cache / "recordings").iterdir()
    damage(file)
    assert fingerprints(data) == right
    assert hashed == ["a.wav", "b.wav"] * 2
    if not file.is_dir():
        assert fingerprints(data) == right and len(hashed) == 4


def test_without_a_place_to_keep_them_fingerprints_are_computed_each_time(data, cache, hashed):
    cache.write_text("a file where the folder would be")
    assert fingerprints(data) == fingerprints(data)
    assert hashed == ["a.wav", "b.wav"] * 2


def test_a_user_without_a_home_can_prepare(data, monkeypatch, hashed):
    for name in ("MLEE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    assert fingerprints(data) == fingerprints(data)


def test_of_two_runs_at_once_neither_breaks_what_the_other_keeps(data, cache, hashed):
    """Both look before either of them writes; the last one leaves what it knows, and what it lacks is computed again."""
    one, other = (audio_cache.AudioCache(data, [(wav, None, None)], audio._rules()) for wav in WAVS[:2])
    for run, wav in ((one, "a.wav"), (other, "b.wav")):
        run.keep([[1.0, 16_000, 1, "", audio.fingerprint_of((data / wav).read_bytes())]])
    del hashed[:]
    right = fingerprints(data)
    assert hashed == ["a.wav"]
    assert fingerprints(data) == right and hashed == ["a.wav"]
