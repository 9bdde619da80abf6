"""Every kind of leak, planted in results that have none, is named; and what could not be looked at is not called clean."""

import json
import shutil

import pandas as pd
import pytest
import soundfile
from releases import called_after_its_reader, without_the_hash_of_votes, write_crema_d, write_iemocap
from stages import ENCODER, HEAD, MANIFESTS, TRAIN, VALID, WEIGHTS_WITH_TEST, write_results, write_stage, write_used

from mlee_sb.cli.app import main
from mlee_sb.corpora.base import load_corpus
from mlee_sb.corpora.prepare import prepare
from mlee_sb.corpora.vote_table import VoteTable
from mlee_sb.errors import InputError
from mlee_sb.evaluation.protocol import manifests as manifest_check
from mlee_sb.evaluation.protocol import stages as stage_check
from mlee_sb.evaluation.protocol.check import check_protocol
from mlee_sb.evaluation.protocol.findings import LEAK, NOTE, UNCHECKED
from mlee_sb.evaluation.results import VERSION
from mlee_sb.stage_folder import USES


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("clean")).parent


@pytest.fixture
def results(written, tmp_path):
    """A copy to plant leaks in."""
    return shutil.copytree(written, tmp_path / "copy") / "results"


def check(results, **given):
    return check_protocol(results, load_corpus, **given)


def kinds(findings):
    return {(finding.kind, finding.values) for finding in findings}


def edit_csv(path, change):
    """Replace a CSV by what `change` makes of its rows, all text."""
    change(pd.read_csv(path, dtype=str, keep_default_na=False)).to_csv(path, index=False)


