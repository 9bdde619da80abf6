"""What the pictures of these pages share: a colour for each row of table 3, and SVG files that are the same in every run."""

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

FOLDER = Path(__file__).resolve().parent
COLOURS = {"dominant recognition": "#4c72b0", "MLEE only": "#dd8452", "MLEE pre-training": "#55a868", "MLEE pre-training fusion": "#c44e52"}
GREY = "#777777"  # of what no model stands behind


def write(figure: Figure, name: str) -> None:
    """Write a picture into the folder of pictures. Its text stays text, and the same picture has the same bytes."""
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(FOLDER / name, metadata={"Date": None}, facecolor="white")
    print(f"written to {FOLDER / name}")
