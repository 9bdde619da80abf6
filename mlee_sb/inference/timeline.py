"""Emotions over a long recording, and the forms to have them in: DataFrame, CSV, JSON, Audacity labels, a plot."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd

from mlee_sb.errors import InputError, choose, in_a_cell
from mlee_sb.files import json_text, write_text
from mlee_sb.inference.answers import DEMO, NO_SPEECH, Prediction
from mlee_sb.inference.stream import Segment
from mlee_sb.stage_folder import EXISTENCE_PROBABILITY, prediction_columns
from mlee_sb.uncertainty import Uncertainty

PRESENT = 0.5  # an emotion with this probability or more counts as present
NOT_SURE = "?"  # the label of speech for which the model abstains
DECIMALS = 6
COLUMNS = ("dominant", "abstained", "confidence", "candidates", "above_chance", "speech")  # of a table, before those of each emotion
PARTS = tuple(field.name for field in fields(Uncertainty))  # of an uncertainty, each with a column of a table after those of each emotion
LABELS_OF = ("dominant", "presence")
PLOTS = (".png", ".svg", ".pdf")


def clock(seconds: float) -> str:
    """Return a time in a recording for people: hours, minutes and seconds.

    >>> clock(3723.04)
    '1:02:03.0'
    """
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:04.1f}"


def check_plot(path: str | Path) -> None:
    """Raise an InputError unless the ending of a file name is one of `PLOTS`."""
    if Path(path).suffix.lower() not in PLOTS:
        raise InputError(f"{path}: a plot can be written as {', '.join(PLOTS)}")


def table_columns(emotions: list[str]) -> list[str]:
    """Return the names of the columns that `columns_of` gives."""
    probabilities = (*prediction_columns(emotions), *prediction_columns(emotions, EXISTENCE_PROBABILITY))
    return [*COLUMNS, *probabilities, *(f"uncertainty_{part}" for part in PARTS), "demo"]


def columns_of(prediction: Prediction, emotions: list[str]) -> dict:
    """Return a prediction as one row of a table, with the columns of `table_columns`.

    p_<emotion> is the posterior, e_<emotion> the presence, and uncertainty_<part> in bits, to `DECIMALS` decimals; None if the prediction
    has none. demo is True where the answer means nothing.
    """
    values: list = [
        prediction.dominant or "",
        prediction.abstained or "",
        round(prediction.confidence, DECIMALS),
        " ".join(prediction.candidates or ()),
        " ".join(prediction.above_chance or ()),
        round(prediction.speech, DECIMALS),
    ]
    for by_emotion in (prediction.posterior, prediction.presence):
        values += [None if by_emotion is None else round(by_emotion[emotion], DECIMALS) for emotion in emotions]
    values += [None if prediction.uncertainty is None else round(getattr(prediction.uncertainty, part), DECIMALS) for part in PARTS]
    return dict(zip(table_columns(emotions), [*values, prediction.demo], strict=True))


def as_dict(prediction: Prediction) -> dict:
    """Return a prediction as a dict of its attributes, for JSON."""
    return asdict(prediction)


@dataclass(frozen=True)
class Timeline:
    """The predictions of all windows of a recording. `EmotionClassifier.timeline` makes one.

    Attributes
    ----------
    segments : windows with overlap, in the order of time
    speech : stretches of speech, (start, end) in seconds
    emotions : codes of the emotions, in the order of the model
    seconds : length of the recording
    demo : whether the model was trained on the demo release, so that these answers mean nothing
    channel : the number of the one channel that was heard, from 1; None for the mix of those with sound
    """

    segments: list[Segment]
    speech: list[tuple[float, float]]
    emotions: list[str]
    seconds: float
    demo: bool = False
    channel: int | None = None

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each window: start and end in seconds, and the columns of `columns_of` (NaN without speech).

        A timeline of one channel has its number in a column before them.
        """
        rows = [{**self._channel(), "start": s.start, "end": s.end, **columns_of(s.prediction, self.emotions)} for s in self.segments]
        return pd.DataFrame(rows)

    def to_csv(self, path: str | Path) -> None:
        """Write the table of `to_frame` as CSV."""
        write_text(path, self.as_csv())

    def as_csv(self, header: bool = True) -> str:
        """Return the table of `to_frame` as the text of a CSV file; `header` says whether it begins with the names of the columns."""
        return self.to_frame().map(in_a_cell).to_csv(index=False, header=header, lineterminator="\n")

    def as_json(self) -> dict:
        """Return everything as a dict, for JSON."""
        segments = [{"start": s.start, "end": s.end, **as_dict(s.prediction)} for s in self.segments]
        known = {**self._channel(), "seconds": self.seconds, "demo": self.demo, "emotions": self.emotions}
        return {**known, "speech": [list(part) for part in self.speech], "segments": segments}

    def to_json(self, path: str | Path) -> None:
        """Write the dict of `as_json` as JSON."""
        write_text(path, json_text(self.as_json(), indent=1) + "\n")

    def labels(self, of: str = "dominant") -> list[tuple[float, float, str]]:
        """Return the stretches of the recording that have one label: (start, end, code), in seconds.

        Each window labels its middle part, which is as long as a hop. The first and the last window also label the ends.

        Parameters
        ----------
        of : ``"dominant"`` labels the dominant emotion, `NOT_SURE` if the model abstains, nothing without speech.
            ``"presence"`` labels every emotion with a presence of `PRESENT` or more, so labels may overlap

        Raises
        ------
        InputError
            if `of` is another word
        """
        choose(of, LABELS_OF, "labels")
        tracks: dict[str, list[tuple[float, float]]] = {}
        for start, end, prediction in self._own_parts():
            for label in _labels(prediction, of):
                parts = tracks.setdefault(label, [])
                if parts and parts[-1][1] == start:
                    parts[-1] = (parts[-1][0], end)
                else:
                    parts.append((start, end))
        return sorted((start, end, label) for label, parts in tracks.items() for start, end in parts)

    def to_audacity(self, path: str | Path, of: str = "dominant") -> None:
        """Write the stretches of `labels` as a label track for Audacity; that of a demo has a label that says so over all of it."""
        whole = [(0.0, self.seconds, DEMO)] if self.demo else []
        write_text(path, "".join(f"{start:.6f}\t{end:.6f}\t{label}\n" for start, end, label in [*whole, *self.labels(of)]))

    def plot(self, path: str | Path) -> tuple[float, float]:
        """Write a picture: probabilities over time, speech, and the dominant emotion. The ending (`PLOTS`) says the format.

        Return where the axis of time begins and ends, as shares of the width of the picture.
        """
        check_plot(path)
        from mlee_sb.inference.timeline_plot import plot  # matplotlib takes a while to import

        return plot(path, self.emotions, self.seconds, self._curves(), self.labels(), self.speech, DEMO if self.demo else "")

    def _channel(self) -> dict[str, int]:
        return {} if self.channel is None else {"channel": self.channel}

    def _curves(self) -> tuple[str, list[float], np.ndarray]:
        """Return presence if the model knows it, else the posterior: its name, times [n], probabilities [n, K]."""
        knows = any(s.prediction.presence for s in self.segments)
        times = [(s.start + s.end) / 2 for s in self.segments]
        found = [(s.prediction.presence if knows else s.prediction.posterior) or {} for s in self.segments]
        values = [[probabilities.get(emotion, np.nan) for emotion in self.emotions] for probabilities in found]
        return "presence" if knows else "posterior", times, np.reshape(values, (len(times), len(self.emotions)))

    def _own_parts(self) -> Iterator[tuple[float, float, Prediction]]:
        middles = [(s.start + s.end) / 2 for s in self.segments]
        borders = [0.0, *((a + b) / 2 for a, b in zip(middles, middles[1:], strict=False)), self.seconds]
        for start, end, segment in zip(borders, borders[1:], self.segments, strict=False):
            yield start, end, segment.prediction


def _labels(prediction: Prediction, of: str) -> list[str]:
    if of == "presence":
        return [emotion for emotion, p in (prediction.presence or {}).items() if p >= PRESENT]
    if prediction.abstained == NO_SPEECH:
        return []
    return [prediction.dominant or NOT_SURE]
