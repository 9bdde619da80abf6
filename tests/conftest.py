"""Fixtures that several rooms of the house share."""

from pathlib import Path

import pytest
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
