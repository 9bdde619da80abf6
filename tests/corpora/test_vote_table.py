"""Any corpus as a table of votes, in its wide and its long form."""

import pytest
from releases import write_table, write_wav

from mlee_sb.corpora.base import Skipped
from mlee_sb.corpora.vote_table import VoteTable
from mlee_sb.errors import InputError

WIDE = """
    wav,speaker,session,votes_neu,votes_hap,votes_other
    wavs/a.wav,anna,s1,2,1,0
    wavs/b.wav,bert,s1,1,1,
    wavs/c.wav,carl,s2,0,0,3
"""

LONG = """
    wav,speaker,annotator,label
    a.wav,anna,ear1,neu
    a.wav,anna,ear2,hap
    a.wav,anna,ear2,neu
    b.wav,bert,ear1,other
    b.wav,bert,ear2,hap
    b.wav,bert,ear3,hap
    c.wav,carl,ear1,neu
"""


def read(folder, text, **options):
    return {item.id: item for item in VoteTable(write_table(folder, text), **options).utterances()}


def test_the_wide_form_has_counts(tmp_path):
    found = read(tmp_path, WIDE)
    a = found["wavs/a"]
    assert (a.wav, a.speaker, a.session, a.n_annotators) == ("wavs/a.wav", "anna", "s1", 3)
    assert a.votes == {"neu": 2, "hap": 1, "oth": 0}
    assert [item.dominant for item in found.values()] == ["neu", "", "oth"]


def test_the_long_form_has_a_row_a_vote(tmp_path):
    found = read(tmp_path, LONG)
    assert found["a"].votes == {"neu": 2, "hap": 1}
    assert found["a"].n_annotators == 2
    assert found["a"].annotations == (("ear1", "neu"), ("ear2", "hap"), ("ear2", "neu"))
    assert found["b"].votes == {"oth": 1, "hap": 2}
    assert [item.dominant for item in found.values()] == ["neu", "hap", "neu"]


def test_both_forms_of_the_same_votes_are_the_same(tmp_path):
    wide = "wav,speaker,n_annotators,votes_neu,votes_hap,votes_oth\na.wav,anna,2,2,1,0\nb.wav,bert,3,0,2,1\nc.wav,carl,1,1,0,0"
    for one, other in zip(read(tmp_path / "w", wide).values(), read(tmp_path / "l", LONG).values(), strict=True):
        assert {code: n for code, n in one.votes.items() if n} == other.votes
        assert (one.id, one.wav, one.speaker, one.n_annotators, one.dominant) == (
            *(other.id, other.wav, other.speaker, other.n_annotators, other.dominant),
        )


def test_a_vote_that_is_there_twice_counts_once(tmp_path):
    assert read(tmp_path, LONG + "    c.wav,carl,ear1,neu\n")["c"].votes == {"neu": 1}


def test_the_emotions_are_those_that_the_table_names_and_other_is_none_of_them(tmp_path):
    assert VoteTable(write_table(tmp_path / "w", WIDE)).emotions == ("neu", "hap")
    assert VoteTable(write_table(tmp_path / "l", LONG)).emotions == ("hap", "neu")


def test_an_id_and_a_speaker_keep_their_text(tmp_path):
    found = read(tmp_path, "ID,wav,speaker,votes_neu,votes_hap\n001,a.wav,007,1,0\nNA,b.wav,null,1,0\n1e5,c.wav,nan,0,1")
    assert [(item.id, item.speaker) for item in found.values()] == [("001", "007"), ("NA", "null"), ("1e5", "nan")]


def test_a_dominant_column_replaces_the_rule(tmp_path):
    found = read(tmp_path, "wav,speaker,votes_neu,votes_hap,dominant\na.wav,x,3,0,hap\nb.wav,y,3,0,\nc.wav,z,3,0,neu")
    assert [item.dominant for item in found.values()] == ["hap", "", "neu"]


def test_a_byte_order_mark_spaces_blank_lines_and_backslashes_do_no_harm(tmp_path):
    (tmp_path / "votes.csv").write_bytes(
        b"\xef\xbb\xbfwav , speaker,votes_neu, votes_hap\r\n w\\a.wav,anna , 1,0\r\n\r\n./b.wav,bert,0,1\r\n"
    )
    found = list(VoteTable(tmp_path).utterances())
    assert [(item.wav, item.speaker, item.votes["neu"]) for item in found] == [("w/a.wav", "anna", 1), ("b.wav", "bert", 0)]


