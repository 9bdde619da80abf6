#!/usr/bin/env python
"""Draw ua.svg: the UA of each row of table 3 with its interval, from the table in docs/real_speech.md.

python docs/pictures/draw_ua.py
"""

import re
import sys
from pathlib import Path

import svg_files
from matplotlib.figure import Figure

TABLE = Path(__file__).resolve().parents[1] / "real_speech.md"
UA = 4  # column of the table
INTERVAL = re.compile(r"([\d.]+)(?: \[([\d.]+), ([\d.]+)\])?")  # the second part is missing for "always neutral"


def rows(text: str) -> list[tuple[str, str, str]]:
    """Return (row of table 3, target and train set, UA as the table writes it) for each line of the table, from top to bottom."""
    found, row = [], ""
    for line in re.findall(r"^\|(.*)\|$", text, re.MULTILINE)[2:]:
        cells = [cell.strip() for cell in line.split("|")]
        row = cells[0] or row
        found.append((row, ", ".join(filter(None, cells[1:3])), cells[UA]))
    return found


def draw(table: list[tuple[str, str, str]]) -> Figure:
    """Return the picture: a line for each row, a dot for UA, a bar for its interval, and the figures beside it."""
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.subplots()
    axes.set_yticks(range(len(table)), [", ".join(filter(None, (row, which))) for row, which, _ in table], fontsize=8)
    for y, (row, _, ua) in enumerate(table):
        value, low, high = (float(number) if number else None for number in INTERVAL.fullmatch(ua).groups())
        colour = svg_files.COLOURS.get(row, svg_files.GREY)
        if low is not None:
            axes.plot([low, high], [y, y], color=colour, linewidth=2)
        axes.plot(value, y, "o", color=colour)
        axes.text(65, y, ua, va="center", fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(20, 80)
    axes.set_xticks(range(20, 70, 10))
    axes.set_xlabel("UA in %, with 95 % intervals by bootstrap over speakers")
    axes.grid(axis="x", color="#dddddd")
    axes.spines[["top", "right", "left"]].set_visible(False)
    return figure


def main() -> int:
    """Write the picture and return the exit status."""
    svg_files.write(draw(rows(TABLE.read_text(encoding="utf-8"))), "ua.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
