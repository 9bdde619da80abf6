"""Bundles, recordings and a hub for the tests of this room."""

import time

import pytest
from bundles import write_bundle, write_speech
from hub_server import running_hub
from huggingface_hub import constants

from mlee_sb import EmotionClassifier


class Impatient:
    """The clock of who does not wait between two tries."""

    def __getattr__(self, name):
        return getattr(time, name)

    def sleep(self, seconds):
        pass


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    """A fusion with its head of existence, calibrated; not to be changed."""
    return write_bundle(tmp_path_factory.mktemp("bundle") / "model")


@pytest.fixture(scope="session")
def classifier(bundle):
    return EmotionClassifier.from_hparams(bundle)


@pytest.fixture
def hello(tmp_path):
    return write_speech(tmp_path / "hello.wav", seconds=1.3)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub on the loopback with an empty cache before it."""
    with running_hub() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)  # a process of its own takes both from HF_ENDPOINT
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr("huggingface_hub.utils._http.time", Impatient())
        monkeypatch.setenv("HF_TOKEN", "secret")
        yield hub
