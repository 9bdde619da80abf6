#!/usr/bin/env python
"""Draw the pictures of docs/idea.md: labels.svg, rows.svg, network.svg and paper.svg.

Labels are computed by mlee_sb.labels, the network is that of hparams/mlee.yaml, and figures are those of mlee_sb.evaluation.paper.

python docs/pictures/draw_idea.py
"""

import sys
from pathlib import Path

import numpy as np
import svg_files
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from mlee_sb.corpora.base import plurality
from mlee_sb.evaluation import paper
from mlee_sb.labels import existence_targets, hard_targets, soft_targets
from mlee_sb.training.settings import read_settings

HPARAMS = Path(__file__).resolve().parents[2] / "hparams"
EMOTIONS = paper.EMOTIONS
HEARD = ("neu|neu sad|neu", "sad|neu|ang", "fru|fru|exc")
"""Three utterances, invented: what each of three annotators heard in them."""

LEARNS, FROZEN, PLAIN = "#f6d5a8", "#cfe2f3", "#eeeeee"  # colours of boxes


def votes_for(heard: str) -> dict[str, int]:
    """Return the votes for each code that somebody named."""
    named = heard.replace("|", " ").split()
    return {code: named.count(code) for code in dict.fromkeys(named)}


def draw_labels() -> Figure:
    """Return the picture of three utterances: the votes, and the labels of each target (equations 3 to 5)."""
    settings = read_settings(HPARAMS / "mlee.yaml")
    counts = [votes_for(heard) for heard in HEARD]
    votes = np.array([[found.get(emotion, 0) for emotion in EMOTIONS] for found in counts])
    columns = {
        "hard: the dominant emotion": hard_targets([plurality(found) for found in counts], EMOTIONS),
        "soft: how many heard it": soft_targets(votes, settings["alpha"]),
        "existence: did anybody hear it?": existence_targets(votes, settings["min_votes"]),
    }
    figure = Figure(figsize=(9, 4.8), layout="constrained")
    grid = figure.subplots(len(HEARD), 1 + len(columns), sharey="col")
    for axes, heard in zip(grid[:, 0], HEARD, strict=True):
        axes.text(
            0.05, 0.5, "\n".join(f"annotator {n}: {', '.join(said.split())}" for n, said in enumerate(heard.split("|"), 1)), va="center"
        )
        axes.axis("off")
    grid[0, 0].set_title("votes", fontsize=10)
    for column, (title, (targets, usable)) in zip(grid[:, 1:].T, columns.items(), strict=True):
        column[0].set_title(title, fontsize=9.5)
        for axes, label, used in zip(column, targets, usable, strict=True):
            draw_label(axes, label if used else None)
    return figure


def draw_label(axes: Axes, label: np.ndarray | None) -> None:
    """Draw a bar for each emotion, with its value above it; the words "not used" for None."""
    axes.set(ylim=(0, 1.25), yticks=[])
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xticks(range(len(EMOTIONS)), EMOTIONS, fontsize=8)
    if label is None:
        axes.text((len(EMOTIONS) - 1) / 2, 0.5, "not used", ha="center", color=svg_files.GREY)
        axes.set_xlim(-0.6, len(EMOTIONS) - 0.4)
        return
    axes.bar(range(len(EMOTIONS)), label, color=[colormaps["tab10"](k) for k in range(len(EMOTIONS))], width=0.7)
    for k, value in enumerate(label):
        axes.text(k, value + 0.04, f"{value:.2f}".removesuffix(".00"), ha="center", fontsize=8)


