"""What follows the training of a stage: its scores, and the card that its model is published with."""

from pathlib import Path

from mlee_sb.evaluation.scores import score_folder
from mlee_sb.inference.card import write_card


def finish(folder: Path) -> None:
    """Write scores.json and README.md of a trained stage. (A card that a kill prevents is made when the model is published.)"""
    score_folder(folder)
    write_card(folder / "model")
