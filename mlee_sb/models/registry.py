"""Parts of a model by their registered name: HyperPyYAML builds them for training, and config.json holds their names."""

import json

from torch import nn

from mlee_sb.errors import InputError, NeedsCode
from mlee_sb.plugins import registered


def describe(group: str, module: nn.Module) -> dict:
    """Return the registered name, package and settings of a module. `build` makes the module again from them, without its weights."""
    path = f"{type(module).__module__}:{type(module).__qualname__}"
    for entry in registered(group).values():
        if entry.value == path:
            return {"name": entry.name, "package": entry.dist.name, "settings": _checked(getattr(module, "settings", None), path)}
    raise InputError(f"{path} is not registered: add it as an entry point in the group {group!r} of its package and install that")


def _checked(settings: dict | None, path: str) -> dict:
    if not isinstance(settings, dict):
        raise InputError(f"{path}: has no settings: keep the arguments of its constructor in self.settings, a dictionary")
    try:
        json.dumps(settings, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: its settings cannot be kept as JSON ({error}): give plain numbers, text and lists") from error
    return settings


def build(group: str, name: str, package: str, settings: dict, **parts: nn.Module) -> nn.Module:
    """Build the module that `describe` described, with new weights.

    Parameters
    ----------
    group : group of entry points
    name, package, settings : as `describe` returns them
    parts : modules that the module is built on, for example its front end

    Raises
    ------
    NeedsCode
        if no installed package registers the name
    InputError
        if the module cannot be built with these settings
    """
    found = registered(group)
    if name not in found:
        known = ", ".join(found)
        raise NeedsCode(
            f"{name!r} is not registered in {group!r} here (known: {known}). The model says that it comes with the package {package!r}: "
            f"if you trust that, pip install {package}"
        )
    try:
        return found[name].load()(**parts, **settings)
    except (TypeError, ValueError, ArithmeticError, RuntimeError, MemoryError) as error:
        raise InputError(
            f"{name!r} of the package {package!r} cannot be made with its settings ({error!s:.300}): made with another version of it?"
        ) from error
