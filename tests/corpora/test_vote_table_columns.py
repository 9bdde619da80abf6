"""No column of a table of votes is left out in silence: pieces, sets and folds are read, misspelt names refused, others told."""

import pandas as pd
import pytest
from releases import prepare_quietly, skipped_of, write_table, write_wav

from mlee_sb.corpora.prepare import prepare
from mlee_sb.corpora.vote_table import VoteTable
from mlee_sb.errors import InputError


def read(folder, text, **options):
    corpus = VoteTable(write_table(folder, text), **options)
    return corpus, list(corpus.utterances())


@pytest.mark.parametrize(
    "header",
    [
        "wav,speaker,votes_neu,votes_hap,dominant,n_annotators",
        "Wav,SPEAKER,Votes_neu,VOTES_hap,Dominant,N_Annotators",
        " wav , speaker ,votes neu,votes_ hap,dominant ,n annotators",
    ],
)
def test_names_of_columns_are_read_in_any_case_and_with_spaces(tmp_path, header):
    _, (a,) = read(tmp_path, f"{header}\na.wav,anna,2,1,hap,4")
    assert (a.wav, a.speaker, dict(a.votes), a.dominant, a.n_annotators) == ("a.wav", "anna", {"neu": 2, "hap": 1}, "hap", 4)


@pytest.mark.parametrize(
    ("column", "nearest"),
    [
        ("vote_sad", "votes_<code>"),
        ("votessad", "votes_<code>"),
        ("Vote sad", "votes_<code>"),
        ("votes", "votes_<code>"),
        ("votes.sad", "votes_<code>"),
        ("sesion", "session"),
        ("Session ID", "session"),
        ("startt", "start"),
        ("start_ms", "start"),
        ("onset", "start"),
        ("end_time", "end"),
        ("offset", "end"),
        ("spilt", "split"),
        ("partition", "split"),
        ("folds", "fold"),
        ("dominent", "dominant"),
        ("scripts", "script"),
        ("n_anotators", "n_annotators"),
        ("votes_total", "n_annotators"),
        ("anotator_1", "annotator_<name>"),
        ("annotator1", "annotator_<name>"),
        ("rater", "annotator"),
        ("labels", "label"),
    ],
)
def test_a_column_that_is_near_one_that_is_read_is_refused_until_a_person_decides(tmp_path, column, nearest):
    text = f"wav,speaker,votes_neu,votes_hap,{column}\na.wav,anna,2,1,1"
    with pytest.raises(InputError, match="is not read") as refused:
        read(tmp_path, text)
    assert f"the column {column!r} is not read; did you mean {nearest!r}? Rename it, or give --ignore" in str(refused.value)
    corpus, (a,) = read(tmp_path, text, ignore=column)
    assert dict(a.votes) == {"neu": 2, "hap": 1} and corpus.remarks() == [f"votes.csv: columns that are not used: {column}"]


@pytest.mark.parametrize("column", ["wave", "file", "filename", "wav_path"])
def test_another_name_of_the_recordings_is_recognised(tmp_path, column):
    with pytest.raises(InputError, match=f"the column '{column}' is not read; did you mean 'wav'"):
        read(tmp_path, f"{column},speaker,votes_neu,votes_hap\na.wav,anna,2,1")


@pytest.mark.parametrize("column", ["speeker", "speaker_id", "actor"])
def test_another_name_of_the_speakers_is_recognised(tmp_path, column):
    with pytest.raises(InputError, match=f"the column '{column}' is not read; did you mean 'speaker'"):
        read(tmp_path, f"wav,{column},votes_neu,votes_hap\na.wav,anna,2,1")


def test_columns_that_are_near_none_are_told_in_the_report(tmp_path):
    far = "age,gender,comment,notes,valence,arousal,dominance,transcript,language,duration,speaker_age,emotion,Datum"
    text = f"wav,speaker,votes_neu,votes_hap,{far}" + "".join(f"\n{s}.wav,{s},2,1{',x' * 13}" for s in "abc")
    write_table(tmp_path, text)
    said: list[str] = []
    prepare("vote_table", tmp_path, tmp_path / "out", say=said.append)
    assert f"votes.csv: columns that are not used: {far.replace(',', ', ')}" in said


