"""Figure 3: for one utterance, where the hard, soft and MLEE encoders look, one above the other on one time axis."""

import base64
import io
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlee_sb.evaluation.plots import COLOURS, Plot, _figure, png_of

ENCODERS = {"dominant_hard": "hard", "dominant_soft": "soft", "mlee": "MLEE"}
"""The rows whose encoders the paper's figure shows, from top to bottom."""
