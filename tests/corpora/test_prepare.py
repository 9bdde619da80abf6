"""From a release to manifests."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pandas as pd
import pytest
from releases import FOUR_SPEAKERS, block, files_of, prepare_quietly, write_crema_d, write_dialog, write_iemocap, write_table, write_wav

from mlee_sb.corpora.manifest import read_fold, read_utterances
from mlee_sb.corpora.prepare import prepare
from mlee_sb.errors import InputError


def test_a_row_says_what_was_voted(data, tmp_path):
    prepare_quietly("vote_table", data, tmp_path / "out", min_votes=2)
    lines = (tmp_path / "out" / "utterances.csv").read_text().splitlines()
    assert (
        lines[0]
        == "ID,wav,start,end,duration,speaker,session,script,split,n_annotators,votes_neu,votes_hap,votes_oth,dominant,exist_neu,exist_hap"
    )
    assert lines[1] == "1,a.wav,,,0.1,anna,,,,3,2,1,0,neu,1,0"


def test_votes_are_counted_for_every_category_of_the_corpus_and_the_targets_come_first(tmp_path):
    turn = block("Ses01F_impro01_F009", "exc", "C-E1:\tExcited;\t()", "C-E2:\tExcited; Happiness;\t()", "C-E3:\tOther;\t(?)")
    write_dialog(write_iemocap(tmp_path / "data"), "Ses01F_impro02", [turn])
    prepare_quietly("iemocap", tmp_path / "data", tmp_path / "out")
    row = read_utterances(tmp_path / "out").set_index("ID").loc["Ses01F_impro01_F009"]
    votes = {column.removeprefix("votes_"): count for column, count in row.items() if column.startswith("votes_")}
    assert list(votes) == ["neu", "hap", "sad", "ang", "exc", "dis", "fru", "fea", "sur", "oth"]
    assert {code: count for code, count in votes.items() if count} == {"hap": 1, "exc": 2, "oth": 1}
    assert (row["n_annotators"], row["dominant"]) == (3, "exc")


def test_a_corpus_whose_listeners_could_answer_nothing_else_has_no_column_for_it(tmp_path):
    prepare_quietly("crema_d", write_crema_d(tmp_path / "data"), tmp_path / "out", ["hap", "sad"])
    columns = [column for column in read_utterances(tmp_path / "out") if column.startswith("votes_")]
    assert columns == ["votes_hap", "votes_sad", "votes_ang", "votes_dis", "votes_fea", "votes_neu"]


def test_every_vote_of_a_named_annotator_is_a_row_of_votes_csv(tmp_path):
    prepare_quietly("iemocap", write_iemocap(tmp_path / "data"), tmp_path / "out")
    votes = pd.read_csv(tmp_path / "out" / "votes.csv")
    assert list(votes.columns) == ["ID", "annotator", "label"]
    first = votes[votes["ID"] == "Ses01F_impro01_F000"]
    assert list(zip(first["annotator"], first["label"], strict=True)) == [("E1", "neu"), ("E2", "neu"), ("E3", "neu"), ("E3", "sad")]


def test_splits_hold_all_utterances_of_their_speakers_and_of_no_others(tmp_path):
    protocol = prepare_quietly("iemocap", write_iemocap(tmp_path / "data"), tmp_path / "out")
    everything = read_utterances(tmp_path / "out")
    tested = []
    for entry in protocol["folds"]:
        splits = read_fold(tmp_path / "out", entry["fold"])
        assert [len(frame) for frame in splits.values()] == [16, 2, 2]
        for split, frame in splits.items():
            assert sorted(set(frame["speaker"])) == entry[split]
            assert list(frame["ID"]) == list(everything["ID"][everything["speaker"].isin(entry[split])])
        tested += list(splits["test"]["ID"])
    assert sorted(tested) == list(everything["ID"])


def test_a_final_fold_tests_nobody(tmp_path):
    protocol = prepare_quietly("crema_d", write_crema_d(tmp_path / "data"), tmp_path / "out", ["hap", "sad"], final=3)
    (fold,) = protocol["folds"]
    assert (fold["valid"], fold["test"], len(fold["train"])) == (["1001", "1005", "1009"], [], 9)
    splits = read_fold(tmp_path / "out", 1)
    assert [len(splits[name]) for name in ("train", "valid", "test")] == [18, 6, 0]


@pytest.mark.parametrize("final", [0, 12])
def test_a_final_fold_in_which_nobody_validates_or_trains_is_refused(tmp_path, final):
    with pytest.raises(InputError, match=f"final: {final} of 12 usable speakers cannot validate: give 1 to 11"):
        prepare_quietly("crema_d", write_crema_d(tmp_path / "data"), tmp_path / "out", ["hap", "sad"], final=final)


@pytest.mark.parametrize("value", [10, 3])  # the default, too
def test_a_final_fold_is_refused_beside_an_option_of_folds(tmp_path, value):
    table = write_table(tmp_path / "data", FOUR_SPEAKERS)
    with pytest.raises(InputError, match=f"--final 2 --folds {value}: a final fold takes the place of all folds: leave one of the two out"):
        prepare_quietly("vote_table", table, tmp_path / "out", final=2, folds=value)
    assert not (tmp_path / "out").exists()


def test_a_fold_with_an_empty_split_is_refused(tmp_path):
    with pytest.raises(InputError, match="fold 1: no usable utterance in train"):
        prepare_quietly("iemocap", write_iemocap(tmp_path / "data", sessions=1), tmp_path / "out")


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"emotions": ["neu", "hapy"]}, "unknown emotion of the corpus data 'hapy': did you mean 'hap'"),
        ({"emotions": ["neu"]}, "at least two are needed"),
        ({"emotions": []}, "at least two are needed"),
        ({"emotions": ["neu", "hap", "neu"]}, "'neu' is there twice"),
        ({"min_votes": 0}, "min_votes 0"),
        ({"fold": 3}, "unknown option of the corpus vote_table 'fold': did you mean 'folds'"),
        ({"folds": "3"}, "folds '3': must be of type int"),
    ],
)
def test_what_cannot_be_had_is_refused_before_anything_is_written(data, tmp_path, keywords, message):
    with pytest.raises(InputError) as refused:
        prepare_quietly("vote_table", data, tmp_path / "out", **keywords)
    assert message in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_a_release_without_a_usable_utterance_is_refused_with_the_first_reason(tmp_path):
    data = write_table(tmp_path / "data", FOUR_SPEAKERS)
    for wav in data.glob("*.wav"):
        wav.unlink()
    with pytest.raises(InputError, match="no usable utterance.*1: annotation without a wav"):
        prepare_quietly("vote_table", data, tmp_path / "out")


def test_the_same_corpus_elsewhere_gives_the_same_bytes(data, tmp_path):
    prepare_quietly("vote_table", data, tmp_path / "one")
    (tmp_path / "moved").mkdir()
    prepare_quietly("vote_table", shutil.move(data, tmp_path / "moved"), tmp_path / "two")
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_the_hash_changes_with_what_matters_and_with_nothing_else(data, tmp_path):
    def hash_of(folder=data, **keywords):
        return prepare_quietly("vote_table", folder, tmp_path / "out", **keywords)["hash"]

    first = hash_of()
    assert hash_of(emotions=["hap", "neu"]) != first
    assert hash_of(min_votes=2) != first
    assert hash_of(folds=3) != first
    shutil.copy(data / "votes.csv", data / "same.csv")
    write_wav(data / "in_no_row.wav")
    assert hash_of(table="same.csv") == first
    rows = [line.strip() for line in FOUR_SPEAKERS.strip().splitlines()]
    turned = write_table(tmp_path / "turned/data", "\n".join([rows[0], *reversed(rows[1:])]))
    assert hash_of(turned) == first
    assert hash_of(name="calls") != first
    write_table(data, FOUR_SPEAKERS.replace("anna,2,1", "anna,2,2"))
    assert hash_of() != first
    undecided = FOUR_SPEAKERS.replace("votes_other", "votes_other,dominant").replace(",0\n", ",0,\n").replace(",3\n", ",3,\n")
    write_table(data, undecided)
    first = hash_of()
    write_table(data, undecided.replace("votes_hap", "votes_joy"))  # the same numbers say another thing
    assert hash_of() != first


def test_the_protocol_says_what_was_done(tmp_path):
    data = write_crema_d(tmp_path / "data")
    protocol = prepare_quietly("crema_d", data, tmp_path / "out", ["neu", "hap", "sad", "fea"])
    assert protocol == json.loads((tmp_path / "out" / "protocol.json").read_text())
    assert (protocol["corpus"], protocol["reader"], protocol["demo"], protocol["rules"]["min_votes"]) == ("crema_d", "crema_d", False, 1)
    assert protocol["counts"]["dominant"] == {"neu": 12, "hap": 0, "sad": 12, "fea": 0, "other": 0}
    assert protocol["counts"]["exist"] == {"neu": 24, "hap": 12, "sad": 12, "fea": 12}
    assert protocol["counts"]["folds"][0]["test"]["utterances"] == 4
    assert str(tmp_path) not in json.dumps(protocol)


def test_former_manifests_are_replaced_as_a_whole(data, tmp_path):
    prepare_quietly("vote_table", data, tmp_path / "out")
    prepare_quietly("vote_table", data, tmp_path / "out", folds=3)
    assert sorted(path.name for path in (tmp_path / "out").glob("fold*")) == ["fold1", "fold2", "fold3"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "out"]


def test_a_prepare_that_fails_leaves_the_former_manifests(data, tmp_path, monkeypatch):
    prepare_quietly("vote_table", data, tmp_path / "out")
    before = files_of(tmp_path / "out")

    def full_disk(path, content):
        raise OSError("no space left on device")

    monkeypatch.setattr("mlee_sb.corpora.manifest_writer.write_json", full_disk)
    with pytest.raises(OSError, match="no space"):
        prepare_quietly("vote_table", data, tmp_path / "out", min_votes=2)
    assert files_of(tmp_path / "out") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "out"]


KILLED_WHILE_WRITING = """
import os, signal, sys
from mlee_sb.corpora import manifest_writer as write
from mlee_sb.corpora.prepare import prepare
from mlee_sb.corpora.prepare_once import check_recordings, prepare_once
write.write_json = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
prepare("vote_table", sys.argv[1], sys.argv[2], min_votes=2)
"""


def test_a_prepare_that_is_killed_leaves_the_former_manifests(data, tmp_path):
    prepare_quietly("vote_table", data, tmp_path / "out")
    before = files_of(tmp_path / "out")
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, data, tmp_path / "out"], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert files_of(tmp_path / "out") == before
    prepare_quietly("vote_table", data, tmp_path / "out")
    assert files_of(tmp_path / "out") == before


@pytest.mark.parametrize("name", ["notes.txt", "fold1/mine.csv", ".hidden"])
def test_a_folder_with_anything_but_manifests_is_not_replaced(data, tmp_path, name):
    prepare_quietly("vote_table", data, tmp_path / "out")
    (tmp_path / "out" / name).write_text("mine")
    with pytest.raises(InputError, match="would be lost"):
        prepare_quietly("vote_table", data, tmp_path / "out")
    assert (tmp_path / "out" / name).read_text() == "mine"


def test_neither_a_file_nor_the_data_folder_is_replaced(data, tmp_path):
    (tmp_path / "file").write_text("mine")
    for output, message in [(tmp_path / "file", "a file, not a folder"), (data, "would be lost"), (tmp_path, "would be lost")]:
        with pytest.raises(InputError, match=message):
            prepare_quietly("vote_table", data, output)


def test_an_empty_folder_and_a_link_to_one_can_be_written_to(data, tmp_path):
    (tmp_path / "real").mkdir()
    os.symlink(tmp_path / "real", tmp_path / "link")
    prepare_quietly("vote_table", data, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "protocol.json").is_file()


def test_the_report_says_where_counts_differ_from_the_published_ones(tmp_path):
    said = []
    prepare("iemocap", write_iemocap(tmp_path / "data"), tmp_path / "out", say=said.append)
    (line,) = [line for line in said if line.startswith("improvised utterances")]
    assert line.split()[2:] == ["20", "4784", "<--", "DIFFERS"]
    assert any("COUNTS DIFFER FROM THE PUBLISHED ONES" in line for line in said)


def test_the_report_says_once_for_each_kind_what_will_be_done_to_recordings(data, tmp_path):
    write_wav(data / "a.wav", rate=8_000)
    write_wav(data / "b.wav", rate=8_000, channels=2)
    said = []
    prepare("vote_table", data, tmp_path / "out", say=said.append)
    assert [line for line in said if "when read" in line] == [
        "2 recordings are at 8000 Hz: they are resampled to 16000 Hz when read",
        "1 recordings have 2 channels: those with sound are averaged when read",
    ]


def test_a_demo_release_that_is_read_as_iemocap_says_demo(tmp_path):
    release, said = write_iemocap(tmp_path / "data"), []
    assert prepare("iemocap", release, tmp_path / "real", say=said.append)["demo"] is False
    (release / "DEMO.json").write_text("{}")
    assert prepare("iemocap", release, tmp_path / "demo", say=said.append)["demo"] is True
    assert said[-1] and any(line.startswith("DEMO") for line in said)
