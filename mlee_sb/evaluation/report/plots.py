"""Draw the plots of the report from what `evaluate` found. Who cannot tell their colours apart has markers and kinds of lines."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mlee_sb.evaluation.metrics import DECISIONS, POSTERIORS, SCORES, THEMES, scores_of
from mlee_sb.evaluation.report.entries import label_of
from mlee_sb.evaluation.report.style import (
    COLOURS,
    COLUMN,
    INK,
    LINE,
    PAPER,
    SMALL,
    SOFT,
    WIDTH,
    Plot,
    new_figure,
    plot_of,
    style_for,
    wrapped,
)
from mlee_sb.fonts import width_of
from mlee_sb.targets import TRAIN_SETS

MARKERS = ("o", "s", "^", "D")
MATRIX, LIGHT, DARK, MIDDLE = "cividis", "#f7f7f7", "#000000", 55  # colours of numbers in a matrix, and the share from which on it is light
MOST_COLUMNS = 4  # of small multiples
PANELS = 3  # of a forest: more are too narrow beside the names of the rows
TABLES = {DECISIONS: "table3"}  # the table of a theme, where it has not the name of the theme
GAP = 0.15  # inches between panels
NARROWEST = 4.0  # inches of a figure: the legends need them
LABEL = 44  # columns of a row's name beside the forest
SQUARE = 0.29  # inches of a square in a matrix, at least


def drawn_names(found: dict) -> str:
    """Return all names in plots that come from the corpus or its user: what fonts must have."""
    return "".join([*found["emotions"], *map(label_of, found["cells"])])


def all_plots(found: dict) -> list[Plot]:
    """Draw every plot of the report, in the order of the page."""
    with style_for(drawn_names(found)):
        plots = [plot for theme in THEMES for plot in forests(found, theme)]
        if found["n"]:
            plots.append(confusions(found))  # without dominant emotions there are no decisions to show
        if any(cell["reliability"] for cell in found["cells"]):
            plots.append(reliability(found))
        return [*plots, learning_curves(found)]


def forests(found: dict, theme: str) -> list[Plot]:
    """Draw each score of a theme with its intervals: the rows that have it below one another, and up to `PANELS` scores in a picture."""
    known = [name for name in scores_of(theme) if any(_has(cell, name) for cell in found["cells"])]
    pictures = [known[first : first + PANELS] for first in range(0, len(known), PANELS)]
    return [_forest(found, names, theme, number) for number, names in enumerate(pictures, 1)]


def _forest(found: dict, names: Sequence[str], theme: str, number: int) -> Plot:
    cells = [cell for cell in found["cells"] if any(_has(cell, name) for name in names)]
    labels = [wrapped(label_of(cell), LABEL) for cell in cells]
    heights = np.array([LINE * (label.count("\n") + 1) + 0.13 for label in labels])  # [rows], inches
    places = heights.cumsum() - heights / 2
    figure = new_figure(1.4 + heights.sum())
    axes = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for name, ax in zip(names, axes, strict=True):
        for place, cell in zip(places, cells, strict=True):
            if _has(cell, name):
                _interval(ax, place, cell["pooled"][name], _scale(name), TRAIN_SETS.index(cell["train_set"]))
        for value, style in zip(_marks(found, name), (":", "--"), strict=True):
            if value is not None:
                ax.axvline(_scale(name) * value, color=SOFT, linestyle=style, linewidth=1.2)
        ax.set_xlabel(_axis_words(name), fontsize=SMALL)
        ax.set_yticks(places, labels, fontsize=SMALL)
        ax.tick_params(axis="x", labelsize=SMALL)
        ax.xaxis.set_major_locator(MaxNLocator(nbins=4))
        ax.grid(axis="x")
    axes[0].set_ylim(heights.sum(), 0)
    _legend(figure, _forest_handles(found, cells, names))
    intervals = "" if found["why_no_intervals"] else f" with {100 * found['bootstrap']['confidence']:g}% intervals over speakers"
    titles = [SCORES[name].title for name in names]
    what = f"{', '.join(titles[:-1])} and {titles[-1]}" if len(titles) > 1 else titles[0]
    table = TABLES.get(theme, theme)
    key = "_".join(["forest", *[theme] * (theme != DECISIONS), *[str(number)] * (number > 1)])
    return plot_of(key, f"{what}{intervals}", f"{what} of each row{intervals}; the table above has the figures.", figure, table)


def confusions(found: dict) -> Plot:
    """Draw the confusion matrices of all cells, in % of each true emotion."""
    emotions = found["emotions"]
    longest, side = max(map(width_of, emotions)) * COLUMN, max(SQUARE * len(emotions), 1.35)
    upright = longest > side / len(emotions) - COLUMN  # side by side they would overlap
    beside, below = longest + 0.4, (longest if upright else LINE) + 0.2
    figure, axes = _small_multiples(found["cells"], side, beside, below)
    for cell, ax in zip(found["cells"], axes, strict=True):
        counts = np.array(cell["confusion"], dtype=float)
        share = 100 * counts / counts.sum(axis=1, keepdims=True).clip(1)
        ax.pcolormesh(share, cmap=MATRIX, vmin=0, vmax=100, edgecolors=PAPER, linewidth=0.6)
        for i, j in np.ndindex(*share.shape):
            colour = LIGHT if share[i, j] < MIDDLE else DARK
            ax.text(j + 0.5, i + 0.5, f"{share[i, j]:.0f}", ha="center", va="center", fontsize=SMALL, color=colour)
        places = np.arange(len(emotions)) + 0.5
        ax.set_xticks(places, emotions, rotation=90 if upright else 0, fontsize=SMALL)
        ax.set_yticks(places, emotions, fontsize=SMALL)
        ax.set(aspect="equal", ylim=(len(emotions), 0))
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    _label_edges(axes, "decision", "dominant emotion")
    alt = "For each row and train set, and each dominant emotion, the share of each decision in %. The diagonal is the table of recalls."
    return plot_of("confusions", "Confusion matrices, in % of the utterances of each dominant emotion", alt, figure, "recalls")


def reliability(found: dict) -> Plot:
    """Draw accuracy against confidence of each posterior. The area of a point is its share of the utterances."""
    cells = [cell for cell in found["cells"] if cell["reliability"]]
    figure, axes = _small_multiples(cells, 1.7, 0.6, 0.4)
    for cell, ax in zip(cells, axes, strict=True):
        n, confidence, accuracy = (np.array([b[name] for b in cell["reliability"]]) for name in ("n", "confidence", "accuracy"))
        ax.plot([0, 100], [0, 100], color=SOFT, linewidth=1, linestyle="--")
        ax.plot(100 * confidence, 100 * accuracy, color=COLOURS[0], linewidth=1)
        ax.scatter(100 * confidence, 100 * accuracy, s=8 + 150 * n / n.sum(), color=COLOURS[0], alpha=0.7, clip_on=False)
        ax.set(xlim=(0, 100), ylim=(0, 100), xticks=(0, 50, 100), yticks=(0, 50, 100), aspect="equal")
    _label_edges(axes, "confidence in %", "accuracy in %")
    handles = [
        Line2D([], [], color=SOFT, linestyle="--", linewidth=1, label="calibrated: as often right as sure"),
        Line2D([], [], color=COLOURS[0], marker="o", linewidth=1, label="this row; a larger point stands for more utterances"),
    ]
    _legend(figure, handles)
    alt = "For each row with a posterior, accuracy in ten bins of confidence; a calibrated model lies on the diagonal."
    return plot_of("reliability", "Calibration: how often a decision with a given confidence is right", alt, figure, POSTERIORS)


def learning_curves(found: dict) -> Plot:
    """Draw the training and validation loss of every stage over its epochs. The epoch that was kept is marked."""
    figure, axes = _small_multiples(found["cells"], 1.7, 0.6, 0.4, height=1.4)
    for cell, ax in zip(found["cells"], axes, strict=True):
        for curve in cell["curves"]:
            if not curve["epoch"]:
                continue
            best = int(np.argmin(curve["valid"]))
            ax.plot(curve["epoch"], curve["train"], color=COLOURS[4], linewidth=0.8, linestyle="--", alpha=0.7)
            ax.plot(curve["epoch"], curve["valid"], color=COLOURS[0], linewidth=1, alpha=0.8)
            ax.plot(curve["epoch"][best], curve["valid"][best], "o", color=COLOURS[0], markersize=3.5)
        ax.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
        ax.yaxis.set_major_locator(MaxNLocator(nbins=4))
    _label_edges(axes, "epoch", "loss", ticks=False)
    handles = [
        Line2D([], [], color=COLOURS[4], linestyle="--", linewidth=1, label="training"),
        Line2D([], [], color=COLOURS[0], linewidth=1, label="validation, a line for each fold and seed"),
        Line2D([], [], color=COLOURS[0], linestyle="", marker="o", markersize=3.5, label="epoch that was kept"),
    ]
    _legend(figure, handles)
    alt = "Losses of each stage over its epochs, a line for each fold and seed. Where the validation loss rises again, the model overfits."
    return plot_of("curves", "Learning curves", alt, figure, "training")


def _has(cell: dict, name: str) -> bool:
    return name in cell["pooled"] and cell["pooled"][name]["value"] is not None


def _scale(name: str) -> int:
    return 100 if SCORES[name].percent else 1


def _axis_words(name: str) -> str:
    """Return the name of a score below its panel, with what a reader must know of its direction."""
    score = SCORES[name]
    return f"{score.title}{' in %' * score.percent}\n{'' if score.higher_is_better else 'lower is better'}"


def _marks(found: dict, name: str) -> tuple[float | None, float | None]:
    """Return a score of always the most frequent emotion, and of a listener; None where it is not known."""
    return found["chance"].get(name), found["human"].get(name, {}).get("value")


def _interval(ax: Axes, place: float, estimate: dict, scale: int, number: int) -> None:
    """Draw a score with its interval, in the colour and with the marker of its train set."""
    value, low, high = (scale * (estimate["value"] if estimate[end] is None else estimate[end]) for end in ("value", "low", "high"))
    ax.plot([low, high], [place, place], color=COLOURS[number], linewidth=2)
    ax.plot(value, place, MARKERS[number], color=COLOURS[number], markersize=6)


def _forest_handles(found: dict, cells: Sequence[dict], names: Sequence[str]) -> list[Line2D]:
    """Return what the legend of the forest explains: each colour and each line that is drawn."""
    there = {cell["train_set"] for cell in cells}
    handles = [
        Line2D([], [], color=COLOURS[number], marker=MARKERS[number], linewidth=2, label=f"train set {train_set}")
        for number, train_set in enumerate(TRAIN_SETS)
        if train_set in there
    ]
    words = (f"always {found['chance']['emotion']}, the most frequent emotion", "a listener against the others")
    for label, style, marks in zip(words, (":", "--"), zip(*(_marks(found, name) for name in names), strict=True), strict=True):
        if any(mark is not None for mark in marks):
            handles.append(Line2D([], [], color=SOFT, linestyle=style, label=label))
    return handles


def _small_multiples(
    cells: Sequence[dict], width: float, beside: float, below: float, height: float | None = None
) -> tuple[Figure, Sequence[Axes]]:
    """Return a figure with a panel for each cell, titled, and the panels.

    Parameters
    ----------
    cells : n, one or more
    width : of a panel in inches, at least
    beside, below : what its labels need in inches. They stand at the left and at the lower edge of the figure only
    height : of a panel in inches, at least; by default panels are squares
    """
    columns = max(1, min(len(cells), MOST_COLUMNS, math.floor((WIDTH - beside) / (width + GAP))))
    rows = -(-len(cells) // columns)
    used = WIDTH if rows > 1 else min(WIDTH, max(columns * (width + 0.5) + beside, NARROWEST))
    room = (used - beside) / columns
    titles = [wrapped(label_of(cell), int(room / COLUMN) - 5) for cell in cells]
    lines = sum(max(title.count("\n") + 1 for title in titles[first : first + columns]) for first in range(0, len(titles), columns))
    ends = 1 if len(cells) % columns == 0 or rows == 1 else 2  # rows of panels under which labels stand
    figure = new_figure((height or room - GAP) * rows + LINE * lines + 0.2 * rows + below * ends + 0.4, used)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes[len(cells) :]:
        ax.set_axis_off()
    for ax, title in zip(axes, titles, strict=False):
        ax.set_title(title, fontsize=SMALL)
        ax.tick_params(labelsize=SMALL - 1)
    return figure, axes[: len(cells)]


def _label_edges(axes: Sequence[Axes], x: str, y: str, ticks: bool = True) -> None:
    """Name the axes of the panels that have none below or at their left. With `ticks`, only these keep the labels of their ticks."""
    columns = axes[0].get_gridspec().ncols
    for number, ax in enumerate(axes):
        at_left, at_foot = number % columns == 0, number + columns >= len(axes)
        ax.set_xlabel(x if at_foot else "", fontsize=SMALL)
        ax.set_ylabel(y if at_left else "", fontsize=SMALL)
        if ticks:
            ax.tick_params(labelleft=at_left, labelbottom=at_foot)


def _legend(figure: Figure, handles: Sequence[Line2D]) -> None:
    """Explain colours and lines below everything that is drawn, so that the legend covers nothing."""
    widest = max(width_of(handle.get_label()) for handle in handles) * COLUMN + 0.7
    columns = 2 if 2 * widest < figure.get_figwidth() else 1
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, fontsize=SMALL, frameon=False, labelcolor=INK)
