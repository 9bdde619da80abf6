"""An hparams file as plain settings: read without building anything, overridden by name, and checked before a long training."""

import copy
import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

import ruamel.yaml
from hyperpyyaml import resolve_references
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.tag import Tag

from mlee_sb.errors import InputError, choose
from mlee_sb.targets import find_target, target_names
from mlee_sb.training.check_settings import BY_PLACE, SETTINGS, check_names, check_values, of_all_targets

INCLUDE = "!include:"
_READ: dict[tuple, dict] = {}  # what was read before: a plan of table 3 asks hundreds of times for the settings of a few files

# A required stage has the same values of these as the stage that requires it.
SHARED = ("fold", "seed", "train_set", "emotions", "min_votes", "loss_mean", "precision", "level_db")


def read_settings(hparams: str | Path, overrides: Mapping | None = None) -> dict:
    """Read an hparams file with its base, parts, references and overrides as plain dictionaries, lists and values.

    Modules stay descriptions, and nothing is built. Two files with equal settings train equal stages.

    Parameters
    ----------
    hparams : YAML file in HyperPyYAML syntax. If it begins with ``!include:base.yaml``, its settings replace those of base.yaml
    overrides : settings to replace, by name

    Raises
    ------
    InputError
        if the file is missing or damaged, if a setting in it is unknown or missing, or if an override is not one of its settings or has
        a wrong value
    """
    overrides = dict(overrides or {})
    read_from = (str(hparams), _texts(Path(hparams)), repr(overrides))
    if read_from not in _READ:
        _READ[read_from] = _checked_settings(hparams, overrides)
    return copy.deepcopy(_READ[read_from])


def _checked_settings(hparams: str | Path, overrides: Mapping) -> dict:
    tree, file = _load(hparams), Path(hparams).name
    for name in overrides:
        choose(name, tree, f"setting of {file}")
    in_file = _plain(tree)
    settings = _plain(ruamel.yaml.YAML().load(_resolved(hparams, overrides)))
    check_names(settings, in_file, _target_of_file(hparams, in_file), file)
    check_values(settings, file)
    return settings


def _texts(path: Path, above: tuple[Path, ...] = ()) -> tuple[str, ...]:
    """Return the text of a file and of each file that it includes; "" for a missing file. `above` are the files that include it."""
    if path in above:
        raise InputError(f"{path}: includes itself: take the {INCLUDE} that leads back to it out of {above[-1]}")
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    included = re.findall(rf"^[^#\n]*{INCLUDE}(\S+)", text, flags=re.MULTILINE)
    return (text, *(part for name in included for part in _texts(path.parent / name, (*above, path))))


def resolved_yaml(hparams: str | Path, overrides: Mapping) -> str:
    """Return the text of an hparams file with everything filled in. HyperPyYAML builds from it, and it is kept beside the results."""
    return _resolved(hparams, overrides).getvalue()


def overridable(hparams: str | Path) -> dict[str, tuple[object, str]]:
    """Return the settings that the command line can change: name -> (value in the file, its comment).

    The name of a setting of a required stage begins with the name of this stage: ``mlee.lr``. Settings of targets that the row cannot
    learn are left out.
    """
    tree = _load(hparams)
    output = find_target(str(tree["target"])).output if tree.get("target") in target_names() else None
    of_its_targets = {name for target in target_names(output) for name in find_target(target).settings}
    found = {}
    for name, value in tree.items():
        chooses = name != "row" and (name in of_its_targets or name not in of_all_targets())
        if chooses and (isinstance(value, bool | int | float | str | list) or value is None):
            comment = tree.ca.items.get(name)
            value = [] if value is None and SETTINGS[name].kind is list else value
            found[name] = (value, comment[2].value.strip("# \n").split("\n")[0] if comment and comment[2] else "")
    for stage, part in (tree.get("requires") or {}).items():
        for name, default in overridable(Path(hparams).parent / part["hparams"]).items():
            if name not in (*SHARED, "target"):
                found[f"{stage}.{name}"] = default
    return found


def nested(flat: Mapping) -> dict:
    """Return overrides in the nested form of the file, from overrides by name.

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


def _load(hparams: str | Path) -> CommentedMap:
    """Return the settings of a file by name, each with its comment, and after them those of the base that it includes.

    HyperPyYAML resolves settings in their order: one of the base may refer to one of the file that refers to a third.
    """
    path = Path(hparams)
    tree = _read(path)
    base = _included(tree)
    if base is None:
        return tree
    whole = CommentedMap()
    for part in (tree, _load(path.parent / base)):
        for name, value in part.items():
            if name not in whole:
                whole[name] = value
                if name in part.ca.items:
                    whole.ca.items[name] = part.ca.items[name]
    return whole


def _target_of_file(hparams: str | Path, in_file: Mapping) -> object:
    """The target that a file itself names; it may refer to another setting."""
    target = in_file.get("target")
    return _plain(ruamel.yaml.YAML().load(_resolved(hparams, None))).get("target") if "<" in str(target) else target


def _read(path: Path) -> CommentedMap:
    """Read one file, and replace the names of the parts that it includes by their whole paths."""
    if not path.is_file():
        nearby = sorted(p.name for p in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        if nearby:
            choose(path.name, nearby, f"hparams file in {path.parent}")
        raise InputError(f"{path}: no such hparams file")
    try:
        tree = ruamel.yaml.YAML().load(path.read_text(encoding="utf-8"))
    except ruamel.yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {error}") from error
    if not isinstance(tree, CommentedMap):
        raise InputError(f"{path}: not an hparams file: it must hold settings by name")
    for value in tree.values():
        _with_whole_paths(value, path.parent.resolve())
    return tree


def _included(node) -> str | None:
    """Return the file that a node includes; None if it includes none."""
    tag = _tag(node)
    return tag.removeprefix(INCLUDE) if tag and tag.startswith(INCLUDE) else None


def _with_whole_paths(node, folder: Path) -> None:
    if (file := _included(node)) is not None:
        node.yaml_set_ctag(Tag(suffix=f"{INCLUDE}{folder / file}"))
    for inner in node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ():
        _with_whole_paths(inner, folder)


def _resolved(hparams: str | Path, overrides: Mapping | None) -> StringIO:
    text = StringIO()
    ruamel.yaml.YAML().dump(_load(hparams), text)
    try:
        return resolve_references(text.getvalue(), dict(overrides or {}))
    except (ruamel.yaml.YAMLError, ValueError, KeyError, OSError) as error:
        raise InputError(f"{hparams}: cannot be resolved: {error}") from error


def _tag(node) -> str | None:
    tag = getattr(getattr(node, "tag", None), "value", None)
    return tag if tag and tag.startswith("!") and ":" in tag else None


def _plain(node):
    tag = _tag(node)
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
