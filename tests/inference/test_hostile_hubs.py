"""A hub of a stranger: whatever it answers, nothing is written outside of the cache, and what is wrong is told."""

import json
from pathlib import Path

import pytest
from bundles import small_existence, write_bundle
from hub_server import Repository
from huggingface_hub import constants
from upstreams import put_on_hub, write_upstream

from mlee_sb import EmotionClassifier, hub_requests
from mlee_sb.errors import InputError
from mlee_sb.inference.hub import pull
from mlee_sb.inference.publish import push
from mlee_sb.models.upstreams.find import find_upstream

NAME, UPSTREAM = "me/mlee-test", "me/tiny-whisper"
INFO = f"/api/models/{NAME}"

pytestmark = pytest.mark.usefixtures("no_upstream_is_remembered")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The files of a bundle, and of an upstream."""
    home = tmp_path_factory.mktemp("published")
    return write_bundle(home / "model", small_existence()), write_upstream(home / "tiny", "whisper")


@pytest.fixture
def published(hub, small, tmp_path, monkeypatch):
    """A hub with a model and an upstream; `tmp_path` has nothing in it but the hub's cache, and is where this process works."""
    hub.repositories[NAME] = Repository(private=False)
    hub.repositories[NAME].commit({file.name: file.read_bytes() for file in small[0].iterdir()})
    hub.upstream_commit = put_on_hub(hub, small[1], UPSTREAM)
    monkeypatch.chdir(tmp_path)
    return hub


DOORS = {
    "pull": lambda hub: pull(NAME),
    "from_hparams": lambda hub: EmotionClassifier.from_hparams(source=NAME),
    "revision": lambda hub: pull(NAME, "main"),
    "upstream": lambda hub: find_upstream(UPSTREAM),
    "upstream by commit": lambda hub: find_upstream(f"{UPSTREAM}@{hub.upstream_commit}"),
}


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() or path.is_symlink()]


def refused(published, door, tmp_path, words):
    with pytest.raises(InputError, match=words):
        DOORS[door](published)
    assert files_below(tmp_path) == []  # not even in the cache


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("header", "etag"),
    [("ETag", "{home}/owned"), ("X-Linked-ETag", "{home}/owned"), ("ETag", "../../../owned"), ("ETag", "W/../owned"), ("ETag", "")],
)
def test_an_etag_that_is_no_hash_names_no_file(published, door, header, etag, tmp_path):
    published.headers = {header: etag.format(home=tmp_path)}
    refused(published, door, tmp_path, "its ETag is .*no sha1 or sha256: not fetched")


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("commit", ["{home}/owned", "../../owned", "0" * 40])
def test_a_commit_that_is_none_names_no_folder(published, door, commit, tmp_path):
    published.headers = {"X-Repo-Commit": commit.format(home=tmp_path)}
    refused(published, door, tmp_path, "the hub says that it is of the commit .*: not fetched")


@pytest.mark.parametrize("door", ["pull", "upstream"])
@pytest.mark.parametrize(
    "body",
    [
        b"<html>Log in to this network</html>",
        b"[" * 100_000,
        b"null",
        b"{}",
        b"\xff\xfe",
        *(
            json.dumps({"sha": sha, "siblings": [{"rfilename": "config.json", "size": 5}]}).encode()
            for sha in ("../../owned", "0" * 39, None)
        ),
        json.dumps({"sha": "0" * 40, "siblings": [{"rfilename": "config.json"}, 7]}).encode(),
        json.dumps({"sha": "0" * 40, "siblings": [{"rfilename": "config.json", "size": -1}]}).encode(),
    ],
)
def test_what_no_hub_tells_of_a_model_is_an_error(published, door, body, tmp_path):
    published.answers = {"/api/models/": body}
    refused(published, door, tmp_path, "not what a hub tells of a model")


def test_another_commit_than_the_one_that_was_asked_for_is_refused(published, tmp_path):
    published.answers = {"/api/models/": json.dumps({"sha": "0" * 40, "siblings": []}).encode()}
    refused(published, "upstream by commit", tmp_path, "tells of the commit 0000.*another one was asked for")


