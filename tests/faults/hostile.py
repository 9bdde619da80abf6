"""Inputs that somebody made to do harm: each is refused, or shown without harm.

Hubs, ONNX files, programs in bundles and strange names have tests of their own in the suite. They are run here, too, and counted.
"""

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile
from bundles import small_existence, write_bundle, write_speech
from children import KILLED, PATIENCE, REFUSED, RETURNED, WRONG, Ended, Wrong, alone
from mutators import DEEP
from world import World

from mlee_sb.files import read_json, write_json
from mlee_sb.models.bundle_files import CONFIG

TESTS = Path(__file__).parents[1]
OF_THE_SUITE = ("inference/test_hostile.py", "inference/test_hostile_upstreams.py", "inference/test_hostile_hubs.py")
OF_THE_SUITE += ("inference/test_hostile_onnx.py", "inference/test_not_finite.py", "cli/test_strange_names.py")
LONGEST = 1200  # seconds of such a file of tests: many times what it takes
HUGE = (131_072, 2**31, 2**62)
NAMES = ("sample_rate", "shift", "window", "dft_length", "stride", "strides", "kernels", "channels", "lstm_size", "attention_size", "bins")
RATES = (1, 7, 345, 999, 1009, 3121, 15_907, 44_099, 191_999, 2**31 - 1)
TEXTS = ("[/]", "[red]", "\x1b[2J", "a\rb", "=1+1", "@SUM(A1)", "+1", "<script>", "| a |", "\u202eabc")
INCLUDES = {
    "itself": "a: !include:a.yaml\n",
    "one another": "b: !include:b.yaml\n",
    "what is not there": "b: !include:../../../etc/nothing.yaml\n",
    "a program": "b: !apply:os.system ['touch owned']\n",
    "an anchor without end": "a: &a [*a, *a]\n",
    "deep": f"a: {DEEP.decode()}\n",
}


def _config_with(world: World, folder: Path, change: Callable) -> None:
    """Load a model with a changed config."""
    from mlee_sb import EmotionClassifier

    shutil.copytree(world.bundle, folder / "model")
    path = folder / "model" / CONFIG
    content = read_json(path, "")
    change(content)
    write_json(path, content)
    EmotionClassifier.from_hparams(folder / "model").predict(world.lists / "hello.wav")


def _set_all(tree, name: str, value) -> None:
    """Set every setting of a name in a config."""
    for key, inside in tree.items() if isinstance(tree, dict) else enumerate(tree):
        if key == name:
            tree[key] = np.full(np.shape(inside), value).tolist()
        elif isinstance(inside, dict | list):
            _set_all(inside, name, value)


def _rate(folder: Path, rate: int) -> None:
    from mlee_sb.models.waveforms import load_waveform

    soundfile.write(folder / "a.wav", np.zeros(160), rate)
    load_waveform(folder / "a.wav", 16_000)


def _named(bundle: Path, text: str) -> None:
    """Write a model with such an emotion; where our own writer refuses it, into its config.json by hand, as a stranger would."""
    model = small_existence()
    emotions = list(model.emotions)
    with suppress(ValueError):
        model.emotions = [text, *emotions[1:]]
        write_bundle(bundle, model)
        return
    model.emotions = emotions
    config = read_json(write_bundle(bundle, model) / CONFIG, "")
    write_json(bundle / CONFIG, {**config, "emotions": [text, *emotions[1:]]})


def _shown(folder: Path, text: str) -> None:
    """Name an emotion and a file like this, and look at what reaches a terminal and a table."""
    from mlee_sb.cli.app import main

    _named(folder / "model", text)
    wav = folder / f"{text.replace('/', '_')}.wav"
    write_speech(wav, seconds=0.5)
    out = folder / "out"
    with open(out, "w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    for words in (["classify"], ["classify", "--csv"], ["info"], ["verify"]):
        status = main([*words, *([str(wav), "--model"] if words[0] == "classify" else []), str(folder / "model")])
        sys.stdout.flush()
        if status not in (0, 1, 2):
            raise Wrong(f"{words} ended with {status}")
    said = out.read_text()
    if bad := sorted({one for one in said if not one.isprintable() and one != "\n"}):
        raise Wrong(f"{bad} reaches the terminal")


def _formula(folder: Path, world: World, text: str) -> None:
    """Name a recording like this: no cell of the CSV may begin as a formula does."""
    from mlee_sb.cli.app import main

    os.chdir(folder)
    name = f"{text.replace('/', '_')}.wav"
    write_speech(folder / name, seconds=0.5)
    os.dup2(os.open(folder / "out", os.O_WRONLY | os.O_CREAT), 1)
    main(["classify", "--csv", "--model", str(world.bundle), "--", name])
    sys.stdout.flush()
    cells = [cell.strip('"') for line in (folder / "out").read_text().splitlines() for cell in line.split(",")]
    if any(cell.startswith(("=", "+", "-", "@")) for cell in cells):
        raise Wrong("a cell begins as a formula does")


def _included(folder: Path, text: str) -> None:
    from mlee_sb.training.settings import read_settings

    (folder / "a.yaml").write_text(text)
    (folder / "b.yaml").write_text("a: !include:a.yaml\n")
    os.chdir(folder)
    read_settings(folder / "a.yaml", {})


def cases(world: World) -> dict[str, Callable[[Path], None]]:
    """Return what is done with an empty folder, by the name of the case."""
    found = {}
    for name in NAMES:
        for value in HUGE:
            found[f"config, {name} {value}"] = lambda at, n=name, v=value: _config_with(world, at, lambda tree: _set_all(tree, n, v))
    for rate in RATES:
        found[f"wav, {rate} Hz"] = lambda at, rate=rate: _rate(at, rate)
    for text in TEXTS:
        found[f"emotion {text!r}"] = lambda at, text=text: _shown(at, text)
        found[f"file {text!r}"] = lambda at, text=text: _formula(at, world, text)
    for name, text in INCLUDES.items():
        found[f"hparams, {name}"] = lambda at, text=text: _included(at, text)
    return found


def try_case(world: World, name: str) -> tuple[str, Ended]:
    """Try one case in a child; whatever it does, nothing may appear that says `owned`."""
    with TemporaryDirectory(dir=world.folder, prefix="hostile") as folder:
        ended = alone(lambda: cases(world)[name](Path(folder)), 3 * PATIENCE)
        if ended.how in (RETURNED, REFUSED) and list(Path(folder).rglob("owned")):
            ended = Ended(WRONG, said="a program was run")
    return name, ended


def of_the_suite(file: str, folder: Path) -> Iterator[tuple[str, Ended]]:
    """Run a file of tests in a process of its own, and yield how each of its cases ended."""
    results = folder / f"{Path(file).stem}.xml"
    words = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", f"--junitxml={results}", str(TESTS / file)]
    try:
        subprocess.run(words, cwd=TESTS.parent, capture_output=True, timeout=LONGEST)
        found = list(ElementTree.parse(results).iter("testcase"))
    except (subprocess.TimeoutExpired, OSError, ElementTree.ParseError) as error:
        yield file, Ended(KILLED, file, str(error)[-300:])
        return
    for case in found:
        bad = [mark for mark in case if mark.tag in ("failure", "error")]
        yield f"{file}::{case.get('name')}", Ended(WRONG, file, bad[0].get("message", "")[:300]) if bad else Ended(REFUSED)