def test_attributes_of_annotators_are_no_votes_in_a_row_a_vote(tmp_path):
    corpus, (a,) = read(tmp_path, "wav,speaker,annotator,label,annotator_age\na.wav,anna,e1,neu,30")
    assert a.annotations == (("e1", "neu"),) and "annotator_age" in corpus.remarks()[0]


def test_a_duration_beside_a_start_is_not_left_out(tmp_path):
    with pytest.raises(InputError, match="'duration' is not read; did you mean 'end'"):
        read(tmp_path, "wav,speaker,start,duration,votes_neu\na.wav,anna,0,1,2")


def test_a_name_that_is_no_column_cannot_be_ignored(tmp_path):
    with pytest.raises(InputError, match="unknown column of .* in --ignore 'commnt': did you mean 'comment'"):
        read(tmp_path, "wav,speaker,comment,votes_neu\na.wav,anna,x,1", ignore="commnt")


def test_known_columns_can_be_left_out_and_told(tmp_path):
    corpus, (a,) = read(tmp_path, "wav,speaker,split,votes_neu,votes_hap\na.wav,anna,odd,2,1", ignore="Split, votes_hap")
    assert (a.split, dict(a.votes), corpus.grouping) == ("", {"neu": 2}, "speaker")
    assert corpus.remarks() == ["votes.csv: columns that are not used: split, votes_hap"]


PIECES = """
    wav,start,end,speaker,votes_neu,votes_hap
    w/a.wav,0,1,anna,3,0
    w/a.wav,1,00:02.5,anna,0,3
    w/b.wav,,0.75,bert,3,0
    w/b.wav,0:01,,bert,0,3
    w/c.wav,,,carl,0,3
    w/d.wav,0:59:59.5,1:00:01,dora,0,3
"""


def test_pieces_of_recordings_have_times_readable_ids_and_their_recording_as_session(tmp_path):
    _, found = read(tmp_path, PIECES)
    assert [(item.id, item.start, item.end, item.session) for item in found] == [
        ("w/a_0-1", 0.0, 1.0, "w/a.wav"),
        ("w/a_1-2.5", 1.0, 2.5, "w/a.wav"),
        ("w/b_0-0.75", 0.0, 0.75, "w/b.wav"),
        ("w/b_1-end", 1.0, None, "w/b.wav"),
        ("w/c", None, None, ""),
        ("w/d_3599.5-3601", 3599.5, 3601.0, "w/d.wav"),
    ]


def test_times_with_a_decimal_comma(tmp_path):
    (tmp_path / "votes.csv").write_text("wav;start;end;speaker;votes_neu\na.wav;0,25;0:01,5;anna;1\n")
    (a,) = VoteTable(tmp_path).utterances()
    assert (a.start, a.end, a.id) == (0.25, 1.5, "a_0.25-1.5")


def test_a_session_that_the_table_gives_is_kept(tmp_path):
    _, found = read(tmp_path, "wav,start,end,speaker,session,votes_neu\na.wav,0,1,anna,s1,1\na.wav,1,2,anna,,1")
    assert [item.session for item in found] == ["s1", "a.wav"]


