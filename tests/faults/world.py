"""What the campaign spoils: small files of every kind that the program reads, and commands that end in seconds."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from bundles import small_existence, write_bundle, write_speech
from evaluation.fabricated import fabricate
from recordings import encoded, sound
from releases import prepare_quietly, write_table, write_wav
from stages import EMOTIONS, write_results

from mlee_sb.experiment.hparams_files import shipped

VOTES = ("3,0,0", "0,3,0", "2,1,0", "1,2,0", "1,1,1", "0,0,3")  # neu, hap, other: the last two have no dominant target
SPEAKERS = "abcd"
FORMATS = {"wav": "WAV", "flac": "FLAC", "ogg": "OGG", "mp3": "MP3"}
CORPUS = "vote_table"
SHORT = {"max_epochs": "1", "batch_size": "4", "speeds": "1.0"}
LISTS = {
    "lines.txt": "hello.wav\n# a remark\nhello.wav\n",
    "zeros.txt": "hello.wav\0hello.wav\0",
    "table.csv": "file,speaker\nhello.wav,a\n",
    "tabs.csv": "wav\tspeaker\nhello.wav\ta\n",
}


@dataclass(frozen=True)
class World:
    """The folder that holds all of it; each property is a folder in it."""

    folder: Path

    def __getattr__(self, name: str) -> Path:
        if name.startswith("_"):  # what pickle asks for before there is a folder
            raise AttributeError(name)
        return self.folder / name

    def prepare(self, output: Path) -> list[str]:
        return ["prepare", CORPUS, str(self.release), "--output", str(output / "manifests"), "--emotions", *EMOTIONS]

    def train(self, output: Path) -> list[str]:
        return ["train", "mlee_fusion", "--fold", "1", *self._flags(output), *_short("", "mlee.", "dominant.")]

    def sweep(self, output: Path) -> list[str]:
        return ["cross-validate", "dominant", "--folds", "1", "2", "--jobs", "2", "--threads", "1", *self._flags(output), *_short("")]

    def report(self, output: Path) -> list[str]:
        return ["report", str(self.fabricated / "crema_d"), "--output", str(output / "report"), "--resamples", "20"]

    def _flags(self, output: Path) -> list[str]:
        data = ["--corpus", CORPUS, "--data_folder", str(self.release), "--emotions", *EMOTIONS]
        return [*data, "--results", str(output / "results"), "--device", "cpu"]


COMMANDS = {"prepare": World.prepare, "train": World.train, "sweep": World.sweep, "report": World.report}


def _short(*stages: str) -> list[str]:
    return [word for stage in stages for name, value in SHORT.items() for word in (f"--{stage}{name}", value)]


def make_world(folder: Path, onnx: bool = True) -> World:
    """Write all of it; `onnx` tells whether also an ONNX file, which takes seconds."""
    os.environ["MLEE_CACHE"] = str(folder / "cache")
    world = World(folder)
    lines = [f"{speaker}{number}.wav,{speaker},{votes}" for speaker in SPEAKERS for number, votes in enumerate(VOTES)]
    write_table(world.release, "\n".join(["wav,speaker,votes_neu,votes_hap,votes_other", *lines]))
    for number, wav in enumerate(sorted(world.release.glob("*.wav"))):  # batches need padding
        write_wav(wav, seconds=0.06 + 0.02 * (number % 4))
    prepare_quietly(CORPUS, world.release, world.manifests, list(EMOTIONS))
    write_results(world.checked)
    fabricate(world.fabricated, rows=["dominant_soft", "mlee_fusion_soft"], train_sets=["all"], folds=[1, 2])
    write_bundle(world.bundle, small_existence())
    _write_recordings(world.audio)
    world.lists.mkdir()
    for name, text in LISTS.items():
        (world.lists / name).write_text(text)
    write_speech(world.lists / "hello.wav", seconds=0.5)
    world.labels.mkdir()
    (world.labels / "labels.csv").write_text("label,code\nHappy,hap\nSad;very,sad\nnone of these,oth\n")
    shutil.copytree(shipped("hparams"), world.hparams)
    if onnx:
        _write_onnx(world)
    return world


def _write_recordings(folder: Path) -> None:
    folder.mkdir()
    for ending, form in FORMATS.items():
        (folder / f"a.{ending}").write_bytes(encoded(form, samples=sound(0.5)))


def _write_onnx(world: World) -> None:
    from mlee_sb.inference.onnx_model import export
    from mlee_sb.models.bundle import load_bundle

    world.onnx.mkdir()
    export(load_bundle(world.bundle), world.onnx / "model.onnx")
