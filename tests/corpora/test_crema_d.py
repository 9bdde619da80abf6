"""The CREMA-D reader, against a small release and the real one."""

import pytest
from releases import write_crema_d, write_wav

from mlee_sb.corpora.base import Skipped
from mlee_sb.corpora.crema_d import CremaD
from mlee_sb.corpora.prepare import prepare
from mlee_sb.errors import InputError


def read(folder):
    return {item.id: item for item in CremaD(folder).utterances()}


def test_votes_are_the_voice_only_ones(tmp_path):
    found = read(write_crema_d(tmp_path, {"1001_IEO_ANG_HI": (1, 2, 3, 4, 6, 5)}))["1001_IEO_ANG_HI"]
    assert found.votes == {"ang": 1, "dis": 2, "fea": 3, "hap": 4, "neu": 6, "sad": 5}
    assert (found.n_annotators, found.dominant, found.speaker) == (21, "neu", "1001")
    assert found.wav == "AudioWAV/1001_IEO_ANG_HI.wav"


def test_a_tie_of_most_votes_is_no_dominant_emotion(tmp_path):
    assert read(write_crema_d(tmp_path, {"1001_IEO_ANG_HI": (4, 0, 0, 0, 4, 1)}))["1001_IEO_ANG_HI"].dominant == ""


def test_a_wav_without_votes_is_reported(tmp_path):
    write_wav(write_crema_d(tmp_path) / "AudioWAV" / "1099_IEO_ANG_HI.wav")
    assert isinstance(read(tmp_path)["1099_IEO_ANG_HI"], Skipped)


def test_actors_are_in_ten_groups_and_the_next_group_validates(tmp_path):
    corpus = CremaD(write_crema_d(tmp_path, actors=3))
    speakers = [str(1001 + i) for i in range(25)]
    folds = corpus.folds(speakers)
    assert len(folds) == 10
    assert (folds[0].test, folds[0].valid) == (("1001", "1011", "1021"), ("1002", "1012", "1022"))
    assert (folds[9].test, folds[9].valid) == (("1010", "1020"), ("1001", "1011", "1021"))
    assert sorted(speaker for fold in folds for speaker in fold.test) == speakers


@pytest.mark.parametrize("missing", ["AudioWAV", "processedResults/tabulatedVotes.csv"])
def test_a_folder_without_the_release_is_refused_with_what_is_expected(tmp_path, missing):
    path = write_crema_d(tmp_path, actors=3) / missing
    path.rename(path.with_name("elsewhere"))
    with pytest.raises(InputError, match=f"no {missing} in it"):
        CremaD(tmp_path)


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", '"",A,D,F,H,N,S,fileName,numResponses\n100001,x,0,0,0,0,0,1001_A,1\n'])
def test_another_table_is_refused_by_name(tmp_path, content):
    (write_crema_d(tmp_path, actors=3) / "processedResults/tabulatedVotes.csv").write_text(content)
    with pytest.raises(InputError, match=r"tabulatedVotes\.csv: cannot be read"):
        read(tmp_path)


def test_the_real_part_of_the_release_is_read(crema_d_folder, tmp_path):
    protocol = prepare("crema_d", crema_d_folder, tmp_path / "out", ["neu", "hap", "sad", "fea"], say=lambda line: None)
    counts = protocol["counts"]
    assert (counts["utterances"], counts["speakers"]) == (1353, 52)
    # counted apart from this code, with one pandas expression over the rows below 200000
    assert counts["dominant"] == {"neu": 797, "hap": 166, "sad": 101, "fea": 75, "other": 214}
    skipped = (tmp_path / "out" / "skipped.csv").read_text()
    assert "1076_MTI_SAD_XX,AudioWAV/1076_MTI_SAD_XX.wav,silence only" in skipped
    assert counts["skipped"] == {"annotation without a wav": 7442 - 1354, "silence only": 1}
