"""Run the server: find and load the models, listen, answer until somebody ends it."""

import logging
import signal
import socket
from asyncio import CancelledError
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory

from mlee_sb.errors import InputError
from mlee_sb.web.limits import Limits
from mlee_sb.web.recordings import PREFIX

LOCALHOST = "localhost"
LOOPBACK = (LOCALHOST, "127.0.0.1", "[::1]")  # how a browser of this machine may call it
ANYBODY = ("*",)
PATIENCE = 10  # seconds that a request may still take when the server is ended


def serve(
    sources: Sequence[str],
    host: str,
    port: int,
    limits: Limits,
    hub: bool | None = None,
    device: str = "cpu",
    say: Callable[[str], None] = print,
) -> None:
    """Answer on a page and by HTTP, until the process is interrupted (Ctrl-C) or ended (SIGTERM).

    Parameters
    ----------
    sources : the models, as for `mlee_sb.web.models.find_models`; the first one is loaded at once
    host, port : where to listen; port 0 takes a free one
    limits : how much is taken
    hub : whether a visitor may name a model on the hub, which is fetched then; None: only where nobody but this machine can ask
    device : where the models run
    say : is told the address

    Raises
    ------
    InputError
        if the extra `web` is not installed, a model or the device cannot be used, or the address cannot be listened at
    """
    check_installed()
    with (
        listening(host, port) as listener,  # a fault of the address is told before a model is loaded
        TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as folder,  # an answer that is given up may still write
    ):
        server = make_server(sources, host, limits, hub, device, Path(folder))
        say(f"open {address_of(listener, host)} in a browser; Ctrl-C ends the server")
        with suppress(KeyboardInterrupt), _ended_as_by_ctrl_c():
            server.run(sockets=[listener])


@contextmanager
def _ended_as_by_ctrl_c() -> Iterator[None]:
    """Let SIGTERM raise KeyboardInterrupt: uvicorn sends itself the signal again at its end, which would end the process at once."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def make_server(
    sources: Sequence[str], host: str, limits: Limits, hub: bool | None = None, device: str = "cpu", folder: Path | None = None
):
    """Return the server that `serve` runs, a uvicorn.Server. Parameters and errors are those of `serve`.

    Parameters
    ----------
    folder : where recordings lie while they are answered; None: where temporary files lie
    """
    import uvicorn

    from mlee_sb.web.app import make_app
    from mlee_sb.web.models import Shelf, find_models

    own = is_loopback(host)
    shelf = Shelf(find_models(sources), own if hub is None else hub, limits.models, device)
    shelf.get()
    app = make_app(shelf, limits, (*LOOPBACK, name_of(host)) if own else ANYBODY, lambda: server.should_exit, folder)
    settings = {"limit_concurrency": limits.connections, "timeout_graceful_shutdown": PATIENCE, "log_level": "warning"}
    server = uvicorn.Server(uvicorn.Config(app, **settings))
    logging.getLogger("uvicorn.error").addFilter(_is_a_fault)
    return server


def _is_a_fault(record: logging.LogRecord) -> bool:
    """Tell whether a line of the log is to be shown: a request that is cut off because the server ends needs no traceback."""
    return not (record.exc_info and isinstance(record.exc_info[1], CancelledError))


def check_installed() -> None:
    """Raise an InputError if a package of the extra `web` is missing."""
    try:
        import fastapi  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise InputError(f'{error.name} is not installed: pip install "mlee_sb[web]"') from error


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a server at `host`.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0"), is_loopback("example.org")
    (True, True, False, False)
    """
    try:
        return host == LOCALHOST or ip_address(host).is_loopback
    except ValueError:  # the name of a machine
        return False


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a socket that listens.

    Raises
    ------
    InputError
        if `host` is not this machine, or the port is taken or not allowed
    """
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        words = getattr(error, "strerror", None) or error
        raise InputError(f"--host {host} --port {port}: cannot be listened at ({words}): --port 0 takes a free one") from error
    with listener:
        yield listener


def address_of(listener: socket.socket, host: str) -> str:
    """Return the address to open in a browser."""
    return f"http://{name_of(host)}:{listener.getsockname()[1]}/"


def name_of(host: str) -> str:
    """Return a host as it stands in an address.

    >>> name_of("::1"), name_of("127.0.0.1")
    ('[::1]', '127.0.0.1')
    """
    return f"[{host}]" if ":" in host else host
