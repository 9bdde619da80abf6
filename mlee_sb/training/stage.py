"""A stage is one model to train on one fold; a plan is a stage with all that it requires, in the order of training."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mlee_sb.corpora.manifest import fold_numbers
from mlee_sb.errors import InputError, choose
from mlee_sb.stage_folder import AGAIN, PROTOCOL, REQUIRED, StageFolder, key_of, row_name, stage_place, variant_of
from mlee_sb.targets import Target, find_target
from mlee_sb.training.check_settings import of_other_targets
from mlee_sb.training.settings import SHARED, read_settings
from mlee_sb.training.source_code import code_of

NO_RESULT = ("num_workers", "requires")  # settings that change no result; what is required has an identity of its own
IN_THE_PLACE = ("row", "fold", "seed", "train_set", "target")  # settings that the folder of a stage names
OF_THE_PROTOCOL = ("emotions", "min_votes")  # settings that come from the manifests


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
    changed : name -> value of the settings in which it differs from its file; those of a required stage begin with its name
    requires : the stages whose encoders this one freezes, by name, in the order of their embeddings
    data : what it is trained on
    folder : where its results go
    """

    hparams: Path
    overrides: dict
    settings: dict
    changed: dict
    requires: dict[str, "Stage"]
    data: Data
    folder: Path

    @property
    def name(self) -> str:
        """For a person: row, train set, seed and fold."""
        s = self.settings
        return f"{row_name(s['row'], self.variant)} (train set {s['train_set']}, seed {s['seed']}, fold {s['fold']})"

    @property
    def variant(self) -> str:
        """The name of its changed settings, "" where there are none."""
        return variant_of(self.changed)

    @property
    def files(self) -> StageFolder:
        """Its folder, with the name of each file in it."""
        return StageFolder(self.folder)

    @cached_property
    def target(self) -> Target:
        """What it learns."""
        return find_target(self.settings["target"])

    @property
    def model_folder(self) -> Path:
        """The folder of its bundle."""
        return self.files.model

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
        without = (*NO_RESULT, *of_other_targets(self.target))
        return {
            **{name: value for name, value in self.settings.items() if name not in without},
            **code_of(self.settings),
            PROTOCOL: self.data.protocol["hash"],
            **{REQUIRED + name: stage.key for name, stage in self.requires.items()},
        }

    @property
    def key(self) -> str:
        """Two stages with equal keys are the same stage."""
        return key_of(self.identity)

    @property
    def finished(self) -> bool:
        """Whether it was trained to its end, on the encoders that are there, and nothing was taken away since."""
        return self.files.whole and self.stands_on_its_encoders

    @property
    def stands_on_its_encoders(self) -> bool:
        """Whether the encoders that it froze are those of the required stages today: they may have been trained again since.

        An encoder that is missing tells nothing.
        """
        noted = self.files.noted_encoders()
        return all(stage.files.weights in (None, noted.get(name)) for name, stage in self.requires.items())

    def begin_on_its_encoders(self) -> str:
        """Note the weights of the encoders that are being frozen. Clear away what stands on others, and say why; "" where nothing does.

        The summary goes first: without it nothing is taken for finished, whenever the process is killed.
        """
        files = self.files
        noted, now = files.noted_encoders(), {name: stage.files.weights for name, stage in self.requires.items()}
        stale = noted != now and files.begun
        files.summary.unlink(missing_ok=True)
        if stale:
            for checkpoint in files.checkpoints:
                shutil.rmtree(checkpoint)
        files.scores.unlink(missing_ok=True)  # of an earlier training; it is scored when it is finished
        files.note_encoders(now)
        why = "its encoder was trained again since" if noted else "which encoder it stood on is not known"
        return f"{why}: this stage begins anew" if stale else ""

    @property
    def scored(self) -> bool:
        """Whether its scores are there, and whole."""
        try:
            return isinstance(json.loads(self.files.scores.read_text(encoding="utf-8")), dict)
        except (OSError, ValueError):
            return False

    def check_folder(self) -> None:
        """Refuse to go on in a folder that holds another stage.

        Raises
        ------
        InputError
            naming the settings that differ, or if what the folder holds cannot be known
        """
        files = self.files
        if not files.begun:
            return
        if not files.identity.is_file():
            raise InputError(f"{files.identity}: missing, so it is not known what the results in {self.folder} are of: {AGAIN}")
        there = files.read_identity()
        here = json.loads(json.dumps(self.identity))
        differing = [name for name in sorted({*there, *here}) if there.get(name) != here.get(name)]
        if differing:
            lines = "".join(f"\n  {name}: there {there.get(name)!r}, now {here.get(name)!r}" for name in differing)
            raise InputError(
                f"{self.folder}: holds results of other settings; give another folder with --results, or move this one away:{lines}"
            )


def make_stage(hparams: str | Path, overrides: dict, data: Data, results: str | Path) -> Stage:
    """Read an hparams file, and those of the stages that it requires, to a stage.

    Its folder has the row's name, and after it the settings in which it differs from the file: other settings of one row
    lie side by side, and share the encoders that are the same.

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
    target = find_target(settings["target"])
    if settings["emotions"] is None:
        overrides = {**overrides, "emotions": data.protocol["emotions"]}
    if target.one_train_set and not settings["requires"]:
        overrides = {**overrides, "train_set": target.one_train_set}
    settings = read_settings(hparams, overrides)
    _check_against(data, settings)
    requires = {}
    for name, part in settings["requires"].items():
        part = dict(part)
        file = Path(hparams).parent / part.pop("hparams")
        requires[name] = make_stage(file, {**{key: settings[key] for key in SHARED}, **part}, data, results)
    changed = _changed(hparams, overrides, settings, target, requires)
    place = stage_place(
        results, data.protocol["corpus"], settings["row"], variant_of(changed), settings["train_set"], settings["seed"], settings["fold"]
    )
    return Stage(Path(hparams), overrides, settings, changed, requires, data, place)


def _changed(hparams: str | Path, overrides: Mapping, settings: Mapping, target: Target, requires: Mapping[str, Stage]) -> dict:
    """The settings in which a stage differs from its file, without those that its place, its data or another target decides."""
    decided = (*IN_THE_PLACE, *OF_THE_PROTOCOL, *NO_RESULT, *of_other_targets(target))
    in_file = read_settings(hparams, {name: value for name, value in overrides.items() if name in IN_THE_PLACE})
    own = {name: settings[name] for name in overrides if name not in decided and settings[name] != in_file[name]}
    below = {f"{name}.{key}": value for name, stage in requires.items() for key, value in stage.changed.items() if own.get(key) != value}
    return {**own, **below}


def plan(*wanted: Stage) -> list[Stage]:
    """Return the stages that are wanted and all that they require, each once, each after those that it requires.

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


def _check_against(data: Data, settings: Mapping) -> None:
    protocol = data.protocol
    choose(str(settings["fold"]), map(str, fold_numbers(protocol)), "fold")
    again = f"the manifests in {data.manifests} were prepared"
    remedy = "leave it out, or prepare again with it in another folder"
    if settings["emotions"] != protocol["emotions"]:
        raise InputError(f"--emotions {' '.join(settings['emotions'])}: {again} for {' '.join(protocol['emotions'])}: {remedy}")
    if settings["min_votes"] != protocol["rules"]["min_votes"]:
        raise InputError(f"--min_votes {settings['min_votes']}: {again} with {protocol['rules']['min_votes']}: {remedy}")
