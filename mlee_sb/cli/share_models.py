"""The commands of `mlee` that share a model: push, info, verify, export."""

from pathlib import Path
from typing import Annotated

import typer

from mlee_sb.cli.flags import Json, Revision, Source
from mlee_sb.errors import printable
from mlee_sb.files import json_text

SOME_WRONG = 1  # exit status


def push(
    folder: Annotated[Path, typer.Argument(metavar="RESULT_FOLDER", help="the folder of a trained stage")],
    name: Annotated[str, typer.Argument(metavar="USER/NAME", help="of the model on the hub; made where it is not there yet")],
    private: Annotated[bool, typer.Option("--private", help="only you can see it")] = False,
    licence: Annotated[str | None, typer.Option("--license", help="of the model, as the hub names it: cc-by-4.0, ...")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="publish a model of the demo release nevertheless")] = False,
    self_contained: Annotated[
        bool, typer.Option("--self_contained", help="with the weights of its pretrained network, which is only named otherwise")
    ] = False,
) -> None:
    """Publish a trained model on the hub (huggingface.co, or the one that HF_ENDPOINT names), with a card made from its run.

    A model without scores or without a licence is refused. Nothing of this machine is published: no path, no name, no log.
    """
    from mlee_sb.inference.publish import push as publish

    typer.echo(f"published: {publish(folder, name, private, licence, demo, self_contained)}")


def info(source: Source, revision: Revision = None, as_json: Json = False) -> None:
    """Tell what a model is: emotions, training, scores, calibration, size."""
    from mlee_sb.cli.terminal import facts_table, show
    from mlee_sb.inference.model_facts import facts
    from mlee_sb.inference.source import find

    found = facts(find(source, revision))
    if as_json:
        typer.echo(json_text(found, indent=2))
    else:
        show(facts_table(found))


def verify(source: Source, revision: Revision = None, as_json: Json = False) -> None:
    """Check a model: its files, its weights, its answer to the test tone, and that SpeechBrain would run nothing else.

    Exit status: 0 all is right, 1 something is not, 2 wrong input.
    """
    from mlee_sb.inference.source import find
    from mlee_sb.inference.verify import verify as look_through

    checks = look_through(find(source, revision))
    if as_json:
        typer.echo(json_text([vars(check) for check in checks], indent=2))
    else:
        for check in checks:
            word = typer.style("right", fg="green") if check.passed else typer.style("WRONG", fg="red")
            typer.echo(f"{word}  {check.name}: {printable(check.seen)}")
    if not all(check.passed for check in checks):
        raise typer.Exit(SOME_WRONG)


def export(
    source: Source,
    output: Annotated[Path, typer.Argument(metavar="FILE.onnx", help="the file to write")],
    revision: Revision = None,
) -> None:
    r"""Write a model as one ONNX file (pip install "mlee_sb\[export]"), held against the model on audio of random lengths."""
    from mlee_sb.inference.onnx_model import export as write
    from mlee_sb.inference.source import find, load_at

    difference = write(load_at(find(source, revision)), output)
    typer.echo(f"written to {output}: the same probabilities, up to {difference:.1e}")
