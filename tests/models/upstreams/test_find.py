"""Upstreams on a hub and in folders: fetched once, pinned, found again, and refused with a remedy. The hub is a real HTTP server."""

import json
import os
import shutil

import pytest
from huggingface_hub import constants
from safetensors.torch import load_file, save_file
from upstreams import put_on_hub, write_upstream

from mlee_sb.errors import InputError
from mlee_sb.models.config import LARGEST_WEIGHTS, UpstreamFiles
from mlee_sb.models.upstreams import find
from mlee_sb.models.upstreams.find import find_upstream, locate
from mlee_sb.noted_upstreams import note_upstream, pinned_commit

NAME = "me/tiny-whisper"
CODE = {"modeling.py": b"raise SystemExit", "pytorch_model.bin": b"\x80\x04.", "sub/model.safetensors": b"x", "vocab.json": b"{}"}


pytestmark = pytest.mark.usefixtures("no_upstream_is_remembered")


@pytest.fixture
def folder(tmp_path):
    return write_upstream(tmp_path / "tiny", "whisper")


@pytest.fixture
def commit(hub, folder):
    """The upstream is on the hub, beside code and pickles; its commit."""
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    return put_on_hub(hub, folder, NAME, **CODE)


def moved(hub) -> str:
    """The main branch moves on to other weights; its new commit."""
    return hub.repositories[NAME].commit({"README.md": b"newer"})


def fetched(hub) -> list[str]:
    return [path.rsplit("/", 1)[1] for method, path in hub.asked if method == "GET" and "/resolve/" in path]


def sharded(folder, *names):
    """Distribute the weights of a folder over files."""
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    parts = {name: {key: weights[key] for key in sorted(weights)[number :: len(names)]} for number, name in enumerate(names)}
    for name, part in parts.items():
        save_file(part, folder / name)
    index = {"weight_map": {key: name for name, part in parts.items() for key in part}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def test_only_what_describes_an_upstream_and_its_safetensors_are_fetched_and_the_commit_is_pinned(hub, folder, commit):
    found = find_upstream(NAME)
    assert sorted(fetched(hub)) == ["README.md", "config.json", "model.safetensors", "preprocessor_config.json"]
    assert found.given == f"{NAME}@{commit}" and found.described.licence == "apache-2.0"
    weights = found.described.weights
    assert (weights.name, weights.commit) == (NAME, commit)
    assert weights.files == find_upstream(str(folder)).described.weights.files


def test_a_processor_that_stands_beside_a_tokenizer_is_fetched(hub, folder):
    processor = folder / "preprocessor_config.json"
    (folder / "processor_config.json").write_text(json.dumps({"feature_extractor": json.loads(processor.read_text())}))
    expected = find_upstream(str(folder)).described.processor
    processor.unlink()
    put_on_hub(hub, folder, NAME)
    assert find_upstream(NAME).described.processor == expected


def test_a_name_means_one_commit_for_a_whole_process(hub, commit):
    find_upstream(NAME)
    hub.asked.clear()
    moved(hub)
    assert find_upstream(NAME).described.weights.commit == commit and hub.asked == []


def test_the_next_run_in_the_same_results_folder_keeps_the_commit_though_main_has_moved(hub, commit, tmp_path):
    found = find_upstream(NAME, commit=pinned_commit(tmp_path, NAME))
    weights = found.described.weights
    note_upstream(tmp_path, weights.sha256, weights.name, weights.commit, found.folder)
    newer = moved(hub)
    find._FOUND.clear()
    assert find_upstream(NAME, commit=pinned_commit(tmp_path, NAME)).described.weights.commit == commit
    assert find_upstream(NAME, commit=pinned_commit(tmp_path / "other", NAME)).described.weights.commit == newer


def test_a_commit_may_be_named(hub, commit):
    moved(hub)
    assert find_upstream(f"{NAME}@{commit}").described.weights.commit == commit
    with pytest.raises(InputError, match=f"{NAME}: no revision '{'f' * 40}' of it"):
        find_upstream(f"{NAME}@{'f' * 40}")


def test_what_was_fetched_is_found_without_a_network(hub, commit, monkeypatch, deaf_port):
    first = find_upstream(NAME)
    hub.asked.clear()
    assert locate(first.described.weights) == first.folder and hub.asked == []
    for name, value in (("ENDPOINT", f"http://127.0.0.1:{deaf_port}"), ("HF_HUB_OFFLINE", True)):
        monkeypatch.setattr(constants, name, value)
        find._FOUND.clear()
        assert find_upstream(NAME).described == find_upstream(f"{NAME}@{commit}").described == first.described
        assert locate(first.described.weights) == first.folder
    assert hub.asked == []


def test_without_a_network_and_a_cache_the_remedy_is_told(hub, folder, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=f"{NAME}: not in the cache.*try again with a network"):
        find_upstream(NAME)


@pytest.mark.parametrize("missing", ["model.safetensors", "model-2.safetensors"])
def test_a_cache_that_is_not_complete_asks_for_a_network(hub, folder, monkeypatch, missing):
    if missing == "model-2.safetensors":
        sharded(folder, "model-1.safetensors", missing)
    put_on_hub(hub, folder, NAME)
    (find_upstream(NAME).folder / missing).unlink()
    find._FOUND.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=f"{NAME}: not in the cache completely, and http.* cannot be reached: try again with a network"):
        find_upstream(NAME)


