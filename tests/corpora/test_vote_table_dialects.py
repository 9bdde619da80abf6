"""A table of votes as other programs write it: read where that is certain, else refused with the line and a remedy."""

import zipfile

import pytest
from releases import prepare_quietly, write_table, write_wav

from mlee_sb.corpora.vote_table import VoteTable
from mlee_sb.errors import InputError

TEXT = "wav,speaker,votes_neu,votes_hap\nw/a.wav,Anna,2,1\nw/b.wav,Bert,0,3\nw/c.wav,Cläre,3,0\n"
WITH_COMMAS = TEXT.replace(",", ";").replace(";2;1", ";2,0;1,0").replace(";0;3", ";0,0;3,0").replace(";3;0", ";3,0;0,0")
FOUND = [("w/a.wav", "Anna", {"neu": 2, "hap": 1}), ("w/b.wav", "Bert", {"neu": 0, "hap": 3}), ("w/c.wav", "Cläre", {"neu": 3, "hap": 0})]


def read(folder, content: bytes, **options):
    (folder / "votes.csv").write_bytes(content)
    corpus = VoteTable(folder, **options)
    return corpus, [(item.wav, item.speaker, dict(item.votes)) for item in corpus.utterances()]


@pytest.mark.parametrize(
    ("content", "remark"),
    [
        (TEXT.encode("utf-8-sig"), ""),
        (TEXT.replace("\n", "\r\n").encode(), ""),
        (TEXT.replace("\n", "\r").encode(), ""),
        (TEXT.replace(",", "\t").encode(), "UTF-8 with fields between tabs"),
        (TEXT.replace(",", ";").encode(), "UTF-8 with fields between semicolons"),
        (TEXT.replace(",", "|").encode(), "UTF-8 with fields between vertical bars"),
        (TEXT.encode("utf-16"), "UTF-16-LE with fields between commas"),
        (TEXT.replace(",", "\t").encode("utf-16-le"), "UTF-16-LE with fields between tabs"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "UTF-16-BE with fields between commas"),
        (TEXT.encode("utf-16-be"), "UTF-16-BE with fields between commas"),
        (TEXT.encode("utf-32"), "UTF-32-LE with fields between commas"),
        (f"sep=;\r\n{TEXT.replace(',', ';')}".encode(), "fields between semicolons"),
        (f"\ufeffsep=,\r\n{TEXT}".encode(), ""),
        (f"# votes of May\n#\n\n{TEXT}".encode(), ""),
        ("\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in TEXT.splitlines()).encode(), ""),
        (TEXT.replace(",", ", ").encode(), ""),
        (TEXT.replace("\n", ",,\n").encode(), ""),
        (TEXT.replace("\n", ",\n").replace("hap,\n", "hap\n").encode(), ""),
        (WITH_COMMAS.encode("utf-8-sig"), "its numbers have a decimal comma"),
        (WITH_COMMAS.replace(";", "\t").encode("utf-16"), "its numbers have a decimal comma"),
        ("wav,speaker,votes_neu,votes_hap\nw/a.wav,Anna,2.0,1e0\nw/b.wav,Bert, 0 ,+3\nw/c.wav,Cläre,3.,\n".encode(), ""),
    ],
)
def test_a_dialect_that_is_certain_is_read_and_told(tmp_path, content, remark):
    corpus, found = read(tmp_path, content)
    assert found == FOUND
    assert any(remark in line for line in corpus.remarks()) if remark else corpus.remarks() == []


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "mac_roman", "cp850"])
def test_a_code_page_is_never_guessed_and_read_where_it_is_named(tmp_path, encoding):
    content = TEXT.encode(encoding)
    with pytest.raises(InputError, match=r"votes\.csv, line 4: byte 0x.. is no UTF-8: .*--encoding cp1252.*w/c\.wav"):
        read(tmp_path, content)
    assert read(tmp_path, content, encoding=encoding)[1] == FOUND


def test_an_eastern_code_page_can_be_named(tmp_path):
    content = "wav,speaker,votes_生气,votes_中立\na.wav,王,2,1\n".encode("gb18030")
    assert read(tmp_path, content, encoding="gb18030")[1] == [("a.wav", "王", {"生气": 2, "中立": 1})]


def test_the_line_of_an_error_is_the_line_of_the_file(tmp_path):
    content = '# made by\n# somebody\nwav,speaker,note,votes_neu\n\na.wav,anna,"two\nlines",1\r\nb.wav,bert,,many\n'
    with pytest.raises(InputError, match="line 7: votes_neu 'many'"):
        read(tmp_path, content.encode())


