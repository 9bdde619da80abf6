"""The IEMOCAP reader, against releases with every quirk of the real one."""

import pytest
from releases import block, write_dialog, write_iemocap, write_wav

from mlee_sb.corpora.base import Skipped, Utterance
from mlee_sb.corpora.iemocap import Iemocap
from mlee_sb.errors import InputError


def read(folder, **options) -> dict[str, Utterance | Skipped]:
    return {item.id: item for item in Iemocap(folder, **options).utterances()}


def read_one(folder, *lines, code="neu", utterance="Ses01F_impro01_F000", **keywords) -> Utterance | Skipped:
    """Read a release with one utterance, whose evaluation has `lines`."""
    write_dialog(folder, utterance.rpartition("_")[0], [block(utterance, code, *lines)], **keywords)
    return read(folder)[utterance]


def test_an_utterance_has_the_votes_of_its_external_annotators(tmp_path):
    found = read_one(tmp_path, "C-E2:\tNeutral;\t()", "C-E3:\tAnger;\t()", "C-E4:\tNeutral;\t()", "A-E3:\tval 2; act 4; dom  4;\t()")
    assert found.votes == {"neu": 2, "ang": 1}
    assert found.n_annotators == 3
    assert found.annotations == (("E2", "neu"), ("E3", "ang"), ("E4", "neu"))
    assert (found.speaker, found.session, found.dominant) == ("Ses01F", "Ses01", "neu")
    assert found.wav == "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav"


def test_each_of_several_labels_on_a_line_is_a_vote(tmp_path):
    found = read_one(tmp_path, "C-E4:\tNeutral; Frustration;\t()", "C-E1:\tFrustration;\t()")
    assert found.votes == {"neu": 1, "fru": 2}
    assert found.n_annotators == 2


def test_a_label_that_is_twice_on_a_line_is_one_vote(tmp_path):
    assert read_one(tmp_path, "C-E4:\tNeutral; Neutral;\t()").votes == {"neu": 1}


@pytest.mark.parametrize(
    "comment",
    [
        "calm; Anger;",
        "a\tb\tC-E9:\tFear;",
        "[6.2 - 8.1]\tx\tang\t",
        "((",
        "(Anger;)",
        "caf\xe9 \x85 \x0b \x0c \x1c \xff",
        "",
        "C-E5: Sadness;",
        "\x85C-E5:\tFear;\x0cC-E6:\tFear;\rC-E1:\tFear;",
    ],
)
def test_a_comment_may_hold_anything_and_is_never_a_vote(tmp_path, comment):
    found = read_one(tmp_path, f"C-E2:\tOther;\t({comment})", f"C-E3:\tOther; ({comment})", f"C-E4:\tSadness;\t({comment})")
    assert found.votes == {"oth": 2, "sad": 1}


def test_the_actors_reports_on_themselves_are_not_votes(tmp_path):
    found = read_one(tmp_path, "C-E2:\tNeutral;\t()", "C-F1:\tAnger;\t()", "C-M1:\tFear;\t()", "A-F1:\tval 3; act 2; dom  2;\t()")
    assert found.votes == {"neu": 1}
    assert found.n_annotators == 1


@pytest.mark.parametrize(
    ("label", "code"),
    [
        *[("Neutral state", "neu"), ("Neutral", "neu"), ("Happiness", "hap"), ("Excited", "exc"), ("Frustration", "fru"), ("Other", "oth")],
        *[("Sadness", "sad"), ("Anger", "ang"), ("Fear", "fea"), ("Disgust", "dis"), ("Surprise", "sur")],
    ],
)
def test_full_names_become_codes(tmp_path, label, code):
    assert read_one(tmp_path, f"C-E2:\t{label};\t()").votes == {code: 1}


def test_a_label_that_nobody_knows_leaves_its_utterance_out_and_says_so(tmp_path):
    assert "'Boredom'" in read_one(tmp_path, "C-E2:\tBoredom;\t()").reason


