"""Draw the plots of the report from what `evaluate` found. Colour-blind people can tell the colours apart; markers and lines differ too."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mlee_sb.evaluation.metrics import SCORES
from mlee_sb.evaluation.report.tables import title_of, train_sets_of
from mlee_sb.targets import TRAIN_SETS

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito 2008
MARKERS, LINES = ("o", "s", "^", "D"), ("-", "--", "-.", ":")
MATRIX = "cividis"
COLUMNS = 4  # of small multiples
DOTS = 130  # an inch


@dataclass(frozen=True)
class Plot:
    """A picture of the report: a PNG, and in words what it shows, for people who cannot see it."""

    key: str
    title: str
    alt: str
    png: bytes

    @property
    def data_uri(self) -> str:
        return "data:image/png;base64," + base64.b64encode(self.png).decode()


def all_plots(found: dict) -> list[Plot]:
    """Draw every plot of the report, in the order of the page."""
    plots = [forest(found), confusions(found)] if found["n"] else []  # without dominant emotions there are no decisions to show
    if any(cell["reliability"] for cell in found["cells"]):
        plots.append(reliability(found))
    return [*plots, learning_curves(found)]


def forest(found: dict) -> Plot:
    """Draw WA and UA of every cell with their intervals, each score on one scale."""
    names = [name for name in ("wa", "ua") if any(cell["pooled"][name]["value"] is not None for cell in found["cells"])]
    figure = _figure(9, 1.2 + 0.32 * len(found["cells"]))
    axes = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    labels = [f"{title_of(cell['row'])} ({train_sets_of(cell)})" for cell in found["cells"]]
    for name, ax in zip(names, axes, strict=True):
        for place, cell in enumerate(found["cells"]):
            estimate = cell["pooled"][name]
            number = TRAIN_SETS.index(cell["train_set"])
            if estimate["value"] is None:
                continue
            value, low, high = (
                100 * estimate[end] if estimate[end] is not None else 100 * estimate["value"] for end in ("value", "low", "high")
            )
            ax.plot([low, high], [place, place], color=COLOURS[number], linewidth=2)
            ax.plot(value, place, MARKERS[number], color=COLOURS[number], markersize=6)
        for value, style, words in (
            (found["chance"][name], ":", "most frequent emotion"),
            (found["human"][name]["value"], "--", "a listener"),
        ):
            if value is not None:
                ax.axvline(100 * value, color="0.35", linestyle=style, linewidth=1, label=words)
        ax.set(xlabel=f"{SCORES[name].title} in %", yticks=range(len(labels)), yticklabels=labels)
        ax.grid(axis="x", alpha=0.3)
    axes[0].invert_yaxis()
    axes[0].legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), fontsize=8, frameon=False, ncols=2)
    intervals = "" if found["why_no_intervals"] else f" with {100 * found['bootstrap']['confidence']:g}% intervals over speakers"
    alt = f"WA and UA of each row{intervals}; the same figures stand in table 3."
    return _plot("forest", f"WA and UA{intervals}", alt, figure)


def confusions(found: dict) -> Plot:
    """Draw the confusion matrices of all cells, in % of each true emotion."""
    emotions = found["emotions"]
    figure, axes = _small_multiples(len(found["cells"]), height=2.5)
    for cell, ax in zip(found["cells"], axes, strict=True):
        counts = np.array(cell["confusion"], dtype=float)
        share = 100 * counts / counts.sum(axis=1, keepdims=True).clip(1)
        ax.imshow(share, cmap=MATRIX, vmin=0, vmax=100)
        for i, j in np.ndindex(*share.shape):
            ax.text(j, i, f"{share[i, j]:.0f}", ha="center", va="center", fontsize=8, color="white" if share[i, j] < 55 else "black")
        ax.set(xticks=range(len(emotions)), xticklabels=emotions, yticks=range(len(emotions)), yticklabels=emotions)
        _title(ax, cell)
    figure.supxlabel("decision", fontsize=9)
    figure.supylabel("dominant emotion", fontsize=9)
    alt = "For each row and train set, and each dominant emotion, the share of each decision in %. The diagonal is the table of recalls."
    return _plot("confusions", "Confusion matrices, in % of the utterances of each dominant emotion", alt, figure)


def reliability(found: dict) -> Plot:
    """Draw accuracy against confidence of each posterior. The area of a point is its share of the utterances."""
    cells = [cell for cell in found["cells"] if cell["reliability"]]
    figure, axes = _small_multiples(len(cells), height=2.4)
    for cell, ax in zip(cells, axes, strict=True):
        n, confidence, accuracy = (np.array([b[name] for b in cell["reliability"]]) for name in ("n", "confidence", "accuracy"))
        ax.plot([0, 100], [0, 100], color="0.6", linewidth=1, linestyle="--")
        ax.plot(100 * confidence, 100 * accuracy, color=COLOURS[0], linewidth=1)
        ax.scatter(100 * confidence, 100 * accuracy, s=8 + 150 * n / n.sum(), color=COLOURS[0], alpha=0.7)
        ax.set(xlim=(0, 100), ylim=(0, 100), xticks=(0, 50, 100), yticks=(0, 50, 100), aspect="equal")
        _title(ax, cell)
    figure.supxlabel("confidence in %", fontsize=9)
    figure.supylabel("accuracy in %", fontsize=9)
    alt = "For each row with a posterior, accuracy in ten bins of confidence; a calibrated model lies on the diagonal."
    return _plot("reliability", "Calibration: how often a decision with a given confidence is right", alt, figure)


def learning_curves(found: dict) -> Plot:
    """Draw the training and validation loss of every stage over its epochs. The epoch that was kept is marked."""
    figure, axes = _small_multiples(len(found["cells"]), height=2.2)
    for cell, ax in zip(found["cells"], axes, strict=True):
        for curve in cell["curves"]:
            if not curve["epoch"]:
                continue
            best = int(np.argmin(curve["valid"]))
            ax.plot(curve["epoch"], curve["train"], color=COLOURS[4], linewidth=0.8, linestyle="--", alpha=0.7)
            ax.plot(curve["epoch"], curve["valid"], color=COLOURS[0], linewidth=1, alpha=0.8)
            ax.plot(curve["epoch"][best], curve["valid"][best], "o", color=COLOURS[0], markersize=3.5)
        ax.tick_params(labelsize=7)
        _title(ax, cell)
    figure.supxlabel("epoch", fontsize=9)
    figure.supylabel("loss: validation solid (dot: kept), training dashed", fontsize=9)
    alt = "Losses of each stage over its epochs, a line for each fold and seed. Where the validation loss rises again, the model overfits."
    return _plot("curves", "Learning curves", alt, figure)


def png_of(figure: Figure) -> bytes:
    """Return a figure as PNG, the same bytes for the same figure."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


def _plot(key: str, title: str, alt: str, figure: Figure) -> Plot:
    return Plot(key, title, alt, png_of(figure))


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), dpi=DOTS, layout="constrained")


def _small_multiples(n: int, height: float) -> tuple[Figure, Sequence[Axes]]:
    columns = min(n, COLUMNS)
    rows = -(-n // columns)
    figure = _figure(2.3 * columns + 0.4, height * rows + 0.3)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes[n:]:
        ax.set_axis_off()
    return figure, axes[:n]


def _title(ax: Axes, cell: dict) -> None:
    ax.set_title(f"{title_of(cell['row'])}\n({train_sets_of(cell)})", fontsize=8)
