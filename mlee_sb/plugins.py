"""Plug-ins: classes that installed packages register as entry points, by group and name."""

import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from mlee_sb.errors import InputError, choose

CORPORA, ENCODERS, FRONT_ENDS, TARGETS = (f"mlee_sb.{kind}" for kind in ("corpora", "encoders", "front_ends", "targets"))


def registered(group: str) -> dict[str, EntryPoint]:
    """Return the entry points of a group by name, sorted.

    >>> list(registered(TARGETS))[:3]
    ['all_inclusive', 'annotator_heads', 'dirichlet']
    """
    return dict(_registered(group, tuple(sys.path)))


@cache  # a look reads a file of each installed package, and one hparams file asks many times
def _registered(group: str, path: tuple[str, ...]) -> dict[str, EntryPoint]:
    return {point.name: point for point in sorted(entry_points(group=group), key=lambda point: point.name)}


def load_plugin(group: str, name: str, what: str):
    """Return the class that is registered under a name.

    Parameters
    ----------
    group : of entry points
    name : in the group
    what : what the plug-in is, as an error calls it

    Raises
    ------
    InputError
        if nothing has this name (the message gives the nearest one), or it cannot be imported
    """
    points = registered(group)
    point = points[choose(name, points, what)]
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise InputError(f"{what} {name!r}: {point.value} of the package {point.dist.name} cannot be imported: {error}") from error
