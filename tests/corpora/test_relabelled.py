"""Labels are merged and renamed by a file, for every corpus."""

import pytest
from releases import prepare_quietly, write_crema_d, write_iemocap

from mlee_sb.corpora.manifest import read_protocol, read_utterances, read_votes
from mlee_sb.errors import InputError


def labels(tmp_path, text) -> str:
    path = tmp_path / "labels.csv"
    path.write_text(f"label,code\n{text}\n", encoding="utf-8")
    return str(path)


@pytest.fixture
def merged(tmp_path):
    data = write_iemocap(tmp_path / "data")
    prepare_quietly("iemocap", data, tmp_path / "plain")
    prepare_quietly("iemocap", data, tmp_path / "merged", labels=labels(tmp_path, "exc,hap"))
    return tmp_path / "plain", tmp_path / "merged"


def test_excitement_counts_as_happiness(merged):
    plain, after = (read_utterances(folder) for folder in merged)
    assert "votes_exc" not in after and "votes_exc" in plain
    together = plain[["votes_hap", "votes_exc"]].sum(axis=1)
    assert (after["votes_hap"] <= together).all() and (after["votes_hap"] >= plain[["votes_hap", "votes_exc"]].max(axis=1)).all()
    assert after["dominant"].tolist() == [{"exc": "hap"}.get(code, code) for code in plain["dominant"]]
    assert (after["exist_hap"] == (after["votes_hap"] > 0)).all()


def test_an_annotator_who_heard_both_votes_once(merged):
    plain, after = (read_votes(folder) for folder in merged)
    assert not after.duplicated().any() and "exc" not in set(after["label"])
    both = plain[plain["label"].isin(["hap", "exc"])].drop_duplicates(["ID", "annotator"])
    assert len(after[after["label"] == "hap"]) == len(both)


def test_the_protocol_tells_what_was_merged(merged):
    plain, after = map(read_protocol, merged)
    assert after["rules"]["dominant"].endswith("labels were changed before: exc -> hap")
    assert after["hash"] != plain["hash"]


def test_where_counts_have_no_annotators_merged_counts_are_added_and_the_most_votes_decide_again(tmp_path):
    votes = (4, 3, 0, 0, 0, 5)  # angry, disgusted, afraid, happy, neutral, sad
    data = write_crema_d(tmp_path / "data", {f"{actor}_IEO_ANG_XX": votes for actor in range(1001, 1005)})
    prepare_quietly("crema_d", data, tmp_path / "plain")
    assert set(read_utterances(tmp_path / "plain")["dominant"]) == {"sad"}
    prepare_quietly("crema_d", data, tmp_path / "merged", labels=labels(tmp_path, "dis,ang"))
    rows = read_utterances(tmp_path / "merged")[["votes_ang", "votes_sad", "dominant"]]
    assert set(rows.itertuples(index=False, name=None)) == {(7, 5, "ang")}


def test_a_code_of_another_script_can_be_a_target(tmp_path):
    data = write_iemocap(tmp_path / "data")
    prepare_quietly("iemocap", data, tmp_path / "out", emotions=["neu", "喜"], labels=labels(tmp_path, "hap,喜\nexc,喜"))
    assert {"votes_喜", "exist_喜"} <= set(read_utterances(tmp_path / "out"))


def test_a_file_of_labels_that_is_missing_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.csv: no such file"):
        prepare_quietly("iemocap", write_iemocap(tmp_path / "data"), tmp_path / "out", labels=str(tmp_path / "nowhere.csv"))