def test_the_rows_of_a_piece_are_one_utterance_however_its_times_are_written(tmp_path):
    rows = ["a.wav,0,1,anna,e1,neu", "a.wav,0.0,1.00,anna,e2,hap", "a.wav,1,2,anna,e1,hap"]
    _, found = read(tmp_path, "\n".join(["wav,start,end,speaker,annotator,label", *rows]))
    assert [(item.id, item.n_annotators, dict(item.votes)) for item in found] == [
        ("a_0-1", 2, {"neu": 1, "hap": 1}),
        ("a_1-2", 1, {"hap": 1}),
    ]


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("1", "1", "line 3: end '1' is not after the start"),
        ("2", "1", "line 3: end '1' is not after the start"),
        ("", "0", "line 3: end '0' is not after the start"),
        ("-1", "1", "line 3: start '-1' is no time from 0 on"),
        ("one", "2", "line 3: start 'one' is no time"),
        ("0:75", "90", "line 3: start '0:75' is no time"),
        ("1:60:00", "9999", "line 3: start '1:60:00' is no time"),
        ("nan", "2", "line 3: start 'nan' is no time"),
        ("0", "inf", "line 3: end 'inf' is no time"),
        ("0", "1500 ms", "line 3: end '1500 ms' is no time from 0 on: give seconds, minutes:seconds or hours:minutes:seconds"),
    ],
)
def test_a_piece_that_cannot_be_is_refused(tmp_path, start, end, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, f"wav,start,end,speaker,votes_neu\na.wav,0,1,anna,1\nb.wav,{start},{end},anna,1")


def test_two_pieces_of_one_recording_are_prepared_and_the_same_one_twice_is_not(tmp_path):
    folder = tmp_path / "in"
    rows = [f"{s}.wav,{start},{start + 1},{s},2,1" for s in "abc" for start in (0, 1)] + ["a.wav,0.0,1.0,a,1,2"]
    write_table(folder, "\n".join(["wav,start,end,speaker,votes_neu,votes_hap", *rows]))
    for speaker in "abc":
        write_wav(folder / f"{speaker}.wav", seconds=2)
    prepare_quietly("vote_table", folder, tmp_path / "out")
    prepared = pd.read_csv(tmp_path / "out/utterances.csv")
    assert prepared[["start", "end", "duration"]].values.tolist() == [[0, 1, 1], [1, 2, 1]] * 3
    assert list(skipped_of(tmp_path / "out").values())[0].startswith("duplicated ID")


SETS = "wav,speaker,split,votes_neu,votes_hap" + "".join(
    f"\n{number}.wav,{speaker},{name},2,1" for number, (speaker, name) in enumerate(
        [("a", "Train"), ("b", "training"), ("c", "dev"), ("d", "Test1"), ("e", "test 2"), ("f", "")]
    )
)  # fmt: skip


def test_the_sets_of_the_corpus_are_its_one_fold_and_there_may_be_several_test_sets(tmp_path):
    corpus, found = read(tmp_path / "in", SETS)
    assert corpus.grouping == "split"
    assert [item.split for item in found] == ["train", "train", "valid", "test1", "test2", ""]
    protocol = prepare_quietly("vote_table", tmp_path / "in", tmp_path / "out")
    assert protocol["folds"] == [{"fold": 1, "train": ["train"], "valid": ["valid"], "test": ["test1", "test2"]}]
    assert "no split" in skipped_of(tmp_path / "out")["5"]


def test_a_fold_is_tested_by_the_fold_of_its_name(tmp_path):
    rows = [f"{number}.wav,s{number},{1 + number % 4},2,1" for number in range(8)]
    write_table(tmp_path / "in", "\n".join(["wav,speaker,Fold,votes_neu,votes_hap", *rows]))
    protocol = prepare_quietly("vote_table", tmp_path / "in", tmp_path / "out")
    assert [fold["test"] for fold in protocol["folds"]] == [["1"], ["2"], ["3"], ["4"]]
    assert protocol["folds"][3]["valid"] == ["1"]


@pytest.mark.parametrize(
    ("columns", "cells", "message"),
    [
        ("split", "trian", "line 2: split 'trian'"),
        ("split", "unlabelled", "an utterance that is in no set has an empty cell"),
        ("split,fold", "train,1", "the columns split and fold both divide the utterances: leave one out with --ignore fold"),
    ],
)
def test_a_set_that_cannot_be_understood_is_refused(tmp_path, columns, cells, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, f"wav,speaker,{columns},votes_neu\na.wav,anna,{cells},1")


