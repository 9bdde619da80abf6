"""Mutated inputs: every kind of file that the program reads, spoilt, and read through the door that commands use."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from children import ENDS_THE_CHILD, Ended, Wrong, try_each
from mutators import spoilt
from releases import prepare_quietly, skipped_of
from stages import EMOTIONS
from world import CORPUS, World

RATE = 16_000
LONGEST = 600 * RATE  # samples that a file of some kilobytes may be said to have


@dataclass(frozen=True)
class Kind:
    """Some files of the world, and the door that reads them.

    Attributes
    ----------
    share : of all mutated inputs
    folder : of the world, that is copied for the tries
    files : a pattern below it; each try spoils one
    read : takes the copied folder, the path of the spoilt file and the world; raises `Wrong` where what it read is not what the file says
    """

    share: float
    folder: str
    files: str
    read: Callable[[Path, Path, World], None]


def hear(folder: Path, path: Path, world: World) -> None:
    """A recording is finite samples, no more than it can hold."""
    from mlee_sb.models.waveforms import load_waveform

    heard = load_waveform(path, RATE)
    if heard.dim() != 1 or not torch.isfinite(heard).all() or len(heard) > LONGEST:
        raise Wrong(f"{path.name}: samples of shape {list(heard.shape)}, or not finite")


def prepare_it(folder: Path, path: Path, world: World) -> None:
    """An utterance whose line and header were not changed has the votes that it had, or skipped.csv tells why not."""
    clean, lines = (world.release / path.name).read_text().splitlines(), path.read_bytes().splitlines()
    prepare_quietly(CORPUS, folder, folder / "out", list(EMOTIONS))
    found, before = (pd.read_csv(place / "utterances.csv", dtype=str).set_index("wav") for place in (folder / "out", world.manifests))
    if lines[:1] != [clean[0].encode()]:
        return
    columns = ["speaker", *(column for column in before if column.startswith("votes_"))]
    told = skipped_of(folder / "out")  # of two lines about one utterance the first is used, and the other one is told
    for line in clean[1:]:
        wav = line.split(",")[0]
        alone = lines.count(line.encode()) == 1 and Path(wav).stem not in told
        if alone and wav in found.index and not found.loc[wav, columns].equals(before.loc[wav, columns]):
            raise Wrong(f"{path.name}: {line} became {found.loc[wav].to_dict()}")


def read_labels_file(folder: Path, path: Path, world: World) -> None:
    from mlee_sb.corpora.labels_file import read_labels

    if not all(code.isprintable() for code in read_labels(path).codes.values()):
        raise Wrong(f"{path.name}: a code that cannot be printed")


def read_manifests(folder: Path, path: Path, world: World) -> None:
    """Whatever is read of changed manifests is what was prepared."""
    from mlee_sb.corpora.manifest import read_fold, read_utterances

    for read in (read_utterances, lambda place: pd.concat(read_fold(place, 1).values())):
        one, other = read(folder).set_index("ID"), read(world.manifests).set_index("ID")
        if not one.equals(other.loc[one.index]):
            raise Wrong(f"{path.name}: rows that nobody prepared are read")


def check_it(folder: Path, path: Path, world: World) -> None:
    from mlee_sb.corpora.base import load_corpus
    from mlee_sb.evaluation.protocol.check import check_protocol

    check_protocol(folder / "results", load_corpus, (), folder / "release").as_json()


def evaluate_it(folder: Path, path: Path, world: World) -> None:
    """Scores are shares, and count the rows that are there."""
    from mlee_sb.evaluation.evaluate import evaluate

    for cell in evaluate(folder / "crema_d", resamples=2)["cells"]:
        for name in ("wa", "ua"):
            value = (cell.get("scores") or cell).get(name)
            value = value.get("value") if isinstance(value, dict) else value
            if isinstance(value, float) and not (np.isnan(value) or 0 <= value <= 1):
                raise Wrong(f"{path.name}: {name} is {value}")


def use_model(folder: Path, path: Path, world: World) -> None:
    """A model that loads answers with probabilities; with the weights that it was written with, what it answered before."""
    from mlee_sb import EmotionClassifier
    from mlee_sb.inference.card import write_card
    from mlee_sb.inference.hub import Place
    from mlee_sb.inference.model_facts import facts

    facts(Place(folder, folder))
    if path.name == "scores.json":
        write_card(folder)
    said = EmotionClassifier.from_hparams(folder).predict(world.lists / "hello.wav")
    if not all(0 <= value <= 1 for value in (said.presence or said.posterior or {}).values()):
        raise Wrong(f"{path.name}: {said}")


def verify_it(folder: Path, path: Path, world: World) -> None:
    from mlee_sb.inference.hub import Place
    from mlee_sb.inference.verify import verify

    verify(Place(folder, folder))


def read_hparams(folder: Path, path: Path, world: World) -> None:
    """Settings are a mapping, and each has a name that is a text."""
    from mlee_sb.training.settings import overridable, read_settings

    for row in ("mlee_fusion", "dominant"):
        overridable(folder / f"{row}.yaml")
        if not all(isinstance(name, str) for name in read_settings(folder / f"{row}.yaml", {"emotions": list(EMOTIONS), "fold": 1})):
            raise Wrong(f"{path.name}: a setting without a name")


def use_onnx(folder: Path, path: Path, world: World) -> None:
    from mlee_sb import EmotionClassifier

    said = EmotionClassifier.from_hparams(path).predict(world.lists / "hello.wav")
    if not all(0 <= value <= 1 for value in said.presence.values()):
        raise Wrong(f"{path.name}: {said}")


def read_list(folder: Path, path: Path, world: World) -> None:
    from mlee_sb.cli.file_lists import files_in

    if any("\0" in name or not name.strip() for name in files_in(path.read_bytes(), "-")):
        raise Wrong(f"{path.name}: a name that cannot be one")


KINDS = {
    **{f"recording, {ending}": Kind(0.08, "audio", f"a.{ending}", hear) for ending in ("wav", "flac", "ogg", "mp3")},
    "table of votes": Kind(0.06, "release", "votes.csv", prepare_it),
    "labels.csv": Kind(0.06, "labels", "*.csv", read_labels_file),
    "manifests": Kind(0.10, "manifests", "**/*.*", read_manifests),
    "results, check-protocol": Kind(0.06, "checked", "results/**/*.*", check_it),
    "results, report": Kind(0.06, "fabricated", "**/*.*", evaluate_it),
    "model, config.json": Kind(0.07, "bundle", "config.json", use_model),
    "model, golden.json": Kind(0.03, "bundle", "golden.json", use_model),
    "model, scores.json": Kind(0.04, "bundle", "scores.json", use_model),
    "model, weights": Kind(0.05, "bundle", "model.safetensors", use_model),
    "model, verify": Kind(0.03, "bundle", "*.*", verify_it),
    "hparams": Kind(0.05, "hparams", "**/*.yaml", read_hparams),
    "list of files": Kind(0.06, "lists", "*.[tc]*", read_list),
    "ONNX": Kind(0.01, "onnx", "*.onnx", use_onnx),
}


def mutate(world: World, kind: str, numbers: range, seed: int) -> Iterator[tuple[str, Ended]]:
    """Yield which file was spoilt, and how its reading ended, for tries of a kind."""
    one = KINDS[kind]
    with TemporaryDirectory(dir=world.folder, prefix="spoilt") as temporary:
        folder = Path(temporary) / "copy"
        shutil.copytree(world.folder / one.folder, folder)
        paths = sorted(path for path in folder.glob(one.files) if path.is_file())
        clean = {path: path.read_bytes() for path in paths}
        names = [_drawn(seed, kind, number).choice(paths).name for number in numbers]

        def work(number: int) -> None:
            random = _drawn(seed, kind, number)
            path = random.choice(paths)
            try:
                path.write_bytes(spoilt(path.name, clean[path], random))
                one.read(folder, path, world)
            finally:
                path.write_bytes(clean[path])

        for name, (number, ended) in zip(names, zip(numbers, try_each(work, numbers), strict=True), strict=True):
            if ended.how in ENDS_THE_CHILD:  # so it could not mend the file; a child that goes on reads these files now
                for path, content in clean.items():
                    path.write_bytes(content)
            yield f"{name} {number}", ended


def _drawn(seed: int, kind: str, number: int) -> Random:
    return Random(f"{seed} {kind} {number}")
