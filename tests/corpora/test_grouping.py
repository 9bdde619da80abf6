"""Folds keep together speakers, sessions, or the sets of a corpus's own division; what they cannot keep apart is refused or said."""

import pytest
from releases import prepare_quietly, skipped_of, write_iemocap, write_wav
from told import Told, tell

from mlee_sb.corpora.base import Utterance
from mlee_sb.corpora.manifest import read_fold, read_protocol, read_utterances
from mlee_sb.corpora.prepare import prepare
from mlee_sb.errors import InputError


@pytest.fixture
def prepared(monkeypatch, tmp_path):
    """Prepare entries (speaker, session, split), an utterance each, and return the folder of the manifests and what was said."""
    data = tmp_path / "data"
    data.mkdir()

    def prepared(told, **given):
        utterances = [
            Utterance(f"u{number}", f"u{number}.wav", who, session, {"neu": 1}, 1, "neu", split=split)
            for number, (who, session, split) in enumerate(told)
        ]
        tell(monkeypatch, utterances)
        for utterance in utterances:
            write_wav(data / utterance.wav)
        said = []
        prepare("told", data, tmp_path / "out", say=said.append, **given)
        return tmp_path / "out", said

    return prepared


PAIRS = [(f"s{i}", f"Ses{i // 2}", "") for i in range(6)]
OWN = [("a", "", "train"), ("b", "", "train"), ("c", "", "valid"), ("d", "", "test1"), ("e", "", "test2"), ("e", "", "test2")]


def speakers_of(manifests, fold) -> dict[str, list[str]]:
    return {split: sorted(set(rows["speaker"])) for split, rows in read_fold(manifests, fold).items()}


def test_sessions_stay_whole_where_that_is_asked_for(prepared):
    manifests, said = prepared(PAIRS, group="session")
    assert speakers_of(manifests, 1) == {"train": ["s4", "s5"], "valid": ["s2", "s3"], "test": ["s0", "s1"]}
    assert [len(read_fold(manifests, fold)["test"]) for fold in (1, 2, 3)] == [2, 2, 2]
    assert "in 3 folds of whole sessions" in said[0] and not any("WARNING" in line for line in said)
    assert read_protocol(manifests)["rules"]["group"] == "session"


def test_speaker_folds_that_split_a_session_are_warned_of(prepared):
    _, said = prepared(PAIRS)
    (warning,) = [line for line in said if "WARNING" in line]
    assert "3 of 6 folds have a session in training and in test (fold 2: Ses0)" in warning and "--group session keeps" in warning


def test_a_corpus_without_shared_sessions_is_not_warned_of(prepared):
    _, said = prepared([(f"s{i}", f"Ses{i}", "") for i in range(4)])
    assert not any("WARNING" in line for line in said)


def test_a_speaker_of_two_sessions_is_refused_where_folds_are_made_of_sessions(prepared):
    with pytest.raises(InputError, match="fold 1, made of sessions: s0 spoke in train and in test.*--group speaker"):
        prepared([*PAIRS, ("s0", "Ses2", "")], group="session")


def test_the_sets_of_a_corpus_are_one_fold_with_all_its_test_sets(prepared):
    manifests, said = prepared(OWN, group="split")
    assert speakers_of(manifests, 1) == {"train": ["a", "b"], "valid": ["c"], "test": ["d", "e"]}
    assert "in 1 fold of the corpus's own (train: train; valid: valid; test: test1, test2)" in said[0]
    assert read_utterances(manifests)["split"].tolist() == ["train", "train", "valid", "test1", "test2", "test2"]
    assert len(read_protocol(manifests)["folds"]) == 1


def test_folds_that_a_corpus_names_are_each_tested_once_and_the_next_one_validates(prepared):
    manifests, _ = prepared([(f"s{i}", "", str(1 + i % 3)) for i in range(6)], group="split")
    assert speakers_of(manifests, 3) == {"train": ["s1", "s4"], "valid": ["s0", "s3"], "test": ["s2", "s5"]}


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ([*OWN, ("a", "", "test1")], "a spoke in train and in test"),
        ([*OWN, ("c", "", "train")], "c spoke in train and in valid"),
        ([entry for entry in OWN if entry[2] != "valid"], "no usable utterance is in valid .*whole speakers of train into valid"),
        ([entry for entry in OWN if entry[2] != "train"], "no usable utterance is in train"),
        ([entry for entry in OWN if "test" not in entry[2]], "no usable utterance in test"),
        ([*OWN, ("z", "", "7")], "split '7': the other utterances are in .*names of sets, or of folds, for all"),
        ([("a", "", "1"), ("b", "", "2")], "training, validation and test need one each, and there are 2"),
    ],
    ids=["train and test", "train and valid", "no valid", "no train", "no test", "mixed", "two folds"],
)
def test_a_division_that_cannot_be_used_is_refused(prepared, told, message):
    with pytest.raises(InputError, match=message):
        prepared(told, group="split")


def test_an_utterance_outside_the_division_is_skipped_and_said(prepared):
    manifests, said = prepared([*OWN, ("z", "", "")], group="split")
    assert skipped_of(manifests) == {"u6": "no split: the folds keep together what has one (--group split)"}
    assert any("1 no split" in line for line in said)


def test_unknown_speakers_are_skipped_unless_it_is_said_that_they_are_unknown(prepared):
    told = [("", f"Ses{i}", "") for i in range(3)] + [("", "", ""), ("anna", "Ses0", "")]
    manifests, said = prepared([*told, ("b", "", ""), ("c", "", "")])
    assert skipped_of(manifests) == dict.fromkeys(["u0", "u1", "u2", "u3"], "no speaker")
    assert any("--speakers unknown" in line for line in said)
    manifests, said = prepared(told, speakers="unknown")
    assert read_utterances(manifests)["speaker"].tolist() == ["unknown:Ses0", "unknown:Ses1", "unknown:Ses2", "unknown:u3", "anna"]
    assert any("4 utterances are of unknown speakers" in line and "too good" in line for line in said)
    assert read_protocol(manifests)["rules"]["speakers"] == "unknown"


