"""What `mlee demo` does before it classifies: a short training of the fusion on the demo corpus."""

from pathlib import Path

from mlee_sb.errors import InputError
from mlee_sb.experiment.arguments import DEMO, DEMO_FOLDER
from mlee_sb.experiment.train import main

HPARAMS = Path("hparams/mlee_fusion.yaml")
FOLD = 3
ROW = f"{DEMO}/mlee_fusion_soft/all/seed1/fold{FOLD}"
SHORT = ("--max_epochs", "30", "--mlee.max_epochs", "5", "--dominant.max_epochs", "5")
TEST_SPEAKER = "Session2/sentences/wav/*/*_F*.wav"  # the speaker that fold 3 tests


def train_demo(results: str) -> tuple[int, Path, Path]:
    """Train, and return the exit status, the folder of the fusion, and a file of the test speaker.

    Raises
    ------
    InputError
        if this is no checkout
    """
    if not HPARAMS.is_file():
        raise InputError(f"{HPARAMS}: no such file here: the demo runs in a checkout of mlee_sb")
    status = main([str(HPARAMS), "--fold", str(FOLD), "--results", results, *SHORT])
    file = next(iter(sorted(Path(DEMO_FOLDER).glob(TEST_SPEAKER))), Path(DEMO_FOLDER))
    return status, Path(results) / ROW, file
