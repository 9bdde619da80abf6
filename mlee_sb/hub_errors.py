"""Names of models on a hub, and errors of the hub or the network as errors with a remedy."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from huggingface_hub import constants, get_session
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import validate_repo_id

from mlee_sb.errors import InputError, reason_of

LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"
SILENCE = 60.0  # seconds
SERVER_FAULT = 500  # HTTP statuses from here on are faults of the hub, not of the request
HTTP_ERROR = next(base for base in HfHubHTTPError.__mro__ if base.__name__ == "HTTPError")  # of the HTTP library that huggingface_hub uses
NO_ADDRESS = import_module(HTTP_ERROR.__module__.split(".")[0]).InvalidURL  # the library's error for what is no address
NO_ANSWER = (ValueError, TypeError, KeyError, AttributeError, IndexError, AssertionError)  # of huggingface_hub, where an answer is odd


def is_repository(name: str) -> bool:
    """Return whether `name` can be the name of a model on the hub.

    >>> is_repository("user/name"), is_repository("name"), is_repository("../name")
    (True, False, False)
    """
    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return name.count("/") == 1


def cannot_be_asked(error: Exception) -> bool:
    """Return whether an error says that the hub cannot be reached or is broken, so that its cache must do."""
    status = _status(error)
    return status >= SERVER_FAULT or (not status and _is_of_the_network(error))


def broke_off(error: Exception) -> bool:
    """Return whether an error says that a connection broke, so that it is worth another try at once."""
    return isinstance(error, HTTP_ERROR) and not _status(error)


def not_in_the_cache(name: str, revision: str | None = None) -> InputError:
    """Return the error for a model that is not in the cache of the hub, and cannot be fetched now."""
    at = f" at revision {revision!r}" if revision else ""
    return InputError(f"{name}: not in the cache{at}, and {constants.ENDPOINT} cannot be reached: try again with a network")


@contextmanager
def odd_answers_explained(name: str) -> Iterator[None]:
    """Turn what huggingface_hub raises for an answer that no hub gives (no JSON, or without what belongs in it) into an InputError.

    It also waits forever by default: within the block, a connection without a byte for `SILENCE` seconds is broken. And it tells the hub
    what this machine is, after it asked the hub for a list of what to look for: within the block it does not.
    """
    session = get_session()
    before = session.timeout, constants.HF_HUB_DISABLE_TELEMETRY
    session.timeout, constants.HF_HUB_DISABLE_TELEMETRY = SILENCE, True
    try:
        yield
    except InputError:
        raise
    except NO_ANSWER as error:
        kind = type(error).__name__
        raise InputError(f"{name}: {constants.ENDPOINT} answers as no hub does ({kind}: {reason_of(error)!a}): is it a hub?") from error
    finally:
        session.timeout, constants.HF_HUB_DISABLE_TELEMETRY = before


@contextmanager
def hub_errors_explained(name: str, revision: str | None = None) -> Iterator[None]:
    """Turn errors of the hub or of the network about the model `name` into an InputError with a remedy."""
    where, at = constants.ENDPOINT, f" at revision {revision!r}" if revision else ""
    explained = {  # the first class that fits is taken: some are subclasses of others
        RevisionNotFoundError: f"no revision {revision!r} of it at {where}",
        GatedRepoError: f"its owner must let you in: ask on its page at {where}, then {LOG_IN}",
        RepositoryNotFoundError: f"no such model at {where}, or one that you may not see or change: {LOG_IN}",
        EntryNotFoundError: f"incomplete at {where}{at}",
    }
    try:
        yield
    except InputError:
        raise
    except NO_ADDRESS as error:
        raise InputError(f"{name}: {where} redirects to what is no address ({reason_of(error)!a}): is it a hub?") from error
    except Exception as error:
        if isinstance(error, OSError) and error.filename and not _status(error):  # of the cache
            remedy = "free some space there, or name another folder for the cache with HF_HUB_CACHE"
            raise InputError(f"{name}: {error.filename}: {error.strerror}: {remedy}") from error
        if not (status := _status(error)) and not _is_of_the_network(error):
            raise
        words = next((words for kind, words in explained.items() if isinstance(error, kind)), None)
        if words is None:
            answered = f"{where} answers {status}" if status else f"the connection to {where} broke"
            remedy = LOG_IN if status in (401, 403) else "nothing was left half done, try again"
            words = f"{answered} ({reason_of(error)!a}): {remedy}"
        raise InputError(f"{name}: {words}") from error


def _status(error: BaseException) -> int:
    """Return the HTTP status of an error of the hub; 0 if it has none."""
    response = getattr(error, "response", None)
    return getattr(response, "status_code", 0) if isinstance(error, HfHubHTTPError) else 0


def _is_of_the_network(error: BaseException | None) -> bool:
    """Return whether an error is of the connection, or was raised from one: an upload wraps such errors in its own."""
    return error is not None and (isinstance(error, OSError | HTTP_ERROR) or _is_of_the_network(error.__cause__))
