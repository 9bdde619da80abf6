"""Packages of other authors, written where Python finds them: a module, and entry points as an installed package has them."""

from pathlib import Path


def write_package(folder: Path, name: str, code: str, **entry_points: str) -> Path:
    """Write a package with one module; return the folder to be put on the path of modules.

    Parameters
    ----------
    folder : to write it to
    name : of the package and of its module
    code : of the module
    entry_points : kind of plug-in -> name and class, ``targets="sure = Sure"``
    """
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir(parents=True)
    (folder / f"{name}.py").write_text(code)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"[mlee_sb.{kind}]\n{point.replace('= ', f'= {name}:')}\n" for kind, point in entry_points.items()]
    (about / "entry_points.txt").write_text("\n".join(lines))
    return folder
