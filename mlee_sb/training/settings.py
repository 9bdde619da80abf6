"""An hparams file as plain settings: read without building anything, overridden by name, checked before hours are spent."""

import math
from collections.abc import Mapping
from pathlib import Path

import ruamel.yaml
from hyperpyyaml import resolve_references

from mlee_sb.errors import InputError, choose

TRAIN_SETS = ("dominant", "all")
DOMINANT_TARGETS = ("hard", "soft")
PRECISIONS = ("fp32", "bf16", "fp16")
# A required stage has these as the stage that requires it.
SHARED = ("fold", "seed", "train_set", "emotions", "min_votes", "precision")
POSITIVE = ("lr", "batch_size", "max_epochs", "patience", "max_grad_norm", "min_votes")
NOT_NEGATIVE = ("seed", "num_workers", "alpha")
LARGEST_SEED = 2**32 - 1  # numpy's


def read_settings(hparams: str | Path, overrides: Mapping | None = None) -> dict:
    """Resolve an hparams file with its parts, references and overrides to plain dictionaries, lists and values.

    Modules stay descriptions: nothing is built. Two files with equal settings train equal stages.

    Parameters
    ----------
    hparams : YAML file in HyperPyYAML syntax
    overrides : settings to replace, by name

    Raises
    ------
    InputError
        if the file is missing or broken, or an override is not one of its settings or has a wrong value
    """
    tree = _load(hparams)
    for name, value in (overrides or {}).items():
        choose(name, tree, f"setting of {Path(hparams).name}")
        if name != "requires":
            _check_type(name, value, tree[name], hparams)
    settings = _plain(ruamel.yaml.YAML().load(_resolved(hparams, overrides)))
    _check(settings, overrides or {}, _plain(tree), Path(hparams).name)
    return settings


def resolved_yaml(hparams: str | Path, overrides: Mapping) -> str:
    """The hparams file with everything filled in, as it is kept beside the results."""
    return _resolved(hparams, overrides).getvalue()


def overridable(hparams: str | Path) -> dict[str, tuple[object, str]]:
    """Settings that can be given on the command line: name -> (value in the file, its comment).

    Settings of a required stage are written with its name: ``mlee.lr``.
    """
    tree = _load(hparams)
    found = {}
    for name, value in tree.items():
        if name != "row" and (isinstance(value, bool | int | float | str | list) or value is None):
            comment = tree.ca.items.get(name)
            found[name] = (value, comment[2].value.strip("# \n").split("\n")[0] if comment and comment[2] else "")
    for stage, part in (tree.get("requires") or {}).items():
        for name, default in overridable(Path(hparams).parent / part["hparams"]).items():
            if name not in (*SHARED, "target"):
                found[f"{stage}.{name}"] = default
    return found


def nested(flat: Mapping) -> dict:
    """Overrides by name to overrides as the file nests them.

    >>> nested({"lr": 0.1, "mlee.lr": 0.2})
    {'lr': 0.1, 'requires': {'mlee': {'lr': 0.2}}}
    """
    overrides: dict = {}
    for name, value in flat.items():
        *stages, setting = name.split(".")
        place = overrides
        for stage in stages:
            place = place.setdefault("requires", {}).setdefault(stage, {})
        place[setting] = value
    return overrides


def _load(hparams: str | Path) -> Mapping:
    path = Path(hparams)
    if not path.is_file():
        nearby = sorted(p.name for p in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        if nearby:
            choose(path.name, nearby, f"hparams file in {path.parent}")
        raise InputError(f"{path}: no such hparams file")
    try:
        tree = ruamel.yaml.YAML().load(path.read_text(encoding="utf-8"))
    except ruamel.yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {error}") from error
    if not isinstance(tree, Mapping):
        raise InputError(f"{path}: not an hparams file: it must hold settings by name")
    return tree


def _resolved(hparams: str | Path, overrides: Mapping | None):
    try:
        with open(hparams, encoding="utf-8") as stream:
            return resolve_references(stream, dict(overrides or {}))
    except (ruamel.yaml.YAMLError, ValueError, KeyError, OSError) as error:
        raise InputError(f"{hparams}: cannot be resolved: {error}") from error


def _plain(node):
    tag = getattr(getattr(node, "tag", None), "value", None)
    tag = tag if tag and tag.startswith("!") and ":" in tag else None
    if isinstance(node, Mapping):
        return {**({"!": tag} if tag else {}), **{str(key): _plain(value) for key, value in node.items()}}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    if tag:
        return {"!": tag}
    for kind in (bool, int, float):  # bool first: it is an int too
        if isinstance(node, kind):
            return kind(node)
    return node if node is None else str(getattr(node, "value", node))


def _check_type(name: str, value, default, hparams: str | Path) -> None:
    numbers = (int, float)
    expected = numbers if isinstance(default, float) else type(_plain(default))
    wrong = not isinstance(value, expected) or (isinstance(value, bool) and not isinstance(default, bool))
    if wrong:
        kind = {bool: "True or False", int: "a whole number", numbers: "a number", list: "a list"}.get(expected, "text")
        raise InputError(f"{Path(hparams).name}: {name} is {value!r}, and must be {kind} (in the file: {_plain(default)!r})")


def _check(settings: dict, overrides: Mapping, in_file: dict, file: str) -> None:
    target = settings.get("target")
    if in_file["target"] == "existence" and target != "existence":
        raise InputError(f"{file} trains existence and has no target to choose; {', '.join(DOMINANT_TARGETS)} belong to the other rows")
    if in_file["target"] != "existence":
        choose(target, DOMINANT_TARGETS, "target")
    choose(settings["train_set"], TRAIN_SETS, "train_set")
    choose(settings["precision"], PRECISIONS, "precision")
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
