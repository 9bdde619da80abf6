"""What follows the training of a stage: its scores, and the card with which its model is published."""

from pathlib import Path

from mlee_sb.evaluation.scores import score_folder
from mlee_sb.inference.card import write_card


def finish(folder: Path) -> None:
    """Write scores.json and README.md of a trained stage. If the process is killed in between, the next run of the stage does it again."""
    score_folder(folder, describe=write_card)
