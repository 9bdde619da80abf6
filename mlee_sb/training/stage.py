"""A stage is one model to train on one fold; a plan is a stage with all that it requires, in the order of training."""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from mlee_sb.corpora.manifest import fold_numbers
from mlee_sb.errors import InputError, choose
from mlee_sb.files import read_json, sha256_of, write_json
from mlee_sb.models.config import CONFIG
from mlee_sb.models.weights import WEIGHTS
from mlee_sb.training.check_settings import OF_SOFT_TARGETS
from mlee_sb.training.settings import SHARED, read_settings
from mlee_sb.training.source_code import code_of

SUMMARY, SCORES = "summary.json", "scores.json"  # the last things that training, and scoring, write
DAMAGED = "move the folder of this stage away, and train it again"
ENCODERS = "encoders.json"  # in the save folder of a stage: the sha256 of the weights of each encoder that it froze, by name
NO_RESULT = ("num_workers", "requires")  # settings that change no result; what is required has an identity of its own


@dataclass(frozen=True)
class Data:
    """What a stage is trained on: a folder of manifests, its protocol, and the folder their wav paths are relative to."""

    manifests: Path
    protocol: dict
    data_folder: Path


@dataclass(frozen=True)
class Stage:
    """One model to train.

    Attributes
    ----------
    hparams, overrides : the YAML file and what replaces its settings
    settings : the two resolved to plain values
    requires : the stages whose encoders this one freezes, by name, in the order of their embeddings
    data : what it is trained on
    folder : where its results go
    """

    hparams: Path
    overrides: dict
    settings: dict
    requires: dict[str, "Stage"]
    data: Data
    folder: Path

    @property
    def name(self) -> str:
        """For a person: row, train set, seed and fold."""
        s = self.settings
        return f"{s['row']} (train set {s['train_set']}, seed {s['seed']}, fold {s['fold']})"

    @property
    def model_folder(self) -> Path:
        return self.folder / "model"

    @property
    def save_folder(self) -> Path:
        return self.folder / "save"

    @property
    def random_seed(self) -> int:
        """The seed of first weights, batches and dropout, drawn from the seed and the row.

        Rows of one seed draw different numbers: the paper trains the two encoders of a fusion independently.
        """
        drawn = hashlib.sha256(f"{self.settings['seed']} {self.settings['row']}".encode()).digest()
        return int.from_bytes(drawn[:4], "big")  # numpy's seeds have four bytes

    @property
    def identity(self) -> dict:
        """Everything that changes the result, and nothing else."""
        without = (*NO_RESULT, *OF_SOFT_TARGETS) if self.settings["target"] == "hard" else NO_RESULT
        return {
            **{name: value for name, value in self.settings.items() if name not in without},
            **code_of(self.settings),
            "protocol": self.data.protocol["hash"],
            **{f"required {name}": stage.key for name, stage in self.requires.items()},
        }

    @property
    def key(self) -> str:
        """Two stages with equal keys are the same stage."""
        return hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()

    @property
    def weights(self) -> str | None:
        """The sha256 of its weights; None where it has none yet."""
        path = self.model_folder / WEIGHTS
        return sha256_of(path) if path.is_file() else None

    @property
    def finished(self) -> bool:
        """Whether it was trained to its end, on the encoders that are there, and nothing was taken away since.

        The summary is the last thing that training writes.
        """
        model = (self.model_folder / CONFIG, self.model_folder / WEIGHTS)
        whole = all(path.is_file() for path in (self.save_folder / SUMMARY, self.folder / "predictions.csv", *model))
        return whole and self.stands_on_its_encoders

    @property
    def stands_on_its_encoders(self) -> bool:
        """Whether the encoders that it froze are those of the required stages today: they may have been trained again since.

        An encoder that is missing tells nothing.
        """
        noted = self.noted_encoders
        return all(stage.weights in (None, noted.get(name)) for name, stage in self.requires.items())

    @property
    def noted_encoders(self) -> dict[str, str]:
        """The sha256 of the weights of each encoder that it froze, by name, as it noted them when it was begun; none where it did not."""
        path = self.save_folder / ENCODERS
        return read_json(path, DAMAGED) if path.is_file() else {}

    def begin_on_its_encoders(self) -> str:
        """Note the weights of the encoders that are being frozen. Clear away what stands on others, and say why; "" where nothing does.

        The summary goes first: without it nothing is taken for finished, whenever the process is killed.
        """
        noted, now = self.noted_encoders, {name: stage.weights for name, stage in self.requires.items()}
        summary, checkpoints = self.save_folder / SUMMARY, list(self.save_folder.glob("CKPT*"))
        stale = noted != now and (summary.is_file() or bool(checkpoints))
        summary.unlink(missing_ok=True)
        if stale:
            for checkpoint in checkpoints:
                shutil.rmtree(checkpoint)
        (self.folder / SCORES).unlink(missing_ok=True)  # of an earlier training; it is scored when it is finished
        write_json(self.save_folder / ENCODERS, now)
        why = "its encoder was trained again since" if noted else "which encoder it stood on is not known"
        return f"{why}: this stage begins anew" if stale else ""

    @property
    def scored(self) -> bool:
        """Whether its scores are there, and whole."""
        try:
            return isinstance(json.loads((self.folder / SCORES).read_text(encoding="utf-8")), dict)
        except (OSError, ValueError):
            return False

    def check_folder(self) -> None:
        """Refuse to go on in a folder that holds another stage.

        Raises
        ------
        InputError
            naming the settings that differ, or if what the folder holds cannot be known
        """
        path = self.save_folder / "identity.json"
        began = (self.save_folder / SUMMARY).is_file() or any(self.save_folder.glob("CKPT*"))
        if not began:
            return
        if not path.is_file():
            raise InputError(f"{path}: missing, so it is not known what the results in {self.folder} are of: {DAMAGED}")
        there = read_json(path, DAMAGED)
        here = json.loads(json.dumps(self.identity))
        differing = [name for name in sorted({*there, *here}) if there.get(name) != here.get(name)]
        if differing:
            lines = "".join(f"\n  {name}: there {there.get(name)!r}, now {here.get(name)!r}" for name in differing)
            raise InputError(
                f"{self.folder}: holds results of other settings; give another folder with --results, or move this one away:{lines}"
            )


