"""`mlee classify one.wav` from nothing, and the imports that anybody needs."""

import subprocess
import sys
import tempfile
from pathlib import Path

import corpus
from classification import write_bundle
from measure import Result, by_turns, seconds


def measure(repeats: int) -> Result:
    """Whole processes."""
    with tempfile.TemporaryDirectory() as temporary:
        bundle, (file,) = write_bundle(Path(temporary) / "model"), corpus.write_folder(Path(temporary) / "wavs", [3.0])
        mlee = [sys.executable, "-c", "from mlee_sb.cli.app import main; main()", "classify", str(file), "--model", str(bundle)]
        commands = {"import torch, speechbrain": [sys.executable, "-c", "import torch, speechbrain"], "mlee classify one.wav": mlee}
        work = {
            name: lambda c=command: seconds(lambda: subprocess.run(c, check=True, capture_output=True))
            for name, command in commands.items()
        }
        for once in work.values():
            once()  # files come into the system's cache
        return by_turns("cold start", "s", work, repeats)
