"""What an hparams file may hold: known names, values in range, arguments that their classes take. Checked before hours are spent."""

import inspect
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from pydoc import ErrorDuringImport, locate

from mlee_sb.errors import InputError, choose

TRAIN_SETS = ("dominant", "all")
DOMINANT_TARGETS = ("hard", "soft")
PRECISIONS = ("fp32", "bf16", "fp16")
PLAIN_MEAN, WEIGHTED_MEAN = "plain", "weighted"  # of the loss over utterances
OF_TARGETS, OF_DOMINANT = "targets", "dominant"  # what the frequency of a class is counted on

NUMBER = int | float
KINDS = {  # of the settings of an hparams file
    **dict.fromkeys(("row", "target", "train_set", "loss_mean", "precision"), str),
    **dict.fromkeys(("fold", "seed", "min_votes", "batch_size", "max_epochs", "patience", "num_workers"), int),
    **dict.fromkeys(("lr", "max_grad_norm"), NUMBER),
    **dict.fromkeys(("emotions", "speeds"), list),
    **dict.fromkeys(("requires", "encoder", "classifier", "opt_class"), Mapping),
    "class_weights": bool,
}
OF_SOFT_TARGETS = {"alpha": NUMBER, "class_frequency": str}  # of rows that may have a soft target
WORDS = {bool: "True or False", int: "a whole number", NUMBER: "a number", list: "a list", str: "text", Mapping: "settings by name"}
CHOICES = {
    "train_set": TRAIN_SETS,
    "precision": PRECISIONS,
    "loss_mean": (PLAIN_MEAN, WEIGHTED_MEAN),
    "class_frequency": (OF_TARGETS, OF_DOMINANT),
}
POSITIVE = ("lr", "batch_size", "max_epochs", "patience", "max_grad_norm", "min_votes")
NOT_NEGATIVE = ("seed", "num_workers", "alpha")
LARGEST_SEED = 2**32 - 1  # numpy's
BY_PLACE = "!arguments"  # beside the tag, of a module whose arguments have no names
BUILDS = ("!new:", "!name:", "!apply:", "!applyref:")  # tags before the class of a module


def check_names(settings: Mapping, in_file: Mapping, own_target, file: str | Path) -> None:
    """Check that an hparams file has every setting that training needs, each of its kind, and none that nothing reads.

    A name of the user's own is no mistake where another setting refers to it (``!ref <name>``).

    Parameters
    ----------
    settings : resolved to plain values, as `mlee_sb.training.settings.read_settings` makes them
    in_file : the settings of the file alone, neither resolved nor with overrides
    own_target : the target of the file alone: one that trains existence has no settings of soft targets
    file : named in the errors

    Raises
    ------
    InputError
        that names the setting and the nearest known one
    """
    kinds = {**KINDS, **(OF_SOFT_TARGETS if own_target in DOMINANT_TARGETS else {})}
    referred_to = set(_references(in_file))
    for name in settings:
        if name not in referred_to:
            choose(name, kinds, f"setting in {file}")
    missing = [name for name in kinds if name not in settings]
    if missing:
        raise InputError(f"{file}: the setting {', '.join(missing)} is missing: copy its line from a file in hparams/ that has it")
    for name, kind in kinds.items():
        value = settings[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise InputError(f"{file}: {name} is {value!r}, and must be {WORDS[kind]}")
    for name, part in settings["requires"].items():
        if not isinstance(part, Mapping) or not isinstance(part.get("hparams"), str):
            raise InputError(f"{file}: requires {name}: {part!r}: give it an hparams file: {{hparams: mlee.yaml}}")
    for name, module in settings.items():
        for place, tag, arguments in _built(module, name):
            _check_arguments(tag, arguments, f"{place} in {file}")


def _references(node) -> Iterator[str]:
    """The names that settings refer to."""
    if isinstance(node, Mapping):
        node = list(node.values())
    if isinstance(node, list):
        for inner in node:
            yield from _references(inner)
    elif isinstance(node, str):
        yield from re.findall(r"<(\w+)", node)


def check_values(settings: Mapping, own_target: str, file: str | Path) -> None:
    """Check that the values of settings can be trained with.

    Parameters
    ----------
    settings : resolved, with all overrides
    own_target : the target before overrides: a row that learns existence learns nothing else
    file : named in the errors
    """
    target = settings["target"]
    if own_target == "existence" and target != "existence":
        raise InputError(f"{file} trains existence and has no target to choose; {', '.join(DOMINANT_TARGETS)} belong to the other rows")
    if own_target != "existence":
        choose(target, DOMINANT_TARGETS, "target")
    for name in CHOICES:
        if name in settings:
            choose(settings[name], CHOICES[name], name)
    for names, in_range, words in ((POSITIVE, lambda v: v > 0, "above 0"), (NOT_NEGATIVE, lambda v: v >= 0, "0 or more")):
        for name in [name for name in names if name in settings]:
            value = settings[name]
            if not isinstance(value, int | float) or not math.isfinite(value) or not in_range(value):
                raise InputError(f"{file}: {name} is {value!r}, and must be {words}")
    if settings["seed"] > LARGEST_SEED:
        raise InputError(f"{file}: seed is {settings['seed']!r}, and must be {LARGEST_SEED} or less")
    speeds = settings["speeds"]
    if not speeds or len(set(speeds)) != len(speeds) or not all(isinstance(s, int | float) and 0.1 <= s <= 10 for s in speeds):
        raise InputError(f"{file}: speeds are {speeds!r}, and must be different factors such as 0.9 1.0 1.1")


def built_classes(settings: Mapping) -> list[type]:
    """Return the classes that an hparams file builds modules from, each once, sorted by name."""
    tags = {tag for name, module in settings.items() for _, tag, _ in _built(module, name)}
    return [_located(tag, "the settings") for tag in sorted(tags)]


def _built(node, place: str) -> Iterator[tuple[str, str, Mapping]]:
    """Find every module below a setting: its place (``encoder.network``), the dotted name of its class, its arguments by name."""
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
    except (TypeError, ValueError):  # of some classes written in C, Python cannot tell
        return
    if any(parameter.kind == inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return
    for name in arguments:
        choose(name, [parameter.name for parameter in parameters], f"setting of {where}")
