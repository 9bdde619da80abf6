"""Every kind of leak, planted in results that have none, is named."""

import json
import shutil

import pandas as pd
import pytest
from stages import ENCODER, HEAD, MANIFESTS, TRAIN, VALID, WEIGHTS_WITH_TEST, write_stage

from mlee_sb.evaluation.protocol.findings import UNCHECKED
from mlee_sb.stage_folder import StageFolder, key_of

from .planted import a_test_recording_in_another_container, a_test_utterance_in_training, check, edit_csv, edit_json

C, D = TRAIN[:3], TRAIN[3:]  # the utterances of each training speaker; each inner model judges those of one
USED_BY_INNER = {(1, "training"): D, (1, "calibration"): C, (2, "training"): C, (2, "calibration"): D}
INNER = [(*group_and_use, id_) for group_and_use, ids in USED_BY_INNER.items() for id_ in ids]

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


def a_recording_under_two_ids(results):
    edit_csv(results / MANIFESTS / "fold1/train.csv", lambda rows: rows.assign(wav=rows["wav"].replace("c0.wav", "a0.wav")))


def use(use, *ids, stage=ENCODER):
    """Plant utterances in what a stage notes for a use."""

    def plant(results):
        StageFolder(results / stage).note_use(use, [*(VALID if use == "selection" else TRAIN), *ids])

    plant.__name__ = f"{'_'.join(ids)}_in_{use}"
    return plant


def calibrated_on_training_speakers(results):
    """By a model that heard them: the stage says that it was calibrated on validation speakers."""
    StageFolder(results / HEAD).note_use("calibration", [*TRAIN, *VALID, "b2"])


def calibrated_across(*ids):
    """Plant utterances in what a stage of cross-conformal calibration notes."""

    def plant(results):
        for stage in (ENCODER, HEAD):
            edit_json(results / stage / "save/identity.json", calibration="cross")
        identity = StageFolder(results / ENCODER).read_identity()
        edit_json(results / HEAD / "save/identity.json", **{"required dominant": key_of(identity)})
        for stage in (ENCODER, HEAD):
            StageFolder(results / stage).note_use("calibration", [*TRAIN, *VALID, "b2", *ids])
            StageFolder(results / stage).note_inner(INNER)

    plant.__name__ = f"{'_'.join(ids) or 'nothing'}_in_calibration_across"
    return plant


def inner_models_used(*rows):
    """Plant what inner models of the head used, beside what is right."""

    def plant(results):
        calibrated_across()(results)
        StageFolder(results / HEAD).note_inner([*INNER, *rows])

    plant.__name__ = "_".join(f"{id_}_in_{use}_{group}" for group, use, id_ in rows)
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
    StageFolder(results / ENCODER.with_name("fold2")).note_use("training", ["d0", "d1", "d2", "a0", "a1", "a2"])
    write_stage(results, HEAD, required={"dominant": key_of(encoder)})


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
    (calibrated_on_training_speakers, "use", tuple(TRAIN), "calibrated with, though they are not in valid.csv"),
    (calibrated_across("a1"), "use", ("a1",), "calibrated with, though they are of the test set"),
    (calibrated_across("a1"), "encoder", ("a1",), "used utterances of this stage's test set"),
    (calibrated_across("x0"), "use", ("x0",), "though the manifests do not have them"),
    (inner_models_used((1, "training", "c2")), "use", ("c",), "speakers that inner model 1 was trained on, and judged"),
    (inner_models_used((2, "calibration", "c0")), "use", ("c",), "speakers that inner model 2 was trained on, and judged"),
    (inner_models_used((2, "training", "a1")), "use", ("a1",), "utterances that inner model 2 used, though they are of the test set"),
    (inner_models_used((1, "training", "b0")), "use", ("b0",), "utterances that inner model 1 used, though they are not in train.csv"),
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


def test_a_calibration_across_training_speakers_is_no_leak_and_must_be_noted_whole(results):
    calibrated_across()(results)
    checked = check(results, data_folder=results.parent / "release")
    assert not checked.leaks and {finding.kind for finding in checked.of(UNCHECKED)} == {"text"}
    StageFolder(results / HEAD).note_use("calibration", [*VALID, "b2"])
    (finding,) = [finding for finding in check(results).of(UNCHECKED) if finding.kind == "use"]
    assert finding.values == tuple(TRAIN) and "utterances of train.csv or valid.csv" in finding.what


def test_what_inner_models_used_is_not_called_clean_where_it_is_not_noted_or_not_all(results):
    calibrated_across()(results)
    StageFolder(results / ENCODER).used_by_inner.unlink()
    StageFolder(results / HEAD).note_inner([row for row in INNER if row[:2] != (2, "training")])
    of_encoder, of_head = (finding for finding in check(results).of(UNCHECKED) if finding.kind == "use")
    assert of_encoder.where.endswith("inner.csv") and "missing, so it is not known whether inner models judged" in of_encoder.what
    assert of_head.values == tuple(D) and "which inner model judged them, or what it was trained on" in of_head.what


def test_a_stage_that_is_there_twice_is_named(results):
    a_stage_that_is_a_copy(results)
    (leak,) = check(results).leaks
    assert leak.kind == "stage" and leak.values == (str(results / HEAD), str(results / HEAD.with_name("fold2")))


def test_a_leak_of_one_fold_is_told_of_that_fold_alone(results):
    use("selection", "a1")(results)
    (of_encoder, of_head) = check(results).leaks
    assert of_encoder.where == str(results / ENCODER / "save/used/selection.csv")
    assert of_head.kind == "encoder" and of_head.where == str(results / HEAD)
