"""What changed since manifests were written is named, and results keep the manifests that they were trained on."""

import errno
import json
from pathlib import Path

import pytest
from releases import files_of, prepare_quietly, replace_the_last_sound, without_the_hash_of_votes, write_wav

from mlee_sb.corpora.options import open_corpus
from mlee_sb.corpora.prepare_once import check_recordings, prepare_once
from mlee_sb.errors import InputError


def once(data, output, say=lambda line: None) -> dict:
    return prepare_once(open_corpus("vote_table", data, {}), output, say=say)


def test_preparing_once_writes_once_and_says_so_once(data, tmp_path):
    said = []
    protocol = once(data, tmp_path / "results" / "manifests", say=said.append)
    assert said[-1] == f"written to {tmp_path / 'results' / 'manifests'}"
    before, count = files_of(tmp_path / "results"), len(said)
    assert once(data, tmp_path / "results" / "manifests", say=said.append) == protocol
    assert files_of(tmp_path / "results") == before and len(said) == count


def test_a_corpus_that_changed_since_is_named_and_the_old_manifests_stay(data, tmp_path):
    once(data, tmp_path / "manifests")
    before = files_of(tmp_path / "manifests")
    table = data / "votes.csv"
    table.write_text(table.read_text().replace("anna,2,1,0", "anna,1,2,0"))
    with pytest.raises(
        InputError, match="the corpus has changed .* '1': votes_neu is '1', and '2' in utterances.csv there.: bring the old"
    ):
        once(data, tmp_path / "manifests")
    assert files_of(tmp_path / "manifests") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "manifests"]


def test_a_recording_that_changed_since_is_named(data, tmp_path):
    once(data, tmp_path / "manifests")
    replace_the_last_sound(data / "b.wav")
    with pytest.raises(InputError, match="the corpus has changed since .* '2' has another recording.: bring the old data back"):
        once(data, tmp_path / "manifests")


DAMAGE = {"empty": lambda content: b"", "half": lambda content: content[: len(content) // 2], "zeros": lambda content: bytes(len(content))}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("file", ["protocol.json", "utterances.csv", "fingerprints.csv", "fold1/train.csv", "skipped.csv"])
def test_manifests_that_are_damaged_are_written_again_and_that_is_said(data, tmp_path, file, damage):
    manifests, said = tmp_path / "manifests", []
    once(data, manifests)
    before = files_of(manifests)
    (manifests / file).write_bytes(DAMAGE[damage]((manifests / file).read_bytes()))
    once(data, manifests, say=said.append)
    assert said == [f"{manifests / file} was damaged: the manifests in {manifests} are written again"]
    assert files_of(manifests) == before and sorted(path.name for path in tmp_path.iterdir()) == ["data", "manifests"]


def test_damaged_manifests_of_other_data_stay(data, tmp_path):
    once(data, tmp_path / "manifests")
    (tmp_path / "manifests" / "protocol.json").write_text("{")
    before = files_of(tmp_path / "manifests")
    (data / "votes.csv").write_text((data / "votes.csv").read_text().replace("anna,2,1,0", "anna,1,2,0"))
    with pytest.raises(InputError, match="protocol.json: damaged.*give a new folder with --results: the data have changed"):
        once(data, tmp_path / "manifests")
    assert files_of(tmp_path / "manifests") == before


def test_manifests_on_a_disk_that_refuses_them_are_not_taken_for_others(data, tmp_path, monkeypatch):
    def refuse(path, target):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    opened = open_corpus("vote_table", data, {})
    monkeypatch.setattr("mlee_sb.corpora.prepare_once.prepare_opened", lambda _, new, *__: new.mkdir())
    monkeypatch.setattr("mlee_sb.corpora.prepare_once._refuse_another_corpus", lambda *_: None)
    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(InputError, match=f"^{tmp_path}: the disk is read-only: give a folder that can be written$"):
        prepare_once(opened, tmp_path / "manifests")


def without_categories(manifests):
    """As before votes were counted for every category."""
    (manifests / "fingerprints.csv").unlink()
    protocol = json.loads((manifests / "protocol.json").read_text())
    protocol.pop("categories")
    (manifests / "protocol.json").write_text(json.dumps(protocol | {"hash": "0123"}))


@pytest.mark.parametrize("make_older", [without_categories, without_the_hash_of_votes])
def test_manifests_of_an_earlier_version_are_called_so(data, tmp_path, make_older):
    once(data, tmp_path / "manifests")
    make_older(tmp_path / "manifests")
    with pytest.raises(InputError, match="manifests were written by an earlier version of mlee_sb: give a new folder with --results"):
        once(data, tmp_path / "manifests")


def test_other_recordings_under_the_same_names_are_another_corpus(data, tmp_path):
    before = prepare_quietly("vote_table", data, tmp_path / "before")["hash"]
    replace_the_last_sound(data / "a.wav")
    assert prepare_quietly("vote_table", data, tmp_path / "after")["hash"] != before


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