@pytest.mark.parametrize(
    "line",
    [
        *["C-E3 Anger;\t()", "C-E3;\tAnger;\t()", "c-E3:\tAnger;\t()", " C-E3:\tAnger;\t()", "C-E:\tAnger;\t()", "C-E3"],
        *["C - E3:\tAnger;\t()", "C-E3:", "C-E3:\t", "C-Ex:\tAnger;\t()", "C-E3\t:\tAnger;\t()", "\tC-E3\tAnger"],
    ],
)
def test_a_damaged_line_of_votes_leaves_its_utterance_out_and_says_where(tmp_path, line):
    found = read_one(tmp_path, "C-E2:\tNeutral;\t()", line, "C-E4:\tNeutral;\t()")
    assert isinstance(found, Skipped)
    assert found.reason.startswith("damaged line of votes: Ses01F_impro01.txt, line 5: ")


@pytest.mark.parametrize(
    "line", ["C-E3:\t()", "C-E3:\t;\t()", "C-E3:\t\t(too noisy)", "C-F1:\tAnger", "C-M1 Anger", "A-E3:\tval 2", "% C-E3"]
)
def test_a_whole_line_without_labels_and_a_line_of_another_kind_are_no_damage(tmp_path, line):
    assert read_one(tmp_path, "C-E2:\tNeutral;\t()", line).votes == {"neu": 1}


def test_the_dominant_emotion_is_the_summary_line_s_whatever_the_votes(tmp_path):
    assert read_one(tmp_path, "C-E2:\tAnger;\t()", "C-E3:\tAnger;\t()", code="fru").dominant == "fru"


def test_no_agreement_is_no_dominant_emotion(tmp_path):
    assert read_one(tmp_path, "C-E2:\tAnger;\t()", code="xxx").dominant == ""


def test_a_dominance_value_that_is_missing_does_not_matter(tmp_path):
    found = read_one(tmp_path, "A-E3:\tval 2; act 4; dom ;\t()", "C-E2:\tAnger;\t()", "A-E4:\tval 2; act 4;\t()")
    assert found.votes == {"ang": 1}


def test_line_ends_may_be_those_of_windows(tmp_path):
    found = read_one(tmp_path, "C-E2:\tAnger; Fear;\t()", "C-E3:\tOther;\t(x)", line_end=b"\r\n")
    assert found.votes == {"ang": 1, "fea": 1, "oth": 1}


