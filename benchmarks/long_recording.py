"""A long recording through the timeline, and decoding it alone. Prints seconds, or the memory over the loaded model in MB.

python benchmarks/long_recording.py seconds|megabytes MODEL FILE
"""

import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import soundfile
from classification import write_bundle
from measure import Result, by_turns, in_own_process, seconds, status_of

from mlee_sb import EmotionClassifier

RATE, PART = 48000, 60  # Hz; seconds that are written at once


def write_recording(path: Path, minutes: float) -> Path:
    """48 kHz stereo, loud enough to pass for speech."""
    rng = np.random.default_rng(0)
    part = (3000 * rng.standard_normal((PART * RATE, 2))).astype(np.int16)
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16") as file:
        for _ in range(round(minutes * 60 / PART)):
            file.write(part)
    return path


def decode(path: Path) -> None:
    """Read the file in blocks and do nothing with it."""
    for _ in soundfile.blocks(path, blocksize=10 * RATE, dtype="float32"):
        pass


def measure(minutes: float, repeats: int) -> list[Result]:
    """Time, on one thread, and memory at this length and a tenth of it."""
    with tempfile.TemporaryDirectory() as temporary:
        bundle, path = write_bundle(Path(temporary) / "model"), write_recording(Path(temporary) / "long.wav", minutes)
        short = write_recording(Path(temporary) / "short.wav", minutes / 10)
        ours = {"decoding the file alone": lambda: seconds(lambda: decode(path))}
        ours["the timeline"] = lambda: in_own_process("long_recording.py", "seconds", bundle, path, threads=1)
        time_ = by_turns(f"a recording of {minutes:g} minutes, one thread", "s", ours, repeats)
        memory = {f"{minutes / 10:g} minutes": lambda: in_own_process("long_recording.py", "megabytes", bundle, short)}
        memory[f"{minutes:g} minutes"] = lambda: in_own_process("long_recording.py", "megabytes", bundle, path)
        return [time_, by_turns("memory of the timeline over the loaded model", "MB", memory, repeats)]


def main(what: str, model: str, file: str) -> None:
    """Load the model, warm it up, and follow the file."""
    classifier = EmotionClassifier.from_hparams(model)
    stream = classifier.stream(RATE)
    stream.feed(np.full(5 * RATE, 0.1, dtype=np.float32))
    before = status_of("VmRSS")
    peak = [before]

    def watch() -> None:
        while True:
            peak[0] = max(peak[0], status_of("VmRSS"))
            time.sleep(0.02)

    threading.Thread(target=watch, daemon=True).start()
    took = seconds(lambda: classifier.timeline(file))
    print(took if what == "seconds" else peak[0] - before)


if __name__ == "__main__":
    main(*sys.argv[1:])
