"""The picture of a timeline."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mlee_sb.errors import InputError
from mlee_sb.files import written_beside

if TYPE_CHECKING:
    from mlee_sb.inference.timeline import Timeline

SIZE = (11, 4.5)  # inches
FORMATS = (".png", ".svg", ".pdf")
GREY = "0.75"


def plot(timeline: "Timeline", path: str | Path) -> None:
    """Probabilities over time (of presence, where the model knows it), with speech and dominant emotion below."""
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path}: a plot can be written as {', '.join(FORMATS)}")
    figure = Figure(figsize=SIZE, layout="constrained")
    FigureCanvasAgg(figure)
    curves, bands = figure.subplots(2, 1, sharex=True, height_ratios=[5, 1])
    colours = {emotion: colormaps["tab10"](k % 10) for k, emotion in enumerate(timeline.emotions)}
    knows = any(s.prediction.presence for s in timeline.segments)
    times = [(s.start + s.end) / 2 for s in timeline.segments]
    for emotion in timeline.emotions:
        values = [(s.prediction.presence if knows else s.prediction.posterior) or {} for s in timeline.segments]
        curves.plot(times, [v.get(emotion, np.nan) for v in values], color=colours[emotion], label=emotion, marker=".")
    curves.set(ylim=(0, 1), ylabel="P(present)" if knows else "posterior")
    curves.legend(loc="upper left", ncols=len(timeline.emotions), frameon=False)
    for start, end, label in timeline.labels():
        bands.axvspan(start, end, 0.5, 1, color=colours.get(label, GREY))
    for start, end in timeline.speech:
        bands.axvspan(start, end, 0, 0.4, color=GREY)
    bands.set(yticks=[0.2, 0.75], yticklabels=["speech", "dominant"], ylim=(0, 1), xlim=(0, max(timeline.seconds, 1e-3)), xlabel="seconds")
    with written_beside(path) as beside:
        figure.savefig(beside, format=path.suffix[1:].lower())
