"""Votes of a table: counts, proportions, a column an annotator, several labels in a cell, and a person's own labels."""

import unicodedata

import pandas as pd
import pytest
from releases import prepare_quietly, write_table

from mlee_sb.corpora.labels_file import read_labels
from mlee_sb.corpora.vote_table import VoteTable
from mlee_sb.errors import InputError


def read(folder, text, **options):
    corpus = VoteTable(write_table(folder, text), **options)
    return corpus, list(corpus.utterances())


def wide(*rows: str, columns: str = "votes_neu,votes_hap") -> str:
    return "\n".join([f"wav,speaker,{columns}", *(f"{number}.wav,s{number},{row}" for number, row in enumerate(rows))])


def counts(found) -> list[tuple[int, ...]]:
    return [tuple(item.votes.values()) for item in found]


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        (("0.67,0.33", "0,1", "1.00,0.00"), "proportions"),
        (("0.6667,0.3333", "0.0,1.0", "1,"), "proportions"),
        ((".667,.333", "0,1e0", "1,0"), "proportions"),
        (("67%,33%", "0%,100%", "100%,0%"), "percent"),
        (("67 %,33 %", "0,100 %", "100 %,"), "percent"),
        (("66.7,33.3", "0,100", "100,0"), "percent"),
        (("67,33", "0,100", "100,0"), "percent"),
    ],
)
def test_proportions_become_numbers_of_votes(tmp_path, rows, kind):
    for folder, text, options in (
        (tmp_path / "option", wide(*rows), {"n_annotators": 3}),
        (tmp_path / "column", wide(*(f"3,{row}" for row in rows), columns="n_annotators,votes_neu,votes_hap"), {}),
    ):
        corpus, found = read(folder, text, **options)
        assert counts(found) == [(2, 1), (0, 3), (3, 0)] and {item.n_annotators for item in found} == {3}
        assert [item.dominant for item in found] == ["neu", "hap", "neu"]
        assert corpus.remarks() == [f"votes.csv: its votes are {kind} of the annotators; they were turned into numbers of votes"]


def test_each_row_may_have_annotators_of_its_own(tmp_path):
    _, found = read(tmp_path, wide("7,0.57,0.43", "5,0.2,0.8", "98,0.99,0.01", columns="n_annotators,votes_neu,votes_hap"))
    assert counts(found) == [(4, 3), (1, 4), (97, 1)]


def test_annotators_may_vote_for_several_emotions(tmp_path):
    _, found = read(tmp_path, wide("0.67,1.0", "0.33,0.67"), n_annotators=3)
    assert counts(found) == [(2, 3), (1, 2)] and found[0].n_annotators == 3


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (("0.67,0.33",), {}, "line 2: votes_neu '0.67' is a proportion of an unknown number of annotators: give the column n_annotators"),
        (("67%,33%",), {}, "line 2: votes_neu '67%' is a percentage of an unknown number"),
        (("0.67,0.33", "0.7,0.3"), {"n_annotators": 3}, "line 3: votes_neu '0.7' is no proportion of 3 annotators: it would be 2.10 votes"),
        (("0.5,0.5",), {"n_annotators": 3}, "line 2: votes_neu '0.5' is no proportion of 3"),
        (("0.67,0.33",), {"n_annotators": 150}, "line 2: 150 annotators: proportions of more than 99"),
        (("0.67,0.33", "2,1"), {"n_annotators": 3}, "line 3: votes_neu '2' is more than 1, and other cells are proportions"),
        (
            ("2,1", "1.5,1"),
            {},
            "line 3: votes_neu '1.5' is no number of votes: a whole number from 0 to 1,000,000; a proportion is 1 at most",
        ),
        (("67%,33%", "2,1"), {"n_annotators": 3}, "line 3: votes_neu '2' has no percent sign, and other cells have one"),
        (("120%,0%",), {"n_annotators": 3}, "line 2: votes_neu '120%' is more than the whole: it cannot be a percentage"),
        (("1.00,0.00", "0.00,1.00"), {"n_annotators": 3}, "are a single 1, and its annotators are more: say what they are, with --votes"),
        (("-1,1",), {}, "line 2: votes_neu '-1' is no number of votes"),
        (("nan,1",), {}, "line 2: votes_neu 'nan'"),
        (("1_0,1",), {}, "line 2: votes_neu '1_0'"),
        (("2000000,1",), {}, "line 2: votes_neu '2000000'"),
        (("2/3,1/3",), {"n_annotators": 3}, "line 2: votes_neu '2/3'"),
        (("1.5,1",), {"votes": "counts"}, "line 2: votes_neu '1.5' is no number of votes"),
        (("1,0",), {"n_annotators": -3}, "--n_annotators -3"),
    ],
)
def test_votes_that_are_not_certain_are_refused_with_their_line(tmp_path, rows, options, message):
    with pytest.raises(InputError) as refused:
        read(tmp_path, wide(*rows), **options)
    assert message in str(refused.value)


