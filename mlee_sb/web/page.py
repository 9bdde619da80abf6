"""What the page shows: its frame, and a piece of HTML for each answer. Every text in it is escaped."""

import base64
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

import numpy as np
from jinja2 import Environment, StrictUndefined

from mlee_sb.inference.answers import DEMO, Prediction
from mlee_sb.inference.audio_input import Sound, load_utterance
from mlee_sb.inference.timeline import NOT_SURE, Timeline, clock
from mlee_sb.inference.timeline_plot import colours_of
from mlee_sb.version import __version__
from mlee_sb.web.limits import Limits
from mlee_sb.web.models import Model, Shelf
from mlee_sb.web.recordings import Recording
from mlee_sb.web.schema import Attention

WORDS = {
    **{"neu": "neutral", "hap": "happiness", "sad": "sadness", "ang": "anger", "exc": "excitement"},
    **{"fea": "fear", "dis": "disgust", "sur": "surprise", "fru": "frustration"},
}
"""What a person calls an emotion; the code of another one is shown as it is."""

WIDE, HIGH = 1000, 100  # units of the drawing of attention
COLUMNS = 250  # of the waveform in it
_drawing = Lock()  # matplotlib's fonts are not for several threads


def page_html(shelf: Shelf, limits: Limits) -> str:
    """Return the page without an answer on it."""
    return _render("page.html.j2", shelf=shelf, limits=limits, version=__version__)


def answer_html(model: Model, recording: Recording, said: Prediction, attention: list[Attention]) -> str:
    """Return what the page shows of a short recording: the dominant emotion, the presence of each, and where the encoders looked."""
    sound = load_utterance(Sound(recording.path), model.classifier.model.sample_rate, model.classifier.model.min_samples).numpy()
    drawings = [(look.encoder + 1, _area(look, said.seconds)) for look in attention]
    shown = {"bars": _bars(said, model), "most_bits": np.log2(len(model.classifier.emotions))}
    return _render("answer.html.j2", model=model, said=said, waveform=_waveform(sound), drawings=drawings, **shown)


def timeline_html(model: Model, recording: Recording, timeline: Timeline) -> str:
    """Return what the page shows of a long recording: the timeline as a picture and as a table, to be played from any place."""
    picture, axis = timeline_picture(timeline, "svg")
    stretches = [(start, end, "not sure" if label == NOT_SURE else WORDS.get(label, label)) for start, end, label in timeline.labels()]
    return _render(
        "timeline.html.j2",
        model=model,
        timeline=timeline,
        stretches=stretches,
        shares=_shares(stretches),
        speech=sum(end - start for start, end in timeline.speech),
        picture=_data_uri(picture, "image/svg+xml"),
        axis=axis,
        table=_data_uri(timeline.as_csv().encode(), "text/csv"),
        table_name=f"{Path(recording.name).stem}.csv",
    )


def timeline_picture(timeline: Timeline, ending: str) -> tuple[bytes, tuple[float, float]]:
    """Return the picture of a timeline, and where its axis of time begins and ends, as shares of its width.

    Parameters
    ----------
    ending : ``"svg"`` or ``"png"``
    """
    with _drawing, TemporaryDirectory() as folder:
        path = Path(folder, f"timeline.{ending}")
        axis = timeline.plot(path)
        return path.read_bytes(), axis


def _shares(stretches: list[tuple[float, float, str]]) -> list[tuple[str, float]]:
    """Return for each emotion the share of all stretches that is its own, the largest first.

    >>> _shares([(0.0, 1.0, "fear"), (1.0, 4.0, "neutral")])
    [('neutral', 0.75), ('fear', 0.25)]
    """
    seconds: dict[str, float] = {}
    for start, end, word in stretches:
        seconds[word] = seconds.get(word, 0.0) + end - start
    return sorted(((word, own / sum(seconds.values())) for word, own in seconds.items()), key=lambda one: -one[1])


def _bars(said: Prediction, model: Model) -> list[dict]:
    """Return a row for each emotion: its word, its colour, the probability that it is present and that it is the dominant one."""
    emotions = model.classifier.emotions
    colours = colours_of(emotions)
    if said.presence is None and said.posterior is None:
        return []
    return [
        {
            "emotion": WORDS.get(emotion, emotion),
            "colour": colours[emotion],
            "present": (said.presence or {}).get(emotion),
            "dominant": (said.posterior or {}).get(emotion),
            "possible": emotion in (said.candidates or ()),
        }
        for emotion in emotions
    ]


def _area(look: Attention, seconds: float) -> str:
    """Return the points of an SVG polygon: weights over the length of the recording, the largest as high as the drawing."""
    weights = np.asarray(look.weights) / max(look.weights)
    points = [(WIDE * at / seconds, HIGH * (1 - weight)) for at, weight in zip(look.seconds, weights, strict=True)]
    return _points([(points[0][0], HIGH), *points, (points[-1][0], HIGH)])


def _waveform(samples: np.ndarray) -> str:
    """Return the points of an SVG polygon: the loudest samples over the length of the recording, on both sides of the middle."""
    peaks = np.array([np.abs(part).max() for part in np.array_split(samples, min(COLUMNS, len(samples)))])
    heights = HIGH / 2 * peaks / (peaks.max() or 1.0)
    across = np.linspace(0, WIDE, len(peaks))
    above = zip(across, HIGH / 2 - heights, strict=True)
    below = zip(across[::-1], HIGH / 2 + heights[::-1], strict=True)
    return _points([*above, *below])


def _points(points: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _data_uri(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _render(template: str, **context) -> str:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"clock": clock, "percent": "{:.0%}".format, "word": lambda emotion: WORDS.get(emotion, emotion)}
    environment.globals |= {"demo_words": DEMO}
    source = (files("mlee_sb.web") / "templates" / template).read_text(encoding="utf-8")
    return environment.from_string(source).render(context)
