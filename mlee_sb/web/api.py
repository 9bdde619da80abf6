"""The addresses of the server: the page, and the HTTP API with what each address takes and answers."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, File, Form, HTTPException, Request, Response, UploadFile
from fastapi.responses import HTMLResponse

from mlee_sb.errors import InputError
from mlee_sb.files import json_text
from mlee_sb.inference.answers import NO_SPEECH, Asked, Prediction
from mlee_sb.inference.audio_input import LONGEST_SECONDS
from mlee_sb.inference.stream import HOP_SECONDS, WINDOW_SECONDS
from mlee_sb.inference.timeline import as_dict
from mlee_sb.models.waveforms import seconds_of
from mlee_sb.web.desk import Desk
from mlee_sb.web.limits import Limits
from mlee_sb.web.models import Model, Shelf
from mlee_sb.web.page import answer_html, page_html, timeline_html, timeline_picture
from mlee_sb.web.recordings import Recording, kept_for_the_answer, told
from mlee_sb.web.schema import Classified, FileAnswer, FileError, Offered, Refusal, TimelineAnswer
from mlee_sb.web.statuses import BAD_REQUEST, REFUSED, TOO_LARGE, WRONG_FIELD
from mlee_sb.web.turns import Check, Turns

LONG_SECONDS = 15.0  # [choice] the page shows a longer recording as a timeline: it is more than a sentence or two
SHORTEST_HOP = 0.25  # seconds [choice]: a smaller one makes many windows of a short recording
MOST_HOPS = 8  # in a window [choice]: each moment is computed so often
PICTURES = {"svg": "image/svg+xml", "png": "image/png"}

ModelName = Annotated[str, Form(description="one of /api/models, or user/name on the hub; the first model by default")]
Recordings = Annotated[list[UploadFile], File(description="wav, flac, ogg or mp3")]


async def asked(
    coverage: Annotated[float, Form(description="how often the dominant emotion is among the candidates")] = Asked.coverage,
    min_confidence: Annotated[float, Form(description="no dominant emotion is named below this confidence")] = Asked.min_confidence,
    max_uncertainty: Annotated[
        float | None, Form(description="no dominant emotion is named above this uncertainty, in bits; for a model that tells it")
    ] = Asked.max_uncertainty,
    gate: Annotated[str, Form(description="how speech is found: energy or silero")] = Asked.gate,
    channel: Annotated[int | None, Form(ge=1, description="hear this channel only; by default a mix")] = None,
) -> dict:
    """Take the fields of a form that `mlee_sb.inference.answers.Asked` has, and the channel."""
    return {
        "coverage": coverage,
        "min_confidence": min_confidence,
        "max_uncertainty": max_uncertainty,
        "gate": gate,
        "channel": channel,
    }


class Api:
    """The addresses of a server. What takes time waits for its turn; the rest is there whatever is computed.

    Parameters
    ----------
    shelf : the models
    limits : how much is taken
    ending : tells whether the server ends
    folder : where recordings lie while they are answered; None: where temporary files lie
    """

    def __init__(self, shelf: Shelf, limits: Limits, ending: Callable[[], bool], folder: Path | None):
        self.shelf, self.limits, self.folder, self.desk = shelf, limits, folder, Desk(limits)
        self.turns, self.loads = Turns(limits.at_once, ending), Turns(1, ending)

    def router(self) -> APIRouter:
        """Return the addresses, to be included in an app."""
        router = APIRouter(responses={status: {"model": Refusal} for status in REFUSED})
        router.add_api_route("/", self.page, include_in_schema=False, response_class=HTMLResponse)
        router.add_api_route("/answer", self.answer, methods=["POST"], include_in_schema=False, response_class=HTMLResponse)
        router.add_api_route("/api/models", self.models, response_model=Offered)
        router.add_api_route("/api/classify", self.classify, methods=["POST"], response_model=Classified)
        router.add_api_route("/api/timeline", self.timeline, methods=["POST"], response_model=TimelineAnswer)
        return router

    async def page(self) -> str:
        """Show the page."""
        return page_html(self.shelf, self.limits)

    async def models(self) -> Offered:
        """Name the models."""
        return Offered(models=self.shelf.names, hub=self.shelf.hub)

    async def classify(
        self,
        request: Request,
        response: Response,
        file: Recordings,
        options: Annotated[dict, Depends(asked)],
        model: ModelName = "",
        attention: Annotated[bool, Form(description="tell where the encoders look, too")] = False,
    ) -> Classified:
        """Classify recordings of up to two minutes. The status is 400 if none of them can be used."""
        if len(file) > self.limits.files:
            raise HTTPException(TOO_LARGE, f"{len(file)} recordings, and {self.limits.files} are the most in one request: send fewer")
        chosen = await self._model(request, model)

        def work(check: Check) -> list[FileAnswer | FileError]:
            with self._kept(file) as recordings:
                said = self.desk.classify(chosen, recordings, check, **options)
                return [self._told(chosen, *one, attention, options["channel"], check) for one in zip(recordings, said, strict=True)]

        answers = await self.turns.take(request, work)
        if all(isinstance(answer, FileError) for answer in answers):
            response.status_code = BAD_REQUEST
        return Classified(model=chosen.name, answers=answers)

    async def timeline(
        self,
        request: Request,
        file: UploadFile,
        options: Annotated[dict, Depends(asked)],
        model: ModelName = "",
        window: Annotated[float, Form(le=LONGEST_SECONDS, description="seconds of a window")] = WINDOW_SECONDS,
        hop: Annotated[
            float, Form(ge=SHORTEST_HOP, description="seconds from the beginning of a window to that of the next")
        ] = HOP_SECONDS,
        form: Annotated[Literal["json", "csv", "svg", "png"], Form(description="of the answer")] = "json",
    ) -> Response:
        """Follow the emotions through a recording: as JSON, as a table (CSV), or as a picture."""
        if window > MOST_HOPS * hop:
            words = f"window {window:g} s, hop {hop:g} s: {MOST_HOPS} hops are the most in a window: give a hop of {window / MOST_HOPS:g} s"
            raise HTTPException(WRONG_FIELD, words)
        chosen = await self._model(request, model)

        def work(check: Check) -> Response:
            with self._kept([file]) as (recording,):
                found = self.desk.timeline(chosen, recording, window, hop, check, **options)
            if form == "csv":
                return Response(found.as_csv(), media_type="text/csv")
            if form in PICTURES:
                return Response(timeline_picture(found, form)[0], media_type=PICTURES[form])
            return Response(json_text(found.as_json()), media_type="application/json")

        return await self.turns.take(request, work)

    async def answer(self, request: Request, file: UploadFile, model: ModelName = "") -> str:
        """Answer the page, with a piece of HTML: a long recording has a timeline."""
        chosen = await self._model(request, model)

        def work(check: Check) -> str:
            with self._kept([file]) as (recording,):
                if seconds_of(recording.path) > LONG_SECONDS:
                    found = self.desk.timeline(chosen, recording, WINDOW_SECONDS, HOP_SECONDS, check)
                    return timeline_html(chosen, recording, found)
                (said,) = self.desk.classify(chosen, [recording], check)
                if isinstance(said, InputError):
                    raise said
                looked = [] if said.abstained == NO_SPEECH else self.desk.attention(chosen, recording, check)
                return answer_html(chosen, recording, said, looked)

        return await self.turns.take(request, work)

    async def _model(self, request: Request, name: str) -> Model:
        """Return a model. One that is not in memory is loaded by a turn of its own, so that others are answered meanwhile."""
        return self.shelf.ready(name) or await self.loads.take(request, lambda check: self.shelf.get_for_a_visitor(name))

    def _told(
        self, model: Model, recording: Recording, said: Prediction | InputError, attention: bool, channel: int | None, check: Check
    ) -> FileAnswer | FileError:
        if isinstance(said, InputError):
            return FileError(file=recording.name, error=told(said, [recording]))
        looked = self.desk.attention(model, recording, check, channel) if attention else None
        return FileAnswer(file=recording.name, attention=looked, **as_dict(said))

    def _kept(self, uploads: list[UploadFile]) -> AbstractContextManager[list[Recording]]:
        return kept_for_the_answer([(upload.filename, upload.file) for upload in uploads], self.folder)
