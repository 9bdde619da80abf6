"""The protocol check: clean results, texts and manifests, its exit status, and damaged files."""

import json
import shutil
from pathlib import Path

import pytest
from releases import called_after_its_reader, write_crema_d, write_iemocap
from stages import ENCODER, HEAD, MANIFESTS, write_stage

from mlee_sb.cli.app import main
from mlee_sb.corpora.base import load_corpus
from mlee_sb.corpora.prepare import prepare
from mlee_sb.corpora.vote_table import VoteTable
from mlee_sb.errors import InputError
from mlee_sb.evaluation.protocol import manifests as manifest_check
from mlee_sb.evaluation.protocol import stages as stage_check
from mlee_sb.evaluation.protocol.check import check_protocol
from mlee_sb.evaluation.protocol.findings import LEAK, NOTE, UNCHECKED
from mlee_sb.stage_folder import USES, StageFolder, key_of

from .planted import a_test_recording_in_another_container, a_test_utterance_in_training, check, edit_json, without_manifests


def test_in_clean_results_nothing_is_found_and_only_the_texts_are_not_known(results):
    checked = check(results, data_folder=results.parent / "release")
    assert not checked.leaks and not checked.of(NOTE)
    assert [finding.kind for finding in checked.of(UNCHECKED)] == ["text"]
    assert (checked.stages, checked.folds) == (2, 4)
    assert checked.summary() == "2 stages and 4 folds looked at: 0 leaks, 0 notes, 1 not checked; no leak in what could be checked"


def test_every_use_that_training_notes_is_looked_at():
    assert set(stage_check.SPLITS_OF_USE) == set(stage_check.WORDS) == set(USES)


def test_a_script_in_training_and_test_is_a_leak_where_free_speech_could_have_been_used(tmp_path):
    release = write_iemocap(tmp_path / "release")
    for dialogs, expected in (("all", ("script01_1",)), ("improvised", None)):
        prepare("iemocap", release, tmp_path / dialogs, ["neu", "hap"], say=lambda line: None, dialogs=dialogs)
        found = list(_of_manifests(tmp_path / dialogs, "iemocap"))
        texts = {(finding.severity, finding.values) for finding in found if finding.kind == "text"}
        assert texts == ({(LEAK, expected)} if expected else set())
        sessions = [finding for finding in found if finding.kind == "session"]
        assert [finding.severity for finding in sessions] == [NOTE], "the other speaker of the session validates"
        assert sessions[0].values == ("Ses01", "Ses02", "Ses03", "Ses04", "Ses05")


def test_texts_that_all_speakers_speak_by_design_are_a_note(tmp_path):
    prepare("crema_d", write_crema_d(tmp_path / "release"), tmp_path / "manifests", ["hap", "sad"], say=lambda line: None)
    found = [finding for finding in _of_manifests(tmp_path / "manifests", "crema_d") if finding.kind == "text"]
    assert [(finding.severity, finding.values) for finding in found] == [(NOTE, ("DFA", "IEO"))]


def _of_manifests(folder, corpus):
    corpus = load_corpus(corpus)
    manifests = manifest_check.read_raw(folder, json.loads((folder / "protocol.json").read_text()))
    return manifest_check.check_manifests(manifests, corpus.text_of, corpus.texts_shared_by_design, None)


def test_a_corpus_that_is_not_installed_does_not_say_which_text_was_spoken(results):
    def not_installed(name):
        raise InputError(f"unknown corpus {name!r}")

    checked = check_protocol(results, not_installed, data_folder=results.parent / "release")
    assert not checked.leaks
    assert [finding.what for finding in checked.of(UNCHECKED)] == ["the corpus calls does not say which text an utterance has"]


@pytest.mark.parametrize("earlier", [False, True])
def test_the_reader_of_the_corpus_is_asked_whatever_the_corpus_is_called(results, monkeypatch, earlier):
    if earlier:
        protocol_hash = called_after_its_reader(results / MANIFESTS)
        encoder = write_stage(results, ENCODER)
        assert encoder["protocol"] == protocol_hash
        write_stage(results, HEAD, required={"dominant": key_of(encoder)})
    monkeypatch.setattr(VoteTable, "text_of", staticmethod(lambda utterance: "the same"))
    assert {leak.kind for leak in check(results, data_folder=results.parent / "release").leaks} == {"text"}


@pytest.mark.parametrize(
    ("plant", "texts_are_known", "status"),
    [(None, True, 0), (None, False, 3), (a_test_utterance_in_training, False, 1), (without_manifests, True, 3)],
    ids=["all is fine", "the texts are not known", "a leak", "no manifests"],
)
def test_the_status_tells_clean_leaking_and_not_checked_apart(results, monkeypatch, capsys, plant, texts_are_known, status):
    if texts_are_known:
        monkeypatch.setattr(VoteTable, "text_of", staticmethod(lambda utterance: utterance))
    if plant:
        plant(results)
    assert main(["check-protocol", str(results), "--data_folder", str(results.parent / "release")]) == status
    assert capsys.readouterr().out.strip().endswith("clean") == (status == 0)


