"""What the protocol check could not look at is said, and is not called clean."""

import json
import shutil

import pytest
from releases import without_the_hash_of_votes
from stages import ENCODER, HEAD, MANIFESTS, TRAIN, write_stage

from mlee_sb.evaluation.protocol.findings import UNCHECKED
from mlee_sb.stage_folder import VERSION, StageFolder, key_of

from .planted import check, edit_json, without_manifests


def without_what_was_used(results):
    shutil.rmtree(results / ENCODER / "save/used")


def without_the_z_norm_of_the_encoder(results):
    (results / ENCODER / "save/used/z_norm.csv").unlink()


def with_half_of_what_was_trained_on(results):
    StageFolder(results / ENCODER).note_use("training", TRAIN[:3])


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
    write_stage(results, HEAD, required={"dominant": key_of(encoder)})


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
    (without_fingerprints, "manifests", "as with earlier versions"),
    (prepared_without_a_hash_of_the_votes, "manifests", "its hash is not in the protocol, as with earlier versions"),
    (with_a_recording_that_is_gone, "copy", "missing or cannot be decoded"),
]


@pytest.mark.parametrize(("remove", "kind", "words"), UNSEEN, ids=lambda value: getattr(value, "__name__", ""))
def test_what_cannot_be_looked_at_is_said_and_is_no_leak(results, remove, kind, words):
    remove(results)
    checked = check(results, data_folder=results.parent / "release")
    assert [finding for finding in checked.of(UNCHECKED) if finding.kind == kind and words in finding.what]
    assert not checked.leaks and not checked.summary().endswith("clean")
