"""Fixtures that several rooms of the house share."""

import os
import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import torch
from hub_server import running_hub
from huggingface_hub import constants
from hypothesis.internal.conjecture import providers
from speechbrain.utils.importutils import LazyModule

# Hypothesis asks every imported module for its file. SpeechBrain's lazy modules answer by importing what is not installed
# (k2, for one), and that error ends the whole test run.
LazyModule.__file__ = None

# One CPU thread, in processes that tests start, too: figures are the same on every machine, as in a stage of a sweep. And a training
# with two threads, of which one always waits for the other, takes twenty times as long beside others that are at work.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"

# The same examples in every run, and none that a slow machine could refuse: a failure is of the code, and is there again.
hypothesis.settings.register_profile(
    "repeatable", derandomize=True, database=None, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("repeatable")

# Hypothesis also draws numbers and texts that stand in modules of this project, of those that happen to be imported. So the examples of a
# test would depend on which tests ran before it in its process, and those are others in every run beside a second process.
if hasattr(providers, "_local_constants"):
    providers.HypothesisProvider._local_constants = providers._local_constants  # of no module

REAL_SPEECH = Path(__file__).resolve().parents[2] / "shared" / "crema_d"
"""A part of CREMA-D, beside the checkout where there is one."""


def _seed() -> None:
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


_seed()  # for what the modules of tests draw when they are imported


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef, request) -> None:
    """Draw the same in every run, whichever tests were run before."""
    _seed()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item) -> None:
    """As for fixtures."""
    _seed()


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port of this machine at which nobody answers, nor can: it is taken, and not listened at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


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
def no_upstream_is_remembered(monkeypatch):
    """The test is as a process of its own, in which no upstream was found yet."""
    monkeypatch.setattr("mlee_sb.models.upstreams.find._FOUND", {})


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
