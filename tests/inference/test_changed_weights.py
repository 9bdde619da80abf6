"""Weights that are not those that a bundle was written with are told wherever somebody looks at it."""

import pytest
from bundles import OF_SCHEMA_2, copy_of, one_weight_a_little_larger

from mlee_sb.errors import InputError
from mlee_sb.files import sha256_of
from mlee_sb.inference.card import write_card
from mlee_sb.inference.hub import Place, pull
from mlee_sb.inference.model_facts import facts
from mlee_sb.inference.publish import push
from mlee_sb.inference.source import load
from mlee_sb.inference.verify import verify
from mlee_sb.models.config import read_config

NAME = "me/mlee-test"


@pytest.fixture
def changed(bundle, tmp_path):
    """A bundle with one weight changed by so little that the test tone does not tell."""
    changed = copy_of(bundle, tmp_path / "changed")
    one_weight_a_little_larger(changed)
    return changed


def test_a_changed_weight_is_told_wherever_a_bundle_is_looked_at(changed):
    place = Place(changed, changed)
    (check,) = verify(place)
    assert not check.passed and "model.safetensors: its sha256" in check.seen
    for look in (lambda: facts(place), lambda: write_card(changed), lambda: push(changed, "me/model", licence="mit")):
        with pytest.raises(InputError, match=r"model.safetensors: its sha256"):
            look()


def test_verify_and_info_tell_the_sha256_of_the_weights(bundle):
    place, sha256 = Place(bundle, bundle), sha256_of(bundle / "model.safetensors")
    assert f"sha256 {sha256}" in verify(place)[1].seen
    assert facts(place)["weights"] == f"sha256 {sha256}"


def test_info_of_damaged_weights_without_a_sha256_says_so(tmp_path):
    bundle = copy_of(OF_SCHEMA_2, tmp_path / "bundle")
    content = (bundle / "model.safetensors").read_bytes()
    (bundle / "model.safetensors").write_bytes(content[:-4])
    with pytest.raises(InputError, match=r"model.safetensors: damaged"):
        facts(Place(bundle, bundle))


def test_a_bundle_of_schema_2_is_right_in_everything_and_says_that_it_has_no_sha256():
    checks = verify(Place(OF_SCHEMA_2, OF_SCHEMA_2))
    assert len(checks) == 6 and all(check.passed for check in checks), checks
    assert "schema 2 notes no sha256" in checks[1].seen and facts(Place(OF_SCHEMA_2, OF_SCHEMA_2))["weights"].startswith("schema 2")
    assert "weights_sha256" not in read_config(OF_SCHEMA_2).as_json()


def test_a_changed_weight_on_the_hub_is_told_when_the_model_is_loaded(hub, bundle, changed):
    push(bundle, NAME, licence="cc-by-4.0")
    hub.repositories[NAME].commit({"model.safetensors": (changed / "model.safetensors").read_bytes()})
    with pytest.raises(InputError, match=r"model.safetensors: its sha256"):
        load(NAME)
    (check,) = verify(pull(NAME))
    assert not check.passed