def box(axes: Axes, centre: tuple[float, float], size: tuple[float, float], text: str, colour: str) -> None:
    """Draw a box with a text in it."""
    (x, y), (width, height) = centre, size
    axes.add_patch(
        FancyBboxPatch((x - width / 2, y - height / 2), width, height, boxstyle="round,pad=0.02", facecolor=colour, edgecolor="0.3")
    )
    axes.text(x, y, text, ha="center", va="center", fontsize=8.5)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw an arrow between two boxes."""
    axes.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": "0.3"})


ENCODERS = {
    "dominant recognition": [("encoder", LEARNS)],
    "MLEE only": [("encoder", LEARNS)],
    "MLEE pre-training": [("MLEE\nencoder", FROZEN)],
    "MLEE pre-training fusion": [("MLEE\nencoder", FROZEN), ("dominant\nencoder", FROZEN)],
}
"""What each row of table 3 is made of."""


def draw_rows() -> Figure:
    """Return the picture of the four kinds of rows of table 3, from the speech below to the answer above."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    for axes, (row, encoders) in zip(figure.subplots(1, len(ENCODERS)), ENCODERS.items(), strict=True):
        axes.set(xlim=(0, 1), ylim=(0, 1))
        axes.axis("off")
        axes.set_title(row, fontsize=10, color=svg_files.COLOURS[row], fontweight="bold")
        tells = "which emotions\nare present" if row == "MLEE only" else "the dominant\nemotion"
        box(axes, (0.5, 0.9), (0.6, 0.14), tells, PLAIN)
        box(axes, (0.5, 0.63), (0.6, 0.12), "dense layers", LEARNS)
        box(axes, (0.5, 0.08), (0.4, 0.08), "speech", PLAIN)
        arrow(axes, (0.5, 0.7), (0.5, 0.82))
        places = [0.5] if len(encoders) == 1 else [0.25, 0.75]
        for x, (name, colour) in zip(places, encoders, strict=True):
            box(axes, (x, 0.36), (0.42, 0.14), name, colour)
            arrow(axes, (0.5, 0.13), (x, 0.28))
            arrow(axes, (x, 0.44), (0.5 + (x - 0.5) / 2, 0.56))
    figure.supxlabel("orange learns; blue was trained before and is frozen", fontsize=9)
    return figure


def layers() -> list[tuple[str, str, str]]:
    """Return (name, what it is, colour) of each part from the waveform to the answer, with the sizes of hparams/mlee.yaml."""
    settings = read_settings(HPARAMS / "mlee.yaml")
    encoder = settings["encoder"]
    front_end, lstm_size = encoder["front_end"], encoder["lstm_size"]
    bins = front_end["max_frequency"] * front_end["dft_length"] // front_end["sample_rate"]
    spectrogram = f"{front_end['window_ms']} ms windows every {front_end['shift_ms']} ms, {bins} bins to {front_end['max_frequency']} Hz"
    found = [("waveform", f"{front_end['sample_rate']} Hz", PLAIN), ("log power spectrogram", spectrogram, PLAIN)]
    for channels, kernel, stride in zip(encoder["channels"], encoder["kernels"], encoder["strides"], strict=True):
        shape = f"{channels} channels, kernel {kernel[0]} x {kernel[1]}, stride {stride[0]} x {stride[1]}"
        found.append(("CNN", f"{shape}, max pooling {encoder['pool']} x {encoder['pool']}", LEARNS))
    found.append(("BLSTM", f"1 layer, {lstm_size} in each direction", LEARNS))
    found.append(("self-attention", f"1 head: which steps count; gives an embedding of {2 * lstm_size}", LEARNS))
    found.append(("dense layers", f"{settings['classifier']['hidden_size']}, then one output for each emotion", LEARNS))
    return found


def draw_network() -> Figure:
    """Return the picture of the network (table 2), from the waveform above to the answer below."""
    found = layers()
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(0, 1), ylim=(len(found) - 0.5, -0.5))
    axes.axis("off")
    for y, (name, what, colour) in enumerate(found):
        box(axes, (0.19, y), (0.3, 0.56), name, colour)
        axes.text(0.38, y, what, va="center", fontsize=9)
        if y:
            arrow(axes, (0.19, y - 0.66), (0.19, y - 0.32))
    return figure


def draw_paper() -> Figure:
    """Return the picture of the UA that the paper reports for each row of table 3 and train set, on IEMOCAP."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots()
    for y, (row, (title, target)) in enumerate(paper.ROWS.items()):
        colour = svg_files.COLOURS["dominant recognition" if title == "Dominant recognition" else title]
        scores = paper.TABLE_3[row]
        axes.plot(scores["dominant"][1], y, "o", markerfacecolor="white", color=colour)
        axes.plot(scores["all"][1], y, "o", color=colour)
        axes.text(60.4, y, title if target == "-" else f"{title}, {target}", ha="right", va="center", fontsize=8)
    axes.invert_yaxis()
    sets = "Filled: trained on all utterances; empty: only on those with a dominant emotion"
    axes.set(xlim=(60.5, 66), yticks=[], xlabel=f"UA in %, as the paper reports it. {sets}")
    axes.xaxis.label.set_size(8)
    axes.grid(axis="x", color="#dddddd")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


PICTURES = {"labels.svg": draw_labels, "rows.svg": draw_rows, "network.svg": draw_network, "paper.svg": draw_paper}


def main() -> int:
    """Write the pictures and return the exit status."""
    for name, draw in PICTURES.items():
        svg_files.write(draw(), name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
