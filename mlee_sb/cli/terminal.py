"""What `mlee` writes to a terminal or a pipe: tables, JSON lines, CSV, progress."""

import csv
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from mlee_sb.errors import InputError, error_line, in_a_cell, printable
from mlee_sb.files import json_text
from mlee_sb.inference.answers import DEMO, Prediction
from mlee_sb.inference.timeline import PARTS, Timeline, as_dict, clock, columns_of, table_columns
from mlee_sb.stage_folder import EXISTENCE_PROBABILITY, POSTERIOR, prediction_columns

WIDE = 400  # columns of a table that is not for a terminal
LEAST_FOR_A_NAME = 12  # columns for the name of a file, which is folded
PROBABILITIES = {"posterior": POSTERIOR, "presence": EXISTENCE_PROBABILITY}  # of a prediction, and what their columns begin with


class Rows:
    """Predictions, written one by one as they come: as a table, as JSON lines or as CSV.

    Parameters
    ----------
    emotions : of the model
    form : ``"table"``, ``"json"`` or ``"csv"``
    with_channel : whether rows are of one channel of a recording each, and tell which
    """

    def __init__(self, emotions: list[str], form: str, with_channel: bool = False):
        self.emotions, self.form, self.with_channel = emotions, form, with_channel
        self.rows: list[tuple[str, Prediction]] = []
        self.csv: csv.DictWriter | None = None

    def add(self, name: str, said: Prediction | InputError, channel: int | None = None) -> None:
        """Write one; an error goes to where errors go, and in JSON and CSV into its row, too."""
        if isinstance(said, InputError):
            print(error_line(said), file=sys.stderr)
        of_channel = {"channel": channel} if self.with_channel else {}
        if self.form == "json":
            content = {"error": str(said)} if isinstance(said, InputError) else as_dict(said)
            print(json_text({"file": name, **of_channel, **content}), flush=True)  # the name as it is: programs open the file by it
        elif self.form == "csv":
            row = {"error": printable(said)} if isinstance(said, InputError) else columns_of(said, self.emotions)
            self._csv({"file": printable(name), **of_channel, **row})
        elif isinstance(said, Prediction):
            self.rows.append((name if channel is None else f"{name}[{channel}]", said))

    def finish(self) -> None:
        """Show the table."""
        if self.form == "table" and self.rows:
            show_predictions(self.rows, self.emotions)

    def _csv(self, row: dict) -> None:
        if self.csv is None:
            self.csv = csv.DictWriter(sys.stdout, self._columns(), lineterminator="\n")
            self.csv.writeheader()
        self.csv.writerow({name: in_a_cell(value) for name, value in row.items()})
        sys.stdout.flush()

    def _columns(self) -> list[str]:
        return ["file", *(["channel"] if self.with_channel else []), *table_columns(self.emotions), "error"]


def show_predictions(rows: Sequence[tuple[str, Prediction]], emotions: list[str]) -> None:
    """Print the table of predictions; where it is too wide for the terminal, without posteriors where there is presence."""
    kinds = [kind for kind in PROBABILITIES if any(getattr(said, kind) for _, said in rows)]
    table, console = _prediction_table(rows, emotions, kinds), _console()
    needed = Measurement.get(console, console.options.update(max_width=WIDE), table).minimum
    left_out = kinds[:-1] if needed > console.width else []
    if left_out:
        table = _prediction_table(rows, emotions, kinds[-1:])
    show(table)
    for kind in left_out:
        print(f"({kind} ({PROBABILITIES[kind]}...) is in a wider terminal, and in --csv and --json)")
    if any(said.demo for _, said in rows):
        print(DEMO)


def _prediction_table(rows: Sequence[tuple[str, Prediction]], emotions: list[str], kinds: Sequence[str]) -> Table:
    """Return a table: file, dominant emotion, confidence, candidates, and for each of `kinds` the probability of each emotion.

    The columns of probabilities are called as in CSV, and the first one of each kind has the name of the kind above it. Where a model
    tells its uncertainty, a column for each part of it comes after them.
    """
    table = Table(box=None, pad_edge=False)
    table.add_column("\nfile", overflow="fold", min_width=LEAST_FOR_A_NAME)
    for name in ("dominant", "sure", "candidates"):
        table.add_column(f"\n{name}", justify="right" if name == "sure" else "left", no_wrap=True)
    for kind in kinds:
        for number, column in enumerate(prediction_columns(emotions, PROBABILITIES[kind])):
            table.add_column(Text(f"{'' if number else kind}\n{printable(column)}"), justify="right", no_wrap=True)
    parts = PARTS if any(said.uncertainty for _, said in rows) else ()
    for number, part in enumerate(parts):
        table.add_column(f"{'' if number else 'unsure, in bits'}\n{part}", justify="right", no_wrap=True)
    for name, said in rows:
        dominant = _cell(said.dominant) if said.dominant else Text(said.abstained, style="dim")
        probabilities = [(getattr(said, kind) or {}).get(emotion) for kind in kinds for emotion in emotions]
        sure, *shown = (_percent(value) for value in (said.confidence, *probabilities))
        bits = [f"{getattr(said.uncertainty, part):.2f}" if said.uncertainty else "" for part in parts]
        table.add_row(_cell(name), dominant, sure, _cell(" ".join(said.candidates or ())), *shown, *bits)
    return table


def show_timeline(timeline: Timeline, of: str, form: str, first: bool = True) -> None:
    """Print a timeline, and on stderr whether nobody speaks in it.

    Parameters
    ----------
    timeline : of a recording, or of one of its channels
    of : the labels of the table (`mlee_sb.inference.timeline.LABELS_OF`)
    form : ``"table"``: a row for each stretch with one label; ``"json"``: an object a line; or ``"csv"``
    first : whether no other channel was printed before
    """
    if form == "json":
        print(json_text(timeline.as_json()))
    elif form == "csv":
        print(timeline.as_csv(header=first), end="")
    else:
        show(_timeline_table(timeline, of))
        if timeline.demo:
            print(DEMO)
    if not timeline.speech:
        print("no speech was heard" + ("" if timeline.channel is None else f" on channel {timeline.channel}"), file=sys.stderr)


def _timeline_table(timeline: Timeline, of: str) -> Table:
    """Return a table with one row for each stretch with one label."""
    table = Table("from", "to", of if timeline.channel is None else f"{of} on channel {timeline.channel}", box=None, pad_edge=False)
    for start, end, label in timeline.labels(of):
        table.add_row(clock(start), clock(end), _cell(label))
    return table


def facts_table(facts: dict[str, object]) -> Table:
    """Return a table of names and values."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in facts.items():
        table.add_row(Text(name, style="bold"), _cell(value))
    return table


def show(table: Table) -> None:
    """Print a table; what is not for a terminal is as wide as it needs to be."""
    _console().print(table)


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else WIDE, file=sys.stdout)


def _cell(text: object) -> Text:
    """Return a text of somebody else, such as the name of a file, for a table. Nothing in it is a command or a style."""
    return Text(printable(text))


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
