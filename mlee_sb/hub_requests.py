"""Ask a hub one thing at a time. Its answer may be wrong, endless or slow: each is bounded, and its words name nothing on the disk."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from threading import Event, Timer
from urllib.parse import urljoin, urlsplit

from huggingface_hub import close_session, constants, get_session, get_token
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from mlee_sb.errors import InputError
from mlee_sb.version import __version__

WAIT = 10.0  # seconds without a byte after which a connection counts as broken
PATIENCE = 30.0  # seconds for an answer of a few bytes
SLOWEST = 20_000  # bytes a second: a larger answer may take as much longer
MOST_REDIRECTS = 5
PLAIN = ("", "identity", "gzip")  # encodings of a body; others could make gigabytes of a few bytes
KINDS = {  # what a hub names in X-Error-Code
    "RepoNotFound": RepositoryNotFoundError,
    "GatedRepo": GatedRepoError,
    "RevisionNotFound": RevisionNotFoundError,
    "EntryNotFound": EntryNotFoundError,
}


def told(url: str) -> dict[str, str]:
    """Return what the hub tells of a file before it sends it: the headers of its answer, by their names in small letters."""
    with patient(url, 0), _answered("HEAD", url, {}) as (headers, _):
        return headers


def read(url: str, most: int) -> bytes:
    """Return the whole answer to a question.

    Raises
    ------
    InputError
        if it has more than `most` bytes, or takes too long
    """
    with patient(url, 0):
        return b"".join(received(url, most))


def received(url: str, most: int, start: int = 0) -> Iterator[bytes]:
    """Yield a file of the hub piece by piece, as it comes. Call it within `patient`.

    Parameters
    ----------
    url : of the file
    most : bytes of the whole file. When more come, nothing more is read
    start : bytes that are not asked for again. A hub may send the whole file all the same: then b"" is yielded first

    Raises
    ------
    InputError
        if more bytes come
    """
    wanted = {"Range": f"bytes={start}-"} if start else {}
    with _answered("GET", url, wanted) as (_, response):
        if start and response.status_code != 206:  # 206: a part
            start = 0
            yield b""
        for piece in response.iter_bytes():
            start += len(piece)
            if start > most:
                raise InputError(f"{url}: more than {most:,} bytes came, and the hub said that it would be no more: nothing of it is kept")
            yield piece


@contextmanager
def patient(url: str, size: int) -> Iterator[None]:
    """End what is asked within the block if it takes much longer than an answer of `size` bytes over a slow line.

    Raises
    ------
    InputError
        if it took too long: also if bytes came all the time, but hardly any
    """
    seconds, ended = PATIENCE + size / SLOWEST, Event()

    def end() -> None:
        ended.set()
        close_session()  # the only way to end a read of another thread; who asks next has a new one

    timer = Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as error:  # of any kind: a connection was closed while it was read
        if ended.is_set() and not isinstance(error, InputError):
            raise InputError(f"{url}: no whole answer after {seconds:.0f} s: try again later, or over a faster line") from error
        raise
    finally:
        timer.cancel()


@contextmanager
def _answered(method: str, url: str, wanted: Mapping[str, str]) -> Iterator[tuple[dict[str, str], object]]:
    """Ask, and follow redirects. Yield the headers of the hub's own answers, and the last response, of which no body is read yet.

    A hub sends large files from other hosts. These do not get the token, and what they say of a file does not count. A HEAD is not
    followed to them.
    """
    headers, mine, asked = {**_headers(), **wanted}, {}, url
    with ExitStack() as open_answers:
        for _ in range(MOST_REDIRECTS):
            stream = get_session().stream(method, url, headers=headers, timeout=WAIT, follow_redirects=False)
            response = open_answers.enter_context(stream)
            mine |= {name.lower(): value for name, value in response.headers.items()} if _of_the_hub(url) else {}
            place = response.headers.get("Location") if 300 <= response.status_code < 400 else None
            if place is None:
                break
            open_answers.close()
            url = _next(asked, url, place)
            if not _of_the_hub(url):
                headers.pop("authorization", None)
                if method == "HEAD":
                    break
        else:
            raise InputError(f"{asked}: more than {MOST_REDIRECTS} redirects: is {constants.ENDPOINT} a hub?")
        _check(asked, response)
        yield mine, response


def _headers() -> dict[str, str]:
    """Return the headers of a question. (Those of huggingface_hub are made with a question of their own, whose answer nobody bounds.)"""
    token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    secret = {"authorization": f"Bearer {token}"} if token else {}
    return {"user-agent": f"mlee_sb/{__version__}", "Accept-Encoding": "identity", **secret}


def _of_the_hub(url: str) -> bool:
    return urlsplit(url)[:2] == urlsplit(constants.ENDPOINT)[:2]


def _next(asked: str, url: str, place: str) -> str:
    """Return where a redirect leads. It never leads from an encrypted connection to another one, nor to what is not the web."""
    try:
        found = urljoin(url, place)
        allowed = ("https",) if urlsplit(url).scheme == "https" else ("http", "https")
        if urlsplit(found).scheme in allowed and urlsplit(found).hostname:
            return found
    except ValueError:  # no address at all
        pass
    raise InputError(f"{asked}: redirected to {place!r:.200}, which is not fetched: is {constants.ENDPOINT} a hub?")


def _check(asked: str, response) -> None:
    """Raise the error of huggingface_hub that an answer stands for. The text of the answer is not read."""
    status, headers = response.status_code, response.headers
    if status >= 400:
        kind = KINDS.get(headers.get("X-Error-Code"), RepositoryNotFoundError if status == 401 else HfHubHTTPError)
        raise kind(f"HTTP {status} {headers.get('X-Error-Message', '')!a:.200}", response=response)
    if headers.get("Content-Encoding", "").lower() not in PLAIN:
        raise InputError(f"{asked}: sent as {headers['Content-Encoding']!r:.50}, which was not asked for: is {constants.ENDPOINT} a hub?")
