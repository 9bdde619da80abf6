"""Packages of other authors, written where Python finds them: a module, and entry points as an installed package has them."""

from pathlib import Path


def write_package(folder: Path, name: str, code: str, **plug_ins: dict[str, str]) -> Path:
    """Write a package with one module; return the folder to be put on the path of modules.

    Parameters
    ----------
    folder : to write it to
    name : of the package and of its module
    code : of the module
    plug_ins : kind -> registered names and their classes, ``targets={"sure": "Sure"}``
    """
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir(parents=True)
    (folder / f"{name}.py").write_text(code)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = []
    for kind, classes in plug_ins.items():
        lines += [f"[mlee_sb.{kind}]", *(f"{registered} = {name}:{found}" for registered, found in classes.items())]
    (about / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return folder