def test_what_is_not_certain_can_be_said(tmp_path):
    text = wide("1.00,0.00", "0.00,1.00")
    assert counts(read(tmp_path, text, n_annotators=3, votes="proportions")[1]) == [(3, 0), (0, 3)]
    corpus, found = read(tmp_path, text, n_annotators=3, votes="counts")
    assert counts(found) == [(1, 0), (0, 1)] and found[0].n_annotators == 3 and corpus.remarks() == []


def test_the_number_of_annotators_is_said_once(tmp_path):
    with pytest.raises(InputError, match="--n_annotators 3: .* has a column n_annotators: leave the option out"):
        read(tmp_path, wide("3,1,0", columns="n_annotators,votes_neu,votes_hap"), n_annotators=3)


def test_an_empty_number_of_annotators_is_the_sum_of_the_votes(tmp_path):
    _, found = read(tmp_path, wide(",2,1", "5,2,1", "0,2,1", columns="n_annotators,votes_neu,votes_hap"))
    assert [item.n_annotators for item in found] == [3, 5, 0], "what is wrong stays so, for the check of all corpora"


BY_ANNOTATOR = wide("neu,hap,hap;neu", "hap,,hap", "other,neu,", columns="annotator_ear1,annotator_ear2,annotator_ear3")


def test_a_column_an_annotator_names_them_and_leaves_out_who_did_not_judge(tmp_path):
    corpus, found = read(tmp_path, BY_ANNOTATOR)
    assert corpus.categories == ("hap", "neu", "oth")
    assert found[0].annotations == (("ear1", "neu"), ("ear2", "hap"), ("ear3", "hap"), ("ear3", "neu"))
    assert [(dict(item.votes), item.n_annotators, item.dominant) for item in found] == [
        ({"neu": 2, "hap": 2}, 3, ""),
        ({"hap": 2}, 2, "hap"),
        ({"oth": 1, "neu": 1}, 2, ""),
    ]


def test_columns_of_annotators_can_be_named(tmp_path):
    text = BY_ANNOTATOR.replace("annotator_ear1", "Mia").replace("annotator_ear2", "Tom Lee").replace("annotator_ear3", "note")
    _, found = read(tmp_path, text, annotators="Mia,tom lee")
    assert found[0].annotations == (("Mia", "neu"), ("Tom Lee", "hap"))


def test_all_forms_of_the_same_votes_give_the_same_manifests(tmp_path):
    long = "wav,speaker,annotator,label" + "".join(
        f"\n{n}.wav,s{n},{ear},{label}" for n in range(4) for ear, label in (("e1", "neu"), ("e2", "hap"), ("e3", "neu"))
    )
    of_one_form = {
        "long": long,
        "long_in_a_cell": long.replace(",e3,neu", ",e3,neu; neu;"),
        "columns": wide(*["neu,hap,neu"] * 4, columns="annotator_e1,annotator_e2,annotator_e3"),
        "counts": wide(*["1,2"] * 4, columns="votes_hap,votes_neu"),
        "proportions": wide(*["3,0.33,0.67"] * 4, columns="n_annotators,votes_hap,votes_neu"),
    }
    written = {}
    for form, text in of_one_form.items():
        prepare_quietly("vote_table", write_table(tmp_path / form, text), tmp_path / "out", name="same")
        written[form] = (tmp_path / "out/utterances.csv").read_text()
    assert len(set(written.values())) == 1


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ('"neu;hap|sad"', "label 'neu;hap|sad': it has ';' and '|' in it: separate several labels in one way"),
        ("neu/hap", "votes.csv: 'neu/hap' cannot be a code: letters and digits of any script, _ and - only"),
        ("Positive-{Happy}", "give each label its code with --labels FILE, a CSV with the columns label,code"),
        ("very sad", "'very sad' cannot be a code"),
        ("NA", "label 'NA' is what programs write for an empty cell: leave the cell empty"),
        (";", "line 2: label ';' names no label"),
        ("", "line 2: label '' is empty"),
    ],
)
def test_a_label_that_is_none_is_refused(tmp_path, cell, message):
    with pytest.raises(InputError) as refused:
        read(tmp_path, f"wav,speaker,annotator,label\na.wav,anna,e1,{cell}")
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("one", "other", "shown"),
    [
        ("Neutral", "neutral", "'Neutral' = 'neutral'"),
        ("gl\u00fccklich", "glu\u0308cklich", r"'glu\\u0308cklich' = 'gl\\xfccklich'"),
        ("neu", "ｎｅｕ", r"'neu' = '\\uff4e\\uff45\\uff55'"),
    ],
)
def test_two_ways_to_write_a_label_are_listed(tmp_path, one, other, shown):
    text = f"wav,speaker,annotator,label\na.wav,anna,e1,{one}\nb.wav,bert,e1,{other}\nc.wav,carl,e1,Other"
    with pytest.raises(InputError, match=f"nothing but how they are written: {shown}: .*--labels FILE"):
        read(tmp_path, text)
    (tmp_path / "labels.csv").write_text(f"label,code\n{one},x\n")
    _, found = read(tmp_path, text, labels=str(tmp_path / "labels.csv"))
    assert [dict(item.votes) for item in found] == [{"x": 1}, {"x": 1}, {"oth": 1}]