def archive(folder, names) -> bytes:
    with zipfile.ZipFile(folder / "archive", "w") as file:
        for name in names:
            file.writestr(name, "")
    return (folder / "archive").read_bytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (["xl/workbook.xml"], "an Excel workbook (xlsx), and not a CSV: open it in the program that wrote it and save the table as CSV"),
        (["mimetype", "content.xml"], "an OpenDocument spreadsheet (ods), and not a CSV"),
        (["votes.csv"], "a zip archive, and not a CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook (xls), and not a CSV"),
        (b"\x1f\x8b\x08\x00", "a gzip archive, and not a CSV"),
        (b'[{"wav": "a.wav", "speaker": "anna"}]', "JSON, and not a CSV"),
        (b"<table><tr><td>wav</td></tr></table>", "HTML or XML, and not a CSV"),
        (b"PAR1\x15\x04", "a Parquet file, and not a CSV"),
        (b"", "the file is empty"),
        (b"# nothing\n\n", "the file is empty"),
        (b"wav,speaker,votes_neu\na.wav,\0,1\n", "line 2: a byte 0"),
        ("wav,speaker,votes_neu\na.wav,M\ufffdller,1\n".encode(), "line 2: U+FFFD: another program could not read this letter"),
        (b"sep=^\nwav^speaker^votes_neu\n", "line 1: fields between '^' cannot be read"),
        (b"wav speaker votes_neu\na.wav anna 1\n", "its header is one column, 'wav speaker votes_neu': separate the fields by commas"),
        (b"sep=;\nwav,speaker,votes_neu\na.wav,anna,1\n", "and a line before says sep=;: remove that line"),
        (b"Votes of May,,\n\nwav,speaker,votes_neu\na.wav,anna,1\n", "line 3: it names the columns, and there are lines before it"),
        (b"# wav,speaker,votes_neu\na.wav,anna,1\n", "line 1: it names the columns and is a comment: remove the #"),
        (b"wav,speaker,votes_neu\n", "no row after the header"),
        (TEXT.encode() + TEXT.encode(), "line 5: the header again"),
        (b"wav,speaker,votes_neu,votes_hap\na.wav,anna,2,0,1,0\n", "line 2: 6 fields, and the header names 4 columns; a field that has"),
        (b"wav,speaker,votes_neu\na.wav,anna,1\n# the end\n", "line 3: 1 field, and"),
        (
            b'wav,speaker,votes_neu\na.wav,"anna,1\nb.wav,bert,1\n',
            "line 2: unexpected end of data: a field in quotes must end with",
        ),
        (b'wav,speaker,votes_neu\na.wav,"anna"x,1\n', "line 2: ',' expected after '\"'"),
        (b"wav;speaker;votes_neu;votes_hap\na.wav;anna;1,000;0\n", "line 2: votes_neu '1,000' can be a number of thousands"),
        (
            b"wav;speaker;votes_neu;votes_hap\na.wav;anna;2,0;1.0\n",
            "line 2: votes_neu '2,0' is written with a comma, and '1.0'",
        ),
    ],
)
def test_what_is_not_certain_is_refused_with_the_file_the_line_and_a_remedy(tmp_path, content, message):
    content = archive(tmp_path, content) if isinstance(content, list) else content
    with pytest.raises(InputError, match=r"votes\.csv") as refused:
        read(tmp_path, content)
    assert message in str(refused.value)


@pytest.mark.parametrize("encoding", ["windows", "hex"])
def test_an_encoding_that_is_none_of_text_is_named(tmp_path, encoding):
    with pytest.raises(InputError, match=f"--encoding {encoding}: no such encoding; give for example cp1252"):
        read(tmp_path, TEXT.encode(), encoding=encoding)


def test_a_mark_is_believed_more_than_the_option(tmp_path):
    with pytest.raises(InputError, match="--encoding cp1252: .*begins with the mark of UTF-16"):
        read(tmp_path, TEXT.encode("utf-16"), encoding="cp1252")
    assert read(tmp_path, TEXT.encode("utf-8-sig"), encoding="utf8")[1] == FOUND


def test_a_column_without_a_name_is_told(tmp_path):
    corpus, found = read(tmp_path, b",wav,speaker,votes_neu\n0,a.wav,anna,1\n1,b.wav,bert,1\n")
    assert [speaker for _, speaker, _ in found] == ["anna", "bert"]
    assert corpus.remarks() == ["votes.csv: column 1 has no name and is not used"]


def test_manifests_of_all_dialects_are_the_same(tmp_path):
    write_table(tmp_path, TEXT)
    for wav, _, _ in FOUND:
        write_wav(tmp_path / wav)
    prepare_quietly("vote_table", tmp_path, tmp_path / "one", name="x1")
    (tmp_path / "votes.csv").write_bytes(WITH_COMMAS.replace("/", "\\").encode("utf-16"))
    prepare_quietly("vote_table", tmp_path, tmp_path / "other", name="x1")
    assert (tmp_path / "one/utterances.csv").read_bytes() == (tmp_path / "other/utterances.csv").read_bytes()
