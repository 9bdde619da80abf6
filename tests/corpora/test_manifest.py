"""Reading a prepared folder."""

import json

import pytest
from releases import without_the_hash_of_votes, write_iemocap, write_table

from mlee_sb.corpora.manifest import (
    column_types,
    read,
    read_fingerprints,
    read_fold,
    read_protocol,
    read_split,
    read_utterances,
    read_votes,
)
from mlee_sb.corpora.prepare import prepare
from mlee_sb.errors import InputError
from mlee_sb.files import sha256_of

TABLE = """
    ID,wav,speaker,votes_neu,votes_hap,votes_other
    001,a.wav,007,2,1,0
    NA,b.wav,true,1,1,0
    null,c.wav,inf,0,3,0
    1e5,d.wav,NA,3,0,0
"""


@pytest.fixture
def folder(tmp_path):
    prepare("vote_table", write_table(tmp_path / "data", TABLE), tmp_path / "out", say=lambda line: None)
    return tmp_path / "out"


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_texts_stay_texts_and_numbers_are_numbers(folder):
    frame = read_utterances(folder).set_index("ID")
    assert sorted(frame.index) == ["001", "1e5", "NA", "null"]
    assert frame["speaker"].to_dict() == {"001": "007", "NA": "true", "null": "inf", "1e5": "NA"}
    assert frame.loc["NA", "dominant"] == frame.loc["NA", "session"] == ""
    assert frame["votes_neu"].sum() == 6
    assert frame["duration"].tolist() == [0.1] * 4
    assert {str(frame[column].dtype) for column in ("votes_neu", "votes_oth", "exist_hap", "n_annotators")} == {"int64"}


def test_columns_are_in_the_order_of_the_emotions(folder):
    assert list(read_split(folder, 1, "train").columns) == list(column_types(["neu", "hap"], ["oth"]))


def test_a_folder_without_manifests_sends_to_prepare(tmp_path):
    with pytest.raises(InputError, match=r"no manifests in it.*run mlee prepare"):
        read_protocol(tmp_path / "nowhere")


@pytest.mark.parametrize(("fold", "split", "message"), [(5, "train", "unknown fold '5'.*1, 2, 3, 4"), (1, "tset", "did you mean 'test'")])
def test_a_fold_or_split_that_does_not_exist_is_answered_with_those_that_do(folder, fold, split, message):
    with pytest.raises(InputError, match=message):
        read_split(folder, fold, split)


def test_a_file_that_is_missing_sends_to_prepare(folder):
    (folder / "fold1" / "test.csv").unlink()
    with pytest.raises(InputError, match=r"test\.csv: missing: run mlee prepare"):
        read_split(folder, 1, "test")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("001,a.wav", "001,../a.wav", "'001': wav is '../a.wav': it leaves the data folder"),
        ("001,a.wav", "001,x\\..\\..\\a.wav", "leaves the data folder"),
        ("001,a.wav", "001,/a.wav", "leaves the data folder"),
        ("001,a.wav", "001,C:/a.wav", "leaves the data folder"),
        ("null,c.wav", "001,c.wav", "'001': the ID is there twice"),
        ("001,a.wav,,,0.1,007", "001,a.wav,,,0.1,", "speaker is '': every utterance has one"),
        ("001,a.wav,,,0.1", "001,a.wav,,,nan", "duration"),
        ("001,a.wav,,,0.1", "001,a.wav,,,0", "duration"),
        ("007,,,,3,2,1,0", "007,,,,3,-2,1,0", "votes_neu is '-2': it must be a whole number from 0 to 1,000,000"),
        ("007,,,,3,2,1,0", "007,,,,3,two,1,0", "votes_neu is 'two': it must be a whole number"),
        ("007,,,,3,2,1,0", "007,,,,3,2,1,0.5", "votes_oth is '0.5': it must be a whole number"),
        ("007,,,,3,2,1,0", "007,,,,3,2,1,999999999999999999991", "votes_oth is '999999999999999999991': it must be a whole number"),
        ("007,,,,3,2,1,0", "007,,,,nan,2,1,0", "n_annotators is 'nan': it must be a whole number"),
        ("007,,,,3,2,1,0", "007,,,,3,77,1,0", "votes_neu is '77': more votes than there are annotators (n_annotators is '3')"),
        ("neu,1,1", "neu,1,2", "exist_hap is '2': it must be 1, as votes_hap is '1' and min_votes 1"),
        ("neu,1,1", "neu,1,0", "exist_hap is '0': it must be 1, as votes_hap is '1' and min_votes 1"),
        ("007,,,,3,2,1,0,neu", "007,,,,3,2,1,0,nue", "dominant is 'nue': it must be empty or one of: neu, hap, oth"),
        ("votes_neu", "votes_new", "no column votes_neu"),
        ("ID,", '"ID,', "damaged"),
    ],
)
def test_a_manifest_that_was_damaged_is_refused_with_its_file(folder, old, new, message):
    change(folder / "utterances.csv", old, new)
    with pytest.raises(InputError, match=r"utterances\.csv") as refused:
        read_utterances(folder)
    assert message in str(refused.value)


