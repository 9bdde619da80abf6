"""An hparams file as plain settings: read without building anything, overridden by name, checked before hours are spent."""

from collections.abc import Mapping
from pathlib import Path

import ruamel.yaml
from hyperpyyaml import resolve_references

from mlee_sb.errors import InputError, choose
from mlee_sb.training.check_settings import BY_PLACE, check_names, check_values

# A required stage has these as the stage that requires it.
SHARED = ("fold", "seed", "train_set", "emotions", "min_votes", "loss_mean", "precision")


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
        if the file is missing or broken, a setting in it is unknown or missing, or an override is not one of its settings or has a
        wrong value
    """
    tree, file = _load(hparams), Path(hparams).name
    in_file = _plain(tree)
    for name in overrides or {}:
        choose(name, tree, f"setting of {file}")
    settings = _resolved_settings(hparams, overrides)
    own_target = settings.get("target")
    if "target" in (overrides or {}):
        own_target = _resolved_settings(hparams, None).get("target")
    check_names(settings, in_file, own_target, file)
    check_values(settings, own_target, file)
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


def _resolved_settings(hparams: str | Path, overrides: Mapping | None) -> dict:
    return _plain(ruamel.yaml.YAML().load(_resolved(hparams, overrides)))


def _plain(node):
    tag = getattr(getattr(node, "tag", None), "value", None)
    tag = tag if tag and tag.startswith("!") and ":" in tag else None
    if isinstance(node, Mapping):
        return {**({"!": tag} if tag else {}), **{str(key): _plain(value) for key, value in node.items()}}
    if isinstance(node, list):
        values = [_plain(value) for value in node]
        return {"!": tag, BY_PLACE: values} if tag else values
    if tag:
        return {"!": tag}
    for kind in (bool, int, float):  # bool first: it is an int too
        if isinstance(node, kind):
            return kind(node)
    return node if node is None else str(getattr(node, "value", node))
