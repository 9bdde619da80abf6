"""An hparams file as plain settings: read without building anything, overridden by name, and checked before a long training."""

import copy
from collections.abc import Mapping
from pathlib import Path

from mlee_sb.errors import InputError, choose
from mlee_sb.targets import find_target, target_names
from mlee_sb.training.check_settings import SETTINGS, check_names, check_values, of_all_targets
from mlee_sb.training.hparams_tree import (
    ENCODER,
    comment_of,
    encoder_names,
    encoder_settings,
    plain,
    read_tree,
    required_files,
    resolved,
    resolved_plain,
    texts_of,
)

_READ: dict[tuple, dict] = {}  # what was read before: a plan of table 3 asks hundreds of times for the settings of a few files

FILLED_IN = ("fold", "seed")  # settings that are replaced after a file was read, where no other setting refers to them

# A required stage has the same values of these as the stage that requires it.
SHARED = (
    "fold",
    "seed",
    "train_set",
    "emotions",
    "min_votes",
    "loss_mean",
    "precision",
    "level_db",
    "calibration",
    "calibration_groups",
    "tensorboard",
)


def read_settings(hparams: str | Path, overrides: Mapping | None = None) -> dict:
    """Read an hparams file with its base, parts, references and overrides as plain dictionaries, lists and values.

    Modules stay descriptions, and nothing is built. Two files with equal settings train equal stages.

    Parameters
    ----------
    hparams : YAML file in HyperPyYAML syntax. If it begins with ``!include:base.yaml``, its settings replace those of base.yaml
    overrides : settings to replace, by name. ``encoder`` is the name of an encoder: the settings in the file of this encoder replace those
        of the row. A row that requires others passes it on to them, with the settings that only this encoder has

    Raises
    ------
    InputError
        if the file is missing or damaged, if a setting in it is unknown or missing, or if an override is not one of its settings or has
        a wrong value
    """
    overrides, texts = dict(overrides or {}), texts_of(Path(hparams))
    filled = {name: overrides.pop(name) for name in FILLED_IN if name in overrides and not any(f"<{name}" in text for text in texts)}
    read_from = (str(hparams), texts, repr(overrides))
    if read_from not in _READ:
        _READ[read_from] = _checked_settings(hparams, overrides)
    settings = copy.deepcopy(_READ[read_from])
    for name in filled:
        choose(name, settings, f"setting of {Path(hparams).name}")
    settings |= filled
    if filled:
        check_values(settings, Path(hparams).name)
    return settings


def _checked_settings(hparams: str | Path, overrides: Mapping) -> dict:
    encoder, overrides = _split(hparams, overrides)
    tree, file = read_tree(hparams, encoder), Path(hparams).name
    for name in overrides:
        choose(name, tree, f"setting of {file}")
    in_file = plain(tree)
    settings = resolved_plain(tree, overrides, hparams)
    target = in_file.get("target")  # it may refer to another setting
    if "<" in str(target):
        target = resolved_plain(tree, {}, hparams).get("target")
    check_names(settings, in_file, target, file)
    check_values(settings, file)
    return settings


def resolved_yaml(hparams: str | Path, overrides: Mapping) -> str:
    """Return the text of an hparams file with everything filled in. HyperPyYAML builds from it, and it is kept beside the results."""
    encoder, overrides = _split(hparams, overrides)
    return resolved(read_tree(hparams, encoder), overrides, hparams).getvalue()


def _split(hparams: str | Path, overrides: Mapping) -> tuple[str | None, dict]:
    """Return the encoder that was chosen (None if none was), and the other overrides, as HyperPyYAML takes them."""
    overrides = dict(overrides)
    encoder = overrides.pop(ENCODER, None)
    if encoder is not None:
        choose(encoder, encoder_names(hparams), ENCODER)
    required = required_files(read_tree(hparams), hparams, overrides)
    if not required or encoder is None:
        return encoder, overrides
    passed_on = {name: overrides.pop(name) for name in encoder_settings(hparams, encoder) if name in overrides}
    stages = dict(overrides.get("requires", {}))
    for stage, file in required.items():
        given = {ENCODER: encoder, **stages.get(stage, {})}
        own = encoder_settings(file, given[ENCODER])
        stages[stage] = {**{name: value for name, value in passed_on.items() if name in own}, **given}
    return encoder, {**overrides, "requires": stages}


def overridable(
    hparams: str | Path, chosen: Mapping[str, str] | None = None, above: tuple[Path, ...] = ()
) -> dict[str, tuple[object, str]]:
    """Return the settings that the command line can change: name -> (value in the file, its comment).

    The name of a setting of a required stage begins with the name of this stage: ``mlee.lr``. Settings of targets that the row cannot
    learn are left out. A row that requires others has the settings of their encoder, too, and passes them on.

    Parameters
    ----------
    hparams : the file of a row
    chosen : the settings that decide which others there are, by name: encoders (``encoder``, ``mlee.encoder``), and ``first``
    above : the files that require this one, each required by the one before it

    Raises
    ------
    InputError
        if a file is missing or damaged, or requires itself
    """
    chosen, path = chosen or {}, Path(hparams).resolve()
    if path in above:
        raise InputError(f"{hparams}: requires itself: give another hparams file below requires in {above[-1]}")
    encoder = chosen.get(ENCODER)
    tree = read_tree(hparams, encoder)
    target = find_target(str(tree["target"])) if tree.get("target") in target_names() else None
    learnable = target_names(target.output, target.classifier) if target else target_names()
    of_its_targets = {name for target in learnable for name in find_target(target).settings}
    found = {}
    for name, value in tree.items():
        chooses = name not in ("row", ENCODER) and (name in of_its_targets or name not in of_all_targets())
        if chooses and (isinstance(value, bool | int | float | str | list) or value is None):
            value = [] if value is None and name in SETTINGS and SETTINGS[name].kind is list else value
            found[name] = (value, comment_of(tree, name))
    if names := encoder_names(hparams):
        found[ENCODER] = ("", f"the encoder, or that of the required stages: {', '.join(names)}")
    for stage, file in required_files(tree, hparams, chosen).items():
        of_stage = {name.removeprefix(f"{stage}."): value for name, value in chosen.items() if name.startswith(f"{stage}.")}
        below = overridable(file, {**({ENCODER: encoder} if encoder else {}), **of_stage}, (*above, path))
        found |= {name: below[name] for name in encoder_settings(hparams, encoder) if name in below}
        found |= {f"{stage}.{name}": default for name, default in below.items() if name not in (*SHARED, "target")}
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
