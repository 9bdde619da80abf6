"""A model is published whole, with its scores and licence, or not at all; and nothing of the machine goes with it."""

import json
import platform
import socket
from pathlib import Path

import pytest
from bundles import copy_of, small_fusion, write_bundle
from huggingface_hub import ModelCard

from mlee_sb.errors import InputError
from mlee_sb.inference.hub import Place
from mlee_sb.inference.publish import push
from mlee_sb.inference.verify import verify
from mlee_sb.models.bundle_files import FILES
from mlee_sb.stage_folder import StageFolder

NAME = "me/mlee-test"


@pytest.fixture
def stage(bundle, tmp_path):
    """The folder of a stage to publish."""
    copy_of(bundle, tmp_path / "stage" / "model")
    return tmp_path / "stage"


def files_of(hub):
    return hub.repositories[NAME].commits[-1][1]


def refused(hub, stage, words, name=NAME, **arguments):
    with pytest.raises(InputError, match=words):
        push(stage, name, **{"licence": "cc-by-4.0", **arguments})
    assert not any(repository.commits for repository in hub.repositories.values())


def test_a_bundle_is_published_with_its_card_and_nothing_else(hub, stage):
    (stage / "model/notes.txt").write_text("mine")
    where = push(stage, NAME, licence="cc-by-4.0")
    assert where == f"{hub.url}/{NAME}"
    assert sorted(files_of(hub)) == sorted(FILES)
    card = ModelCard(files_of(hub)["README.md"].decode())
    assert card.data.license == "cc-by-4.0" and f'source="{NAME}"' in card.text
    assert {result.metric_type: result.metric_value for result in card.data.eval_results} == {"wa": 0.5, "ua": 0.4, "macro_f1": 0.3}
    for file in set(FILES) - {"README.md"}:
        assert files_of(hub)[file] == (stage / "model" / file).read_bytes()


def test_nothing_of_this_machine_is_published(hub, stage, tmp_path, monkeypatch):
    """A machine with names that stand in no model by chance."""
    monkeypatch.setattr(socket, "gethostname", lambda: "the-host-of-anna")
    monkeypatch.setattr(platform, "node", lambda: "the-host-of-anna")
    monkeypatch.setattr(platform, "release", lambda: "9.9.9-the-kernel-of-anna")
    for name in ("LOGNAME", "USER", "USERNAME"):
        monkeypatch.setenv(name, "anna-who-trained-it")
    StageFolder(stage).note_data_folder(tmp_path / "release")
    push(stage, NAME, licence="cc-by-4.0")
    sent = b"\n".join(hub.received)
    assert len(sent) > 10_000
    for private in (str(tmp_path), str(stage), "the-host-of-anna", "the-kernel-of-anna", "anna-who-trained-it"):
        assert private.encode() not in sent, private
    for place in filter(lambda place: len(place.parts) > 1, (Path.home(), Path.cwd())):
        assert f"{place}/".encode() not in sent, place


@pytest.mark.parametrize(
    "file, text",
    [
        ("scores.json", "/home/anna/corpus"),
        ("scores.json", "C:\\\\Users\\\\anna\\\\x"),
        ("README.md", "trained on /Users/anna/data"),
        ("README.md", "see /mnt/disk7"),
        ("classifier.ckpt", None),
    ],
)
def test_a_place_on_a_machine_is_found_before_it_is_published(hub, stage, file, text):
    path = stage / "model" / file
    if text is None:
        path.write_bytes(path.read_bytes() + f"{stage.resolve()}/model/x".encode())
    elif file == "scores.json":
        path.write_text(json.dumps({**json.loads(path.read_text()), "note": text.replace("\\\\", "\\")}))
        (stage / "model/README.md").unlink()
    else:
        path.write_text(path.read_text() + text)
    refused(hub, stage, f"{file}: would publish")


def test_without_scores_nothing_is_published(hub, stage):
    (stage / "model/scores.json").unlink()
    refused(hub, stage, r"scores.json: no scores")


@pytest.mark.parametrize("scores", ["{}", '{"n_all": 0}', "[]", "not json", '{"n_all": 3, "fold": 2}', '{"n_all": 3, "wa": NaN}'])
def test_scores_that_are_none_or_of_another_model_are_refused(hub, stage, scores):
    (stage / "model/scores.json").write_text(scores)
    refused(hub, stage, r"scores.json")