def test_weights_in_several_files_are_fetched(hub, folder):
    sharded(folder, "model-1.safetensors", "model-2.safetensors")
    put_on_hub(hub, folder, NAME, **{"model.fp32.safetensors": b"x"}, **CODE)
    found = find_upstream(NAME)
    assert list(found.described.weights.files) == ["model-1.safetensors", "model-2.safetensors"]
    assert {name for name in fetched(hub) if "safetensors" in name} == {*found.described.weights.files, "model.safetensors.index.json"}
    assert locate(found.described.weights) == found.folder


def refused_before_weights(hub, words):
    hub.asked.clear()
    with pytest.raises(InputError, match=words) as refused:
        find_upstream(NAME)
    assert NAME in str(refused.value) or "tiny-whisper" in str(refused.value)
    assert not [name for name in fetched(hub) if not name.endswith((".json", ".md"))]


def test_a_repository_without_safetensors_is_refused_with_the_remedy_before_anything_is_fetched(hub, folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    put_on_hub(hub, folder, NAME)
    refused_before_weights(hub, r"no safetensors at .*take a revision that has them.*AutoModel\.from_pretrained")
    assert fetched(hub) == []


@pytest.mark.parametrize(
    ("file", "entry", "words"),
    [
        ("config.json", {"auto_map": {"AutoModel": "modeling.Model"}}, "auto_map names code"),
        ("config.json", {"model_type": "bert"}, "unknown model_type 'bert'"),
        ("config.json", {"encoder_layers": 10**6}, "encoder_layers is 1000000"),
    ],
)
def test_what_cannot_be_used_is_refused_before_its_weights_are_fetched(hub, folder, file, entry, words):
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | entry))
    put_on_hub(hub, folder, NAME, **CODE)
    refused_before_weights(hub, words)


def test_what_is_too_large_is_not_fetched(hub, folder, commit):
    for file, size in (("preprocessor_config.json", 10**9), ("model.safetensors", find.LARGEST_UPSTREAM + 1)):
        hub.claimed_sizes = {file: size}
        refused_before_weights(hub, rf"{size:,} bytes, but at most .* are allowed: not fetched.*download it \(hf download {NAME} .*folder")


def test_an_upstream_may_be_larger_than_a_model(hub, folder, commit):
    hub.claimed_sizes = {"model.safetensors": LARGEST_WEIGHTS + 1}
    with pytest.raises(InputError, match=f"bytes came, and the hub said {LARGEST_WEIGHTS + 1:,}"):  # so it was fetched
        find_upstream(NAME)


def test_several_files_that_are_too_large_together_are_not_fetched(hub, folder):
    sharded(folder, "model-1.safetensors", "model-2.safetensors")
    put_on_hub(hub, folder, NAME)
    hub.claimed_sizes = dict.fromkeys(["model-1.safetensors", "model-2.safetensors"], find.LARGEST_UPSTREAM // 2 + 1)
    refused_before_weights(hub, "its weights have .* bytes")


@pytest.mark.parametrize("name", ["*", "../model-1.safetensors", "*.safetensors", "model[1].safetensors", "pytorch_model.bin", 7])
def test_a_list_of_files_fetches_nothing_but_safetensors_of_this_repository(hub, folder, name):
    sharded(folder, "model-1.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": name}}))
    put_on_hub(hub, folder, NAME, **CODE)
    refused_before_weights(hub, "weight_map must name files of this folder")


@pytest.mark.parametrize("name", ["nowhere", "a/b/c", "../evil", "me/../evil", "a--b/c", "me/x@"])
def test_what_is_no_upstream_is_told(hub, name):
    with pytest.raises(InputError, match="no such folder, and no name of a model|no such model"):
        find_upstream(name)


