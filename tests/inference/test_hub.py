"""Models on a hub: fetched once, found again without a network, and refused with a remedy. The hub is a real HTTP server."""

import os
import subprocess
import sys

import pytest
import torch
from bundles import copy_of, small_fusion, write_bundle, write_speech
from huggingface_hub import constants
from speechbrain.inference.classifiers import EncoderClassifier

from mlee_sb import EmotionClassifier
from mlee_sb.errors import InputError
from mlee_sb.inference.hub import pull
from mlee_sb.inference.publish import push
from mlee_sb.models.bundle_files import FILES
from mlee_sb.models.weights import LARGEST_WEIGHTS

NAME = "me/mlee-test"


@pytest.fixture
def published(hub, bundle):
    push(bundle, NAME, licence="cc-by-4.0")
    hub.asked.clear()
    return hub


def asked_for_files(hub):
    return [path for method, path in hub.asked if method == "GET" and "/resolve/" in path]


def test_a_model_that_was_pushed_and_pulled_says_the_same_to_the_bit(published, bundle, hello):
    ours, theirs = EmotionClassifier.from_hparams(bundle), EmotionClassifier.from_hparams(source=NAME)
    assert torch.equal(ours.classify_file(hello)[0], theirs.classify_file(hello)[0])
    assert ours.predict(hello) == theirs.predict(hello)
    assert len(asked_for_files(published)) == len(FILES)


def test_speechbrains_encoder_classifier_loads_the_pulled_folder_unchanged(published, bundle, hello, tmp_path):
    folder = pull(NAME).folder
    theirs = EncoderClassifier.from_hparams(source=str(folder), savedir=str(tmp_path / "sb"))
    torch.testing.assert_close(theirs.classify_file(str(hello))[0], EmotionClassifier.from_hparams(bundle).classify_file(hello)[0])


def test_what_was_fetched_is_not_fetched_again_and_is_found_without_a_network(published, hello, monkeypatch, deaf_port):
    first = EmotionClassifier.from_hparams(NAME).predict(hello)
    published.asked.clear()
    assert EmotionClassifier.from_hparams(NAME).predict(hello) == first
    assert asked_for_files(published) == []
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{deaf_port}")
    assert EmotionClassifier.from_hparams(NAME).predict(hello) == first
    published.asked.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert EmotionClassifier.from_hparams(NAME).predict(hello) == first
    assert published.asked == []


def test_a_hub_that_is_out_of_order_is_no_reason_not_to_use_what_is_in_the_cache(published, hello):
    first = EmotionClassifier.from_hparams(NAME).predict(hello)
    published.fails_with = 503
    assert EmotionClassifier.from_hparams(NAME).predict(hello) == first


def test_a_pinned_revision_stays_what_it_was(published, bundle, hello, tmp_path):
    pinned = published.repositories[NAME].commits[-1][0]
    first = EmotionClassifier.from_hparams(NAME).predict(hello)
    push(write_bundle(tmp_path / "other", small_fusion(seed=5)), NAME, licence="cc-by-4.0")
    assert EmotionClassifier.from_hparams(NAME, revision=pinned).predict(hello) == first
    assert EmotionClassifier.from_hparams(NAME).predict(hello) != first


@pytest.mark.parametrize(
    "name, revision, words",
    [
        ("me/nothing", None, "no such model at"),
        (NAME, "v9", "no revision 'v9'"),
        ("me/nothing/more", None, "no such folder, and no name of a model"),
        ("../evil", None, "no such folder"),
        ("me/../../evil", None, "no such folder"),
    ],
)
def test_what_is_not_there_is_told(published, name, revision, words):
    with pytest.raises(InputError, match=words):
        EmotionClassifier.from_hparams(name, revision=revision)


def test_without_a_network_and_without_a_cache_the_remedy_is_told(hub, monkeypatch, deaf_port):
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{deaf_port}")
    with pytest.raises(InputError, match="not in the cache.*try again with a network"):
        EmotionClassifier.from_hparams(NAME)


def test_a_private_model_asks_for_a_log_in(hub, bundle, monkeypatch):
    hub.token = "secret"
    push(bundle, NAME, private=True, licence="cc-by-4.0")
    assert hub.repositories[NAME].private
    pull(NAME)
    monkeypatch.setenv("HF_TOKEN", "wrong")
    with pytest.raises(InputError, match="hf auth login"):
        pull(NAME, revision="main")


def test_only_the_files_of_a_bundle_are_fetched(published, tmp_path):
    repository = published.repositories[NAME]
    repository.commit({"evil.py": b"raise SystemExit", "sub/config.json": b"{}", "../../escaped": b"x", "model.pkl": b"x"})
    folder = pull(NAME).folder
    assert sorted(path.name for path in folder.rglob("*")) == sorted(FILES)
    assert not list(tmp_path.rglob("escaped")) and not list(tmp_path.rglob("*.pkl"))


@pytest.mark.parametrize("file, size", [("model.safetensors", LARGEST_WEIGHTS + 1), ("config.json", 10**9), ("README.md", 10**8)])
def test_a_file_that_is_too_large_is_not_fetched(published, file, size):
    published.claimed_sizes[file] = size
    with pytest.raises(InputError, match=f"{file} has {size:,} bytes.*not fetched"):
        EmotionClassifier.from_hparams(NAME)
    assert asked_for_files(published) == []


def test_a_damaged_model_on_the_hub_is_refused(published):
    published.repositories[NAME].commit({"golden.json": b"{}"})
    with pytest.raises(InputError, match=r"golden.json"):
        EmotionClassifier.from_hparams(NAME)


def test_a_folder_of_that_name_wins_unless_a_revision_is_given(published, bundle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    copy_of(bundle, tmp_path / NAME)
    EmotionClassifier.from_hparams(NAME)
    assert published.asked == []
    EmotionClassifier.from_hparams(NAME, revision="main")
    assert published.asked


def test_three_lines_of_python_and_one_of_shell_in_processes_of_their_own(published, tmp_path, bundle):
    """As a user has it: another process, an empty cache, the hub named by the environment."""
    hello = write_speech(tmp_path / "hello.wav")
    environment = {**os.environ, "HF_ENDPOINT": published.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1"}
    code = f"""
from mlee_sb import EmotionClassifier
classifier = EmotionClassifier.from_hparams(source="{NAME}")
print(classifier.classify_file("{hello}")[0].tolist())
"""
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    expected = EmotionClassifier.from_hparams(bundle).classify_file(hello)[0]
    torch.testing.assert_close(torch.tensor(eval(done.stdout)), expected)
    command = [sys.executable, "-c", "from mlee_sb.cli.app import main; raise SystemExit(main())", "classify", str(hello), "--model", NAME]
    done = subprocess.run([*command, "--csv"], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1].startswith(str(hello)) and done.stderr == ""
