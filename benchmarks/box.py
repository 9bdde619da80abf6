"""The real-time factor of the model that comes with the package, on one thread, beside openSMILE's features.

python benchmarks/box.py box|opensmile FILE ...       prints seconds of work for a second of speech
"""

import sys
import tempfile
from pathlib import Path

import corpus
import numpy as np
import soundfile
from classification import egemaps
from measure import Result, by_turns, in_own_process, seconds

from mlee_sb import EmotionClassifier

WARM = 3  # files before the clock runs
SYLLABLES = 4  # a second


def main(which: str, *files: str) -> None:
    """Print the factor over all files, one after the other."""
    predict = EmotionClassifier.from_hparams().predict if which == "box" else egemaps()
    for file in files[:WARM]:
        predict(file)
    print(seconds(lambda: [predict(file) for file in files]) / sum(soundfile.info(file).duration for file in files))


def measure(repeats: int, n: int, data_folder: Path | None) -> Result:
    """Both, by turns, each in a process of its own, on recordings of a release or on noise that rises and falls as speech does."""
    with tempfile.TemporaryDirectory() as temporary:
        files = recordings(data_folder, n) if data_folder else write_like_speech(Path(temporary), n)
        names = {"ours: predict, the model in the box": "box"}
        if egemaps() is not None:
            names = {"openSMILE eGeMAPS, features alone": "opensmile", **names}
        candidates = {name: lambda w=which: in_own_process("box.py", w, *files, threads=1) for name, which in names.items()}
        return by_turns("real-time factor, one thread", "s for a second of speech", candidates, repeats)


def recordings(data_folder: Path, n: int) -> list[Path]:
    """Some recordings of a release, the same in every run."""
    files = sorted(data_folder.rglob("*.wav"))
    return [files[i] for i in np.random.default_rng(0).permutation(len(files))[:n]]


def write_like_speech(folder: Path, n: int) -> list[Path]:
    """Noise in syllables: of steady noise, the model would not be asked."""
    files = corpus.write_folder(folder, corpus.lengths(n))
    for file in files:
        samples, rate = soundfile.read(file, dtype="float32")
        soundfile.write(file, samples * np.sin(np.pi * SYLLABLES * np.arange(len(samples)) / rate) ** 2, rate)
    return files


if __name__ == "__main__":
    main(*sys.argv[1:])
