"""What `mlee demo` does before it classifies: a short training of the fusion on the demo corpus."""

from pathlib import Path

from mlee_sb.experiment.arguments import DEMO_FOLDER
from mlee_sb.experiment.train import train

ROW, FOLD = "mlee_fusion", 3
SHORT = {"max_epochs": 30, "mlee": {"max_epochs": 5}, "dominant": {"max_epochs": 5}}
TEST_SPEAKER = "Session2/sentences/wav/*/*_F*.wav"  # the speaker that fold 3 tests


def train_demo(results: str) -> tuple[Path, Path]:
    """Train, and return the folder of the fusion and a recording of the test speaker."""
    folder = train(ROW, fold=FOLD, results=results, **SHORT).folder
    file = next(iter(sorted(Path(DEMO_FOLDER).glob(TEST_SPEAKER))), Path(DEMO_FOLDER))
    return folder, file
