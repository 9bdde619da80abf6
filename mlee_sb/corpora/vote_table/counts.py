"""Votes of the wide form: counts, or the part of the annotators who gave each vote."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from mlee_sb.corpora.manifest.columns import MOST_VOTES
from mlee_sb.corpora.vote_table.columns import N_ANNOTATORS, Rows
from mlee_sb.corpora.vote_table.numbers import PERCENT, numbers, percent
from mlee_sb.errors import InputError

AUTO, COUNTS, PROPORTIONS, PERCENTS = "auto", "counts", "proportions", "percent"
Kind = Literal["auto", "counts", "proportions", "percent"]

ROUNDED = 0.005  # proportions are taken as rounded to two decimals
CUT, FEW = 0.01, 49  # or cut after two decimals (0.66 of 3), which for this many annotators at most is still one number of votes
MOST_ANNOTATORS = 99  # from 100 on, two proportions with two decimals can be one number of votes
WHOLE_SUM = 1.5  # percent by which the sum of a row may differ from 100, because its parts are rounded
NO_COUNT = f"is no number of votes: a whole number from 0 to {MOST_VOTES:,}"


def read_counts(rows: Rows, columns: Sequence[str], kind: str, n_annotators: int, comma: bool) -> tuple[pd.DataFrame, pd.Series, str]:
    """Return the number of votes in each of some columns, the number of annotators of each row, and what the cells are.

    Parameters
    ----------
    rows : of the wide form
    columns : that hold votes
    kind : what the cells are; `AUTO` to see it from their values
    n_annotators : of each row, where the table has no such column; 0 if nobody said it: then it is the sum of the votes
    comma : whether numbers have a decimal comma

    Raises
    ------
    InputError
        for a cell that is no such number, and where it is not certain what the cells are; the message names the line
    """
    annotators = annotators_of(rows, n_annotators, comma)
    signs = {column: rows.cells[column].str.endswith(PERCENT) for column in columns}
    with_signs = any(sign.any() for sign in signs.values())
    values = pd.DataFrame(
        {column: numbers(rows.cells[column], comma, percent if with_signs else None) for column in columns}, index=rows.cells.index
    )
    for column in columns:
        rows.refuse(values[column].isna() | (values[column] > MOST_VOTES), column, NO_COUNT)
        if with_signs:
            rows.refuse(~signs[column] & (values[column] > 0), column, "has no percent sign, and other cells have one")
    if kind == AUTO:
        kind = PERCENTS if with_signs else _kind_of(rows, values, annotators, bool(n_annotators))
    if kind == COUNTS:
        for column in columns:
            rows.refuse(values[column] % 1 != 0, column, NO_COUNT)
        counts = values.astype(int)
    else:
        counts = _votes_of(rows, values / 100 if kind == PERCENTS else values, annotators, kind)
    return counts, annotators.fillna(counts.sum(axis=1)).astype(int), kind


def annotators_of(rows: Rows, given: int, comma: bool) -> pd.Series:
    """Return the number of annotators of each row, by its column, or by the option: NaN where neither says it."""
    if given < 0:
        raise InputError(f"--{N_ANNOTATORS} {given}: must be a number of people")
    if N_ANNOTATORS not in rows.cells:
        return pd.Series(float(given) if given else math.nan, index=rows.cells.index)
    if given:
        raise InputError(f"--{N_ANNOTATORS} {given}: {rows.path} has a column {N_ANNOTATORS}: leave the option out")
    found = numbers(rows.cells[N_ANNOTATORS], comma)
    rows.refuse(~((found % 1 == 0) & (found <= MOST_VOTES)), N_ANNOTATORS, NO_COUNT)
    return found.where(rows.cells[N_ANNOTATORS] != "")


def _kind_of(rows: Rows, values: pd.DataFrame, annotators: pd.Series, given: bool) -> str:
    """Return what the cells are, by their values."""
    voted = values.sum(axis=1) > 0
    fractions = (values % 1 != 0).any(axis=1)
    sums_to_100 = bool(voted.any()) and bool((abs(values.sum(axis=1) - 100)[voted] <= WHOLE_SUM).all())
    few = bool(((annotators > 0) & (annotators < values.max(axis=1)))[voted].all())  # more votes than people in every row: no counts
    if sums_to_100 and (fractions.any() or few):
        return PERCENTS
    if sums_to_100 and annotators.isna().all():
        raise InputError(
            f"{rows.path}: the votes of each utterance add up to 100: say what they are, with --votes {COUNTS}, or with --votes {PERCENTS} "
            f"and the number of annotators (--{N_ANNOTATORS} 3)"
        )
    if fractions.any():
        for column in values:
            rows.refuse(fractions & (values[column] % 1 != 0) & (values[column] > 1), column, f"{NO_COUNT}; a proportion is 1 at most")
            rows.refuse(fractions.any() & (values[column] > 1), column, "is more than 1, and other cells are proportions")
        return PROPORTIONS
    as_fractions = any(rows.cells[column].str.contains(".", regex=False).any() for column in values)
    one_vote = bool(voted.any()) and bool((values.sum(axis=1)[voted] == 1).all())
    if one_vote and (annotators > 1).all() and (as_fractions or given):
        raise InputError(
            f"{rows.path}: the votes of each utterance are a single 1, and its annotators are more: say what they are, with --votes "
            f"{COUNTS} or --votes {PROPORTIONS}"
        )
    return COUNTS


def _votes_of(rows: Rows, parts: pd.DataFrame, annotators: pd.Series, kind: str) -> pd.DataFrame:
    """Return numbers of votes for parts of the annotators."""
    many = annotators > MOST_ANNOTATORS
    if many.any():
        raise InputError(
            f"{rows.path}, line {many.idxmax()}: {annotators[many.idxmax()]:.0f} annotators: proportions of more than {MOST_ANNOTATORS} do "
            "not tell how many votes there are: give numbers of votes"
        )
    counts = {}
    for column in parts:
        what = "percentage" if kind == PERCENTS else "proportion"
        unknown = (parts[column] > 0) & annotators.isna()
        rows.refuse(
            unknown, column, f"is a {what} of an unknown number of annotators: give the column {N_ANNOTATORS}, or --{N_ANNOTATORS} 3"
        )
        rows.refuse(parts[column] > 1, column, f"is more than the whole: it cannot be a {what}")
        exact = parts[column] * annotators
        counts[column] = np.rint(exact).fillna(0)
        lost = annotators.map(lambda n: n * (CUT if n <= FEW else ROUNDED))
        bad = (counts[column] - exact > lost + 1e-9) | (exact - counts[column] > annotators * ROUNDED + 1e-9)
        if bad.any():
            n = annotators[bad.idxmax()]
            rows.refuse(bad, column, f"is no {what} of {n:.0f} annotators: it would be {exact[bad.idxmax()]:.2f} votes")
    return pd.DataFrame(counts).astype(int)
