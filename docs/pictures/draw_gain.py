#!/usr/bin/env python
"""Draw gain.svg: what existence adds to the fusion against the strength of the encoder, from docs/studies/gain.csv.

python docs/pictures/draw_gain.py
"""

import sys
from pathlib import Path

import pandas as pd
import svg_files
from matplotlib.figure import Figure

TABLE = Path(__file__).resolve().parents[1] / "studies" / "gain.csv"
SHAPES = {4: "o", 6: "s"}  # target emotions
FILLED = {9: True, 3: False}  # listeners
COLOURS = {"base": "#1b6ca8", "tiny": "#c4561b"}
CASES = ["upstream", "emotions", "listeners"]


def draw(table: pd.DataFrame) -> Figure:
    """Return the picture: a point for each case, with the interval of its gain."""
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.axhline(0, color="#888888", linewidth=1)
    for (upstream, emotions, listeners), cases in table.groupby(CASES, sort=True):
        gain = 100 * cases["gain"]
        error = [gain - 100 * cases["gain_low"], 100 * cases["gain_high"] - gain]
        colour = COLOURS[upstream]
        axes.errorbar(
            100 * cases["ua_dominant"],
            gain,
            yerr=error,
            fmt=SHAPES[emotions],
            color=colour,
            markerfacecolor=colour if FILLED[listeners] else "white",
            label=f"whisper {upstream}, {emotions} emotions, {listeners} listeners",
        )
    axes.set_xlabel("UA of dominant recognition (soft, all), in %: the strength of the encoder")
    axes.set_ylabel("gain of the fusion with MLEE in UA, points")
    axes.grid(axis="y", color="#dddddd")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right center", fontsize=8, frameon=False)
    return figure


def main() -> int:
    """Write the picture and return the exit status."""
    svg_files.write(draw(pd.read_csv(TABLE)), "gain.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
