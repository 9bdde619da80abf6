"""A bundle and a recording for the tests of this room."""

import pytest
from bundles import write_bundle, write_speech

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
