"""Fixtures that several rooms of the house share."""

import time
from pathlib import Path

import pytest
from hub_server import running_hub
from huggingface_hub import constants
from speechbrain.utils.importutils import LazyModule

# Hypothesis asks every imported module for its file. SpeechBrain's lazy modules answer by importing what is not installed
# (k2, for one), and that error ends the whole test run.
LazyModule.__file__ = None

REAL_SPEECH = Path(__file__).resolve().parents[2] / "shared" / "crema_d"
"""A part of CREMA-D, beside the checkout where there is one."""


@pytest.fixture(scope="session")
def crema_d_folder() -> Path:
    """Real speech with real votes, in the layout of the CREMA-D release."""
    if not (REAL_SPEECH / "AudioWAV").is_dir():
        pytest.skip(f"needs real speech: no CREMA-D release at {REAL_SPEECH}")
    return REAL_SPEECH


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_tests(tmp_path_factory):
    """What is known of recordings is kept here, and not with that of who runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLEE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


class Impatient:
    """The clock of who does not wait between two tries."""

    def __getattr__(self, name):
        return getattr(time, name)

    def sleep(self, seconds):
        pass


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
