"""Numbers as people write them: with a decimal point or comma, percent signs, and times with colons."""

import re
from collections.abc import Callable, Sequence

import pandas as pd

from mlee_sb.corpora.vote_table.columns import Rows

NUMBER = re.compile(r"\+?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
WITH_COMMA = re.compile(r"[+-]?(?P<whole>[0-9]+),(?P<rest>[0-9]+)\s*%?|(?:[0-9]+:)+[0-9]+,[0-9]+")
THOUSANDS = re.compile(r"[1-9][0-9]{0,2}(?:,[0-9]{3})+")
TIME = re.compile(r"(?:(?P<hours>[0-9]+):(?=[0-9]+:))?(?P<minutes>[0-9]+):(?P<seconds>[0-9]{1,2}(?:\.[0-9]+)?)")
PERCENT = "%"
MINUTE, HOUR = 60, 3600  # seconds


def has_decimal_commas(rows: Rows, columns: Sequence[str]) -> bool:
    """Tell whether commas in the numbers of some columns are decimal commas: ``2,0`` is two.

    Raises
    ------
    InputError
        if it is not certain: all could be thousands, or there are decimal points, too
    """
    cells = {cell for column in columns for cell in rows.cells[column].unique()}
    with_comma = {cell for cell in cells if WITH_COMMA.fullmatch(cell)}
    if not with_comma:
        return False
    with_point = {cell for cell in cells if "." in cell and NUMBER.fullmatch(cell.rstrip(f" {PERCENT}"))}
    why = ""
    if with_point:
        why = f"is written with a comma, and {min(with_point)!r} with a point: write all numbers with a point"
    elif all(THOUSANDS.fullmatch(cell) for cell in with_comma):
        why = "can be a number of thousands, or have a decimal comma: write all numbers with a point, and none between thousands"
    for column in columns if why else ():
        rows.refuse(rows.cells[column].isin(with_comma), column, why)
    return True


def numbers(cells: pd.Series, decimal_comma: bool, parse: Callable[[str], float] | None = None) -> pd.Series:
    """Return the numbers in cells: NaN for what is no number, 0 for an empty cell.

    Parameters
    ----------
    cells : text
    decimal_comma : whether a comma stands for the decimal point
    parse : makes the number of the text; by default `number`
    """
    read = parse or number
    found = {cell: read(cell.replace(",", ".", 1) if decimal_comma else cell) if cell else 0.0 for cell in cells.unique()}
    return cells.map(found).astype(float)


def number(text: str) -> float:
    """Return the number that a text writes, not negative; NaN for any other text.

    >>> number("2.0"), number("1e0"), number("-1"), number("1_0")
    (2.0, 1.0, nan, nan)
    """
    return float(text) if NUMBER.fullmatch(text) else float("nan")


def percent(text: str) -> float:
    """Return the number before a percent sign.

    >>> percent("67 %")
    67.0
    """
    return number(text.removesuffix(PERCENT).rstrip())


def seconds(text: str) -> float:
    """Return a time in seconds; NaN for what is none.

    >>> seconds("83.5"), seconds("1:23.5"), seconds("00:01:23.5"), seconds("1:75")
    (83.5, 83.5, 83.5, nan)
    """
    found = TIME.fullmatch(text)
    if not found:
        return number(text)
    minutes, rest = int(found["minutes"]), float(found["seconds"])
    if rest >= MINUTE or (found["hours"] and minutes >= MINUTE):
        return float("nan")
    return int(found["hours"] or 0) * HOUR + minutes * MINUTE + rest