@pytest.mark.parametrize(
    "two", [("anna", "Anna"), ("Zoe\u0308", "Zo\u00eb"), ("bo li", "bo  li"), ("\ufb01n", "fin"), ("STRASSE", "straße")]
)
def test_two_spellings_of_a_speaker_are_refused_and_listed(prepared, two):
    with pytest.raises(InputError, match="a speaker is written in several ways") as refused:
        prepared([(name, "", "") for name in (*two, "c", "d")])
    assert all(ascii(name) in str(refused.value) for name in two)


def test_names_that_only_look_alike_a_little_are_several_people(prepared):
    manifests, _ = prepared([(name, "", "") for name in ("anna", "ana", "anna2", "an na", "änna")])
    assert read_utterances(manifests)["speaker"].nunique() == 5


def test_two_spellings_of_a_session_are_refused(prepared):
    with pytest.raises(InputError, match="a session is written in several ways.*'Ses0' = 'ses0'"):
        prepared([*PAIRS, ("x", "ses0", "")])


def test_sets_of_a_corpus_may_share_a_session_of_unknown_speakers_and_that_is_warned_of(prepared):
    told = [("", "Ses0", "train"), ("", "Ses0", "test"), ("", "Ses1", "valid"), ("anna", "Ses2", "train")]
    manifests, said = prepared(told, group="split", speakers="unknown")
    assert speakers_of(manifests, 1)["test"] == ["unknown:Ses0"]
    assert sum("WARNING" in line for line in said) == 2  # of unknown speakers, and of the session


def test_a_final_fold_of_a_divided_corpus_asks_for_speakers(prepared, monkeypatch):
    monkeypatch.setattr(Told, "grouping", "split")
    with pytest.raises(InputError, match="--final 1: this corpus divides its utterances itself.*--group speaker"):
        prepared(OWN, final=1)
    manifests, _ = prepared(OWN, final=1, group="speaker")
    assert speakers_of(manifests, 1)["valid"] == ["a"]


def test_iemocap_has_five_folds_of_sessions(tmp_path):
    prepare_quietly("iemocap", write_iemocap(tmp_path / "data"), tmp_path / "out", group="session")
    folds = [speakers_of(tmp_path / "out", fold) for fold in range(1, 6)]
    assert [fold["test"] for fold in folds] == [[f"Ses0{k}F", f"Ses0{k}M"] for k in range(1, 6)]
    assert folds[4]["valid"] == ["Ses01F", "Ses01M"] and len(folds[4]["train"]) == 6
    with pytest.raises(InputError, match="no usable utterance in it.*no split"):
        prepare_quietly("iemocap", tmp_path / "data", tmp_path / "other", group="split")


@pytest.mark.parametrize("name", ["unknown", "Unknown", " UNKNOWN", "unk", "n/a", "N/A", "nan", "NULL", "None", "?"])
def test_a_speaker_who_is_called_unknown_is_no_person(prepared, name):
    told = [(name, "Ses0", ""), (name, "Ses1", ""), ("anna", "Ses2", ""), ("bert", "Ses3", ""), ("NA", "Ses4", "")]
    manifests, said = prepared(told)
    assert read_utterances(manifests)["speaker"].tolist() == ["anna", "bert", "NA"]
    assert any("2 no speaker" in line for line in said) and any("--speakers unknown" in line for line in said)
    manifests, said = prepared(told, speakers="unknown")
    assert read_utterances(manifests)["speaker"].tolist() == ["unknown:Ses0", "unknown:Ses1", "anna", "bert", "NA"]
    assert any("2 utterances are of unknown speakers" in line for line in said)


def test_where_folds_cannot_be_made_the_error_says_where_and_what_was_skipped(prepared, tmp_path):
    with pytest.raises(InputError) as refused:
        prepared([("anna", "", ""), ("bert", "", ""), ("", "", "")])
    assert "need a speaker each, but the usable utterances are of 2 (anna, bert)" in str(refused.value)
    assert f"(in {tmp_path / 'data'}, 1 are skipped; the first reason: u2: no speaker)" in str(refused.value)
    with pytest.raises(InputError, match="need a session each, but the usable utterances are of 2 .S1, S2. .in .*, 0 are skipped"):
        prepared([("anna", "S1", ""), ("bert", "S2", "")], group="session")


@pytest.mark.parametrize("given", [{"group": "session"}, {"group": "split"}])
def test_an_option_of_folds_of_speakers_is_not_ignored_where_folds_are_of_something_else(tmp_path, given):
    header, data = "wav,speaker,session,split,votes_neu,votes_hap", tmp_path / "in"
    rows = [f"{name}.wav,{name},of_{name},{split},1,2" for name, split in (("a", "train"), ("b", "valid"), ("c", "test"))]
    for row in rows:
        write_wav(data / row.split(",")[0])
    (data / "votes.csv").write_text("\n".join([header, *rows]))
    with pytest.raises(
        InputError, match="--folds 3: it changes folds of speakers, and these are of (session|split)s: leave it out, or give"
    ):
        prepare_quietly("vote_table", data, tmp_path / "out", folds=3, **given)
    prepare_quietly("vote_table", data, tmp_path / "out", **given)
    prepare_quietly("vote_table", data, tmp_path / "speakers", folds=3, group="speaker")