def make_stage(hparams: str | Path, overrides: dict, data: Data, results: str | Path) -> Stage:
    """Read an hparams file, and those of the stages that it requires, to a stage.

    Parameters
    ----------
    hparams : YAML file
    overrides : settings to replace (nested for required stages, as `settings.nested` makes them)
    data : what to train on
    results : folder above those of all corpora

    Raises
    ------
    InputError
        if a setting is wrong, or the fold or an emotion is not in the manifests
    """
    settings = read_settings(hparams, overrides)
    if settings["target"] == "hard" and not settings["requires"]:
        # A hard target can use utterances with a dominant emotion only: both train sets are the same one.
        overrides = {**overrides, "train_set": "dominant"}
        settings = read_settings(hparams, overrides)
    _check_against(data.protocol, settings)
    requires = {}
    for name, part in settings["requires"].items():
        part = dict(part)
        file = Path(hparams).parent / part.pop("hparams")
        requires[name] = make_stage(file, {**{key: settings[key] for key in SHARED}, **part}, data, results)
    names = (data.protocol["corpus"], settings["row"], settings["train_set"], f"seed{settings['seed']}", f"fold{settings['fold']}")
    return Stage(Path(hparams), overrides, settings, requires, data, Path(results).joinpath(*names))


def plan(*wanted: Stage) -> list[Stage]:
    """The stages that are wanted and all that they require, each once, each after those that it requires.

    Raises
    ------
    InputError
        if two stages with different settings would share a folder
    """
    stages: dict[Path, Stage] = {}

    def visit(part: Stage) -> None:
        for required in part.requires.values():
            visit(required)
        if stages.setdefault(part.folder, part).key != part.key:
            raise InputError(f"{part.folder}: two stages with different settings would share this folder")

    for stage in wanted:
        visit(stage)
    return list(stages.values())


def _check_against(protocol: dict, settings: dict) -> None:
    choose(str(settings["fold"]), map(str, fold_numbers(protocol)), "fold")
    if settings["emotions"] != protocol["emotions"]:
        raise InputError(f"emotions are {settings['emotions']}, and the manifests were prepared for {protocol['emotions']}")
    if settings["min_votes"] != protocol["rules"]["min_votes"]:
        raise InputError(f"min_votes is {settings['min_votes']}, and the manifests were prepared with {protocol['rules']['min_votes']}")
