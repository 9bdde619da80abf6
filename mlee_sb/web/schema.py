"""What the HTTP API answers, as JSON. A prediction has the fields that it has in Python, and in `mlee classify --json`."""

from pydantic import BaseModel
from pydantic.dataclasses import dataclass

from mlee_sb.inference.answers import Prediction


class Attention(BaseModel):
    """Where an encoder looked.

    Attributes
    ----------
    encoder : its number in the model, from 0
    seconds : [steps], the middle of each step
    weights : [steps], with the sum 1
    """

    encoder: int
    seconds: list[float]
    weights: list[float]


@dataclass(frozen=True, kw_only=True)
class FileAnswer(Prediction):
    """The prediction of one recording, its file name, and the attention of each encoder that has any, if it was asked for."""

    file: str
    attention: list[Attention] | None = None


class FileError(BaseModel):
    """Why a recording cannot be used, and what to do about it."""

    file: str
    error: str


class Classified(BaseModel):
    """The answers for the recordings of a request, in their order, and the name of the model."""

    model: str
    answers: list[FileAnswer | FileError]


@dataclass(frozen=True, kw_only=True)
class WindowAnswer(Prediction):
    """The prediction of one window of a recording, from `start` to `end` in seconds."""

    start: float
    end: float


class TimelineAnswer(BaseModel):
    """The windows of a recording: what `mlee timeline --json` writes.

    Attributes
    ----------
    seconds : length of the recording
    demo : whether the model was trained on the demo release, so that these answers mean nothing
    emotions : codes, in the order of the model
    channel : the one that was asked for, from 1
    speech : stretches of speech, [start, end] in seconds
    segments : windows with overlap, in the order of time
    """

    seconds: float
    demo: bool
    emotions: list[str]
    speech: list[tuple[float, float]]
    segments: list[WindowAnswer]
    channel: int | None = None


class Offered(BaseModel):
    """The models that can be named in a request; the first one is the default. `hub` tells whether user/name on the hub can be, too."""

    models: list[str]
    hub: bool


class Refusal(BaseModel):
    """Why a request is refused, and what to do about it."""

    error: str
