"""Checks of an hparams file before a long training: known names, values in range, and arguments that the classes take."""

import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from pydoc import ErrorDuringImport, locate

from mlee_sb.calibration import SPEAKERS
from mlee_sb.errors import InputError, choose
from mlee_sb.models.classifiers import CLASSIFIERS, kind_of
from mlee_sb.targets import DENSE, TRAIN_SETS, Setting, Target, find_target, target_names, usable_targets

PLAIN_MEAN, WEIGHTED_MEAN = "plain", "weighted"  # how the mean of the loss over utterances is taken
LARGEST_SEED = 2**32 - 1  # numpy's
FASTEST, SLOWEST = 10, 0.1  # speed factors

BINS, BIN_EPOCHS = "curriculum_bins", "curriculum_epochs"
NO_CURRICULUM = 1  # one bin, which all epochs hear
TENSORBOARD = "tensorboard"  # the setting; the package and the extra have the same name
SETTINGS = {  # settings of every hparams file; those of a target and the learning rates of an encoder come in addition
    "row": Setting(str),
    "target": Setting(str),
    "train_set": Setting(str, choices=TRAIN_SETS),
    "fold": Setting(int),
    "seed": Setting(int, least=0),
    "emotions": Setting(list, optional=True),
    "min_votes": Setting(int, above=0),
    "class_weights": Setting(bool),
    "loss_mean": Setting(str, choices=(PLAIN_MEAN, WEIGHTED_MEAN)),
    "level_db": Setting(float, optional=True),
    **dict.fromkeys(("requires", "encoder", "classifier", "opt_class"), Setting(Mapping)),
    "speeds": Setting(list),
    "masks": Setting(int, above=0),
    **dict.fromkeys(("time_mask_frames", "frequency_mask_bins"), Setting(int, least=0)),
    "embedding_dropout": Setting(float, least=0, below=1),
    "gain_db": Setting(float, least=0),
    "noise_snr_db": Setting(float, optional=True),
    **dict.fromkeys((BINS, BIN_EPOCHS), Setting(int, above=0)),
    "batch_size": Setting(int, above=0),
    "lr": Setting(float, above=0),
    "max_epochs": Setting(int, above=0),
    "patience": Setting(int, above=0),
    "max_grad_norm": Setting(float, above=0),
    "precision": Setting(str, choices=("fp32", "bf16", "fp16")),
    "calibration": Setting(str, choices=tuple(SPEAKERS)),
    "calibration_groups": Setting(int, least=2),
    "num_workers": Setting(int, least=0),
    TENSORBOARD: Setting(bool),
}
LEARNING_RATE = "lr_"  # prefix of the learning rates that an encoder has in addition to `lr`
PLAIN_KINDS = (bool, int, float, str)  # of the arguments of a class, which are checked before it is built
BY_PLACE = "!arguments"  # key of the arguments of a module that have no names, beside its tag
BUILDS = ("!new:", "!name:", "!apply:", "!applyref:")  # tags that come before the class of a module


def of_all_targets() -> dict[str, Setting]:
    """Return the settings that belong to any registered target."""
    found = {}
    for target in usable_targets():
        for name, setting in target.settings.items():
            if name in SETTINGS or name.startswith(LEARNING_RATE):
                raise InputError(f"target {target.name!r}: all rows have a setting {name!r}: its package must give it another name")
            found[name] = setting
    return found


def of_other_targets(target: Target) -> set[str]:
    """Return the names of the settings that belong to other targets. They change nothing for this one."""
    return of_all_targets().keys() - target.settings.keys()


