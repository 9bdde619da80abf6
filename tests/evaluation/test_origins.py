"""Rows of different code, and heads of encoders that were trained again, are reported with a caution that names them."""

import json

import pytest

from mlee_sb.evaluation.evaluate import evaluate
from mlee_sb.files import sha256_of
from mlee_sb.stage_folder import key_of

from .fabricated import fabricate

QUICK = {"resamples": 20}
SOURCE = "source of mlee_sb.models.dense_classifier"
VERSION = "version of mlee_sb"


def note(folder, **entries) -> dict:
    """Add entries to the identity of a stage."""
    path = folder / "save/identity.json"
    identity = json.loads(path.read_text()) | entries
    path.write_text(json.dumps(identity))
    return identity


def cautions(folder, **how) -> list[str]:
    return [
        words for words in evaluate(folder, **QUICK, **how)["cautions"] if "folds are few" not in words and "speakers are few" not in words
    ]


@pytest.fixture
def results(tmp_path):
    """Three folds of an encoder and of a head that froze it, all of one version and source."""
    folder = fabricate(tmp_path, rows=["mlee", "mlee_pretrain_soft"], train_sets=["all"])
    for fold in (1, 2, 3):
        encoder, head = (folder / f"{row}/all/seed1/fold{fold}" for row in ("mlee", "mlee_pretrain_soft"))
        identity = note(encoder, **{VERSION: "0.2.0", SOURCE: "aaaa", "source of my_encoder": "only encoders have it"})
        (encoder / "model").mkdir()
        (encoder / "model/model.safetensors").write_bytes(f"weights of fold {fold}".encode())
        note(head, **{VERSION: "0.2.0", SOURCE: "aaaa", "required mlee": key_of(identity)})
        (head / "save/encoders.json").write_text(json.dumps({"mlee": sha256_of(encoder / "model/model.safetensors")}))
    return folder


def test_rows_of_one_code_with_the_encoders_that_they_froze_need_no_caution(results):
    assert cautions(results) == []


@pytest.mark.parametrize(("name", "value"), [(VERSION, "0.3.0"), (SOURCE, "bbbb")])
def test_rows_of_different_versions_or_sources_are_named(results, name, value):
    for fold in (1, 2, 3):
        note(results / f"mlee_pretrain_soft/all/seed1/fold{fold}", **{name: value})
    (caution,) = cautions(results)
    assert f"{name} is" in caution and f"{value} for mlee_pretrain_soft (all)" in caution and " for mlee (all)" in caution


def test_a_row_that_noted_no_version_is_of_an_older_one(results):
    for fold in (1, 2, 3):
        path = results / f"mlee_pretrain_soft/all/seed1/fold{fold}/save/identity.json"
        identity = json.loads(path.read_text())
        path.write_text(json.dumps({name: value for name, value in identity.items() if name != VERSION}))
    (caution,) = cautions(results)
    assert "not noted (trained with an older version) for mlee_pretrain_soft (all)" in caution


def test_a_head_whose_encoder_was_trained_again_since_is_named(results):
    (results / "mlee/all/seed1/fold2/model/model.safetensors").write_bytes(b"trained again")
    (caution,) = cautions(results)
    assert caution.startswith("The encoder mlee of mlee_pretrain_soft (all) was trained again since") and "in 1 stage " in caution


def test_an_encoder_that_was_trained_again_with_other_settings_is_not_the_one_that_the_head_froze(results):
    for fold in (1, 2, 3):
        note(results / f"mlee/all/seed1/fold{fold}", lr=0.1)
    (caution,) = cautions(results)
    assert "was trained again since" in caution and "in 3 stages " in caution


def test_a_damaged_stage_that_is_not_reported_does_not_stop_the_report_of_others(results):
    heads = [results / f"mlee_pretrain_soft/all/seed1/fold{fold}" for fold in (1, 2, 3)]
    (results / "mlee/all/seed1/fold1/save/summary.json").write_text("{")
    (results / "mlee/all/seed1/fold3/save/identity.json").unlink()
    (caution,) = cautions(results, only=heads)
    assert "in 2 stages " in caution


def test_encoders_that_are_not_reported_themselves_are_looked_for_too(results):
    heads = [results / f"mlee_pretrain_soft/all/seed1/fold{fold}" for fold in (1, 2, 3)]
    assert cautions(results, only=heads) == []
    (results / "mlee/all/seed1/fold2/model/model.safetensors").write_bytes(b"trained again")
    assert len(cautions(results, only=heads)) == 1
