"""The commands of `mlee` that train: train, cross-validate, compare, table3, prepare, hparams, demo.

The first five do what the recipe of the same name does, through the same code.
"""

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

DEMO_RESULTS = "results_demo"  # a folder of its own: a short training is in nobody's way


def train(context: typer.Context) -> None:
    """Train one row of table 3 on one fold: mlee train mlee_fusion --fold 3."""
    from mlee_sb.experiment.train import main

    _as_recipe(main, context)


def cross_validate(context: typer.Context) -> None:
    """Train one row on every fold: mlee cross-validate mlee_fusion."""
    from mlee_sb.experiment.cross_validate import main

    _as_recipe(main, context)


def compare(context: typer.Context) -> None:
    """Compare rows on the same folds, in one report: mlee compare disagreement --dry-run shows what is trained."""
    from mlee_sb.experiment.compare import main

    _as_recipe(main, context)


def table3(context: typer.Context) -> None:
    """Train all of table 3, on every fold: mlee table3 --dry-run shows what that is."""
    from mlee_sb.experiment.table3 import main

    _as_recipe(main, context)


def prepare(context: typer.Context) -> None:
    """Write the manifests of a corpus: mlee prepare CORPUS --help tells the options of that corpus."""
    from mlee_sb.experiment.prepare_corpus import main

    _as_recipe(main, context)


def hparams(folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="the folder to write; it must not exist yet")]) -> None:
    """Write a copy of the hparams files, to change them: mlee hparams my_hparams.

    Files in ./hparams are found by the name of their row; others are given by path.
    """
    from mlee_sb.experiment.hparams_files import copy_hparams

    copy_hparams(folder)
    typer.echo(f"written to {folder}; to train one: mlee train {folder / 'mlee_fusion.yaml'} --fold 3")


def demo(results: Annotated[str, typer.Option("--results", help="the folder for all results")] = DEMO_RESULTS) -> None:
    """Make the DEMO corpus, train the fusion model on it for a few epochs and classify a file.

    It shows that everything works. Speech is generated and annotators are simulated: the figures say nothing about the method.
    """
    from mlee_sb.cli.use_models import classify
    from mlee_sb.experiment.arguments import GOES_ON
    from mlee_sb.experiment.demo_run import train_demo
    from mlee_sb.start import exit_status

    def train_and_classify() -> int:
        model, file = train_demo(results)
        typer.echo("DEMO: generated speech, a short training")
        classify([str(file)], str(model))
        return 0

    raise typer.Exit(exit_status(train_and_classify, GOES_ON))


def _as_recipe(main: Callable, context: typer.Context) -> None:
    """Do what a recipe does, with its help text."""
    raise typer.Exit(main(context.args, description=_help_text(context.info_name), program=context.command_path))


def _help_text(command: str) -> str:
    """Return the help text of the recipe of a command, with the names that a person types here.

    >>> print(_help_text("train").splitlines()[2])
    mlee train mlee_fusion --fold 3 --corpus iemocap --data_folder /data/IEMOCAP_full_release
    """
    from mlee_sb.experiment.hparams_files import shipped

    recipe = shipped("recipes") / f"{command.replace('-', '_')}.py"
    text = ast.get_docstring(ast.parse(recipe.read_text(encoding="utf-8")))
    return re.sub(r"python recipes/\w+\.py( hparams/(\w+)\.yaml)?", lambda found: f"mlee {command} {found[2] or ''}".rstrip(), text)