def check_names(settings: Mapping, in_file: Mapping, target: object, file: str | Path) -> None:
    """Check that an hparams file has every setting that training needs, and no setting that nobody reads.

    A setting with a new name is allowed if another setting refers to it (``!ref <name>``).

    Parameters
    ----------
    settings : settings as plain values, as `mlee_sb.training.settings.read_settings` makes them
    in_file : the settings of the file alone, without overrides and with their references
    target : the target that the file itself names
    file : name of the file in errors

    Raises
    ------
    InputError
        if a setting is unknown, missing or wrong: the message names it, and the nearest known name
    """
    referred_to = set(_references(in_file))
    for name in settings:
        if name not in referred_to and not name.startswith(LEARNING_RATE):
            choose(name, {**SETTINGS, **of_all_targets()}, f"setting in {file}")
    _check_target(settings.get("target"), target, file)
    of_target = find_target(settings["target"]).settings
    missing = [name for name in {**SETTINGS, **of_target} if name not in settings]
    if missing:
        of = f"it belongs to the target {settings['target']}: add it to base.yaml or to this file"
        remedy = of if missing[0] in of_target else "copy its line from hparams/base.yaml"
        raise InputError(f"{file}: the setting {', '.join(missing)} is missing: {remedy}")
    check_required(settings["requires"], file)
    of_stages = isinstance(settings["encoder"], Mapping) and str(settings["encoder"].get("!")).startswith("!name:")
    if settings["requires"] and not of_stages:
        raise InputError(f"{file}: requires other stages, whose encoders it must freeze: begin the file with !include:frozen.yaml")
    _check_level(settings, referred_to, file)
    for name, module in settings.items():
        for place, tag, arguments in _built(module, name):
            _check_arguments(tag, arguments, f"{place} in {file}")
    _check_classifier(settings, file)


def check_required(required: object, file: str | Path) -> None:
    """Refuse required stages that are not described by name, each with its hparams file."""
    SETTINGS["requires"].check("requires", required, file)
    for name, part in required.items():
        if not isinstance(part, Mapping) or not isinstance(part.get("hparams"), str):
            raise InputError(f"{file}: requires {name}: {part!r}: give it an hparams file: {{hparams: mlee.yaml}}")


def _check_classifier(settings: Mapping, file: str | Path) -> None:
    """Refuse a target that needs a classifier of another kind than the row has."""
    target = find_target(settings["target"])
    has = [kind_of(_located(tag, f"classifier in {file}")) for place, tag, _ in _built(settings["classifier"], "") if not place]
    if has != [target.classifier]:
        choose(target.classifier, CLASSIFIERS, f"kind of classifier of the target {target.name}")
        raise InputError(
            f"{file}: the target {target.name} needs a classifier of the kind {target.classifier}, and this row has another one: "
            f"train a row that has it: {_command_for(target)}"
        )


def _command_for(target: Target) -> str:
    """Return the command that trains a target on a row with its classifier. Each kind but the dense one has a row, named as its target."""
    ours = [name for name in target_names(classifier=target.classifier) if type(find_target(name)).__module__.startswith("mlee_sb.")]
    row = "dominant" if target.classifier == DENSE else ours[0]
    return f"mlee train {row}" if target.name == row else f"mlee train {row} --target {target.name}"


def _check_level(settings: Mapping, referred_to: set[str], file: str | Path) -> None:
    """Refuse a level that no front end of the row would bring utterances to. A row on frozen encoders hands it on to their stages."""
    if settings["level_db"] is not None and "level_db" not in referred_to and not settings["requires"]:
        raise InputError(
            f"{file}: level_db is {settings['level_db']!r}, and the encoder of this row does not take it: "
            "leave it out, or refer to it where the front end is described (level_db: !ref <level_db>)"
        )


def _check_target(target: object, in_file: object, file: str | Path) -> None:
    """Check that this row may learn the target: it may choose only among targets with the same output as the one in its file."""
    for found in (target, in_file):
        if not isinstance(found, str):
            raise InputError(f"{file}: target is {found!r}, and must be one of {', '.join(target_names())}")
    output = find_target(in_file).output
    if find_target(target).output is not output:
        choice = ", ".join(target_names(output, find_target(in_file).classifier))
        raise InputError(f"{file} trains {in_file} and cannot train {target}, which belongs to other rows: choose from {choice}")


def _references(node) -> Iterator[str]:
    """Yield the names that settings refer to."""
    if isinstance(node, Mapping):
        node = list(node.values())
    if isinstance(node, list):
        for inner in node:
            yield from _references(inner)
    elif isinstance(node, str):
        yield from re.findall(r"<(\w+)", node)


