"""What `mlee` writes to a terminal or a pipe: tables, JSON lines, CSV, progress."""

import csv
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from mlee_sb.errors import InputError
from mlee_sb.files import json_text
from mlee_sb.inference.answers import Prediction
from mlee_sb.inference.timeline import Timeline, as_dict, clock, columns_of, table_columns

WIDE = 200  # columns of a table that is not for a terminal


class Rows:
    """Predictions, written one by one as they come: as a table, as JSON lines or as CSV.

    Parameters
    ----------
    emotions : of the model
    form : ``"table"``, ``"json"`` or ``"csv"``
    """

    def __init__(self, emotions: list[str], form: str):
        self.emotions, self.form = emotions, form
        self.rows: list[tuple[str, Prediction]] = []
        self.csv: csv.DictWriter | None = None

    def add(self, name: str, said: Prediction | InputError) -> None:
        """Write one; an error goes to where errors go, and in JSON and CSV into its row, too."""
        if isinstance(said, InputError):
            print(f"error: {said}", file=sys.stderr)
        if self.form == "json":
            content = {"error": str(said)} if isinstance(said, InputError) else as_dict(said)
            print(json_text({"file": name, **content}), flush=True)
        elif self.form == "csv":
            self._csv(
                {"file": name, "error": str(said)} if isinstance(said, InputError) else {"file": name, **columns_of(said, self.emotions)}
            )
        elif isinstance(said, Prediction):
            self.rows.append((name, said))

    def finish(self) -> None:
        """Show the table."""
        if self.form == "table" and self.rows:
            show(prediction_table(self.rows, self.emotions))

    def _csv(self, row: dict) -> None:
        if self.csv is None:
            self.csv = csv.DictWriter(sys.stdout, ["file", *table_columns(self.emotions), "error"], lineterminator="\n")
            self.csv.writeheader()
        self.csv.writerow(row)
        sys.stdout.flush()


def prediction_table(rows: Iterable[tuple[str, Prediction]], emotions: list[str]) -> Table:
    """Return a table: file, dominant emotion, confidence, candidates, and the presence (or else the posterior) of each emotion."""
    rows = list(rows)
    knows = any(said.presence for _, said in rows)
    table = Table(box=None, pad_edge=False)
    table.add_column("file", overflow="fold")
    for name in ("dominant", "sure", "candidates"):
        table.add_column(name, justify="right" if name == "sure" else "left")
    for emotion in emotions:
        table.add_column(f"P({emotion})" if knows else emotion, justify="right")
    for name, said in rows:
        values = (said.presence if knows else said.posterior) or {}
        dominant = said.dominant or f"[dim]{said.abstained}[/dim]"
        shown = [_percent(values.get(emotion)) for emotion in emotions]
        table.add_row(_plain(name), dominant, _percent(said.confidence), " ".join(said.candidates or ()), *shown)
    return table


def timeline_table(timeline: Timeline, of: str) -> Table:
    """Return a table of a timeline, one row for each stretch with one label."""
    table = Table("from", "to", "emotion" if of == "dominant" else "present", box=None, pad_edge=False)
    for start, end, label in timeline.labels(of):
        table.add_row(clock(start), clock(end), label)
    return table


def facts_table(facts: dict[str, object]) -> Table:
    """Return a table of names and values."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in facts.items():
        table.add_row(f"[bold]{name}[/bold]", _plain(str(value)))
    return table


def show(table: Table) -> None:
    """Print a table; what is not for a terminal is as wide as it needs to be."""
    console = Console(width=None if sys.stdout.isatty() else WIDE, file=sys.stdout)
    console.print(table)


@contextmanager
def progress(what: str, total: float | None, unit: bool = True) -> Iterator:
    """Show a progress bar on a terminal, but not in a pipe. Yield a function that takes how much is done."""
    columns = [TextColumn("{task.description}"), BarColumn(), *([MofNCompleteColumn()] if unit else []), TimeRemainingColumn()]
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f} %"


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
