"""`mlee`, assembled from its groups of commands. A command imports what it needs, so that `mlee --help` is there at once."""

import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import Annotated

import typer

from mlee_sb.cli.judge_results import check_protocol, report
from mlee_sb.cli.serve_models import serve
from mlee_sb.cli.share_models import export, info, push, verify
from mlee_sb.cli.train_models import compare, cross_validate, demo, hparams, prepare, table3, train
from mlee_sb.cli.use_models import classify, timeline
from mlee_sb.start import exit_status
from mlee_sb.version import __version__

GROUPS = {
    "Use a model": (classify, timeline, serve),
    "Share a model": (push, info, verify, export),
    "Train": (train, cross_validate, compare, table3, prepare, hparams, demo),
    "Judge results": (report, check_protocol),
}
WITH_FLAGS_OF_THEIR_OWN = (train, cross_validate, compare, table3, prepare)  # as the recipes have them
PASS_ON = {"context_settings": {"allow_extra_args": True, "ignore_unknown_options": True}, "add_help_option": False}

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
for group, commands in GROUPS.items():
    for command in commands:
        app.command(rich_help_panel=group, **(PASS_ON if command in WITH_FLAGS_OF_THEIR_OWN else {}))(command)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mlee_sb {__version__}")
        raise typer.Exit


@app.callback()
def mlee(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="show the version and end")] = False,
) -> None:
    """Recognise emotions in speech, and train on the votes of several annotators."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` (by default the program's own) ask for, and return the exit status."""
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # the hub's library would show them in a pipe, too
    return exit_status(partial(_run, arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        app(arguments, prog_name="mlee")
    except SystemExit as done:  # typer's way of saying it is done
        return done.code or 0
    return 0
