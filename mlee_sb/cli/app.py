"""`mlee`: what people do with models and results. A command imports what it needs, so that `mlee --help` is there at once."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mlee_sb.errors import InputError, choose
from mlee_sb.evaluation.paper import PRIMARY
from mlee_sb.files import json_text

LEAKED, SOME_FAILED, WRONG_INPUT, NOT_CHECKED = 1, 1, 2, 3  # exit statuses

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback(epilog="Training is done by the recipes: python recipes/train.py --help")
def mlee() -> None:
    """Speech emotion recognition from the votes of several annotators.

    Use a model: classify, timeline. Share one: push, info, verify, export. Work with a corpus and its results: prepare, report,
    check-protocol. See it run: demo.
    """


Model = Annotated[
    str,
    typer.Option(
        "--model", envvar="MLEE_MODEL", metavar="SOURCE", help="a folder that training wrote, user/name on the hub, or an ONNX file"
    ),
]
Revision = Annotated[str | None, typer.Option("--revision", help="of a model on the hub: a branch, a tag or a commit")]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda:0, ...")]
Trust = Annotated[
    bool, typer.Option("--trust_remote_code", help="run the hyperparams.yaml of a model that mlee_sb cannot build: it is a program")
]
Coverage = Annotated[float, typer.Option("--coverage", help="of the candidates: how often the dominant emotion is to be among them")]
Confidence = Annotated[float, typer.Option("--min_confidence", help="below it, no dominant emotion is told")]
GateName = Annotated[str, typer.Option("--gate", help='what tells speech: energy, or silero (pip install "mlee_sb\\[vad]")')]
Json = Annotated[bool, typer.Option("--json", help="write JSON")]
Csv = Annotated[bool, typer.Option("--csv", help="write CSV")]
Source = Annotated[str, typer.Argument(metavar="SOURCE", help="a folder that training wrote, or user/name on the hub")]


@app.command()
def classify(
    files: Annotated[list[str], typer.Argument(metavar="FILES", help="audio files, folders with audio files, or - for standard input")],
    model: Model,
    revision: Revision = None,
    device: Device = "cpu",
    coverage: Coverage = 0.9,
    min_confidence: Confidence = 0.0,
    gate: GateName = "energy",
    batch_size: Annotated[int, typer.Option("--batch_size", min=1, help="files that are computed together, at most")] = 16,
    as_json: Json = False,
    as_csv: Csv = False,
    trust_remote_code: Trust = False,
) -> None:
    """Tell the dominant emotion of each file, which emotions are present, and how sure that is.

    Reads wav, flac, ogg and mp3 of any sample rate, up to two minutes each. On standard input comes an audio file, or a list of
    files, one a line. A file that cannot be read is reported, and the rest goes on.

    Exit status: 0 all files classified, 1 some could not be, 2 wrong input.
    """
    from mlee_sb.cli.console import Rows, inputs, progress
    from mlee_sb.inference.classifier import EmotionClassifier

    named = inputs(files)
    classifier = EmotionClassifier.from_hparams(model, revision, {"device": device}, trust_remote_code)
    rows = Rows(classifier.emotions, _form(as_json, as_csv))
    failed = 0
    options = {"batch_size": batch_size, "coverage": coverage, "min_confidence": min_confidence, "gate": gate, "on_error": "return"}
    with progress("classifying", len(named)) as done:
        answers = classifier.predict_many([file for _, file in named], **options)
        for number, ((name, _), said) in enumerate(zip(named, answers, strict=True), start=1):
            rows.add(name, said)
            failed += isinstance(said, InputError)
            done(number)
    rows.finish()
    if failed:
        raise typer.Exit(SOME_FAILED)


@app.command()
def timeline(
    file: Annotated[str, typer.Argument(metavar="FILE", help="an audio file of any length, or - for standard input")],
    model: Model,
    revision: Revision = None,
    device: Device = "cpu",
    window: Annotated[float, typer.Option("--window", help="seconds of a window")] = 4.0,
    hop: Annotated[float, typer.Option("--hop", help="seconds from the beginning of a window to that of the next")] = 2.0,
    coverage: Coverage = 0.9,
    min_confidence: Confidence = 0.0,
    gate: GateName = "energy",
    labels: Annotated[str, typer.Option("--labels", help="dominant, or presence: what the table and Audacity's labels tell")] = "dominant",
    as_json: Json = False,
    as_csv: Csv = False,
    audacity: Annotated[Path | None, typer.Option("--audacity", help="write a label track for Audacity to this file")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="write a picture to this file (.png, .svg, .pdf)")] = None,
    trust_remote_code: Trust = False,
) -> None:
    """Follow the emotions through a recording of any length, window by window, in little memory."""
    from mlee_sb.cli.console import check_outputs, inputs, progress, show, timeline_table
    from mlee_sb.inference.classifier import EmotionClassifier
    from mlee_sb.models.waveforms import seconds_of

    form = _form(as_json, as_csv)
    choose(labels, ("dominant", "presence"), "labels")
    source = _one(file, inputs([file]))
    check_outputs(source, audacity, plot)
    classifier = EmotionClassifier.from_hparams(model, revision, {"device": device}, trust_remote_code)
    seconds = seconds_of(source) if isinstance(source, Path) else None
    with progress("listening", seconds, unit=False) as done:
        found = classifier.timeline(source, window, hop, coverage=coverage, min_confidence=min_confidence, gate=gate, on_progress=done)
    if form == "json":
        typer.echo(json_text(found.as_json()))
    elif form == "csv":
        typer.echo(found.to_frame().to_csv(index=False, lineterminator="\n"), nl=False)
    else:
        show(timeline_table(found, labels))
    if not found.speech:
        typer.echo("no speech was heard", err=True)
    if audacity:
        found.to_audacity(audacity, labels)
    if plot:
        found.plot(plot)


@app.command()
def push(
    folder: Annotated[Path, typer.Argument(metavar="RESULT_FOLDER", help="the folder of a trained stage")],
    name: Annotated[str, typer.Argument(metavar="USER/NAME", help="of the model on the hub; made where it is not there yet")],
    private: Annotated[bool, typer.Option("--private", help="only you can see it")] = False,
    licence: Annotated[str | None, typer.Option("--license", help="of the model, as the hub names it: cc-by-4.0, ...")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="publish a model of the demo release nevertheless")] = False,
) -> None:
    """Publish a trained model on the hub (huggingface.co, or the one that HF_ENDPOINT names), with a card made from its run.

    A model without scores or without a licence is refused. Nothing of this machine is published: no path, no name, no log.
    """
    from mlee_sb.inference.publish import push as publish

    typer.echo(f"published: {publish(folder, name, private, licence, demo)}")


@app.command()
def info(source: Source, revision: Revision = None, as_json: Json = False) -> None:
    """Tell what a model is: emotions, training, scores, calibration, size."""
    from mlee_sb.cli.console import facts_table, show
    from mlee_sb.inference.facts import facts
    from mlee_sb.inference.source import find

    found = facts(find(source, revision))
    if as_json:
        typer.echo(json_text(found, indent=2))
    else:
        show(facts_table(found))


@app.command()
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
            typer.echo(f"{word}  {check.name}: {check.seen}")
    if not all(check.passed for check in checks):
        raise typer.Exit(SOME_FAILED)


@app.command()
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


PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command(context_settings=PASS_ON, add_help_option=False)
def prepare(context: typer.Context) -> None:
    """Write the manifests of a corpus (the same as recipes/prepare.py): mlee prepare --help tells its own flags."""
    from mlee_sb.experiment.prepare_corpus import main as run

    text = "Write the manifests of a corpus. mlee prepare CORPUS --help tells the options of that corpus, too."
    raise typer.Exit(run(context.args, description=text, program="mlee prepare"))


@app.command()
def demo(
    results: Annotated[str, typer.Option("--results", help="the folder for all results")] = "results",
) -> None:
    """Make the DEMO corpus, train the fusion model on it for a few epochs and classify a file: the machine turns.

    Generated speech and simulated annotators: its figures say nothing about the method. Run it in a checkout of mlee_sb.
    """
    from mlee_sb.experiment.demo_run import train_demo

    status, model, file = train_demo(results)
    if status:
        raise typer.Exit(status)
    typer.echo("DEMO: generated speech, a short training")
    classify([str(file)], str(model))


def _one(word: str, named: list):
    if len(named) != 1:
        raise InputError(f"{word}: {len(named)} files, and a timeline is of one: give one after the other")
    return named[0][1]


def _form(as_json: bool, as_csv: bool) -> str:
    if as_json and as_csv:
        raise InputError("--json and --csv: choose one of them")
    return "json" if as_json else "csv" if as_csv else "table"


@app.command("check-protocol")
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
                typer.echo(f"{typer.style('not checked' if severity == UNCHECKED else severity, fg=colour)}  {line}")
        for place in checked.data_folders:
            typer.echo(f"recordings were looked for in {place}")
        typer.echo(checked.summary())
    if checked.leaks:
        raise typer.Exit(LEAKED)
    if checked.of(UNCHECKED):
        raise typer.Exit(NOT_CHECKED)


@app.command()
def report(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="the folder with the results of one corpus: results/iemocap")],
    output: Annotated[Path | None, typer.Option("--output", help="the folder to write (default: report/ in RESULTS)")] = None,
    data_folder: Annotated[Path | None, typer.Option("--data_folder", help="the release of the corpus, for figure 3")] = None,
    utterance: Annotated[list[str] | None, typer.Option("--utterance", help="ID for figure 3; may be repeated")] = None,
    manifests: Annotated[Path | None, typer.Option("--manifests", help="those trained with, where they lie elsewhere")] = None,
    primary: Annotated[
        str, typer.Option("--primary", help="ua or wa: the score of the declared claims, to be chosen beforehand")
    ] = PRIMARY,
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

    One HTML file that needs nothing else; beside it Markdown, table 3 in LaTeX, and all numbers as JSON.
    """
    from mlee_sb.experiment.make_report import make_report

    numbers = {"primary": primary, "resamples": resamples, "seed": seed, "undo_class_weights": undo_class_weights}
    path = make_report(results, output, data_folder, manifests, utterance or (), progress=sys.stderr.isatty(), **numbers)
    typer.echo(f"written to {path}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` (by default the program's own) ask for, and return the exit status."""
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # the hub's library would show them in a pipe, too
    try:
        app(arguments, prog_name="mlee")
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_INPUT
    except SystemExit as done:  # typer's way of saying it is done
        return done.code or 0
    return 0
