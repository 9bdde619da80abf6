"""What every request meets first: who may ask, how large a request may be, and what a browser may do with the answer."""

from fastapi import HTTPException
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlee_sb.web.limits import Limits
from mlee_sb.web.statuses import FORBIDDEN, TOO_LARGE

OWN = ("same-origin", "none")  # what a browser says of a request that another page did not make
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; media-src blob:; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
ADDED = {
    "content-security-policy": POLICY,  # the page asks nobody but this server, whatever is shown on it
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


class Guard:
    """ASGI middleware that refuses what is too large, and what another site sends through a visitor's browser.

    Parameters
    ----------
    app : what it stands before
    limits : how large a request may be
    """

    def __init__(self, app: ASGIApp, limits: Limits):
        self.app, self.limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        send = _with_headers(send)
        headers = Headers(scope=scope)
        length = headers.get("content-length", "0")
        if scope["method"] == "POST" and _is_of_another_site(headers):
            refusal = (FORBIDDEN, "this request comes from another site: open the page of this server")
        elif not length.isdigit() or int(length) > self.limits.bytes:
            refusal = (TOO_LARGE, self._too_large)
        else:
            await self.app(scope, self._counted(receive), send)
            return
        status, words = refusal
        await JSONResponse({"error": words}, status)(scope, receive, send)

    @property
    def _too_large(self) -> str:
        return f"larger than {self.limits.megabytes:g} MB, the most that this server takes: send less, or shorter recordings"

    def _counted(self, receive: Receive) -> Receive:
        """Return `receive` for a body that may not say its size before, or lie."""
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.limits.bytes:
                raise HTTPException(TOO_LARGE, self._too_large)
            return message

        return counted


def _is_of_another_site(headers: Headers) -> bool:
    """Tell whether a page of another site made a request, by what its browser says. A program such as curl says nothing of it.

    Browsers send Sec-Fetch-Site only to addresses that they trust (https, or their own machine). Without it, the Origin must be the Host;
    with it that need not be, because a server before this one may change the Host.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site not in OWN
    return origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower()


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in ADDED.items():
                headers.setdefault(name, value)
        await send(message)

    return sent
