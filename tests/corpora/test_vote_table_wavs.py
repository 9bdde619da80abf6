"""The recordings that a table names, found on disk where their names differ and only one can be meant."""

import os
import unicodedata

import pytest
from releases import prepare_quietly, skipped_of, write_wav

from mlee_sb.corpora.base import Skipped
from mlee_sb.corpora.vote_table import VoteTable
from mlee_sb.corpora.vote_table.wavs import Recordings
from mlee_sb.errors import InputError


def read(folder, cells, files):
    for file in files:
        write_wav(folder / file)
    (folder / "votes.csv").write_text("wav,speaker,votes_neu\n" + "".join(f'"{cell}",s{n},1\n' for n, cell in enumerate(cells)))
    corpus = VoteTable(folder)
    return corpus, [item for item in corpus.utterances() if not isinstance(item, Skipped)]


@pytest.mark.parametrize(
    ("cell", "file"),
    [
        ("w/a1.WAV", "w/a1.wav"),
        ("w/a1.wav", "w/a1.WAV"),
        ("w/A1.wav", "w/a1.wav"),
        ("W/a1.wav", "w/a1.wav"),
        ("w/a1.wav", "w/a1.flac"),
        ("w/a1.mp3", "w/A1.flac"),
        ("w/a1", "w/a1.wav"),
        ("w/a1.2", "w/a1.2.flac"),
        ("w\\a1.WAV", "w/a1.wav"),
        (".\\w\\.\\a1", "w/a1.wav"),
        ("w//a1", "w/a1.wav"),
        ("w/m%C3%BCller%201.wav", "w/müller 1.wav"),
        ("w/müller 1.wav", "w/m%C3%BCller%201.wav"),
        (unicodedata.normalize("NFD", "w/müller.wav"), unicodedata.normalize("NFC", "w/müller.wav")),
        (unicodedata.normalize("NFC", "wü/müller.wav"), unicodedata.normalize("NFD", "wü/müller.wav")),
    ],
)
def test_the_one_recording_that_is_meant_is_found_and_told(tmp_path, cell, file):
    corpus, (found,) = read(tmp_path, [cell], [file])
    assert (found.wav, found.id) == (file, file.rpartition(".")[0])
    (remark,) = corpus.remarks()
    assert remark.startswith("votes.csv: recordings with another name on disk, which were found: 1 (")


@pytest.mark.parametrize("start", ["", "./", ".\\", "{folder}/", "file://{folder}/"])
def test_a_path_that_is_written_in_another_way_is_the_same(tmp_path, start):
    corpus, (found,) = read(tmp_path, [f"{start.format(folder=tmp_path)}w/a1.wav"], ["w/a1.wav"])
    assert (found.wav, found.id) == ("w/a1.wav", "w/a1") and corpus.remarks() == []


def test_an_absolute_path_is_found_through_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    _, (found,) = read(tmp_path / "link", [f"{tmp_path}/real/a.WAV"], ["a.wav"])
    assert found.wav == "a.wav"


@pytest.mark.parametrize("cell", ["/elsewhere/a.wav", "../a.wav", "C:\\data\\a.wav"])
def test_what_lies_elsewhere_is_left_to_the_check_of_prepare(tmp_path, cell):
    _, (found,) = read(tmp_path, [cell], ["a.wav"])
    assert found.wav == cell.replace("\\", "/")


@pytest.mark.parametrize(
    ("cell", "files"),
    [
        ("a1", ["a1.flac", "a1.wav"]),
        ("a1.mp3", ["a1.flac", "a1.wav"]),
        ("a1.wav", ["A1.wav", "a1.WAV"]),
        ("A1", ["a1.wav", "a1.WAV"]),
    ],
)
def test_two_recordings_that_can_be_meant_are_listed(tmp_path, cell, files):
    both = ", ".join(repr(file) for file in sorted(files))
    with pytest.raises(InputError, match=f"votes.csv: wav '{cell}' can be {both}: write the name of the file as it is on disk"):
        read(tmp_path, [cell], files)


def test_the_same_name_in_another_case_is_meant_rather_than_another_ending(tmp_path):
    _, (found,) = read(tmp_path, ["a1.wav"], ["a1.WAV", "a1.flac"])
    assert found.wav == "a1.WAV"


def test_a_recording_that_another_row_names_exactly_is_not_taken(tmp_path):
    _, (one, other) = read(tmp_path, ["a1.wav", "A1.wav"], ["a1.wav"])
    assert (one.wav, other.wav) == ("a1.wav", "A1.wav")


def test_a_text_beside_a_recording_is_no_recording(tmp_path):
    (tmp_path / "a1.txt").write_text("hello")
    _, (found,) = read(tmp_path, ["a1"], ["a1.wav"])
    assert found.wav == "a1.wav"


def test_a_folder_called_as_a_recording_without_its_ending_is_no_recording(tmp_path):
    (tmp_path / "a1").mkdir()
    _, (found,) = read(tmp_path, ["a1"], ["a1.wav"])
    assert found.wav == "a1.wav"


def test_what_is_not_there_is_skipped_by_prepare_with_its_reason(tmp_path):
    cells = ["a.wav", "b.wav", "c.wav", "gone.wav"]
    lines = "".join(f"{cell},s{n},{1 + n % 2},1\n" for n, cell in enumerate(cells))
    for cell in cells[:3]:
        write_wav(tmp_path / "in" / cell)
    (tmp_path / "in/votes.csv").write_text(f"wav,speaker,votes_neu,votes_hap\n{lines}")
    prepare_quietly("vote_table", tmp_path / "in", tmp_path / "out")
    assert list(skipped_of(tmp_path / "out")) == ["gone"]


def test_each_folder_is_listed_once_however_many_rows_it_has(tmp_path, monkeypatch):
    for file in ("w/a.wav", "w/b.wav", "v/c.wav"):
        write_wav(tmp_path / file)
    asked: list[str] = []
    listdir = os.listdir
    monkeypatch.setattr(os, "listdir", lambda folder: asked.append(str(folder)) or listdir(folder))
    recordings = Recordings(tmp_path)
    found, renamed = recordings.find(["w/a.WAV", "w/b", "v/c.wav", "w/gone.wav", "x/gone.wav"] * 3, tmp_path / "votes.csv")
    assert list(found.values()) == ["w/a.wav", "w/b.wav", "v/c.wav", "w/gone.wav", "x/gone.wav"] and len(renamed) == 2
    assert len(asked) == len(set(asked))
