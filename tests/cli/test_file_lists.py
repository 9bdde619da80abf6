"""Lists of files, as people and programs write them, and audio that comes through the same pipe."""

import io
import sys
from types import SimpleNamespace

import pytest
import soundfile
from bundles import speech, write_speech

from mlee_sb.cli import audio_files
from mlee_sb.cli.audio_files import inputs
from mlee_sb.cli.file_lists import files_in
from mlee_sb.errors import InputError

NAMES = ["a.wav", "deeper/b c.flac", "M\u00fcller.wav"]
LINES = "\n".join(NAMES) + "\n"

LISTS = {
    "lines": LINES.encode(),
    "no end of the last line": LINES.strip().encode(),
    "lines of Windows": LINES.replace("\n", "\r\n").encode(),
    "lines of old Macs": LINES.replace("\n", "\r").encode(),
    "empty lines": LINES.replace("\n", "\n\n  \n").encode(),
    "UTF-8 with a mark": LINES.encode("utf-8-sig"),
    "UTF-16, little end first": b"\xff\xfe" + LINES.encode("utf-16-le"),
    "UTF-16, big end first": b"\xfe\xff" + LINES.encode("utf-16-be"),
    "UTF-16 with lines of Windows": LINES.replace("\n", "\r\n").encode("utf-16"),
    "UTF-16 without a mark": LINES.encode("utf-16-le"),
    "UTF-16 without a mark, big end first": LINES.encode("utf-16-be"),
    "UTF-32": LINES.encode("utf-32"),
    "NUL between them, as find -print0 writes": LINES.replace("\n", "\0").encode(),
    "NUL in UTF-16": LINES.replace("\n", "\0").encode("utf-16"),
    "blanks": "\n".join(f"  {name}\t" for name in NAMES).encode(),
    "double quotes": "\n".join(f'"{name}"' for name in NAMES).encode(),
    "single quotes": "\n".join(f" '{name}' " for name in NAMES).encode(),
    "comments": f"# my files\n{LINES}#end\n".encode(),
    "one column with its name": f"wav\n{LINES}".encode(),
    "a table": ("id,file,label\n" + "".join(f'{n},"{name}",hap\n' for n, name in enumerate(NAMES))).encode(),
    "a table with semicolons": ("Filename;n\n" + "".join(f"{name};1\n" for name in NAMES)).encode(),
    "a table with tabs in UTF-16": ("n\tPATH\n" + "".join(f"1\t{name}\n" for name in NAMES)).encode("utf-16"),
    "a table of Excel": ("sep=;\nn;wav\n" + "".join(f"1;{name}\n" for name in NAMES)).encode("utf-8-sig"),
    "a table below a comment": ("# of today\nwav,n\n" + "".join(f"{name},1\n" for name in NAMES)).encode(),
}


@pytest.mark.parametrize("content", LISTS.values(), ids=LISTS)
def test_a_list_names_its_files_in_whatever_form_it_is(content):
    assert files_in(content, "list") == NAMES


def test_bytes_that_are_no_utf8_stay_in_a_name():
    assert files_in(b"M\xfcller.wav\n", "list") == files_in(b"M\xfcller.wav\0", "list") == ["M\udcfcller.wav"]


@pytest.mark.parametrize("name", ["'quoted'.wav", '"a.wav"', " blank.wav", "#1.wav", "a,b.wav", "file", "\u2028.wav"])
def test_a_file_that_is_there_is_taken_as_it_is_called(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).touch()
    assert files_in(f"{name}\nother.wav".encode(), "list") == [name, "other.wav"]


def test_the_column_may_be_named():
    table = b"file,original,n\na.wav,b.wav,1\nc.wav,d.wav,2\n,,\n"
    assert files_in(table, "list", "original") == ["b.wav", "d.wav"]
    with pytest.raises(InputError, match="unknown column of list 'orignal': did you mean 'original'"):
        files_in(table, "list", "orignal")


