"""A server in a thread, and requests to it as curl makes them."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn

from mlee_sb.web.limits import Limits
from mlee_sb.web.serve import address_of, listening, make_server

LIMITS = Limits(megabytes=4, files=4, minutes=1, at_once=2, connections=50, models=2)
HOST = "127.0.0.1"
BOUNDARY = "boundary-of-the-tests"


@contextmanager
def running(sources: Sequence[Path | str], limits: Limits = LIMITS, hub: bool | None = False) -> Iterator[str]:
    """Serve models in a thread; yield the address."""
    with running_server(make_server([str(source) for source in sources], HOST, limits, hub)) as address:
        yield address


@contextmanager
def running_server(server: uvicorn.Server) -> Iterator[str]:
    """Run a server on the loopback, in a thread; yield the address."""
    with listening(HOST, 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield address_of(listener, HOST)
        server.should_exit = True
        thread.join()


def ask(address: str, path: str, method: str = "GET", body: bytes | None = None, **headers: str):
    """Return (status, headers, body) of a request; a name in `headers` has _ for -."""
    connection = HTTPConnection(urlsplit(address).netloc)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    found = response.status, response.headers, response.read()
    connection.close()
    return found


def form(*files: tuple[str, bytes], **fields) -> tuple[bytes, str]:
    """Return the body of a form with files, (name, content), and fields; and its type."""
    parts = [(f'name="{name}"', str(value).encode()) for name, value in fields.items()]
    parts += [(f'name="file"; filename="{name}"', content) for name, content in files]
    body = b"".join(
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {what}\r\n\r\n".encode() + content + b"\r\n" for what, content in parts
    )
    return body + f"--{BOUNDARY}--\r\n".encode(), f"multipart/form-data; boundary={BOUNDARY}"


def post(address: str, path: str, *files: tuple[str, bytes], headers: dict | None = None, **fields):
    """Return (status, body) of a form with files, (name, content), and fields; a body of JSON is read."""
    body, kind = form(*files, **fields)
    status, answered, content = ask(address, path, "POST", body, Content_Type=kind, **(headers or {}))
    return status, json.loads(content) if "json" in answered["content-type"] else content.decode()
