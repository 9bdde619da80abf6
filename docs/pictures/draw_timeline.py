#!/usr/bin/env python
"""Draw timeline.svg, the picture of the README: what the model of `mlee demo` hears in utterances of its test speaker, one after the other.

python docs/pictures/draw_timeline.py    (trains that model, unless it is there)
"""

import sys
import tempfile
from pathlib import Path

import matplotlib
import numpy as np
import soundfile
from svg_files import FOLDER

from mlee_sb import EmotionClassifier
from mlee_sb.cli.train_models import DEMO_RESULTS
from mlee_sb.experiment.demo_run import train_demo

UTTERANCES, PAUSE = 12, 0.5  # how many are joined, and the seconds of silence between two
ASKED = {"window": 3.0, "hop": 1.0, "coverage": 0.7}  # after so short a training, no emotion can be ruled out at the usual 0.9


def joined(folder: Path) -> tuple[np.ndarray, int]:
    """Return the first utterances of the test speaker below a folder as one waveform [samples], and its rate in Hz."""
    parts: list[np.ndarray] = []
    for path in sorted(folder.glob("*/*_F*.wav"))[:UTTERANCES]:
        samples, rate = soundfile.read(path)
        parts += [samples, np.zeros(int(PAUSE * rate))]
    return np.concatenate(parts), rate


def main() -> int:
    """Write the picture and return the exit status."""
    model, recording = train_demo(DEMO_RESULTS)
    classifier = EmotionClassifier.from_hparams(model)
    with tempfile.TemporaryDirectory() as folder, matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "timeline"}):
        soundfile.write(f"{folder}/joined.wav", *joined(recording.parents[1]))
        classifier.timeline(f"{folder}/joined.wav", **ASKED).plot(FOLDER / "timeline.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