def test_without_a_licence_nothing_is_published(hub, stage):
    refused(hub, stage, "no licence: name one with --license", licence=None)


def test_a_model_of_the_demo_release_is_published_only_when_that_is_said(hub, tmp_path):
    demo = write_bundle(tmp_path / "demo", small_fusion(), demo=True)
    refused(hub, demo, "DEMO")
    push(demo, NAME, licence="cc0-1.0", demo=True)
    card = files_of(hub)["README.md"].decode()
    assert "**DEMO: trained on generated speech" in card and "demo" in ModelCard(card).data.tags


def test_a_damaged_model_is_not_published(hub, stage):
    (stage / "model/golden.json").write_text("{}")
    refused(hub, stage, r"golden.json")
    (stage / "model/golden.json").unlink()
    refused(hub, stage, r"golden.json")


@pytest.mark.parametrize("name", ["me", "me/a/b", "me/a b", "../me", ""])
def test_a_name_that_is_none_is_refused(hub, stage, name):
    refused(hub, stage, "no name of a model on the hub", name=name)


def test_a_folder_that_is_not_there_is_refused(hub, tmp_path):
    refused(hub, tmp_path / "nowhere", "no such folder")


def test_a_card_that_was_edited_keeps_its_words_and_names_its_licence(hub, stage):
    path = stage / "model/README.md"
    card = ModelCard(path.read_text() + "\nRecorded in my kitchen.\n")
    card.data.license = "mit"
    path.write_text(str(card))
    push(stage, NAME)
    published = ModelCard(files_of(hub)["README.md"].decode())
    assert "Recorded in my kitchen." in published.text and published.data.license == "mit"


def test_a_card_with_figures_of_another_model_is_refused(hub, stage):
    path = stage / "model/README.md"
    path.write_text(path.read_text().replace("value: 0.5", "value: 0.95"))
    refused(hub, stage, r"README.md: says wa 0.95, and scores.json 0.5")


def test_a_wrong_token_is_told_with_its_remedy(hub, stage, monkeypatch):
    hub.token = "another"
    refused(hub, stage, "hf auth login")


def test_an_upload_that_breaks_leaves_no_half_model_and_the_next_one_is_whole(hub, stage):
    hub.breaks_uploads = True
    refused(hub, stage, "the connection to .* broke .*nothing was left half done, try again")
    assert NAME in hub.repositories
    hub.breaks_uploads = False
    push(stage, NAME, licence="cc-by-4.0")
    assert len(hub.repositories[NAME].commits) == 1 and sorted(files_of(hub)) == sorted(FILES)


def test_a_hub_that_is_out_of_order_is_told(hub, stage):
    hub.fails_with = 500
    refused(hub, stage, "answers 500")


# verify


def test_a_bundle_that_training_wrote_is_right_in_everything(bundle):
    checks = verify(Place(bundle, bundle))
    assert len(checks) == 6 and all(check.passed for check in checks), checks


@pytest.mark.parametrize(
    "file, change, words",
    [
        ("scores.json", None, "scores.json: missing"),
        ("README.md", None, "README.md: missing"),
        ("README.md", b"", "README.md: empty"),
        ("README.md", ("value: 0.4", "value: 0.8"), "says ua 0.8"),
        ("label_encoder.ckpt", ("'neu' => 0", "'neu' => 1"), "label_encoder.ckpt: not what mlee_sb writes"),
        ("hyperparams.yaml", ("sample_rate: 16000", "sample_rate: 8000"), "hyperparams.yaml: not what mlee_sb writes"),
        ("classifier.ckpt", b"garbage", "classifier.ckpt: not plain weights"),
        ("classifier.ckpt", b"", "classifier.ckpt: not plain weights"),
        ("embedding_model.ckpt", "classifier.ckpt", "embedding_model.ckpt: not the weights of"),
        ("golden.json", None, "golden.json: missing"),
    ],
)
def test_what_is_wrong_in_a_bundle_is_named(stage, file, change, words):
    path = stage / "model" / file
    if change is None:
        path.unlink()
    elif isinstance(change, bytes):
        path.write_bytes(change)
    elif isinstance(change, str):
        path.write_bytes((stage / "model" / change).read_bytes())
    else:
        assert change[0] in path.read_text()
        path.write_text(path.read_text().replace(*change))
    wrong = [check for check in verify(Place(stage / "model", stage / "model")) if not check.passed]
    assert len(wrong) == 1 and words in wrong[0].seen, wrong
