"""Stages and plans. A stage is one model to train on one fold. A plan is a stage with all stages that it requires, in their order."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mlee_sb.calibration import CROSS
from mlee_sb.corpora.manifest import FINGERPRINTS, fold_numbers, read_fingerprints
from mlee_sb.errors import InputError, choose
from mlee_sb.files import read_json
from mlee_sb.models.bundle_files import CARD
from mlee_sb.models.encoders.pretrained import UPSTREAM_RATE
from mlee_sb.models.upstreams.find import FoundUpstream, find_upstream
from mlee_sb.noted_upstreams import pinned_commit
from mlee_sb.stage_folder import AGAIN, PROTOCOL, REQUIRED, TARGET, StageFolder, key_of, row_name, stage_place, variant_of
from mlee_sb.targets import Target, find_target
from mlee_sb.training.check_settings import BIN_EPOCHS, BINS, NO_CURRICULUM, TENSORBOARD, of_other_targets
from mlee_sb.training.hparams_tree import ENCODER, FIRST, encoder_settings
from mlee_sb.training.settings import SHARED, read_settings
from mlee_sb.training.source_code import code_of
from mlee_sb.whole_stage import damaged_file, holds

NO_RESULT = ("num_workers", TENSORBOARD, "requires")  # settings that change no result; a required stage has its own identity
OF_THE_ROW = ("row", "train_set", TARGET, FIRST)  # settings in the path of a stage, from which others follow
IN_THE_PLACE = (*OF_THE_ROW, "fold", "seed")  # settings that are in the path of a stage
UPSTREAM_EXAMPLE = "for example --upstream openai/whisper-base (or --mlee.upstream, where mlee alone has such an encoder)"
UPSTREAM = "upstream"  # the setting that names the pretrained network of an encoder
OF_THE_PROTOCOL = ("emotions", "min_votes")  # settings that come from the manifests
OFF = {BINS: NO_CURRICULUM}  # settings that earlier versions did not have: with these values, a stage is what it was without them
OF_CROSS = ("calibration", "calibration_groups", "fold")  # what a stage and its required stages must share if it is calibrated across


@dataclass(frozen=True)
class Data:
    """The data of a stage: a folder of manifests, its protocol, and the folder that the wav paths are relative to."""

    manifests: Path
    protocol: dict
    data_folder: Path

    @cached_property
    def recordings(self) -> dict[str, str]:
        """ID -> fingerprint of its recording; {} for manifests of an earlier version, which had none."""
        if not (self.manifests / FINGERPRINTS).is_file():
            return {}
        frame = read_fingerprints(self.manifests)
        return dict(zip(frame["ID"], frame["fingerprint"], strict=True))


@dataclass(frozen=True)
class Stage:
    """One model to train.

    Attributes
    ----------
    hparams, overrides : the YAML file, and the settings that replace those of the file
    settings : both together, as plain values
    changed : the settings that differ from the file: name -> value; names from a required stage begin with the name of this stage
    requires : the stages whose encoders this one freezes, by name, in the order of their embeddings
    data : the data that it is trained on
    folder : the folder of its results
    upstream : the pretrained network that its encoder stands on; None if it stands on none
    """

    hparams: Path
    overrides: dict
    settings: dict
    changed: dict
    requires: dict[str, "Stage"]
    data: Data
    folder: Path
    upstream: FoundUpstream | None = None

    @property
    def name(self) -> str:
        """Row, train set, seed and fold, in words for a person."""
        s = self.settings
        return f"{self.row} (train set {s['train_set']}, seed {s['seed']}, fold {s['fold']})"

    @property
    def row(self) -> str:
        """The name of its row, with the settings in which it differs from its file."""
        return row_name(self.settings["row"], self.variant)

    @property
    def variant(self) -> str:
        """The name of the changed settings; "" if there are none."""
        return variant_of(self.changed)

    @property
    def files(self) -> StageFolder:
        """Its folder, with the name of each file in it."""
        return StageFolder(self.folder)

    @cached_property
    def target(self) -> Target:
        """The target that it learns."""
        return find_target(self.settings["target"])

    @property
    def model_folder(self) -> Path:
        """The folder of its bundle."""
        return self.files.model

    @property
    def random_seed(self) -> int:
        """The random seed for first weights, batches and dropout. It depends on the setting `seed` and on the row.

        Rows with the same `seed` have different random numbers, because the paper trains the two encoders of a fusion independently.
        """
        drawn = hashlib.sha256(f"{self.settings['seed']} {self.settings['row']}".encode()).digest()
        return int.from_bytes(drawn[:4], "big")  # numpy's seeds have four bytes

    @property
    def identity(self) -> dict:
        """Everything that can change the result, and nothing else."""
        without = _without_effect(self.settings, self.target)
        settings = self.settings
        if self.upstream is not None:  # its weights, config and processor decide, and not where they lie
            described = self.upstream.described
            decides = key_of({"weights": described.weights.sha256, "config": described.config, "processor": described.processor})
            settings = {**settings, UPSTREAM: decides, ENCODER: {**settings[ENCODER], UPSTREAM: decides}}
        return {
            **{name: value for name, value in settings.items() if name not in without and OFF.get(name, ...) != value},
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
        """Whether the training is finished, all files are there, and its frozen encoders are still the same."""
        return damaged_file(self.files) is None and self.stands_on_its_encoders

    @property
    def stands_on_its_encoders(self) -> bool:
        """Whether the frozen encoders are still those of the required stages, which may have been trained again since.

        An encoder whose weights are missing counts as the same.
        """
        noted = self._noted_encoders
        return all(stage.files.weights in (None, noted.get(name)) for name, stage in self.requires.items())

    @property
    def _noted_encoders(self) -> dict[str, str]:
        with suppress(InputError):  # a damaged note counts as absent
            return self.files.noted_encoders()
        return {}

    def begin_on_its_encoders(self) -> str:
        """Note the weights of the frozen encoders. Remove what was trained on other encoders, and return why; "" if there is nothing.

        The same goes for checkpoints beside an identity that cannot be read.

        The summary is removed first: without it the stage does not count as finished, whenever the process is killed.
        """
        files = self.files
        noted, now = self._noted_encoders, {name: stage.files.weights for name, stage in self.requires.items()}
        unknown = files.begun and self._identity_there() is None
        stale = noted != now and files.begun
        files.summary.unlink(missing_ok=True)
        if stale or unknown:
            files.remove_checkpoints()
        files.scores.unlink(missing_ok=True)  # from an earlier training; the stage is scored again when it is finished
        files.note_encoders(now)
        if unknown:
            return f"{files.identity}: cannot be read: this stage begins anew"
        why = "its encoder was trained again since" if noted else "which encoder it stood on is not known"
        return f"{why}: this stage begins anew" if stale else ""

    @property
    def scored(self) -> bool:
        """Whether the file with its scores is there, and neither it nor its copy and the card in the bundle are damaged."""
        copy, card = self.files.bundle_scores, self.files.model / CARD
        try:
            for path in (self.files.scores, *([copy] if copy.is_file() else [])):
                read_json(path, "")
        except (OSError, InputError):
            return False
        return not card.is_file() or card.stat().st_size > 0

    def _identity_there(self) -> dict | None:
        """Return the identity in the folder; None where it is missing or damaged."""
        try:
            return self.files.read_identity()
        except InputError:
            return None

    def mend_identity(self) -> None:
        """Write the identity of a finished stage again where it cannot be read, and the other notes tell that it was this one."""
        if self.files.begun and self._identity_there() is None and holds(self.files, self.identity):
            self.files.write_identity(self.identity)

    def check_folder(self) -> None:
        """Refuse to go on in a folder that holds another stage.

        Where the identity cannot be read, a training that was not finished begins anew, and loses nothing but its time.

        Raises
        ------
        InputError
            if the settings differ (the message names them), or if the folder does not say which finished stage it holds
        """
        files = self.files
        if not files.begun:
            return
        there = self._identity_there()
        if there is None:
            if not files.summary.is_file() or holds(files, self.identity):
                return
            what = "damaged" if files.identity.is_file() else "missing"
            raise InputError(f"{files.identity}: {what}, so it is not known which settings the results in {self.folder} have: {AGAIN}")
        here = json.loads(json.dumps(self.identity))
        differing = [name for name in sorted({*there, *here}) if there.get(name) != here.get(name)]
        if UPSTREAM in differing:
            differing.remove(ENCODER)  # holds the same, beside settings that stand for themselves
        if differing:
            lines = "".join(f"\n  {name}: there {there.get(name)!r}, now {here.get(name)!r}" for name in differing)
            raise InputError(
                f"{self.folder}: holds results of other settings; give another folder with --results, or another row: in the file, "
                f"or move this one away:{lines}"
            )


def make_stage(hparams: str | Path, overrides: dict, data: Data, results: str | Path) -> Stage:
    """Make a stage from an hparams file, and its required stages from theirs.

    The name of its folder is the name of the row and the settings that differ from the file. So stages of one row with different
    settings have folders side by side, and share the encoders that are the same.

    Parameters
    ----------
    hparams : YAML file
    overrides : settings that replace those of the file, in the form of `mlee_sb.training.settings.nested`
    data : the data to train on
    results : the folder of all results, above those of the corpora

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
    upstream = None
    if UPSTREAM in settings and (not settings[UPSTREAM] or not isinstance(settings[UPSTREAM], str)):
        found = f"is {settings[UPSTREAM]!r}" if settings[UPSTREAM] else "is not given"
        raise InputError(f"{Path(hparams).name}: upstream {found}: name a pretrained network: {UPSTREAM_EXAMPLE}")
    if settings.get(UPSTREAM):
        upstream = find_upstream(settings[UPSTREAM], commit=pinned_commit(Path(results, data.protocol["corpus"]), settings[UPSTREAM]))
        overrides = {**overrides, UPSTREAM: upstream.given}
        settings = read_settings(hparams, overrides)
    requires = {}
    for name, part in settings["requires"].items():
        part = dict(part)
        file = Path(hparams).parent / part.pop("hparams")
        requires[name] = make_stage(file, {**{key: settings[key] for key in SHARED}, **part}, data, results)
        _check_shared(name, requires[name].settings, settings)
    changed = _changed(hparams, overrides, settings, target, requires, upstream)
    place = stage_place(
        results, data.protocol["corpus"], settings["row"], variant_of(changed), settings["train_set"], settings["seed"], settings["fold"]
    )
    return Stage(Path(hparams), overrides, settings, changed, requires, data, place, upstream)


