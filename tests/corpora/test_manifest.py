"""Reading a prepared folder."""

import pytest
from releases import write_table

from mlee_sb.corpora.manifest import column_types, read_fold, read_protocol, read_split, read_utterances
from mlee_sb.corpora.prepare import prepare
from mlee_sb.errors import InputError

TABLE = """
    ID,wav,speaker,votes_neu,votes_hap
    001,a.wav,007,2,1
    NA,b.wav,null,1,1
    null,c.wav,nan,0,3
    1e5,d.wav,NA,3,0
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
    assert frame["speaker"].to_dict() == {"001": "007", "NA": "null", "null": "nan", "1e5": "NA"}
    assert frame.loc["NA", "dominant"] == frame.loc["NA", "session"] == ""
    assert frame["votes_neu"].sum() == 6
    assert frame["duration"].tolist() == [0.1] * 4
    assert {str(frame[column].dtype) for column in ("votes_neu", "votes_other", "exist_hap", "n_annotators")} == {"int64"}


def test_columns_are_in_the_order_of_the_emotions(folder):
    assert list(read_split(folder, 1, "train").columns) == list(column_types(["neu", "hap"]))


def test_a_folder_without_manifests_sends_to_prepare(tmp_path):
    with pytest.raises(InputError, match=r"no manifests in it.*recipes/prepare\.py"):
        read_protocol(tmp_path / "nowhere")


@pytest.mark.parametrize(("fold", "split", "message"), [(5, "train", "unknown fold '5'.*1, 2, 3, 4"), (1, "tset", "did you mean 'test'")])
def test_a_fold_or_split_that_does_not_exist_is_answered_with_those_that_do(folder, fold, split, message):
    with pytest.raises(InputError, match=message):
        read_split(folder, fold, split)


def test_a_file_that_is_missing_sends_to_prepare(folder):
    (folder / "fold1" / "test.csv").unlink()
    with pytest.raises(InputError, match=r"test\.csv: missing; run recipes/prepare\.py"):
        read_split(folder, 1, "test")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("001,a.wav", "001,../a.wav", "'001': the wav path leaves the data folder"),
        ("001,a.wav", "001,x\\..\\..\\a.wav", "leaves the data folder"),
        ("001,a.wav", "001,/a.wav", "leaves the data folder"),
        ("001,a.wav", "001,C:/a.wav", "leaves the data folder"),
        ("null,c.wav", "001,c.wav", "'001': the ID is there twice"),
        ("001,a.wav,0.1,007", "001,a.wav,0.1,", "no speaker"),
        ("001,a.wav,0.1", "001,a.wav,nan", "duration"),
        ("001,a.wav,0.1", "001,a.wav,0", "duration"),
        ("007,,3,2,1,0", "007,,3,-2,1,0", "negative number of votes"),
        ("007,,3,2,1,0", "007,,3,two,1,0", "column votes_neu"),
        ("neu,1,1", "neu,1,2", "neither 0 nor 1"),
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
    with pytest.raises(InputError, match=r"train\.csv: speaker '007' is not of this split"):
        read_split(folder, 1, "train")


def test_an_utterance_of_two_splits_is_refused(folder):
    test_id, valid_id = ((folder / "fold1" / f"{split}.csv").read_text().splitlines()[1].split(",")[0] for split in ("test", "valid"))
    change(folder / "fold1" / "valid.csv", f"\n{valid_id},", f"\n{test_id},")
    with pytest.raises(InputError, match=f"ID '{test_id}' is in two splits"):
        read_fold(folder, 1)
