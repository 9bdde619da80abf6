"""The commands of `mlee` that judge results: report, check-protocol."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from mlee_sb.errors import printable_lines
from mlee_sb.files import json_text

LEAKED, NOT_CHECKED = 1, 3  # exit statuses


def report(
    context: typer.Context,
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="the folder with the results of one corpus: results/iemocap")],
    output: Annotated[Path | None, typer.Option("--output", help="the folder to write (default: report/ in RESULTS)")] = None,
    data_folder: Annotated[Path | None, typer.Option("--data_folder", help="the release of the corpus, for figure 3")] = None,
    utterance: Annotated[list[str] | None, typer.Option("--utterance", help="ID for figure 3; may be repeated")] = None,
    manifests: Annotated[Path | None, typer.Option("--manifests", help="those trained with, where they lie elsewhere")] = None,
    primary: Annotated[
        str | None,
        typer.Option("--primary", help="the score of the declared claims, to be chosen beforehand (default: as declared, or UA)"),
    ] = None,
    comparison: Annotated[
        str | None, typer.Option("--comparison", help="whose claims are meant (default: that which was begun last in RESULTS)")
    ] = None,
    resamples: Annotated[int, typer.Option("--resamples", min=1, help="of the bootstrap over speakers")] = 2000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="of the bootstrap")] = 0,
    undo_class_weights: Annotated[
        bool,
        typer.Option(
            "--undo_class_weights", help="decide at the training set's frequencies, not at the paper's balanced ones; exploratory"
        ),
    ] = False,
) -> None:
    """Write the report: tables with intervals beside the paper's, differences between rows, calibration, plots, figure 3.

    One HTML file that needs nothing else; beside it Markdown, a table in LaTeX, and all numbers as JSON.
    """
    from mlee_sb.experiment.make_report import make_report

    numbers = {"resamples": resamples, "seed": seed, "undo_class_weights": undo_class_weights}
    numbers |= {"primary": primary, "comparison": comparison}
    shown = {"progress": sys.stderr.isatty(), "command": _as_typed(context)}
    path = make_report(results, output, data_folder, manifests, utterance or (), **shown, **numbers)
    typer.echo(f"written to {path}")


def _as_typed(context: typer.Context) -> str:
    """Return the command that was typed, without what has its default."""
    words = context.command_path.split()
    for parameter in context.command.params:
        value, typed = context.params.get(parameter.name), context.get_parameter_source(parameter.name)
        if typed is None or typed.name != "COMMANDLINE":
            continue
        flag = parameter.opts[0] if parameter.opts[0].startswith("-") else None
        for one in value if isinstance(value, list | tuple) else [value]:
            words += [flag] if one is True else [flag, str(one)] if flag else [str(one)]
    return shlex.join(words)


def check_protocol(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="the folder of results, or one below it")],
    manifests: Annotated[
        list[Path] | None,
        typer.Option("--manifests", help="manifests that training was given, where they lie elsewhere; may be repeated"),
    ] = None,
    data_folder: Annotated[
        Path | None,
        typer.Option("--data_folder", help="the release of the corpus, to compare its recordings (default: where training found it)"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="write one JSON object, with every value")] = False,
) -> None:
    """Look for leaks: whether anything of a test set was trained on, chosen with or computed with.

    Exit status: 0 all was checked and no leak found, 1 leaks found, 2 wrong input, 3 no leak found in what could be checked, and
    something could not be: it is named.
    """
    from mlee_sb.corpora.base import load_corpus
    from mlee_sb.evaluation.protocol import check
    from mlee_sb.evaluation.protocol.findings import LEAK, NOTE, UNCHECKED, in_lines

    checked = check.check_protocol(results, load_corpus, manifests or (), data_folder)
    if as_json:
        typer.echo(json_text(checked.as_json(), indent=2))
    else:
        for severity, colour in ((UNCHECKED, None), (NOTE, typer.colors.YELLOW), (LEAK, typer.colors.RED)):  # the worst is read last
            for line in in_lines(checked.of(severity)):
                typer.echo(f"{typer.style('not checked' if severity == UNCHECKED else severity, fg=colour)}  {printable_lines(line)}")
        for place in checked.data_folders:
            typer.echo(f"recordings were looked for in {place}")
        typer.echo(checked.summary())
    if checked.leaks:
        raise typer.Exit(LEAKED)
    if checked.of(UNCHECKED):
        raise typer.Exit(NOT_CHECKED)
