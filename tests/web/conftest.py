"""A DEMO model and a server of it."""

import pytest
from bundles import write_bundle

from mlee_sb import EmotionClassifier

from .asking import running


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    """A fusion with its head of existence, calibrated, as of the DEMO corpus; not to be changed."""
    return write_bundle(tmp_path_factory.mktemp("served") / "demo_model", demo=True)


@pytest.fixture(scope="session")
def classifier(bundle):
    return EmotionClassifier.from_hparams(bundle)


@pytest.fixture(scope="session")
def address(bundle):
    with running([bundle]) as address:
        yield address
