"""The command of `mlee` that serves models in the browser: serve."""

from pathlib import Path
from typing import Annotated

import typer

from mlee_sb.cli.use_models import Device


def serve(
    model: Annotated[
        list[Path] | None,  # so that the variable may name several, with : between them
        typer.Option(
            "--model",
            envvar="MLEE_MODEL",
            metavar="SOURCE",
            help="a folder that training wrote, a folder with several of them, user/name on the hub, or an ONNX file; may be given again",
        ),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="where to listen: by default, only this machine can ask")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one")] = 7860,
    hub: Annotated[
        bool | None, typer.Option("--hub/--no-hub", help="let visitors name a model on the hub; by default where only this machine can ask")
    ] = None,
    device: Device = "cpu",
    megabytes: Annotated[float, typer.Option("--max_megabytes", min=0.001, help="of a request, all its recordings together")] = 200,
    files: Annotated[int, typer.Option("--max_files", min=1, help="recordings in a request")] = 20,
    minutes: Annotated[float, typer.Option("--max_minutes", min=0.01, help="of a recording")] = 60,
    at_once: Annotated[int, typer.Option("--at_once", min=1, help="answers that are computed at the same time; others wait")] = 2,
    connections: Annotated[int, typer.Option("--max_connections", min=1, help="that are open at the same time; others are refused")] = 100,
    models: Annotated[int, typer.Option("--max_models", min=1, help="that are kept in memory")] = 3,
) -> None:
    r"""Answer in the browser, and by HTTP: speak, or drop recordings (pip install "mlee_sb\[web]").

    Recordings are removed as soon as they are answered, and the page loads nothing from elsewhere.
    """
    from mlee_sb.web.limits import Limits
    from mlee_sb.web.serve import serve as answer

    answer(
        [str(source) for source in model or ()],
        host,
        port,
        Limits(megabytes, files, minutes, at_once, connections, models),
        hub,
        device,
        typer.echo,
    )