def test_the_binary_leftovers_of_macos_are_not_read(tmp_path):
    path = write_dialog(tmp_path, "Ses01F_impro01", [block("Ses01F_impro01_F000", "neu", "C-E1:\tNeutral;\t()")])
    path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7[\t\xff\n[1.0 - 2.0]\tSes01F_impro01_F009\tang\t[]\n")
    wavs = tmp_path / "Session1/sentences/wav/Ses01F_impro01"
    (wavs / "._Ses01F_impro01_F000.wav").write_bytes(b"\0\5\x16\7")
    assert list(read(tmp_path)) == ["Ses01F_impro01_F000"]


@pytest.mark.parametrize(
    ("utterance", "speaker"),
    [
        *[("Ses03M_impro05a_M012", "Ses03M"), ("Ses03M_impro05b_F001", "Ses03F"), ("Ses03M_impro08a_F000", "Ses03F")],
        *[("Ses03M_impro08b_M002", "Ses03M"), ("Ses05F_impro02_FXX0", "Ses05F"), ("Ses05F_impro02_MXX1", "Ses05M")],
        ("Ses02M_impro01_F010", "Ses02F"),  # a woman speaks in a dialog named M
    ],
)
def test_who_speaks_is_said_at_the_end_of_the_id(tmp_path, utterance, speaker):
    assert read_one(tmp_path, "C-E1:\tNeutral;\t()", utterance=utterance).speaker == speaker


def test_scripted_dialogs_are_left_out_unless_asked_for(tmp_path):
    scripted = "Ses05M_script01_1b_F003"
    skipped = read_one(tmp_path, "C-E1:\tNeutral;\t()", utterance=scripted)
    assert skipped.reason.startswith("not improvised")
    assert read(tmp_path, dialogs="all")[scripted].speaker == "Ses05F"


def test_a_wav_without_an_annotation_is_reported(tmp_path):
    write_iemocap(tmp_path, sessions=1)
    write_wav(tmp_path / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F099.wav")
    assert read(tmp_path)["Ses01F_impro01_F099"].reason == "wav without an annotation"


def test_each_speaker_is_tested_once_in_the_order_of_the_sessions_and_the_other_of_the_session_validates(tmp_path):
    corpus = Iemocap(write_iemocap(tmp_path))
    speakers = [f"Ses0{session}{sex}" for session in range(1, 6) for sex in "FM"]
    folds = corpus.folds(speakers)
    assert [fold.test for fold in folds] == [(speaker,) for speaker in speakers]
    assert [fold.number for fold in folds] == list(range(1, 11))
    assert (folds[0].valid, folds[3].valid) == (("Ses01M",), ("Ses02F",))
    for fold in folds:
        assert sorted((*fold.train, *fold.valid, *fold.test)) == speakers


def test_the_next_speaker_validates_where_that_is_chosen_and_the_other_of_the_session_trains(tmp_path):
    folds = Iemocap(write_iemocap(tmp_path), validation="next").folds(["Ses01F", "Ses01M", "Ses02F", "Ses02M"])
    assert [(fold.test, fold.valid) for fold in folds] == [
        (("Ses01F",), ("Ses01M",)),
        (("Ses01M",), ("Ses02F",)),
        (("Ses02F",), ("Ses02M",)),
        (("Ses02M",), ("Ses01F",)),
    ]
    assert folds[1].train == ("Ses01F", "Ses02M")


def test_the_folds_of_sessions_are_those_of_emo_superb_under_other_numbers(tmp_path):
    # (Test, Development) in its labels_consensus_1.csv to labels_consensus_5.csv
    published = [("Ses04", "Ses05"), ("Ses03", "Ses04"), ("Ses02", "Ses03"), ("Ses01", "Ses02"), ("Ses05", "Ses01")]
    folds = Iemocap(write_iemocap(tmp_path)).session_folds([f"Ses0{session}" for session in range(1, 6)])
    assert sorted((*fold.test, *fold.valid) for fold in folds) == sorted(published)


def test_a_speaker_alone_in_a_session_has_nobody_to_validate_on(tmp_path):
    with pytest.raises(InputError, match="Ses02F is the only speaker of Ses02"):
        Iemocap(write_iemocap(tmp_path)).folds(["Ses01F", "Ses01M", "Ses02F"])


def test_a_folder_without_sessions_is_refused_with_what_is_expected(tmp_path):
    with pytest.raises(InputError, match="no Session1 to Session5"):
        Iemocap(tmp_path)


def test_a_session_without_evaluations_is_refused(tmp_path):
    (tmp_path / "Session1").mkdir()
    with pytest.raises(InputError, match="no dialog/EmoEvaluation"):
        Iemocap(tmp_path)


def test_counts_are_set_beside_the_published_ones(tmp_path):
    corpus = Iemocap(write_iemocap(tmp_path))
    write_wav(tmp_path / "Session1/sentences/wav/Ses01F_impro01/not_annotated.wav")
    checks = {check.what.strip(): (check.found, check.published) for check in corpus.checks(list(corpus.utterances()))}
    assert checks["utterances"] == ("25", "10039")
    assert checks["of session Ses03"] == ("5", "2136")
    assert checks["dialogs"] == ("10", "151")
    assert checks["improvised utterances"] == ("20", "4784")
    assert checks["dominant neu"] == ("10", "1099")
    assert checks["dominant other or none"] == ("0", "2504")
    assert checks["hap exists, dominant set (%)"] == ("50.0", "15.4")
    assert checks["sad exists, all (%)"] == ("100.0", "19.8")


def test_counts_are_the_same_whichever_dialogs_are_used(tmp_path):
    write_iemocap(tmp_path)
    found = [corpus.checks(list(corpus.utterances())) for corpus in (Iemocap(tmp_path), Iemocap(tmp_path, dialogs="all"))]
    assert found[0] == found[1]


def test_a_release_that_nothing_was_published_for_has_no_counts_to_check(tmp_path):
    class Other(Iemocap):
        published = None

    corpus = Other(write_iemocap(tmp_path))
    assert corpus.checks(list(corpus.utterances())) == []
