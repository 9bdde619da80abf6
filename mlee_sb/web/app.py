"""The app: the guard, the addresses, and every error as JSON with a remedy."""

from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from mlee_sb.errors import InputError
from mlee_sb.version import __version__
from mlee_sb.web.api import Api
from mlee_sb.web.guard import Guard
from mlee_sb.web.limits import Limits
from mlee_sb.web.models import Shelf
from mlee_sb.web.statuses import BAD_REQUEST, WRONG_FIELD


def make_app(shelf: Shelf, limits: Limits, hosts: Sequence[str], ending: Callable[[], bool], folder: Path | None) -> FastAPI:
    """Return the app of a server.

    Parameters
    ----------
    shelf : the models
    limits : how much is taken
    hosts : names by which the server may be called; ``"*"`` is any. A site that gives itself the address of this machine has another
    ending, folder : as for `mlee_sb.web.api.Api`
    """
    app = FastAPI(title="mlee_sb", version=__version__, docs_url=None, redoc_url=None)  # those two pages load scripts from elsewhere
    app.include_router(Api(shelf, limits, ending, folder).router())
    app.mount("/static", StaticFiles(directory=str(files("mlee_sb.web") / "static")))
    app.add_middleware(Guard, limits=limits)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    app.add_exception_handler(InputError, _input_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _wrong_field)
    return app


def _refusal(words: str, status: int) -> JSONResponse:
    return JSONResponse({"error": words}, status)


async def _input_error(request: Request, error: InputError) -> JSONResponse:
    return _refusal(str(error), BAD_REQUEST)


async def _http_error(request: Request, error: HTTPException) -> JSONResponse:
    return _refusal(error.detail, error.status_code)


async def _wrong_field(request: Request, error: RequestValidationError) -> JSONResponse:
    words = [f"{found['loc'][-1]}: {found['msg']}" for found in error.errors()]
    return _refusal(f"{'; '.join(words)} (see /openapi.json)", WRONG_FIELD)
