"""`mlee classify one.wav` from nothing, and the imports that anybody needs."""

import subprocess
import sys
import tempfile
from pathlib import Path

import box
import corpus
from classification import write_bundle
from measure import Result, by_turns, seconds


def measure(repeats: int) -> Result:
    """Whole processes."""
    with tempfile.TemporaryDirectory() as temporary:
        (speech,) = box.write_like_speech(Path(temporary) / "speech", 1)
        bundle, (file,) = write_bundle(Path(temporary) / "model"), corpus.write_folder(Path(temporary) / "wavs", [3.0])
        mlee = [sys.executable, "-c", "from mlee_sb.cli.app import main; main()"]
        commands = {
            "import torch, speechbrain": [sys.executable, "-c", "import torch, speechbrain"],
            "mlee classify one.wav, the paper's encoder": [*mlee, "classify", str(file), "--model", str(bundle)],
            "mlee classify one.wav, the model in the box": [*mlee, "classify", str(speech)],
            "mlee --help": [*mlee, "--help"],
        }
        work = {
            name: lambda c=command: seconds(lambda: subprocess.run(c, check=True, capture_output=True))
            for name, command in commands.items()
        }
        for once in work.values():
            once()  # files come into the system's cache
        return by_turns("cold start", "s", work, repeats)