def test_a_damaged_protocol_is_refused(folder):
    (folder / "protocol.json").write_text("{")
    with pytest.raises(InputError, match=r"protocol\.json: damaged"):
        read_protocol(folder)


def test_a_speaker_of_another_split_is_refused(folder):
    line = (folder / "fold1" / "test.csv").read_text().splitlines()[1]
    with open(folder / "fold1" / "train.csv", "a") as file:
        file.write(line + "\n")
    with pytest.raises(InputError, match=r"train\.csv: '001': speaker '007' is not of this split in protocol\.json"):
        read_split(folder, 1, "train")


def test_a_row_of_a_fold_that_is_not_the_row_of_the_utterances_is_named_with_both_values(folder):
    change(folder / "fold1" / "train.csv", "inf,,,,3,0,3,0", "inf,,,,3,77,3,0")
    with pytest.raises(InputError, match=r"train\.csv: 'null': votes_neu is '77', and '0' in utterances\.csv; run mlee prepare"):
        read_fold(folder, 1)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda lines: lines[:-1], "'1e5': it is not in this file, and utterances.csv has it"),
        (lambda lines: [*lines, lines[-1]], "'1e5': the ID is there twice"),
        (lambda lines: [*lines, lines[-1].replace("1e5", "new", 1)], "'new': it is not in utterances.csv"),
        (lambda lines: [lines[0], lines[1].rpartition(",")[0], *lines[2:]], "exist_hap is '', and '0' in utterances.csv"),
    ],
    ids=["lost", "twice", "added", "a line that ends early"],
)
def test_a_fold_holds_all_rows_of_its_speakers_and_no_others(folder, edit, message):
    path = folder / "fold2" / "test.csv"
    path.write_text("\n".join(edit(path.read_text().splitlines())) + "\n")
    with pytest.raises(InputError, match=r"fold2/test\.csv") as refused:
        read_fold(folder, 2)
    assert message in str(refused.value)


def test_the_order_of_the_lines_of_a_fold_and_the_way_they_are_quoted_change_nothing(folder):
    path, before = folder / "fold1" / "train.csv", read_fold(folder, 1)["train"]
    header, *rows = [",".join(f'"{value}"' for value in line.split(",")) for line in path.read_text().splitlines()]
    path.write_bytes("\r\n".join([header, *reversed(rows)]).encode())
    assert read_fold(folder, 1)["train"].equals(before)


@pytest.mark.parametrize("file", ["utterances.csv", "protocol.json", "fingerprints.csv"])
def test_a_change_that_could_be_true_is_found_by_the_hash(folder, file):
    """Votes are exchanged in utterances.csv and in the folds alike, a rule is worded anew, a recording is said to be another."""
    old, new = {
        "utterances.csv": (",3,0,3,0,hap,0,1", ",4,0,3,1,hap,0,1"),
        "protocol.json": ("the one emotion with the most votes", "the emotion with the most votes"),
        "fingerprints.csv": (read_fingerprints(folder)["fingerprint"][0], "0" * 64),
    }[file]
    for path in [folder / file, *(folder.glob("fold*/*.csv") if file == "utterances.csv" else ())]:
        path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match=r"utterances\.csv: this file, fingerprints\.csv or protocol\.json was changed: their hash is"):
        read_fold(folder, 1)


