"""Prepare a vote_table, and read the headers of its wav files alone. Prints the seconds, or the peak memory in MB.

python benchmarks/preparation.py seconds|seconds_again|megabytes|megabytes_alone FOLDER
"""

import contextlib
import io
import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from measure import Result, by_turns, in_own_process, peak_memory, seconds, status_of

from mlee_sb.corpora.prepare import prepare

SPEAKERS, EMOTIONS, SAMPLES = 20, ["neu", "hap"], 1600


def write_release(folder: Path, n: int) -> Path:
    """n utterances of noise at 16 kHz; votes that leave no emotion without an example."""
    (folder / "wavs").mkdir(parents=True)
    rng = np.random.default_rng(0)
    lines = ["wav,speaker,votes_neu,votes_hap,votes_other"]
    for i in range(n):
        path = folder / f"wavs/{i:06d}.wav"
        soundfile.write(path, (3000 * rng.standard_normal(SAMPLES)).astype(np.int16), 16000)
        neu = int(rng.integers(0, 4))
        lines.append(f"wavs/{i:06d}.wav,s{i % SPEAKERS:02d},{neu},{3 - neu},0")
    (folder / "votes.csv").write_text("\n".join(lines) + "\n")
    return folder


def read_headers(folder: Path) -> None:
    """What any preparation must do."""
    for path in sorted((folder / "wavs").iterdir()):
        soundfile.info(path)


def run(folder: Path, again: bool = False) -> None:
    """Prepare into a new folder, in silence; `again`: with what the last time of this kind kept, else without."""
    output = Path(tempfile.mkdtemp()) / "manifests"
    os.environ["MLEE_CACHE"] = str(folder.with_name("cache") if again else output.with_name("cache"))
    with contextlib.redirect_stdout(io.StringIO()), open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        prepare("vote_table", folder, output, EMOTIONS)
    shutil.rmtree(output.parent)


def measure(n: int, repeats: int) -> Result:
    """Seconds of both, the preparation in a process of its own."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = write_release(Path(temporary) / "release", n)
        read_headers(folder)
        candidates = {
            "the wav headers alone": lambda: seconds(lambda: read_headers(folder)),
            "prepare": lambda: in_own_process("preparation.py", "seconds", folder),
            "prepare again": lambda: in_own_process("preparation.py", "seconds_again", folder),
        }
        in_own_process("preparation.py", "seconds_again", folder)  # the time before
        result = by_turns(f"prepare a vote_table of {n:,} utterances", "s", candidates, repeats)
        with_workers, alone = (in_own_process("preparation.py", what, folder) for what in ("megabytes", "megabytes_alone"))
        result.notes.append(f"peak memory of the preparation: {with_workers:.0f} MB with its workers, {alone:.0f} MB without them")
        return result


if __name__ == "__main__":
    took = seconds(lambda: run(Path(sys.argv[2]), again=sys.argv[1] == "seconds_again"))
    shown = {"megabytes": peak_memory, "megabytes_alone": lambda: status_of("VmHWM")}.get(sys.argv[1], lambda: took)
    print(shown())