def test_two_spellings_of_a_fold_are_refused(tmp_path):
    with pytest.raises(InputError, match="names of folds that differ in nothing but how they are written: 'One' = 'one'"):
        read(tmp_path, "wav,speaker,fold,votes_neu\na.wav,anna,one,1\nb.wav,bert,One,1")


def test_the_name_of_a_text_is_read(tmp_path):
    _, (a, b) = read(tmp_path, "wav,speaker,Script,votes_neu\na.wav,anna,IEO,1\nb.wav,bert,,1")
    assert (a.script, b.script) == ("IEO", "")


def test_the_speakers_may_be_missing_only_if_they_are_said_to_be_unknown(tmp_path):
    text = "wav,session,votes_neu,votes_hap" + "".join(f"\n{n}.wav,s{n % 3},2,1" for n in range(6))
    write_table(tmp_path / "in", text)
    with pytest.raises(InputError, match="no column 'speaker'; it has the columns wav, session, .*; give --speakers unknown"):
        prepare_quietly("vote_table", tmp_path / "in", tmp_path / "out")
    prepare_quietly("vote_table", tmp_path / "in", tmp_path / "out", speakers="unknown")
    assert set(pd.read_csv(tmp_path / "out/utterances.csv")["speaker"]) == {"unknown:s0", "unknown:s1", "unknown:s2"}


@pytest.mark.parametrize(
    ("column", "nearest"),
    [
        ("sad_votes", "votes_<code>"),
        ("SadVotes", "votes_<code>"),
        ("vote count", "votes_<code>"),
        ("num_votes", "n_annotators"),
        ("StartTime", "start"),
        ("segment_end", "end"),
        ("segmentEnd", "end"),
        ("cv_fold", "fold"),
        ("CV-Fold", "fold"),
        ("dataset_split", "split"),
        ("Recording Session", "session"),
        ("sess", "session"),
        ("reading script", "script"),
        ("is_dominant", "dominant"),
        ("utterance_id", "ID"),
    ],
)
def test_a_column_that_has_one_that_is_read_as_a_word_is_refused_until_a_person_decides(tmp_path, column, nearest):
    text = f"wav,speaker,votes_neu,votes_hap,{column}\na.wav,anna,2,1,1"
    with pytest.raises(InputError) as refused:
        read(tmp_path, text)
    assert f"the column {column!r} is not read; did you mean {nearest!r}? Rename it, or give --ignore" in str(refused.value)
    read(tmp_path, text, ignore=column)


@pytest.mark.parametrize("column", ["weekend", "trend", "transcripts", "thousandfold", "devotes", "emotion_label", "speaker_name"])
def test_a_column_that_has_another_one_within_a_word_is_told_and_not_refused(tmp_path, column):
    corpus, _ = read(tmp_path, f"wav,speaker,votes_neu,votes_hap,{column}\na.wav,anna,2,1,1")
    assert corpus.remarks() == [f"votes.csv: columns that are not used: {column}"]


def test_a_column_of_folds_may_hold_names_of_sets(tmp_path):
    text = "wav,speaker,votes_neu,votes_hap,fold\na.wav,anna,2,1,Train\nb.wav,bert,2,1,dev\nc.wav,carl,2,1,test 2\nd.wav,dora,1,1,"
    _, items = read(tmp_path, text)
    assert [item.split for item in items] == ["train", "valid", "test2", ""]
    with pytest.raises(InputError, match="votes.csv, line 3: split 'tset'"):
        read(tmp_path, text.replace("dev", "tset"))


@pytest.mark.parametrize(("one", "other"), [("1", "01"), ("2", "2.0")])
def test_two_spellings_of_the_number_of_a_fold_are_refused(tmp_path, one, other):
    with pytest.raises(InputError, match="votes.csv: names of folds that differ in nothing but how they are written"):
        read(tmp_path, f"wav,speaker,votes_neu,votes_hap,fold\na.wav,anna,2,1,{one}\nb.wav,bert,2,1,{other}\nc.wav,carl,2,1,3")