def edit_json(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_in_clean_results_nothing_is_found_and_only_the_texts_are_not_known(results):
    checked = check(results, data_folder=results.parent / "release")
    assert not checked.leaks and not checked.of(NOTE)
    assert [finding.kind for finding in checked.of(UNCHECKED)] == ["text"]
    assert (checked.stages, checked.folds) == (2, 4)
    assert checked.summary() == "2 stages and 4 folds looked at: 0 leaks, 0 notes, 1 not checked; no leak in what could be checked"


def test_every_use_that_training_notes_is_looked_at():
    assert set(stage_check.SPLIT_OF_USE) == set(stage_check.WORDS) == set(USES)


# What is planted: each changes the results, and the check must name (kind, values) and say the words.


def a_test_speaker_in_training(results):
    """Another utterance of a, in the training set and in utterances.csv."""
    row = pd.read_csv(results / MANIFESTS / "fold1/test.csv", dtype=str, keep_default_na=False).iloc[:1].assign(ID="a9", wav="a9.wav")
    for file in ("fold1/train.csv", "utterances.csv"):
        edit_csv(results / MANIFESTS / file, lambda rows: pd.concat([rows, row]))


def a_speaker_twice_in_the_protocol(results):
    path = results / MANIFESTS / "protocol.json"
    folds = json.loads(path.read_text())["folds"]
    folds[0]["train"].append("b")
    edit_json(path, folds=folds)


def another_split_than_the_protocols(results):
    for one, other in (("train", "swap"), ("valid", "train"), ("swap", "valid")):
        (results / MANIFESTS / f"fold1/{one}.csv").rename(results / MANIFESTS / f"fold1/{other}.csv")


def a_session_of_the_test_set_in_training(results):
    for file in ("fold1/train.csv", "utterances.csv"):
        edit_csv(results / MANIFESTS / file, lambda rows: rows.assign(session=rows["session"].replace("sc", "sa")))


def a_test_utterance_in_training(results):
    row = pd.read_csv(results / MANIFESTS / "fold1/test.csv", dtype=str, keep_default_na=False).iloc[:1]
    edit_csv(results / MANIFESTS / "fold1/train.csv", lambda rows: pd.concat([rows, row]))


def a_recording_under_two_ids(results):
    edit_csv(results / MANIFESTS / "fold1/train.csv", lambda rows: rows.assign(wav=rows["wav"].replace("c0.wav", "a0.wav")))


def a_test_recording_in_another_container(results):
    """The samples of a0 under the name of d2, as FLAC, under a header of another rate."""
    samples, _ = soundfile.read(results.parent / "release/a0.wav", dtype="int16")
    soundfile.write(results.parent / "release/d2.wav", samples, 22_050, format="FLAC", subtype="PCM_24")


def use(use, *ids, stage=ENCODER):
    """Plant utterances in what a stage notes for a use."""

    def plant(results):
        write_used(results / stage, use, [*(VALID if use == "selection" else TRAIN), *ids])

    plant.__name__ = f"{'_'.join(ids)}_in_{use}"
    return plant


def an_unlisted_utterance_of_the_test_speaker(results):
    """It was taken out of the test set, and trained on."""
    edit_csv(results / MANIFESTS / "fold1/test.csv", lambda rows: rows[rows["ID"] != "a1"])
    use("training", "a1")(results)


def class_weights_of_training_and_test(results):
    edit_json(results / HEAD / "save/summary.json", class_weights=WEIGHTS_WITH_TEST)


def class_weights_from_elsewhere(results):
    edit_json(results / HEAD / "save/summary.json", class_weights=[0.9, 1.1])


def predictions_of_other_utterances(results):
    edit_csv(results / HEAD / "predictions.csv", lambda rows: rows.assign(ID=rows["ID"].replace("a0", "b0")))


def a_prediction_left_out(results):
    edit_csv(results / HEAD / "predictions.csv", lambda rows: rows.iloc[1:])


def a_prediction_twice(results):
    edit_csv(results / HEAD / "predictions.csv", lambda rows: pd.concat([rows, rows.iloc[:1]]))


def votes_changed_since_the_prediction(results):
    for file in ("fold1/test.csv", "utterances.csv"):
        edit_csv(results / MANIFESTS / file, lambda rows: rows.assign(votes_neu=rows["votes_neu"].where(rows["ID"] != "a2", "2")))


def a_row_changed_since_it_was_prepared(results):
    edit_csv(results / MANIFESTS / "fold1/train.csv", lambda rows: rows.assign(dominant=rows["dominant"].where(rows["ID"] != "c0", "hap")))


def a_row_lost_since_it_was_prepared(results):
    edit_csv(results / MANIFESTS / "fold1/test.csv", lambda rows: rows[rows["ID"] != "a0"])


def _everywhere(results, change):
    """In utterances.csv and in every file of the folds."""
    for path in (results / MANIFESTS).rglob("*.csv"):
        if path.parent.name.startswith("fold") or path.name == "utterances.csv":
            edit_csv(path, change)


def votes_of_one_changed_everywhere(results):
    _everywhere(results, lambda rows: rows.assign(votes_neu=rows["votes_neu"].where(rows["ID"] != "c0", "2")))


def more_votes_than_annotators(results):
    _everywhere(results, lambda rows: rows.assign(votes_neu=rows["votes_neu"].where(rows["ID"] != "c0", "77")))


def votes_of_other_listeners(results):
    (results / MANIFESTS / "votes.csv").write_text("ID,annotator,label\na0,E1,neu\na0,E2,neu\n")


def without_the_votes(results):
    (results / MANIFESTS / "votes.csv").unlink()


def a_number_beyond_all_integers(results):
    edit_csv(results / MANIFESTS / "fold1/valid.csv", lambda rows: rows.assign(votes_neu="9" * 20))


def an_existence_that_does_not_follow_from_the_votes(results):
    _everywhere(results, lambda rows: rows.assign(exist_hap=rows["exist_hap"].where(rows["ID"] != "c0", "1")))


def other_counts(results):
    path = results / MANIFESTS / "protocol.json"
    edit_json(path, counts=json.loads(path.read_text())["counts"] | {"utterances": 11})


def the_end_of_a_recording_replaced(results):
    path = results.parent / "release/c1.wav"
    content = path.read_bytes()
    path.write_bytes(content[:-2] + bytes(byte ^ 1 for byte in content[-2:]))


def an_identity_of_other_emotions(results):
    edit_json(results / HEAD / "save/identity.json", emotions=["neu", "=cmd()"])


def class_weights_of_no_shape(results):
    edit_json(results / HEAD / "save/summary.json", class_weights=[[1.0, 1.0], [1.0]])


def an_encoder_of_another_fold(results):
    """Fold 2 tests b, validates on c, trains on d and a: the encoder did right, and the head must not have it."""
    encoder = write_stage(results, ENCODER.with_name("fold2"))
    write_used(results / ENCODER.with_name("fold2"), "training", ["d0", "d1", "d2", "a0", "a1", "a2"])
    write_stage(results, HEAD, required={"dominant": stage_check.key_of(encoder)})


def a_stage_that_is_a_copy(results):
    shutil.copytree(results / HEAD, results / HEAD.with_name("fold2"))


def the_summary_of_another_training(results):
    edit_json(results / ENCODER / "save/summary.json", seed=2)


PLANTED = [
    (a_test_speaker_in_training, "speaker", ("a",), "in train.csv and in test.csv"),
    (a_test_speaker_in_training, "speaker", ("a",), "protocol.json does not list in this split"),
    (a_speaker_twice_in_the_protocol, "speaker", ("b",), "protocol.json lists in train and in valid"),
    (another_split_than_the_protocols, "speaker", ("b",), "protocol.json does not list in this split"),
    (a_session_of_the_test_set_in_training, "session", ("sa",), "in train.csv and in test.csv"),
    (a_test_utterance_in_training, "copy", ("a0",), "utterances in train.csv and in test.csv"),
    (a_recording_under_two_ids, "copy", ("a0.wav",), "under two IDs"),
    (a_test_recording_in_another_container, "copy", ("d2.wav = a0.wav",), "the same samples, in train.csv and in test.csv"),
    (use("training", "a0"), "use", ("a0",), "trained on, though they are of the test set"),
    (use("z_norm", "a0", "a2"), "use", ("a0", "a2"), "z-norm was computed with, though they are of the test set"),
    (use("class_weights", "a1"), "use", ("a1",), "class weights were computed with, though they are of the test set"),
    (use("selection", "a1"), "use", ("a1",), "an epoch was chosen with, though they are of the test set"),
    (use("selection", "a1", stage=HEAD), "use", ("a1",), "an epoch was chosen with, though they are of the test set"),
    (use("training", "b0"), "use", ("b0",), "trained on, though they are not in train.csv"),
    (use("z_norm", "b0"), "use", ("b0",), "z-norm was computed with, though they are not in train.csv"),
    (use("class_weights", "b2"), "use", ("b2",), "though they are not in train.csv"),
    (use("selection", "c0"), "use", ("c0",), "though they are not in valid.csv"),
    (use("training", "x0"), "use", ("x0",), "though the manifests do not have them"),
    (an_unlisted_utterance_of_the_test_speaker, "use", ("a1",), "of the test set or its speakers"),
    (use("z_norm", "a0"), "encoder", ("a0",), "used utterances of this stage's test set"),
    (class_weights_of_training_and_test, "class_weights", (), "not those of the training set: they are those of training and test"),
    (class_weights_from_elsewhere, "class_weights", (), "not those of the training set"),
    (predictions_of_other_utterances, "predictions", ("b0",), "not in test.csv"),
    (predictions_of_other_utterances, "predictions", ("a0",), "no prediction"),
    (a_prediction_left_out, "predictions", ("a0",), "no prediction"),
    (a_prediction_twice, "predictions", ("a0",), "more than once"),
    (votes_changed_since_the_prediction, "predictions", ("a2",), "not those of test.csv"),
    (a_row_changed_since_it_was_prepared, "manifests", ("c0",), "rows that are not those of utterances.csv"),
    (a_row_changed_since_it_was_prepared, "manifests", ("c0",), "(c0: dominant is 'hap', and 'neu' in utterances.csv)"),
    (votes_of_one_changed_everywhere, "manifests", (), "this file, fingerprints.csv or protocol.json was changed: their hash is"),
    (more_votes_than_annotators, "manifests", ("c0",), "votes_neu is '77': more votes than there are annotators (n_annotators is '3')"),
    (votes_of_other_listeners, "manifests", (), "this file was changed: its hash is"),
    (without_the_votes, "manifests", (), "missing"),
    (a_number_beyond_all_integers, "manifests", ("b0", "b1", "b2"), "votes_neu is '99999999999999999999', and '0' in utterances.csv"),
    (an_existence_that_does_not_follow_from_the_votes, "manifests", ("c0",), "exist_hap is '1': it must be 0, as votes_hap is '0'"),
    (other_counts, "manifests", (), "its counts are not those of utterances.csv"),
    (the_end_of_a_recording_replaced, "recording", ("c1.wav",), "not those that were prepared"),
    (an_identity_of_other_emotions, "stage", ("emotions",), "not of the same training"),
    (class_weights_of_no_shape, "class_weights", (), "not those of the training set"),
    (a_row_lost_since_it_was_prepared, "manifests", ("a0",), "without utterances that utterances.csv has"),
    (an_encoder_of_another_fold, "encoder", ("a",), "trains or validates on test speakers of fold 1"),
    (an_encoder_of_another_fold, "encoder", ("a0", "a1", "a2"), "used utterances of this stage's test set"),
    (the_summary_of_another_training, "stage", ("seed",), "not of the same training"),
]


@pytest.mark.parametrize(("plant", "kind", "values", "words"), PLANTED, ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_leak_is_named(results, plant, kind, values, words):
    plant(results)
    leaks = check(results, data_folder=results.parent / "release").leaks
    assert [leak for leak in leaks if leak.kind == kind and leak.values == values and words in leak.what], leaks


def test_a_stage_that_is_there_twice_is_named(results):
    a_stage_that_is_a_copy(results)
    (leak,) = check(results).leaks
    assert leak.kind == "stage" and leak.values == (str(results / HEAD), str(results / HEAD.with_name("fold2")))


def test_a_leak_of_one_fold_is_told_of_that_fold_alone(results):
    use("selection", "a1")(results)
    (of_encoder, of_head) = check(results).leaks
    assert of_encoder.where == str(results / ENCODER / "save/used/selection.csv")
    assert of_head.kind == "encoder" and of_head.where == str(results / HEAD)


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


def without_what_was_used(results):
    shutil.rmtree(results / ENCODER / "save/used")


def without_the_z_norm_of_the_encoder(results):
    (results / ENCODER / "save/used/z_norm.csv").unlink()


def with_half_of_what_was_trained_on(results):
    write_used(results / ENCODER, "training", TRAIN[:3])


def without_noted_class_weights(results):
    path = results / ENCODER / "save/summary.json"
    path.write_text(json.dumps({name: value for name, value in json.loads(path.read_text()).items() if name != "class_weights"}))


def trained_with_a_version_that_noted_none(results):
    """Its class weights had another scale, and are no leak."""
    path = results / ENCODER / "save/identity.json"
    path.write_text(json.dumps({name: value for name, value in json.loads(path.read_text()).items() if name != VERSION}))


def with_other_weights_in_its_encoder(results):
    """Its settings are the same, and the head noted the weights that it froze."""
    (results / ENCODER / "model").mkdir()
    (results / ENCODER / "model/model.safetensors").write_bytes(b"trained again")
    (results / HEAD / "save/encoders.json").write_text(json.dumps({"dominant": "0" * 64}))


def without_manifests(results):
    shutil.rmtree(results / MANIFESTS)


def without_a_file_of_the_fold(results):
    (results / MANIFESTS / "fold1/test.csv").unlink()


def without_predictions(results):
    (results / HEAD / "predictions.csv").unlink()


def with_an_encoder_that_was_trained_again(results):
    edit_json(results / ENCODER / "save/identity.json", lr=0.1)


def with_a_stage_that_is_not_finished(results):
    shutil.copytree(results / HEAD, results / HEAD.with_name("fold2"))
    (results / HEAD.with_name("fold2") / "save/summary.json").unlink()


def without_fingerprints(results):
    (results / MANIFESTS / "fingerprints.csv").unlink()


def prepared_without_a_hash_of_the_votes(results):
    """The stages were trained on such manifests."""
    protocol_hash = without_the_hash_of_votes(results / MANIFESTS)
    encoder = write_stage(results, ENCODER)
    assert encoder["protocol"] == protocol_hash
    write_stage(results, HEAD, required={"dominant": stage_check.key_of(encoder)})


def with_a_recording_that_is_gone(results):
    (results.parent / "release/a0.wav").unlink()


UNSEEN = [
    (without_what_was_used, "use", "older version"),
    (without_the_z_norm_of_the_encoder, "use", "missing"),
    (with_half_of_what_was_trained_on, "use", "not all noted"),
    (without_noted_class_weights, "class_weights", "older version"),
    (trained_with_a_version_that_noted_none, "class_weights", "older version"),
    (with_other_weights_in_its_encoder, "encoder", "trained again since"),
    (without_manifests, "stage", "give them with --manifests"),
    (without_a_file_of_the_fold, "manifests", "missing"),
    (without_a_file_of_the_fold, "stage", "could not be read"),
    (without_predictions, "predictions", "missing"),
    (with_an_encoder_that_was_trained_again, "encoder", "trained again"),
    (with_a_stage_that_is_not_finished, "stage", "not finished"),
    (without_fingerprints, "manifests", "as in earlier versions"),
    (prepared_without_a_hash_of_the_votes, "manifests", "its hash is not in the protocol, as in earlier versions"),
    (with_a_recording_that_is_gone, "copy", "missing or cannot be decoded"),
]


@pytest.mark.parametrize(("remove", "kind", "words"), UNSEEN, ids=lambda value: getattr(value, "__name__", ""))
def test_what_cannot_be_looked_at_is_said_and_is_no_leak(results, remove, kind, words):
    remove(results)
    checked = check(results, data_folder=results.parent / "release")
    assert [finding for finding in checked.of(UNCHECKED) if finding.kind == kind and words in finding.what]
    assert not checked.leaks and not checked.summary().endswith("clean")


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
        write_stage(results, HEAD, required={"dominant": stage_check.key_of(encoder)})
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
    assert ("copy", ("a0",)) in kinds(check(results, manifests=[elsewhere]).leaks)


def test_the_folder_of_a_row_is_checked_with_the_manifests_beside_it(results):
    checked = check(results / "calls/dominant_hard")
    assert (checked.stages, checked.folds) == (1, 4)


def test_manifests_that_no_stage_was_trained_on_are_refused(results):
    edit_json(results / MANIFESTS / "protocol.json", hash="0123")
    with pytest.raises(InputError, match="manifests of the protocol 0123, and the stages .* were trained on"):
        check(results, manifests=[results / MANIFESTS])


def test_a_protocol_with_an_entry_of_another_kind_is_an_error_that_names_it(results):
    edit_json(results / MANIFESTS / "protocol.json", folds=[{"fold": 1, "train": ["c", ["d"]], "valid": ["b"], "test": ["a"]}])
    with pytest.raises(InputError, match=r"protocol.json: damaged .folds.0.train.1 is \['d'\]"):
        check(results)


@pytest.mark.parametrize(("name", "value"), [("protocol_hash", -1), ("train_set", 1), ("fold", "1"), ("losses", None), ("demo", 0)])
def test_a_summary_with_a_value_of_another_kind_is_an_error_that_names_it(results, name, value):
    edit_json(results / HEAD / "save/summary.json", **{name: value})
    with pytest.raises(InputError, match=f"summary.json: damaged .{name} is {json.dumps(value)}.: train the stage again"):
        check(results)


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        (MANIFESTS / "fold1/train.csv", "ID,wav\na,b\n", "train.csv: no column"),
        (ENCODER / "save/used/training.csv", "utterance\na0\n", "training.csv: no column ID"),
        (ENCODER / "save/identity.json", "{", "identity.json: damaged"),
        (MANIFESTS / "protocol.json", "{", "protocol.json: damaged"),
        (MANIFESTS / "protocol.json", "-1", "protocol.json: damaged .-1 is no object"),
        (ENCODER / "save/summary.json", "-1", "summary.json: damaged .-1 is no object.: train the stage again"),
    ],
)
def test_a_damaged_file_is_an_error_that_names_it(results, file, content, words):
    (results / file).write_text(content)
    with pytest.raises(InputError, match=words):
        check(results)
