#!/usr/bin/env python
"""Draw ways.svg: all rows of docs/disagreement.md in the first score of each of its tables, with intervals.

python docs/pictures/draw_ways.py
"""

import re
import sys
from pathlib import Path

import svg_files
from matplotlib.figure import Figure

PAGE = Path(__file__).resolve().parents[1] / "disagreement.md"
ESTIMATE = re.compile(r"\**(-?[\d.]+) \[(-?[\d.]+), (-?[\d.]+)\]\**")
BASELINE = "dominant_soft"
COLOURS = {"mlee": "#c4561b", BASELINE: "#222222"}
OTHER = "#1b6ca8"


def tables(text: str) -> list[tuple[str, dict[str, tuple[float, float, float]]]]:
    """Return the title of the first score of each table, with the estimate and interval of each row that has one."""
    found: list[tuple[str, dict[str, tuple[float, float, float]]]] = []
    for line in re.findall(r"^\|(.*)\|$", text, re.MULTILINE):
        name, first, *_ = (cell.strip() for cell in line.split("|"))
        if name == "row":
            found.append((first, {}))
        elif found and (estimate := ESTIMATE.fullmatch(first)):
            found[-1][1][name.strip("`")] = tuple(map(float, estimate.groups()))
    return found


def draw(found: list[tuple[str, dict[str, tuple[float, float, float]]]]) -> Figure:
    """Return the picture: a panel a score, a line a row. Rows that learn existence, and the baseline, have colours of their own."""
    names = list(dict.fromkeys(name for _, rows in found for name in rows))
    figure = Figure(figsize=(9.5, 6.2), layout="constrained")
    panels = figure.subplots(1, len(found), sharey=True)
    for axes, (title, rows) in zip(panels, found, strict=True):
        for name, (value, low, high) in rows.items():
            colour = COLOURS["mlee"] if "mlee" in name else COLOURS.get(name, OTHER)
            axes.plot([low, high], [names.index(name)] * 2, color=colour, linewidth=2)
            axes.plot(value, names.index(name), "o", color=colour, markersize=4)
            if name == BASELINE:
                axes.axvline(value, color=colour, linewidth=0.6, linestyle="--")
        axes.set_title(title, fontsize=9)
        axes.grid(axis="x", color="#dddddd")
        axes.spines[["top", "right", "left"]].set_visible(False)
    panels[0].set_yticks(range(len(names)), names, fontsize=8)
    panels[0].invert_yaxis()
    return figure


def main() -> int:
    """Write the picture and return the exit status."""
    svg_files.write(draw(tables(PAGE.read_text(encoding="utf-8"))), "ways.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