def test_the_help_tells_every_status(capsys):
    assert main(["check-protocol", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "0 all was checked and no leak found, 1 leaks found, 2 wrong input, 3 no leak found in what could be checked" in said


def test_without_a_data_folder_copies_are_not_found_and_that_is_said(results):
    a_test_recording_in_another_container(results)
    checked = check(results)
    assert not checked.leaks
    assert [finding.what for finding in checked.of(UNCHECKED) if finding.kind == "copy"] == [
        "no --data_folder was given, so recordings were compared by name only"
    ]


def test_manifests_elsewhere_are_found_when_they_are_given(results, tmp_path):
    a_test_utterance_in_training(results)
    elsewhere = shutil.move(results / MANIFESTS, tmp_path / "elsewhere")
    assert not check(results).leaks
    assert ("copy", ("a0",)) in {(leak.kind, leak.values) for leak in check(results, manifests=[elsewhere]).leaks}


def test_variants_of_a_row_are_other_stages_and_no_copies(results):
    variant = HEAD.parents[2].with_name(f"{HEAD.parts[1]}@lr=0.1") / Path(*HEAD.parts[2:])
    write_stage(results, variant, required={"dominant": key_of(StageFolder(results / ENCODER).read_identity())})
    checked = check(results, data_folder=results.parent / "release")
    assert not checked.leaks and checked.stages == 3
    shutil.copytree(results / variant, results / variant.with_name("fold2"))
    (leak,) = check(results).leaks
    assert leak.kind == "stage" and leak.values == (str(results / variant), str(results / variant.with_name("fold2")))


def test_the_folder_of_a_row_is_checked_with_the_manifests_beside_it(results):
    checked = check(results / "calls/dominant_hard")
    assert (checked.stages, checked.folds) == (1, 4)


def test_manifests_that_no_stage_was_trained_on_are_refused(results):
    edit_json(results / MANIFESTS / "protocol.json", hash="0123")
    with pytest.raises(InputError, match="manifests of the protocol 0123, and the stages .* were trained on"):
        check(results, manifests=[results / MANIFESTS])


def test_a_protocol_with_an_entry_of_another_kind_is_an_error_that_names_it(results):
    edit_json(results / MANIFESTS / "protocol.json", folds=[{"fold": 1, "train": ["c", ["d"]], "valid": ["b"], "test": ["a"]}])
    with pytest.raises(InputError, match=r'protocol.json: damaged .folds.0.train.1 is \["d"\]'):
        check(results)


@pytest.mark.parametrize(("name", "value"), [("protocol_hash", -1), ("train_set", 1), ("fold", "1"), ("losses", None), ("demo", 0)])
def test_a_summary_with_a_value_of_another_kind_is_an_error_that_names_it(results, name, value):
    edit_json(results / HEAD / "save/summary.json", **{name: value})
    with pytest.raises(InputError, match=f"summary.json: damaged .{name} is {json.dumps(value)}: .*: train the stage again"):
        check(results)


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        (MANIFESTS / "fold1/train.csv", "ID,wav\na,b\n", "train.csv: no column"),
        (ENCODER / "save/used/training.csv", "utterance\na0\n", "training.csv: no column ID"),
        (ENCODER / "save/identity.json", "{", "identity.json: damaged"),
        (MANIFESTS / "protocol.json", "{", "protocol.json: damaged"),
        (MANIFESTS / "protocol.json", "-1", "protocol.json: damaged .-1 is no object"),
        (MANIFESTS / "protocol.json", "{}", "protocol.json: hash is missing: run mlee prepare"),
        (ENCODER / "save/summary.json", "-1", "summary.json: damaged .-1 is no object.: train the stage again"),
    ],
)
def test_a_damaged_file_is_an_error_that_names_it(results, file, content, words):
    (results / file).write_text(content)
    with pytest.raises(InputError, match=words):
        check(results)


@pytest.mark.parametrize(
    ("entry", "value"),
    [("emotions", "neu"), ("emotions", [1]), ("min_votes", "1"), ("target", []), ("required dominant", [1])],
)
def test_an_identity_with_a_value_of_another_kind_is_an_error_that_names_it(results, entry, value):
    path = results / HEAD / "save" / "identity.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {entry: value}))
    with pytest.raises(InputError, match=rf"identity.json: damaged .{entry}"):
        check(results)


def test_a_stage_that_did_not_note_whether_it_had_class_weights_is_no_traceback(results):
    for stage in (ENCODER, HEAD):
        path = results / stage / "save/identity.json"
        path.write_text(json.dumps({name: value for name, value in json.loads(path.read_text()).items() if name != "class_weights"}))
    kinds = {(one.severity, one.kind) for one in check(results).findings}
    assert (LEAK, "class_weights") in kinds  # nothing shows that they are those of the training set