@pytest.mark.parametrize("code", ["生气", "glücklich", "радость", "खुशी", "χαρά", "سعيد", "2nd", "sad_2", "ja-nein"])
def test_a_code_may_have_letters_of_any_script_and_is_composed(tmp_path, code):
    corpus, _ = read(tmp_path, f"wav,speaker,annotator,label\na.wav,anna,e1,{unicodedata.normalize('NFD', code)}\nb.wav,bert,e1,neu")
    assert set(corpus.emotions) == {unicodedata.normalize("NFC", code), "neu"}


LABELS = "label,code\nPositive-{Happy},hap\nEXC,hap\n neutral ,neu\nnone of these,oth\n"


def test_own_words_get_codes_and_an_annotator_votes_once_for_what_is_merged(tmp_path):
    rows = ["a.wav,anna,e1,positive-{happy}", "a.wav,anna,e1,exc", "a.wav,anna,e2,Neutral;Exc", "b.wav,bert,e1,None of these"]
    (tmp_path / "labels.csv").write_text(LABELS)
    corpus, (a, b) = read(tmp_path, "\n".join(["wav,speaker,annotator,label", *rows]), labels=str(tmp_path / "labels.csv"))
    assert a.annotations == (("e1", "hap"), ("e2", "neu"), ("e2", "hap")) and a.n_annotators == 2 and dict(b.votes) == {"oth": 1}
    assert corpus.dominant_rule.endswith(
        "labels were changed before: Exc, exc, positive-{happy} -> hap; Neutral -> neu; None of these -> oth"
    )


def test_counts_of_merged_labels_are_added_and_never_more_than_the_annotators(tmp_path):
    (tmp_path / "labels.csv").write_text(LABELS)
    text = wide("3,2,2,neutral", "3,1,0,exc", "3,9,1,", columns="n_annotators,votes_EXC,votes_Positive-{Happy},dominant")
    _, found = read(tmp_path, text.replace("neutral", "Exc"), labels=str(tmp_path / "labels.csv"))
    assert [(dict(item.votes), item.dominant) for item in found] == [({"hap": 3}, "hap"), ({"hap": 1}, "hap"), ({"hap": 10}, "")]


def test_labels_that_the_file_lacks_are_all_listed(tmp_path):
    (tmp_path / "labels.csv").write_text(LABELS)
    with pytest.raises(InputError, match=r"labels\.csv: no code for 2 labels of .*votes\.csv: 'Neutrl', 'sad'; 'Neutrl' is near 'neutral'"):
        read(tmp_path, wide("Neutrl,sad", columns="annotator_1,annotator_2"), labels=str(tmp_path / "labels.csv"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("word,code\nx,y\n", "no column 'label'; it has word, code: the header must be label,code"),
        ("label,code\nx,\n", "line 2: the code is empty; the code of a vote for no emotion is oth"),
        ("label,code\n,x\n", "line 2: the label is empty"),
        ("label,code\nhappy,hap\nHappy,joy\n", "line 3: the label 'Happy' has the code 'joy', and 'hap' on an earlier line"),
        ("label,code\nhappy,very happy\n", "line 2: 'very happy' cannot be a code"),
    ],
)
def test_a_file_of_labels_that_cannot_be_used_is_refused(tmp_path, text, message):
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(InputError, match=r"labels\.csv") as refused:
        read_labels(tmp_path / "labels.csv")
    assert message in str(refused.value)
    with pytest.raises(InputError, match=r"none\.csv: no such file"):
        read_labels(tmp_path / "none.csv")