# In folders


def test_a_folder_that_the_environment_names_is_found_by_its_files(folder, tmp_path, monkeypatch):
    weights = find_upstream(str(folder)).described.weights
    for place in (folder, folder.parent):
        monkeypatch.setenv(find.FOLDERS, f"{tmp_path / 'nothing'}:{place}")
        assert locate(weights) == folder
    monkeypatch.delenv(find.FOLDERS)
    with pytest.raises(InputError, match=rf"in no folder that is known here: set MLEE_UPSTREAMS .* tiny \(sha256 {weights.sha256}\)"):
        locate(weights)


def test_a_folder_that_may_not_be_read_is_passed_over(folder, tmp_path, monkeypatch):
    """Notes of shared results also name folders in the home of a colleague."""
    weights, private = find_upstream(str(folder)).described.weights, tmp_path / "private"
    monkeypatch.setenv(find.FOLDERS, str(folder))
    look, read = os.stat, find.sha256_of

    def forbidden(function):
        def allowed_elsewhere(path, *more, **named):
            if str(path).startswith(str(private)):
                raise PermissionError(13, "Permission denied", str(path))
            return function(path, *more, **named)

        return allowed_elsewhere

    monkeypatch.setattr(os, "stat", forbidden(look))
    assert locate(weights, [private]) == folder
    monkeypatch.setattr(os, "stat", look)
    shutil.copytree(folder, private)
    monkeypatch.setattr(find, "sha256_of", forbidden(read))
    assert locate(weights, [private]) == folder
    monkeypatch.delenv(find.FOLDERS)
    with pytest.raises(InputError, match="Permission denied: set MLEE_UPSTREAMS"):
        locate(weights, [private])


def test_a_folder_that_the_environment_names_comes_before_noted_ones(folder, tmp_path, monkeypatch):
    weights, noted = find_upstream(str(folder)).described.weights, shutil.copytree(folder, tmp_path / "noted")
    monkeypatch.setenv(find.FOLDERS, str(folder))
    assert locate(weights, [noted]) == folder


def test_other_weights_of_the_same_name_are_refused(folder, monkeypatch):
    weights = find_upstream(str(folder)).described.weights
    monkeypatch.setenv(find.FOLDERS, str(folder))
    (folder / "model.safetensors").write_bytes(b"other")
    with pytest.raises(InputError, match=r"model.safetensors: its sha256 is .* another upstream: set MLEE_UPSTREAMS"):
        locate(weights)


def test_other_weights_in_a_folder_are_no_reason_not_to_fetch_the_right_ones(hub, commit, folder, tmp_path, monkeypatch):
    weights = find_upstream(NAME).described.weights
    (folder / "model.safetensors").write_bytes(b"other")
    monkeypatch.setenv(find.FOLDERS, str(folder))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "empty"))
    assert locate(weights).is_relative_to(tmp_path / "empty")


def test_weights_on_the_hub_that_are_not_those_of_the_model_are_refused(hub, commit):
    weights = find_upstream(NAME).described.weights.model_copy(update={"files": {"model.safetensors": "0" * 64}})
    with pytest.raises(InputError, match=r"the model stands on weights of 000000000000.*do not use it"):
        locate(weights)


@pytest.mark.parametrize("name", ["a--b/c", "-x", "me/a..b", "name"])
def test_a_name_that_no_hub_knows_is_not_asked_for(hub, name):
    weights = UpstreamFiles.model_construct(name=name, commit="0" * 40, files={"model.safetensors": "0" * 64})
    with pytest.raises(InputError, match="set MLEE_UPSTREAMS"):
        locate(weights)
    assert hub.asked == []


@pytest.mark.parametrize("name", ["größe 2", ".hidden", "-", "a" * 150])
def test_a_folder_may_have_any_name(folder, name):
    assert find_upstream(str(folder.rename(folder.with_name(name)))).described.weights.files


@pytest.mark.parametrize(
    "head",
    [
        b"license: [mit, gpl]", b"license: {a: b}", b": : :\n\t- {", b"- a\n- b", b"1: 2", b"license: " + b"x" * 1000,
        b'license: "\\e[31m"', b"[" * 800, b"model-index: 3\nlicense: 7", b"license: !!python/object/apply:os.system [ls]",
        b"license: \xff", b"x" * 2**21, b"",
    ],
)  # fmt: skip
def test_a_card_that_names_no_licence_is_no_reason_to_stop(folder, head):
    (folder / "README.md").write_bytes(b"---\n" + head + b"\n---\n")
    assert find_upstream(str(folder)).described.licence == ""
