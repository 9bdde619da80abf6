"""The door through which files of a run are read: JSON held to a type, and tables as text. What does not fit is an InputError."""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from mlee_sb.errors import InputError
from mlee_sb.files import json_text, read_json

LONGEST_SHOWN = 120  # characters of a wrong value


def read_typed(path: str | Path, kind, remedy: str) -> dict:
    """Read a JSON object, and check that its entries have the types of `kind`.

    Parameters
    ----------
    path : the file
    kind : a pydantic model, a dataclass or a TypedDict
    remedy : what a person can do if the file is missing or damaged

    Raises
    ------
    InputError
        if the file is missing, is not JSON, or an entry is missing or has another type; the message names the entry and its value
    """
    content = read_json(path, remedy)
    check_types(content, kind, path, remedy)
    return content


def check_types(content, kind, where: str | Path, remedy: str) -> None:
    """Check that the entries of an object of JSON have the types of `kind`; `where` names the file. The rest is as for `read_typed`."""
    try:
        _adapter(kind).validate_json(json_text(content), strict=True)  # as JSON: a strict dataclass is made from nothing else
    except ValidationError as error:
        raise InputError(f"{where}: {_first_fault(error)}: {remedy}") from error
    except (ValueError, RecursionError) as error:  # NaN, which is not JSON, or too many lists in one another
        raise InputError(f"{where}: damaged ({error}): {remedy}") from error


def shown(value) -> str:
    """Return a value as errors show it: as JSON, cut off if it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def _first_fault(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"])) or "all of it"
    return f"{place} is missing" if first["type"] == "missing" else f"damaged ({place} is {shown(first['input'])}: {first['msg']})"


def read_text_table(path: str | Path, columns: Iterable[str], remedy: str) -> pd.DataFrame:
    """Read a CSV with every value as text: a speaker may be called 001, and an utterance NA. A line that ends early has "" there.

    Parameters
    ----------
    path : the file
    columns : that it must have
    remedy : what a person can do if the file is missing or damaged

    Raises
    ------
    InputError
        if the file is missing, is no table, lacks a column, or a line has more values than there are columns
    """
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(f"{path}: missing: {remedy}") from error
    except (ValueError, OSError, OverflowError) as error:
        raise InputError(f"{path}: damaged ({str(error).strip()}): {remedy}") from error
    if not isinstance(frame.index, pd.RangeIndex):  # pandas takes what is too much as names of the lines, and moves all values
        raise InputError(f"{path}: damaged (its lines have more values than there are columns): {remedy}")
    if missing := [column for column in columns if column not in frame]:
        raise InputError(f"{path}: no column {', '.join(missing)}: {remedy}")
    return frame.fillna("")


@cache
def _adapter(kind) -> TypeAdapter:
    return TypeAdapter(kind)