def test_a_file_of_labels_may_have_any_dialect(tmp_path):
    (tmp_path / "labels.csv").write_bytes("sep=;\r\nLabel;Code\r\nZufrieden;Glu\u0308ck\r\n".encode("utf-16"))
    assert read_labels(tmp_path / "labels.csv").code_of(" zufrieden") == "Gl\u00fcck"


def test_more_annotators_than_the_table_says_are_refused(tmp_path):
    rows = ["a.wav,anna,1,e1,neu", "a.wav,anna,1,e2,hap"]
    with pytest.raises(InputError, match="line 2: 2 annotators voted, and n_annotators is 1"):
        read(tmp_path, "\n".join(["wav,speaker,n_annotators,annotator,label", *rows]))
    _, (a,) = read(tmp_path, "\n".join(["wav,speaker,n_annotators,annotator,label", *rows]).replace(",1,e", ",4,e"))
    assert a.n_annotators == 4


def test_a_table_of_one_label_a_row_can_be_read_as_one_annotators(tmp_path):
    text = "wav,speaker,label\na.wav,anna,neu\nb.wav,bert,hap"
    with pytest.raises(InputError, match="no column 'annotator'; .*; if each row has one label, give --annotators label"):
        read(tmp_path, text)
    assert [dict(item.votes) for item in read(tmp_path, text, annotators="label")[1]] == [{"neu": 1}, {"hap": 1}]


def test_an_option_of_counts_needs_counts(tmp_path):
    with pytest.raises(InputError, match=r"--votes percent: .* has no votes_\.\.\. columns"):
        read(tmp_path, BY_ANNOTATOR, votes="percent")


def test_codes_of_any_script_reach_the_manifests(tmp_path):
    text = wide(*["生气,glu\u0308cklich"] * 4, columns="annotator_1,annotator_2")
    prepare_quietly("vote_table", write_table(tmp_path / "in", text), tmp_path / "out")
    assert {"votes_生气", "votes_gl\u00fccklich", "exist_生气"} <= set(pd.read_csv(tmp_path / "out/utterances.csv"))


def test_whole_votes_that_all_add_up_to_100_may_be_percentages_so_a_person_must_say(tmp_path):
    text = "wav,speaker,votes_neu,votes_hap\na.wav,anna,67,33\nb.wav,bert,0,100\nc.wav,carl,33,66"
    with pytest.raises(InputError, match="votes.csv: the votes of each utterance add up to 100: .*--votes counts, or with --votes percent"):
        list(VoteTable(write_table(tmp_path, text)).utterances())
    counted = list(VoteTable(tmp_path, votes="counts").utterances())
    assert [(u.votes["neu"], u.n_annotators) for u in counted] == [(67, 100), (0, 100), (33, 99)]
    parts = list(VoteTable(tmp_path, votes="percent", n_annotators=3).utterances())
    assert [(u.votes["neu"], u.n_annotators) for u in parts] == [(2, 3), (0, 3), (1, 3)]


@pytest.mark.parametrize(
    ("part", "n", "votes"), [("0.66", 3, 2), ("0.33", 3, 1), ("0.16", 6, 1), ("0.83", 6, 5), ("0.14", 7, 1), ("0.97", 49, 48)]
)
def test_a_proportion_may_be_cut_and_not_rounded(tmp_path, part, n, votes):
    _, (only,) = read(tmp_path, wide(f"{part},0"), n_annotators=n)
    assert only.votes["neu"] == votes


@pytest.mark.parametrize(("part", "n"), [("0.65", 3), ("0.68", 3), ("0.33", 4)])
def test_a_proportion_of_another_number_of_annotators_is_refused(tmp_path, part, n):
    with pytest.raises(InputError, match=f"line 2: votes_neu '{part}' is no proportion of {n} annotators"):
        read(tmp_path, wide(f"{part},0"), n_annotators=n)