def test_a_list_without_end_is_not_read_to_its_end(published, tmp_path, monkeypatch):
    monkeypatch.setattr("mlee_sb.hub_files.LARGEST_LIST", 1000)
    published.answers = {"/api/models/": b'{"sha": "' + b"0" * 2000}
    refused(published, "pull", tmp_path, "more than 1,000 bytes came")


@pytest.mark.parametrize("door", DOORS)
def test_more_bytes_than_were_told_are_not_read_and_not_kept(published, door, tmp_path):
    published.endless = True
    refused(published, door, tmp_path, "more than .* bytes came, and the hub said that it would be no more: nothing of it is kept")
    assert published.sent < 2**26  # of 2**28: what the buffers of two sockets take


def test_fewer_bytes_than_were_told_are_not_kept(published, tmp_path):
    published.claimed_sizes = {"config.json": 200_000}
    refused(published, "pull", tmp_path, r"config.json: .* bytes came, and the hub said 200,000: nothing of it is kept, try again")


@pytest.mark.parametrize("wrapped", ["{}", '"{}"', 'W/"{}"', '"{}-gzip"', 'W/"{}--gzip"', '"{};gzip"'])
@pytest.mark.parametrize("digest", ["a1" * 20, "B2" * 32])
def test_a_hash_is_known_however_servers_on_the_way_write_it(published, wrapped, digest):
    published.repositories[NAME].commits[-1] = (published.repositories[NAME].commits[-1][0], {"config.json": b"{}"})
    published.headers = {"ETag": wrapped.format(digest)}
    assert (pull(NAME).folder / "config.json").resolve().name == digest.lower()


def test_files_may_come_from_another_host_which_does_not_get_the_token(published):
    published.elsewhere = published.url.replace("127.0.0.1", "localhost")
    assert EmotionClassifier.from_hparams(NAME).emotions
    theirs = {token for path, token in published.secrets if path.startswith("localhost")}
    ours = {token for path, token in published.secrets if path.startswith("127.0.0.1") and "/resolve/" in path}
    assert (theirs, ours) == ({None}, {"Bearer secret"})


@pytest.mark.parametrize("place", ["file:///etc/passwd?", "http://[", "http://a b/", "", "ftp://localhost/x"])
def test_a_redirect_to_what_is_no_hub_is_an_error(published, place):
    published.elsewhere, published.always_elsewhere = place, True
    with pytest.raises(InputError, match=NAME):
        pull(NAME)


def test_a_connection_that_breaks_is_taken_up_where_it_broke(published):
    published.breaks_after = 20_000
    assert EmotionClassifier.from_hparams(NAME).emotions
    assert published.breaks_after == 0 and "bytes=20000-" in published.ranges


@pytest.mark.parametrize("door", ["pull", "upstream"])
def test_an_answer_that_hardly_comes_is_given_up(published, door, tmp_path, monkeypatch):
    monkeypatch.setattr(hub_requests, "PATIENCE", 0.2)
    published.drips = True
    refused(published, door, tmp_path, "cannot be reached: try again with a network")


@pytest.mark.parametrize("status", [401, 404, 418, 429, 503])
def test_every_status_is_an_error_in_words(published, status, tmp_path):
    published.fails_with = status
    refused(published, "pull", tmp_path, NAME)


@pytest.mark.parametrize("revision", ["../../owned", "/owned", "a//b", "a b"])
def test_a_revision_that_is_none_names_no_file(published, revision, tmp_path, monkeypatch):
    answer = json.dumps({"sha": "0" * 40, "siblings": []}).encode()
    published.answers = {"/api/models/": answer}
    for offline in (False, True):
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
        with pytest.raises(InputError, match="is no revision"):
            pull(NAME, revision)
    assert files_below(tmp_path) == []


@pytest.mark.parametrize("path", ["/api/repos/create", f"{INFO}/preupload", f"{INFO}/commit", f"/{NAME}.git/info/lfs"])
@pytest.mark.parametrize("body", [b"<html>", b'{"url": "../../owned", "commitOid": "/owned", "files": 7, "objects": [7]}'])
def test_publishing_to_what_is_no_hub_is_an_error_and_writes_nothing(published, small, path, body, tmp_path):
    published.answers = {path: body}
    try:
        push(small[0], NAME, licence="cc-by-4.0")
    except InputError as error:
        assert "answers as no hub does" in str(error)
    assert files_below(tmp_path) == []
