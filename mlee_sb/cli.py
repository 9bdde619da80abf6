"""`mlee`: what people do with results and models. A command imports what it needs, so that `mlee --help` is there at once."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mlee_sb.errors import InputError

LEAKED, WRONG_INPUT = 1, 2  # exit statuses

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def mlee() -> None:
    """Speech emotion recognition from the votes of several annotators."""


@app.command("check-protocol")
def check_protocol(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="the folder of results, or one below it")],
    manifests: Annotated[
        list[Path] | None,
        typer.Option("--manifests", help="manifests that training was given, where they lie elsewhere; may be repeated"),
    ] = None,
    data_folder: Annotated[Path | None, typer.Option("--data_folder", help="the release of the corpus, to compare its recordings")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="write one JSON object, with every value")] = False,
) -> None:
    """Look for leaks: whether anything of a test set was trained on, chosen with or computed with.

    Exit status: 0 no leak found, 1 leaks found, 2 wrong input.
    """
    from mlee_sb.corpora.base import load_corpus
    from mlee_sb.evaluation.protocol import check
    from mlee_sb.evaluation.protocol.findings import LEAK, NOTE, UNCHECKED, in_lines

    checked = check.check_protocol(results, load_corpus, manifests or (), data_folder)
    if as_json:
        typer.echo(json.dumps(checked.as_json(), indent=2, ensure_ascii=False))
    else:
        for severity, colour in ((UNCHECKED, None), (NOTE, typer.colors.YELLOW), (LEAK, typer.colors.RED)):  # the worst is read last
            for line in in_lines(checked.of(severity)):
                typer.echo(f"{typer.style('not checked' if severity == UNCHECKED else severity, fg=colour)}  {line}")
        typer.echo(checked.summary())
    if checked.leaks:
        raise typer.Exit(LEAKED)


@app.command()
def report(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="the folder with the results of one corpus: results/iemocap")],
    output: Annotated[Path | None, typer.Option("--output", help="the folder to write (default: report/ in RESULTS)")] = None,
    data_folder: Annotated[Path | None, typer.Option("--data_folder", help="the release of the corpus, for figure 3")] = None,
    utterance: Annotated[list[str] | None, typer.Option("--utterance", help="ID for figure 3; may be repeated")] = None,
    manifests: Annotated[Path | None, typer.Option("--manifests", help="those trained with, where they lie elsewhere")] = None,
    resamples: Annotated[int, typer.Option("--resamples", min=1, help="of the bootstrap over speakers")] = 2000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="of the bootstrap")] = 0,
    undo_class_weights: Annotated[
        bool, typer.Option("--undo_class_weights", help="decide at the frequencies of the training set, not at the paper's balanced ones")
    ] = False,
) -> None:
    """Write the report: tables with intervals beside the paper's, differences between rows, calibration, plots, figure 3.

    One HTML file that needs nothing else; beside it Markdown, table 3 in LaTeX, and all numbers as JSON.
    """
    from mlee_sb.reporting import make_report

    numbers = {"resamples": resamples, "seed": seed, "undo_class_weights": undo_class_weights}
    path = make_report(results, output, data_folder, manifests, utterance or (), progress=sys.stderr.isatty(), **numbers)
    typer.echo(f"written to {path}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` (by default the program's own) ask for, and return the exit status."""
    try:
        app(arguments, prog_name="mlee")
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_INPUT
    except SystemExit as done:  # typer's way of saying it is done
        return done.code or 0
    return 0
