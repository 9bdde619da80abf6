"""Flags that several commands of `mlee` have."""

from typing import Annotated

import typer

from mlee_sb.errors import InputError

Revision = Annotated[str | None, typer.Option("--revision", help="of a model on the hub: a branch, a tag or a commit")]
Source = Annotated[str, typer.Argument(metavar="SOURCE", help="a folder that training wrote, or user/name on the hub")]
Json = Annotated[bool, typer.Option("--json", help="write JSON")]
Csv = Annotated[bool, typer.Option("--csv", help="write CSV")]


def output_form(as_json: bool, as_csv: bool) -> str:
    """Return the form that --json and --csv ask for: ``"table"``, ``"json"`` or ``"csv"``.

    Raises
    ------
    InputError
        if both were given
    """
    if as_json and as_csv:
        raise InputError("--json and --csv: choose one of them")
    return "json" if as_json else "csv" if as_csv else "table"