def _changed(
    hparams: str | Path,
    overrides: Mapping,
    settings: Mapping,
    target: Target,
    requires: Mapping[str, Stage],
    upstream: FoundUpstream | None,
) -> dict:
    """Return the settings that differ from the file, except those that follow from the path, the data or another target."""
    decided = (ENCODER, *IN_THE_PLACE, *OF_THE_PROTOCOL, *_without_effect(settings, target))
    in_place = {name: value for name, value in overrides.items() if name in OF_THE_ROW}  # so it is read once for all folds and seeds
    chosen = overrides.get(ENCODER)
    in_file = read_settings(hparams, {**in_place, **({ENCODER: chosen} if chosen else {})})
    own = {name: settings[name] for name in overrides if name not in decided and name in settings and settings[name] != in_file[name]}
    if chosen and settings[ENCODER].get("!") != read_settings(hparams, in_place)[ENCODER].get("!"):
        own[ENCODER] = chosen
    if upstream is not None:
        own[UPSTREAM] = upstream.described.weights.name.replace("/", "--")
    for name in {TARGET, FIRST} & in_place.keys():  # the row is often named for them, and not always
        without = read_settings(hparams, {other: value for other, value in in_place.items() if other != name})
        if without["row"] == settings["row"] and without[name] != settings[name]:
            own[name] = settings[name]
    of_encoders = (ENCODER, *encoder_settings(hparams, chosen)) if requires and chosen else ()
    for stage in requires.values():
        own |= {name: value for name, value in stage.changed.items() if name in of_encoders and name in overrides}
    below = {}
    for name, stage in requires.items():
        passed_on = (*SHARED, *of_encoders, *in_file["requires"][name])  # what the row's own setting decides is not named again
        below |= {
            f"{name}.{key}": value
            for key, value in stage.changed.items()
            if key not in passed_on or own.get(key, settings.get(key)) != value
        }
    return {**own, **below}


def _without_effect(settings: Mapping, target: Target) -> tuple[str, ...]:
    """Return the names of the settings that change nothing for a stage."""
    unused = {
        "calibration_groups": settings["calibration"] != CROSS,
        UPSTREAM_RATE: not settings.get("learn_layers"),
        BIN_EPOCHS: settings[BINS] == NO_CURRICULUM,
        "masks": not (settings["time_mask_frames"] or settings["frequency_mask_bins"]),
    }
    return (*NO_RESULT, *of_other_targets(target), *(name for name, is_unused in unused.items() if is_unused))


def _check_shared(name: str, of_required: Mapping, settings: Mapping) -> None:
    """Refuse a required stage that has no inner models for the same groups of speakers, if this stage needs them."""
    for setting in OF_CROSS if settings["calibration"] == CROSS else ():
        if of_required[setting] != settings[setting]:
            raise InputError(
                f"requires {name}: {setting} is {of_required[setting]!r}, and {settings[setting]!r} for the stage that requires it: "
                f"both must be the same where calibration is {CROSS}: take {setting} out of requires"
            )


def plan(*wanted: Stage) -> list[Stage]:
    """Return some stages and all stages that they require, each one once, and after the stages that it requires.

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