def check_values(settings: Mapping, file: str | Path) -> None:
    """Check that all values of settings are allowed.

    Parameters
    ----------
    settings : settings as plain values, with all overrides
    file : name of the file in errors

    Raises
    ------
    InputError
        if a value is not allowed: the message names the setting, its value, and what it may be
    """
    rates = {name: SETTINGS["lr"] for name in settings if name.startswith(LEARNING_RATE)}
    for name, setting in {**SETTINGS, **of_all_targets(), **rates}.items():
        if name in settings:
            setting.check(name, settings[name], file)
    if settings["seed"] > LARGEST_SEED:
        raise InputError(f"{file}: seed is {settings['seed']!r}, and must be {LARGEST_SEED} or less")
    if (before := epochs_before_all(settings)) >= settings["max_epochs"]:
        raise InputError(
            f"{file}: max_epochs is {settings['max_epochs']!r}, and the last bin of the curriculum joins in epoch {before + 1}: "
            f"give max_epochs {before + 1} or more, or fewer {BINS} or {BIN_EPOCHS}"
        )
    speeds = settings["speeds"]
    right = all(isinstance(speed, int | float) and SLOWEST <= speed <= FASTEST for speed in speeds)
    if not speeds or len(set(speeds)) != len(speeds) or not right:
        raise InputError(f"{file}: speeds are {speeds!r}, and must be different factors such as 0.9 1.0 1.1")


def epochs_before_all(settings: Mapping) -> int:
    """Return the number of epochs that do not hear all training utterances, because bins of the curriculum are missing.

    >>> epochs_before_all({"curriculum_bins": 5, "curriculum_epochs": 2}), epochs_before_all({"curriculum_bins": 1, "curriculum_epochs": 2})
    (8, 0)
    """
    return (settings[BINS] - 1) * settings[BIN_EPOCHS]


def built_classes(settings: Mapping) -> list[type]:
    """Return the classes that an hparams file builds modules from, each once, sorted by name."""
    tags = {tag for name, module in settings.items() for _, tag, _ in _built(module, name)}
    return [_located(tag, "the settings") for tag in sorted(tags)]


def _built(node, place: str) -> Iterator[tuple[str, str, Mapping]]:
    """Yield every module below a setting: its place (``encoder.network``), the dotted name of its class, its arguments by name."""
    if isinstance(node, Mapping):
        tag = next((node["!"].removeprefix(build) for build in BUILDS if str(node.get("!", "")).startswith(build)), None)
        inner = {name: value for name, value in node.items() if name not in ("!", BY_PLACE)}
        if tag:
            yield place, tag, inner
        for name, value in inner.items():
            yield from _built(value, f"{place}.{name}")
        node = node.get(BY_PLACE, [])
    if isinstance(node, list):
        for number, value in enumerate(node):
            yield from _built(value, f"{place}[{number}]")


def _located(tag: str, where: str):
    try:
        found = locate(tag)
    except ErrorDuringImport as error:
        raise InputError(f"{where}: {tag} cannot be imported: {error}") from error
    if not callable(found):
        raise InputError(f"{where}: there is no class {tag}: is its package installed, and the name right?")
    return found


def _check_arguments(tag: str, arguments: Mapping, where: str) -> None:
    found = _located(tag, where)
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):  # Python does not know the arguments of some classes that are written in C
        return
    if not any(parameter.kind == inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        for name in arguments:
            choose(name, [parameter.name for parameter in parameters], f"setting of {where}")
    for parameter in parameters:
        if parameter.name in arguments and parameter.annotation in PLAIN_KINDS:
            Setting(parameter.annotation).check(parameter.name, arguments[parameter.name], where)


@contextmanager
def built_from(file: str | Path) -> Iterator[None]:
    """Turn the errors of classes that do not take their settings into InputErrors that name the hparams file."""
    try:
        yield
    except InputError:
        raise
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, ImportError, RuntimeError, MemoryError) as error:
        raise InputError(f"{file}: its modules cannot be built ({error}): correct the settings of the class that is meant") from error
