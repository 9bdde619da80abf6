"""From a release to manifests."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys

import pandas as pd
import pytest
from releases import block, without_the_hash_of_votes, write_crema_d, write_dialog, write_iemocap, write_table, write_wav

from mlee_sb.corpora import prepare as prepare_module
from mlee_sb.corpora.base import Corpus, Fold, Utterance
from mlee_sb.corpora.manifest import read_fold, read_utterances
from mlee_sb.corpora.prepare import check_recordings, prepare, prepare_once
from mlee_sb.errors import InputError

TABLE = """
    ID,wav,speaker,votes_neu,votes_hap,votes_other
    1,a.wav,anna,2,1,0
    2,b.wav,bert,1,2,0
    3,c.wav,carl,0,0,3
    4,d.wav,dora,3,0,0
"""


def prepare_quietly(*arguments, **keywords) -> dict:
    return prepare(*arguments, say=lambda line: None, **keywords)


def skipped_of(folder) -> dict[str, str]:
    return pd.read_csv(folder / "skipped.csv", dtype=str, keep_default_na=False).set_index("ID")["reason"].to_dict()


def fingerprint(folder) -> dict[str, str]:
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def data(tmp_path):
    return write_table(tmp_path / "data", TABLE)


def test_a_row_says_what_was_voted(data, tmp_path):
    prepare_quietly("vote_table", data, tmp_path / "out", min_votes=2)
    lines = (tmp_path / "out" / "utterances.csv").read_text().splitlines()
    assert lines[0] == "ID,wav,duration,speaker,session,n_annotators,votes_neu,votes_hap,votes_oth,dominant,exist_neu,exist_hap"
    assert lines[1] == "1,a.wav,0.1,anna,,3,2,1,0,neu,1,0"


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


def test_every_utterance_that_is_not_used_is_in_skipped_csv_with_its_reason(tmp_path):
    data = write_iemocap(tmp_path / "data")
    extra = [block(f"Ses02F_impro07_F00{i}", "neu", "C-E1:\tNeutral;\t()") for i in range(5)]
    mute = block("Ses02F_impro07_M000", "xxx", "C-M1:\tNeutral;\t()")
    write_dialog(data, "Ses02F_impro07", [*extra, mute, extra[4]])
    wavs = data / "Session2/sentences/wav/Ses02F_impro07"
    (wavs / "Ses02F_impro07_F000.wav").unlink()
    (wavs / "Ses02F_impro07_F001.wav").write_bytes(b"")
    write_wav(wavs / "Ses02F_impro07_F002.wav", seconds=0)
    write_wav(wavs / "Ses02F_impro07_F003.wav", seconds=0.039)
    write_wav(wavs / "Ses02F_impro07_F099.wav")
    protocol = prepare_quietly("iemocap", data, tmp_path / "out")
    found = pd.read_csv(tmp_path / "out" / "skipped.csv", dtype=str)
    reasons = {row.ID: row.reason.split(":")[0] for row in found.itertuples() if "script" not in row.ID}
    assert reasons == {
        "Ses02F_impro07_F000": "annotation without a wav",
        "Ses02F_impro07_F001": "unreadable",
        "Ses02F_impro07_F002": "zero samples",
        "Ses02F_impro07_F003": "shorter than 40 ms",
        "Ses02F_impro07_F004": "duplicated ID",
        "Ses02F_impro07_M000": "no votes",
        "Ses02F_impro07_F099": "wav without an annotation",
    }
    assert protocol["counts"]["skipped"]["not improvised"] == 5
    assert "Ses02F_impro07_F004" in list(read_utterances(tmp_path / "out")["ID"])  # its first annotation is used


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("9,../data/a.wav,anna,1,0,0", "wav path leaves the data folder: it has '..' in it"),
        ("9,BESIDE/a.wav,anna,1,0,0", "wav path leaves the data folder: it is absolute"),
        ("9,C:\\a.wav,anna,1,0,0", "wav path leaves the data folder: it is absolute"),
        ("9,x\\..\\..\\a.wav,anna,1,0,0", "wav path leaves the data folder: it has '..' in it"),
        ("9,,anna,1,0,0", "no wav path"),
        ("9,e.wav,,1,0,0", "no speaker"),
        ("9,e.wav,anna,0,0,0", "no votes"),
        ("9,a.wav,bert,1,0,0", "duplicated wav: used as 1"),
        (",e.wav,anna,1,0,0", "no ID"),
    ],
)
def test_a_bad_row_of_many_is_skipped_and_said(tmp_path, row, reason):
    data = write_table(tmp_path / "data", f"{TABLE}    {row.replace('BESIDE', str(tmp_path))}\n")
    assert prepare_quietly("vote_table", data, tmp_path / "out")["counts"]["utterances"] == 4
    assert skipped_of(tmp_path / "out")[row.split(",")[0]] == reason


def test_an_utterance_with_more_votes_for_an_emotion_than_annotators_is_skipped(tmp_path):
    rows = [line.strip() for line in TABLE.strip().splitlines()]
    rows = [f"{rows[0]},n_annotators", *(f"{row},3" for row in rows[1:]), "9,e.wav,anna,4,1,0,3"]
    data = write_table(tmp_path / "data", "\n".join(rows))
    prepare_quietly("vote_table", data, tmp_path / "out")
    assert skipped_of(tmp_path / "out")["9"] == "more votes than annotators: 4 for neu, of 3"


def test_a_second_row_with_the_same_id_is_skipped(tmp_path):
    data = write_table(tmp_path / "data", TABLE + "    1,e.wav,bert,0,5,0\n")
    prepare_quietly("vote_table", data, tmp_path / "out")
    assert skipped_of(tmp_path / "out") == {"1": "duplicated ID: the first one is used"}
    assert read_utterances(tmp_path / "out").set_index("ID").loc["1", "wav"] == "a.wav"


class Plugin(Corpus):
    """Three speakers that its folds know, and one that they do not."""

    name, emotions, default_emotions = "plugin", ("neu", "hap"), ("neu", "hap")
    split = Fold(1, ("a",), ("b",), ("c",))

    def utterances(self):
        for speaker in "abcz":
            write_wav(self.data_folder / f"{speaker}.wav")
            yield Utterance(speaker, f"{speaker}.wav", speaker, "", {"neu": 1}, 1, "neu")

    def folds(self, speakers):
        return [self.split]


@pytest.fixture
def plugin(monkeypatch, tmp_path):
    monkeypatch.setattr(prepare_module, "load_corpus", lambda name: Plugin)
    (tmp_path / "data").mkdir()
    return Plugin


def test_a_speaker_in_no_fold_is_skipped(plugin, tmp_path):
    prepare_quietly("plugin", tmp_path / "data", tmp_path / "out")
    assert skipped_of(tmp_path / "out") == {"z": "in no fold: speaker z"}
    assert list(read_utterances(tmp_path / "out")["ID"]) == ["a", "b", "c"]


def test_a_corpus_whose_annotators_say_something_else_than_its_counts_is_refused(plugin, tmp_path, monkeypatch):
    annotations = (("E1", "neu"), ("E2", "hap"))
    monkeypatch.setattr(Plugin, "utterances", lambda self: iter([Utterance("u", "a.wav", "a", "", {"neu": 2}, 2, "neu", annotations)]))
    with pytest.raises(InputError, match="corpus plugin: 'u' has other votes than annotations; its utterances.. must be repaired"):
        prepare_quietly("plugin", tmp_path / "data", tmp_path / "out")


@pytest.mark.parametrize(("votes", "dominant", "code"), [({"neu": 1, "joy": 1}, "neu", "joy"), ({"neu": 1}, "joy", "joy")])
def test_a_corpus_that_gives_votes_for_a_category_that_it_does_not_name_is_refused(plugin, tmp_path, monkeypatch, votes, dominant, code):
    monkeypatch.setattr(Plugin, "utterances", lambda self: iter([Utterance("u", "a.wav", "a", "", votes, 2, dominant)]))
    with pytest.raises(InputError, match=f"corpus plugin: 'u' has the code '{code}', and its categories are neu, hap, oth"):
        prepare_quietly("plugin", tmp_path / "data", tmp_path / "out")


def test_a_corpus_whose_fold_shares_a_speaker_between_splits_is_refused(plugin, tmp_path, monkeypatch):
    monkeypatch.setattr(Plugin, "split", Fold(1, ("a", "b"), ("b",), ("c",)))
    with pytest.raises(InputError, match="fold 1 has speaker 'b' twice"):
        prepare_quietly("plugin", tmp_path / "data", tmp_path / "out")


def test_a_fold_with_an_empty_split_is_refused(tmp_path):
    with pytest.raises(InputError, match="fold 1: no usable utterance in train"):
        prepare_quietly("iemocap", write_iemocap(tmp_path / "data", sessions=1), tmp_path / "out")


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"emotions": ["neu", "hapy"]}, "unknown emotion of vote_table 'hapy': did you mean 'hap'"),
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
    data = write_table(tmp_path / "data", TABLE)
    for wav in data.glob("*.wav"):
        wav.unlink()
    with pytest.raises(InputError, match="no usable utterance.*1: annotation without a wav"):
        prepare_quietly("vote_table", data, tmp_path / "out")


def test_the_same_corpus_elsewhere_gives_the_same_bytes(data, tmp_path):
    prepare_quietly("vote_table", data, tmp_path / "one")
    shutil.move(data, tmp_path / "moved")
    prepare_quietly("vote_table", tmp_path / "moved", tmp_path / "two")
    assert fingerprint(tmp_path / "one") == fingerprint(tmp_path / "two")


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
    rows = [line.strip() for line in TABLE.strip().splitlines()]
    write_table(tmp_path / "turned", "\n".join([rows[0], *reversed(rows[1:])]))
    assert hash_of(tmp_path / "turned") == first
    write_table(data, TABLE.replace("anna,2,1", "anna,2,2"))
    assert hash_of() != first
    undecided = TABLE.replace("votes_other", "votes_other,dominant").replace(",0\n", ",0,\n").replace(",3\n", ",3,\n")
    write_table(data, undecided)
    first = hash_of()
    write_table(data, undecided.replace("votes_hap", "votes_joy"))  # the same numbers say another thing
    assert hash_of() != first


def test_the_protocol_says_what_was_done(tmp_path):
    data = write_crema_d(tmp_path / "data")
    protocol = prepare_quietly("crema_d", data, tmp_path / "out", ["neu", "hap", "sad", "fea"])
    assert protocol == json.loads((tmp_path / "out" / "protocol.json").read_text())
    assert (protocol["corpus"], protocol["demo"], protocol["rules"]["min_votes"]) == ("crema_d", False, 1)
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
    before = fingerprint(tmp_path / "out")

    def full_disk(path, content):
        raise OSError("no space left on device")

    monkeypatch.setattr("mlee_sb.corpora.manifest_writer.write_json", full_disk)
    with pytest.raises(OSError, match="no space"):
        prepare_quietly("vote_table", data, tmp_path / "out", min_votes=2)
    assert fingerprint(tmp_path / "out") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "out"]


KILLED_WHILE_WRITING = """
import os, signal, sys
from mlee_sb.corpora import manifest_writer as write
from mlee_sb.corpora.prepare import check_recordings, prepare, prepare_once
write.write_json = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
prepare("vote_table", sys.argv[1], sys.argv[2], min_votes=2)
"""


def test_a_prepare_that_is_killed_leaves_the_former_manifests(data, tmp_path):
    prepare_quietly("vote_table", data, tmp_path / "out")
    before = fingerprint(tmp_path / "out")
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, data, tmp_path / "out"], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert fingerprint(tmp_path / "out") == before
    prepare_quietly("vote_table", data, tmp_path / "out")
    assert fingerprint(tmp_path / "out") == before


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
        "1 recordings have 2 channels: they are averaged when read",
    ]


def test_what_is_made_of_a_demo_says_demo(plugin, tmp_path, monkeypatch):
    monkeypatch.setattr(Plugin, "demo", True)
    said = []
    assert prepare("plugin", tmp_path / "data", tmp_path / "out", say=said.append)["demo"]
    assert said[0].startswith("DEMO")


def test_preparing_once_writes_once_and_says_so_once(data, tmp_path):
    said = []
    protocol = prepare_once("vote_table", data, tmp_path / "results" / "manifests", say=said.append)
    assert said[-1] == f"written to {tmp_path / 'results' / 'manifests'}"
    before, count = fingerprint(tmp_path / "results"), len(said)
    assert prepare_once("vote_table", data, tmp_path / "results" / "manifests", say=said.append) == protocol
    assert fingerprint(tmp_path / "results") == before and len(said) == count


def test_a_corpus_that_changed_since_is_named_and_the_old_manifests_stay(data, tmp_path):
    prepare_once("vote_table", data, tmp_path / "manifests", say=lambda line: None)
    before = fingerprint(tmp_path / "manifests")
    table = data / "votes.csv"
    table.write_text(table.read_text().replace("anna,2,1,0", "anna,1,2,0"))
    with pytest.raises(
        InputError, match="the corpus has changed .* '1': votes_neu is '1', and '2' in utterances.csv there.: bring the old"
    ):
        prepare_once("vote_table", data, tmp_path / "manifests", say=lambda line: None)
    assert fingerprint(tmp_path / "manifests") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "manifests"]


def replace_the_last_sound(wav):
    """Of as many samples as before; it begins as it did."""
    content = wav.read_bytes()
    wav.write_bytes(content[:-400] + bytes(reversed(content[-400:])))


def test_a_recording_that_changed_since_is_named(data, tmp_path):
    prepare_once("vote_table", data, tmp_path / "manifests", say=lambda line: None)
    replace_the_last_sound(data / "b.wav")
    with pytest.raises(InputError, match="the corpus has changed since .* '2' has another recording.: bring the old data back"):
        prepare_once("vote_table", data, tmp_path / "manifests", say=lambda line: None)


def without_categories(manifests):
    """As before votes were counted for every category."""
    (manifests / "fingerprints.csv").unlink()
    protocol = json.loads((manifests / "protocol.json").read_text())
    protocol.pop("categories")
    (manifests / "protocol.json").write_text(json.dumps(protocol | {"hash": "0123"}))


@pytest.mark.parametrize("make_older", [without_categories, without_the_hash_of_votes])
def test_manifests_of_an_earlier_version_are_called_so(data, tmp_path, make_older):
    prepare_once("vote_table", data, tmp_path / "manifests", say=lambda line: None)
    make_older(tmp_path / "manifests")
    with pytest.raises(InputError, match="manifests were written by an earlier version of mlee_sb: give a new folder with --results"):
        prepare_once("vote_table", data, tmp_path / "manifests", say=lambda line: None)


def test_other_recordings_under_the_same_names_are_another_corpus(data, tmp_path):
    before = prepare_quietly("vote_table", data, tmp_path / "before")["hash"]
    replace_the_last_sound(data / "a.wav")
    assert prepare_quietly("vote_table", data, tmp_path / "after")["hash"] != before


def test_a_demo_release_that_is_read_as_iemocap_says_demo(tmp_path):
    release, said = write_iemocap(tmp_path / "data"), []
    assert prepare("iemocap", release, tmp_path / "real", say=said.append)["demo"] is False
    (release / "DEMO.json").write_text("{}")
    assert prepare("iemocap", release, tmp_path / "demo", say=said.append)["demo"] is True
    assert said[-1] and any(line.startswith("DEMO") for line in said)


def test_a_recording_that_changed_after_its_manifest_was_written_is_named(data, tmp_path):
    prepare_quietly("vote_table", data, tmp_path / "out")
    check_recordings(tmp_path / "out", data)
    write_wav(data / "b.wav", seconds=0.2)
    with pytest.raises(InputError, match="b.wav: 0.200 s long, and 0.100 s when it was prepared"):
        check_recordings(tmp_path / "out", data)
    (data / "b.wav").write_bytes((data / "a.wav").read_bytes()[:1000])
    with pytest.raises(InputError, match="b.wav: truncated"):
        check_recordings(tmp_path / "out", data)


def test_a_recording_whose_sound_was_replaced_after_its_manifest_was_written_is_named(data, tmp_path):
    prepare_quietly("vote_table", data, tmp_path / "out")
    replace_the_last_sound(data / "b.wav")
    with pytest.raises(InputError, match="b.wav: not the recording that was prepared .fingerprint [0-9a-f]{64}, and [0-9a-f]{64} then"):
        check_recordings(tmp_path / "out", data)