def test_recordings_beside_those_of_the_table_that_are_in_no_row_are_reported(tmp_path):
    write_wav(tmp_path / "wavs" / "z.wav")
    assert isinstance(read(tmp_path, WIDE)["wavs/z"], Skipped)


def test_another_file_name_can_be_given(tmp_path):
    write_table(tmp_path, WIDE, name="mine.csv")
    assert VoteTable(tmp_path, table="mine.csv").emotions == ("neu", "hap")
    with pytest.raises(InputError, match=r"votes\.csv: no such file.*--table"):
        VoteTable(tmp_path)


def test_few_speakers_are_left_out_one_by_one_and_many_in_groups(tmp_path):
    write_table(tmp_path, WIDE)
    assert [fold.test for fold in VoteTable(tmp_path).folds(["a", "b", "c", "d"])] == [("a",), ("b",), ("c",), ("d",)]
    speakers = [f"s{i:02}" for i in range(20)]
    assert [fold.test for fold in VoteTable(tmp_path).folds(speakers)] == [(f"s{i:02}", f"s{i + 10:02}") for i in range(10)]
    assert len(VoteTable(tmp_path, folds=4).folds(speakers)) == 4


def test_fewer_than_three_speakers_or_folds_are_too_few(tmp_path):
    write_table(tmp_path, WIDE)
    with pytest.raises(InputError, match=r"of 2 \(a, b\)"):
        VoteTable(tmp_path).folds(["a", "b"])
    with pytest.raises(InputError, match="folds: 2 is too few"):
        VoteTable(tmp_path, folds=2).folds(["a", "b", "c"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wav,speaker,x\na.wav,s,1", "it has the columns wav, speaker, x; give either votes_<code> columns"),
        ("wav,speaker,votes_neu,annotator,label\na.wav,s,1,e,neu", "give either votes_<code> columns"),
        ("wav,votes_neu,Age\na.wav,1,9", "no column 'speaker'; it has the columns wav, votes_neu, Age; give --speakers unknown"),
        ("wav,speaker,label\na.wav,s,neu", "no column 'annotator'"),
        ("wav,speaker,votes_neu\na.wav,s,1\n\nb.wav,s,many", "line 4: votes_neu 'many' is no number of votes"),
        ("wav,speaker,votes_neu\na.wav,s,-1", "line 2: votes_neu '-1'"),
        ("wav,speaker,votes_neu\na.wav,s,0.5", "line 2: votes_neu '0.5'"),
        ("wav,speaker,votes_neu\na.wav,s,9223372036854775808", "line 2: votes_neu '9223372036854775808' is no number of votes"),
        ("wav,speaker,votes_neu,votes_hap\na.wav,s,0,3\nb.wav,s,2", "line 3: 3 fields, and the header names 4 columns"),
        ("wav,speaker,votes_neu, votes_neu\na.wav,s,1,2", "2 columns are called 'votes_neu'"),
        ("wav,speaker,votes_neu\na.wav,s,1,2", "line 2: 4 fields"),
        ("wav,speaker,votes_neu\na.wav,s,1\na.wav,s,1,2", "line 3"),
        ("wav,speaker,votes_neu,votes_Neu\na.wav,s,1,2", "the columns 'votes_neu' and 'votes_Neu' have one name"),
        ("wav,speaker,votes_ne u\na.wav,s,1", "'ne u' cannot be a code"),
        ("wav,speaker,votes_neu,dominant\na.wav,s,1,hap", "line 2: dominant 'hap' has no votes"),
        ("wav,speaker,annotator,label\na.wav,s,,neu", "line 2: annotator '' is empty"),
        ("wav,speaker,annotator,label\na.wav,s,e,", "line 2: label '' is empty"),
        ("wav,speaker,annotator,label\na.wav,s,e,neu\na.wav,t,f,neu", "line 3: speaker 't' is another one on an earlier line"),
        ("", "the file is empty"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_its_file_and_line(tmp_path, text, message):
    (tmp_path / "votes.csv").write_text(text)
    with pytest.raises(InputError, match=r"votes\.csv") as refused:
        list(VoteTable(tmp_path).utterances())
    assert message in str(refused.value)


def test_two_columns_of_one_code_are_named(tmp_path):
    with pytest.raises(InputError, match="votes_other and votes_oth are both of 'oth'"):
        read(tmp_path, "wav,speaker,votes_neu,votes_other,votes_oth\na.wav,anna,1,0,0")
