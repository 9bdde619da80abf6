"""The commands of `mlee` that use a model: classify, timeline."""

from pathlib import Path
from typing import Annotated

import typer

from mlee_sb.cli.flags import Csv, Json, Revision, output_form
from mlee_sb.errors import InputError, choose

SOME_FAILED = 1  # exit status

Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        envvar="MLEE_MODEL",
        metavar="SOURCE",
        help="a folder that training wrote, user/name on the hub, or an ONNX file (default: the model that comes with mlee)",
    ),
]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda:0, ...")]
Trust = Annotated[
    bool, typer.Option("--trust_remote_code", help="run the hyperparams.yaml of a model that mlee_sb cannot build: it is a program")
]
Coverage = Annotated[float, typer.Option("--coverage", help="how often the dominant emotion is among the candidates: 0.9 is 9 times in 10")]
Confidence = Annotated[float, typer.Option("--min_confidence", help="name no dominant emotion below this confidence")]
Uncertain = Annotated[
    float | None,
    typer.Option("--max_uncertainty", metavar="BITS", help="name no dominant emotion above this uncertainty; for a model that tells it"),
]
GateName = Annotated[str, typer.Option("--gate", help='how speech is found: energy, or silero (pip install "mlee_sb\\[vad]")')]

Channel = Annotated[
    str | None,
    typer.Option(
        "--channel", "--channels", metavar="N", help="hear this channel only, from 1; or each: an answer for each (default: a mix)"
    ),
]


def classify(
    files: Annotated[list[str], typer.Argument(metavar="FILES", help="audio files, folders with audio files, or - for standard input")],
    model: Model = None,
    revision: Revision = None,
    device: Device = "cpu",
    coverage: Coverage = 0.9,
    min_confidence: Confidence = 0.0,
    max_uncertainty: Uncertain = None,
    gate: GateName = "energy",
    batch_size: Annotated[int, typer.Option("--batch_size", min=1, help="files that are computed together, at most")] = 16,
    channel: Channel = None,
    column: Annotated[str | None, typer.Option("--column", help="of a table on standard input: the column with the files")] = None,
    as_json: Json = False,
    as_csv: Csv = False,
    trust_remote_code: Trust = False,
) -> None:
    """Tell the dominant emotion of each file, which emotions are present, and how sure that is.

    Reads wav, flac, ogg and mp3 of any sample rate, up to two minutes each. On standard input comes an audio file, or a list of
    files: one a line, with NUL between them, or a table with a column of them. A file that cannot be read is reported, and the rest
    goes on.

    Exit status: 0 all files classified, 1 some could not be, 2 wrong input.
    """
    from mlee_sb.cli.audio_files import sounds
    from mlee_sb.cli.terminal import Rows, progress
    from mlee_sb.inference.classifier import EmotionClassifier

    named = sounds(files, column, channel)
    classifier = EmotionClassifier.from_hparams(model, revision, {"device": device}, trust_remote_code)
    rows = Rows(classifier.emotions, output_form(as_json, as_csv), with_channel=channel is not None)
    failed = 0
    asked = {"coverage": coverage, "min_confidence": min_confidence, "max_uncertainty": max_uncertainty, "gate": gate}
    with progress("classifying", len(named)) as done:
        answers = classifier.predict_many([sound for _, sound in named], batch_size, on_error="return", **asked)
        for number, ((name, sound), said) in enumerate(zip(named, answers, strict=True), start=1):
            rows.add(name, said, sound.channel)
            failed += isinstance(said, InputError)
            done(number)
    rows.finish()
    if failed:
        raise typer.Exit(SOME_FAILED)


def timeline(
    file: Annotated[str, typer.Argument(metavar="FILE", help="an audio file of any length, or - for standard input")],
    model: Model = None,
    revision: Revision = None,
    device: Device = "cpu",
    window: Annotated[float, typer.Option("--window", help="seconds of a window")] = 4.0,
    hop: Annotated[float, typer.Option("--hop", help="seconds from the beginning of a window to that of the next")] = 2.0,
    coverage: Coverage = 0.9,
    min_confidence: Confidence = 0.0,
    max_uncertainty: Uncertain = None,
    gate: GateName = "energy",
    channel: Channel = None,
    labels: Annotated[str, typer.Option("--labels", help="dominant, or presence: what the table and Audacity's labels tell")] = "dominant",
    as_json: Json = False,
    as_csv: Csv = False,
    audacity: Annotated[Path | None, typer.Option("--audacity", help="write a label track for Audacity to this file")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="write a picture to this file (.png, .svg, .pdf)")] = None,
    trust_remote_code: Trust = False,
) -> None:
    """Follow the emotions through a recording of any length, window by window, in little memory."""
    from mlee_sb.cli.audio_files import EACH, check_outputs, sounds
    from mlee_sb.cli.terminal import progress, show_timeline
    from mlee_sb.inference.classifier import EmotionClassifier

    form = output_form(as_json, as_csv)
    choose(labels, ("dominant", "presence"), "labels")
    if channel == EACH and (audacity or plot):
        raise InputError(f"--channel {EACH}: --audacity and --plot are of one channel: give its number")
    found = sounds([file], None, channel)
    if channel != EACH and len(found) != 1:
        raise InputError(f"{file}: {len(found)} files, and a timeline is of one: give one after the other")
    check_outputs(found[0][1].audio, audacity, plot)
    classifier = EmotionClassifier.from_hparams(model, revision, {"device": device}, trust_remote_code)
    asked = {"coverage": coverage, "min_confidence": min_confidence, "max_uncertainty": max_uncertainty, "gate": gate}
    for number, (_, sound) in enumerate(found):
        with progress("listening", sound.rough_seconds() or None, unit=False) as done:
            told = classifier.timeline(sound, window=window, hop=hop, on_progress=done, **asked)
        show_timeline(told, labels, form, first=number == 0)
    if audacity:
        told.to_audacity(audacity, labels)
    if plot:
        told.plot(plot)
