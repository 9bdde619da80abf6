"""The CREMA-D reader, against a small release and the real one."""

import pytest
from releases import prepare_quietly, skipped_of, write_crema_d, write_wav

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


ALL_ACTORS = [str(actor) for actor in range(1001, 1092)]

# (first and last actor of Test, of Development) in labels_consensus_1.csv to labels_consensus_5.csv of EMO-SUPERB
PUBLISHED = [
    (("1001", "1018"), ("1019", "1036")),
    (("1019", "1036"), ("1037", "1054")),
    (("1037", "1054"), ("1055", "1072")),
    (("1055", "1072"), ("1073", "1091")),
    (("1073", "1091"), ("1001", "1018")),
]


def test_the_folds_of_emo_superb_are_those_of_its_files(tmp_path):
    folds = CremaD(write_crema_d(tmp_path, actors=3), division="emo_superb").folds(ALL_ACTORS)
    assert [((fold.test[0], fold.test[-1]), (fold.valid[0], fold.valid[-1])) for fold in folds] == PUBLISHED
    assert [(len(fold.train), len(fold.valid), len(fold.test)) for fold in folds] == [(55, 18, 18)] * 3 + [(54, 19, 18), (54, 18, 19)]
    for fold in folds:
        assert sorted((*fold.train, *fold.valid, *fold.test)) == ALL_ACTORS
    assert sorted(actor for fold in folds for actor in fold.test) == ALL_ACTORS


def one_clip_of_each(*actors):
    return {f"{actor}_IEO_HAP_XX": (0, 0, 0, 3, 6, 0) for actor in actors}


def test_a_part_of_the_release_says_that_it_lacks_actors_of_emo_superb(tmp_path):
    said, release = [], write_crema_d(tmp_path / "release", one_clip_of_each(1001, 1018, 1019, 1037, 1055, 1091, 1099))
    protocol = prepare("crema_d", release, tmp_path / "out", say=said.append, division="emo_superb")
    assert [(fold["test"], fold["valid"]) for fold in protocol["folds"]][:2] == [(["1001", "1018"], ["1019"]), (["1019"], ["1037"])]
    assert protocol["options"]["division"] == "emo_superb"
    assert skipped_of(tmp_path / "out") == {"1099_IEO_HAP_XX": "in no fold: speaker 1099"}
    (warning,) = [line for line in said if "EMO-SUPERB" in line]
    assert "2 of the 18 of set 1, 1 of the 18 of set 2" in warning and "1 of the 19 of set 5" in warning


def test_all_actors_of_emo_superb_are_no_reason_for_a_warning(tmp_path):
    corpus = CremaD(write_crema_d(tmp_path, actors=3), division="emo_superb")
    corpus.folds(ALL_ACTORS)
    assert corpus.remarks() == []
    assert CremaD(tmp_path).remarks() == []


def test_a_set_of_emo_superb_without_an_actor_is_refused_by_its_actors(tmp_path):
    release = write_crema_d(tmp_path / "release", one_clip_of_each(1001, 1019, 1037, 1091))
    with pytest.raises(InputError, match=r"its set 4 \(1055 to 1072\): get the whole release, or leave --division out"):
        prepare_quietly("crema_d", release, tmp_path / "out", division="emo_superb")


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
