"""Draw the picture of a timeline."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from mlee_sb.files import written_beside
from mlee_sb.fonts import font_families, what_is_missing

SIZE = (11, 4.5)  # inches
GREY = "0.75"
IN_A_LINE = 9  # emotions of the legend


def plot(
    path: str | Path,
    emotions: Sequence[str],
    seconds: float,
    curves: tuple[str, Sequence[float], np.ndarray],
    labels: Sequence[tuple[float, float, str]],
    speech: Sequence[tuple[float, float]],
    caption: str = "",
) -> tuple[float, float]:
    """Draw probabilities over time, with speech and the dominant emotion below.

    Return where the axis of time begins and ends, as shares of the width of the picture: whoever shows it can tell a time from a place.

    Parameters
    ----------
    path : the picture to write; its ending is one of `mlee_sb.inference.timeline.PLOTS`
    emotions : K codes
    seconds : length of the recording
    curves : name of the probabilities, times [n] in seconds, and probabilities [n, K] (NaN without speech)
    labels : stretches with a dominant emotion: start and end in seconds, code
    speech : stretches of speech: start and end in seconds
    caption : what is said above
    """
    names = "".join(emotions)
    families, _ = font_families(names)
    if boxes := what_is_missing(names):
        warnings.warn(f"{path}: {boxes}", stacklevel=2)
    with rc_context({"font.family": families}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # it was said which characters no font has
        return _draw(Path(path), emotions, seconds, curves, labels, speech, caption)


def _draw(path, emotions, seconds, curves, labels, speech, caption) -> tuple[float, float]:
    figure = Figure(figsize=SIZE, layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[5, 1])
    colours = colours_of(emotions)
    quantity, times, probabilities = curves
    for k, emotion in enumerate(emotions):
        above.plot(times, probabilities[:, k], color=colours[emotion], label=emotion, marker=".")
    above.set(ylim=(0, 1), ylabel=quantity)
    above.set_title(caption, loc="left", fontsize="medium")
    figure.legend(loc="outside upper center", ncols=min(len(emotions), IN_A_LINE), frameon=False)
    for start, end, label in labels:
        below.axvspan(start, end, 0.5, 1, color=colours.get(label, GREY))
    for start, end in speech:
        below.axvspan(start, end, 0, 0.4, color=GREY)
    below.set(yticks=[0.2, 0.75], yticklabels=["speech", "dominant"], ylim=(0, 1), xlim=(0, max(seconds, 1e-3)), xlabel="seconds")
    with written_beside(path) as beside:
        figure.savefig(beside, format=path.suffix[1:].lower())
    place = below.get_position()
    return float(place.x0), float(place.x1)


def colours_of(emotions: Sequence[str]) -> dict[str, str]:
    """Return the colour of each emotion of a model, as #rrggbb.

    >>> colours_of(["neu", "hap"])
    {'neu': '#1f77b4', 'hap': '#ff7f0e'}
    """
    return {emotion: to_hex(colormaps["tab10"](k % 10)) for k, emotion in enumerate(emotions)}
