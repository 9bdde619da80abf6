"""A bundle and a recording for the tests of this room."""

import resource
from pathlib import Path

import pytest
from bundles import write_bundle, write_speech

from mlee_sb import EmotionClassifier

ENOUGH = 2**30  # bytes that loading may take besides what is taken already


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
def little_memory():
    """Whatever takes much of it is an error that is no InputError."""
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (taken + ENOUGH, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)