@pytest.mark.parametrize("corpus", ["named", "not named"])
def test_votes_of_other_listeners_are_refused_by_every_reader(folder, tmp_path, corpus):
    """Where a corpus does not name its annotators, the file has no rows, and none may come."""
    if corpus == "named":
        prepare("iemocap", write_iemocap(tmp_path / "release"), folder, say=lambda line: None)
    (folder / "votes.csv").write_text("ID,annotator,label\n001,E1,hap\n")
    for reader in (read_utterances, lambda folder: read_fold(folder, 1), read_votes):
        with pytest.raises(InputError, match=r"votes\.csv: this file was changed: its hash is .*; run mlee prepare"):
            reader(folder)
    (folder / "votes.csv").unlink()
    with pytest.raises(InputError, match=r"votes\.csv: missing; run mlee prepare"):
        read_votes(folder)


def test_the_hash_of_the_votes_is_part_of_the_protocols(folder):
    (folder / "votes.csv").write_text("ID,annotator,label\n001,E1,hap\n")
    protocol = read_protocol(folder)
    (folder / "protocol.json").write_text(json.dumps(protocol | {"votes_sha256": sha256_of(folder / "votes.csv")}))
    with pytest.raises(InputError, match=r"protocol\.json was changed: their hash is"):
        read_utterances(folder)


def test_manifests_of_a_version_without_a_hash_of_the_votes_are_read_and_their_votes_are_not(folder):
    without_the_hash_of_votes(folder)
    assert len(read_utterances(folder)) == 4 and read_votes(folder) is None


def test_counts_that_are_not_those_of_the_utterances_are_refused(folder):
    change(folder / "protocol.json", '"utterances": 4', '"utterances": 5')
    with pytest.raises(InputError, match=r"protocol\.json: its counts are not those of utterances\.csv"):
        read_utterances(folder)


def test_fingerprints_of_other_utterances_are_refused(folder):
    change(folder / "fingerprints.csv", "001,", "002,")
    with pytest.raises(InputError, match=r"fingerprints\.csv: its utterances are not those of utterances\.csv"):
        read_utterances(folder)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda protocol: -1, "-1 is no object"),
        (lambda protocol: protocol["folds"][0].update(train=["x", {}]), "folds.0.train.1 is {}"),
        (lambda protocol: protocol["folds"][0].pop("test"), "folds.0.test is missing"),
        (lambda protocol: protocol["folds"].append(protocol["folds"][0]), "fold 1 is there twice"),
        (lambda protocol: protocol.update(emotions=["neu", "neu"]), "emotion 'neu' is there twice"),
        (lambda protocol: protocol.update(emotions=["hap", "neu"]), "the emotions are not the first of the categories"),
        (lambda protocol: protocol["rules"].update(min_votes="1"), 'rules.min_votes is "1"'),
        (lambda protocol: protocol.update(hash=None), "hash is null"),
    ],
)
def test_a_protocol_that_is_not_as_it_was_written_is_refused_with_the_entry(folder, edit, message):
    protocol = json.loads((folder / "protocol.json").read_text())
    (folder / "protocol.json").write_text(json.dumps(protocol if (edited := edit(protocol)) != -1 else edited))
    with pytest.raises(InputError, match=r"protocol\.json: ") as refused:
        read_protocol(folder)
    assert message in str(refused.value)


def test_a_speaker_of_two_splits_is_refused(folder):
    protocol = json.loads((folder / "protocol.json").read_text())
    protocol["folds"][0]["train"].append("007")
    (folder / "protocol.json").write_text(json.dumps(protocol))
    with pytest.raises(InputError, match=r"protocol\.json: fold 1: speaker '007' is in train and in test"):
        read_fold(folder, 1)


def test_a_fold_that_was_read_is_read_again_after_any_of_its_files_changed(folder, monkeypatch):
    reads = []
    monkeypatch.setattr(read, "_splits", lambda *of_fold, splits=read._splits: reads.append(of_fold) or splits(*of_fold))
    first = read.read_fold(folder, 1)
    first["train"]["speaker"] = "changed in memory"
    again = read.read_fold(folder, 1)
    assert len(reads) == 1 and (again["train"]["speaker"] != "changed in memory").all()
    path = folder / "fold1/test.csv"
    text = path.read_text()
    path.write_text(text + "\n")
    read.read_fold(folder, 1)
    assert len(reads) == 2
    path.write_text(text.replace(text.splitlines()[1], ""))
    with pytest.raises(InputError, match="fold1/test.csv"):
        read.read_fold(folder, 1)
