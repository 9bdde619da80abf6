"""Bundles, recordings and a hub for the tests of this room."""

import pytest
from bundles import write_bundle, write_speech
from hub_server import running_hub
from huggingface_hub import constants

from mlee_sb import EmotionClassifier


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
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr("huggingface_hub.hf_api.ENDPOINT", hub.url, raising=False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", "secret")
        yield hub