def test_a_table_of_which_nobody_can_tell_the_column_is_refused():
    with pytest.raises(InputError, match="list: a table with the columns clip, label: name the one with the files by --column"):
        files_in(b"clip,label\na.wav,hap\n", "list")


def test_columns_that_tell_of_a_piece_are_not_passed_over_in_silence(caplog):
    assert files_in(b"wav,Start,end,label\na.wav,1,2,hap\n", "list") == ["a.wav"]
    assert "list: not used: Start, end; the answers are of whole recordings" in caplog.text


@pytest.mark.parametrize("content", [b"wav\n\n", b"\0\0", b"# nothing yet\n", b"wav,n\n,1\n"])
def test_a_list_without_a_file_is_refused(content):
    with pytest.raises(InputError, match="list: a list without a file in it"):
        files_in(content, "list")


def test_a_text_that_is_cut_off_is_refused():
    with pytest.raises(InputError, match="a list that begins as utf-16, and is not"):
        files_in(b"\xff\xfea\0b", "list")


# What comes through the pipe


def through_a_pipe(monkeypatch, content: bytes, column: str | None = None):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    return inputs(["-"], column)


@pytest.mark.parametrize("content", LISTS.values(), ids=LISTS)
def test_a_list_is_not_taken_for_audio(monkeypatch, content):
    assert [name for name, _ in through_a_pipe(monkeypatch, content)] == NAMES


FORMATS = [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III"), ("AIFF", "PCM_16")]
FORMATS += [("AU", "PCM_16"), ("CAF", "PCM_16"), ("W64", "PCM_16"), ("RF64", "PCM_16"), ("VOC", "PCM_16"), ("PAF", "PCM_16")]


@pytest.mark.parametrize("form, subtype", FORMATS, ids=[f"{form} {subtype}" for form, subtype in FORMATS])
def test_audio_is_not_taken_for_a_list(monkeypatch, tmp_path, form, subtype):
    soundfile.write(tmp_path / "a", 0.3 + 0 * speech(0.5), 16000, format=form, subtype=subtype)
    content = (tmp_path / "a").read_bytes()
    ((name, audio),) = through_a_pipe(monkeypatch, content)
    assert name == "-" and audio.read() == content


def test_an_mp3_without_a_nul_in_its_first_bytes_is_audio(monkeypatch, tmp_path):
    soundfile.write(tmp_path / "a.mp3", speech(1.0), 16000)
    frames = (tmp_path / "a.mp3").read_bytes().replace(b"\0", b"\x55")
    assert frames[0] == 0xFF and through_a_pipe(monkeypatch, frames)[0][0] == "-"


@pytest.mark.parametrize(
    "content", [b"\0\0\0\x20ftypM4A \0", b"#!AMR\n<", b"\x1aE\xdf\xa3webm", b"RIFF\0 and no more", bytes(range(256)) * 9]
)
def test_what_cannot_be_read_is_told_as_audio_and_not_as_many_files(monkeypatch, content):
    assert through_a_pipe(monkeypatch, content)[0][0] == "-"


def test_a_column_is_of_a_table_on_standard_input(monkeypatch, tmp_path):
    write_speech(tmp_path / "a.wav")
    with pytest.raises(InputError, match="--column wav: of which table"):
        inputs([str(tmp_path / "a.wav")], "wav")
    with pytest.raises(InputError, match="--column wav: standard input is audio"):
        through_a_pipe(monkeypatch, (tmp_path / "a.wav").read_bytes(), "wav")
    with pytest.raises(InputError, match="standard input is empty"):
        through_a_pipe(monkeypatch, b" \n")


def test_a_cell_of_blanks_names_no_file():
    assert files_in(b'file,label\n"  ",1\na.wav,1\n', "list") == ["a.wav"]


def test_standard_input_without_an_end_is_refused(monkeypatch):
    monkeypatch.setattr(audio_files, "MOST_PIPED", 1000)
    with pytest.raises(InputError, match="standard input: more than 1,000 bytes: write them to a file"):
        through_a_pipe(monkeypatch, bytes(1001))
