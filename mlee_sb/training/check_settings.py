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

NEEDED = ("row", "target", "train_set", "fold", "seed", "emotions", "min_votes", "class_weights", "loss_mean", "requires", "encoder")
NEEDED += ("classifier", "speeds", "batch_size", "lr", "opt_class", "max_epochs", "patience", "max_grad_norm", "precision", "num_workers")
OF_SOFT_TARGETS = ("alpha", "class_frequency")  # settings of rows that may have a soft target
CHOICES = {
    "train_set": TRAIN_SETS,
    "precision": PRECISIONS,
    "loss_mean": (PLAIN_MEAN, WEIGHTED_MEAN),
    "class_frequency": (OF_TARGETS, OF_DOMINANT),
}
POSITIVE = ("lr", "batch_size", "max_epochs", "patience", "max_grad_norm", "min_votes")
NOT_NEGATIVE = ("seed", "num_workers", "alpha")
LARGEST_SEED = 2**32 - 1  # numpy's
BUILDS = ("!new:", "!name:")  # tags before the class of a module


def check_names(settings: Mapping, in_file: Mapping, text: str, file: str | Path) -> None:
    """Check that an hparams file has every setting that training needs, and none that nothing reads.

    A name of the user's own is no mistake where another setting refers to it (``!ref <name>``).

    Parameters
    ----------
    settings : resolved to plain values, as `mlee_sb.training.settings.read_settings` makes them
    in_file : the settings of the file alone, without overrides
    text : of the file, for its references
    file : named in the errors

    Raises
    ------
    InputError
        that names the setting and the nearest known one
    """
    known = (*NEEDED, *OF_SOFT_TARGETS)
    referred_to = set(re.findall(r"<(\w+)", text))
    for name in settings:
        if name not in referred_to:
            choose(name, known, f"setting in {file}")
    may_be_soft = in_file.get("target") in DOMINANT_TARGETS
    missing = [name for name in (*NEEDED, *(OF_SOFT_TARGETS if may_be_soft else ())) if name not in settings]
    if missing:
        raise InputError(f"{file}: the setting {', '.join(missing)} is missing: copy its line from a file in hparams/ that has it")
    for name, module in settings.items():
        for place, tag, arguments in _built(module, name):
            _check_arguments(tag, arguments, f"{place} in {file}")


def check_type(name: str, value, default, file: str | Path) -> None:
    """Check that a value given for a setting is of the kind that the file has.

    Parameters
    ----------
    name, value : of the setting
    default : the plain value in the file
    file : named in the error
    """
    numbers = (int, float)
    expected = numbers if isinstance(default, float) else type(default)
    if not isinstance(value, expected) or (isinstance(value, bool) and not isinstance(default, bool)):
        kind = {bool: "True or False", int: "a whole number", numbers: "a number", list: "a list"}.get(expected, "text")
        raise InputError(f"{file}: {name} is {value!r}, and must be {kind} (in the file: {default!r})")


def check_values(settings: Mapping, target_in_file: str, file: str | Path) -> None:
    """Check that the values of settings can be trained with.

    Parameters
    ----------
    settings : resolved, with all overrides
    target_in_file : the target before overrides: a row that learns existence learns nothing else
    file : named in the errors
    """
    target = settings["target"]
    if target_in_file == "existence" and target != "existence":
        raise InputError(f"{file} trains existence and has no target to choose; {', '.join(DOMINANT_TARGETS)} belong to the other rows")
    if target_in_file != "existence":
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
        inner = {name: value for name, value in node.items() if name != "!"}
        if tag:
            yield place, tag, inner
        for name, value in inner.items():
            yield from _built(value, f"{place}.{name}")


def _located(tag: str, where: str):
    try:
        found = locate(tag)
    except ErrorDuringImport as error:
        raise InputError(f"{where}: {tag} cannot be imported: {error}") from error
    if not callable(found):
        raise InputError(f"{where}: there is no class {tag}: is its package installed, and the name right?")
    return found


def _check_arguments(tag: str, arguments: Mapping, where: str) -> None:
    parameters = inspect.signature(_located(tag, where)).parameters.values()
    if any(parameter.kind == inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return
    for name in arguments:
        choose(name, [parameter.name for parameter in parameters], f"setting of {where}")
