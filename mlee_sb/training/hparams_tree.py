"""An hparams file as a tree of YAML: with the base that it includes, the file of its encoder, and its comments."""

import re
import warnings
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

import ruamel.yaml
from hyperpyyaml import resolve_references
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLWarning
from ruamel.yaml.tag import Tag

from mlee_sb.errors import InputError, choose
from mlee_sb.training.check_settings import BY_PLACE, check_required

INCLUDE = "!include:"
ENCODER = "encoder"  # the setting with the name of an encoder
FIRST = "first"  # the setting with the name of the row whose encoder a row freezes, where this can be any row
ENCODERS = "encoders"  # the folder beside the files of rows, with a file for each encoder
LARGEST_FILE = 2**16  # bytes, some seconds of reading; the longest shipped file has about 5,000
MOST_VALUES = 10_000  # of a file, with what anchors repeat; the longest row has about a hundred
OF_HEADS_TOO = ("speeds", "calibration", "calibration_groups")  # of the file of an encoder, for rows with frozen encoders of its kind


def texts_of(hparams: Path) -> tuple[str, ...]:
    """Return the texts of all files that the settings of an hparams file may come from; "" for a missing file."""
    return tuple(text for path in (hparams, *_encoder_files(hparams)) for text in _texts(path))


def _texts(path: Path, above: tuple[Path, ...] = ()) -> tuple[str, ...]:
    """Return the text of a file and of each file that it includes. `above` are the files that include it."""
    path = path.resolve()  # a file that comes back as parts/../parts/../mlee.yaml is the same one
    if path in above:
        raise InputError(f"{path}: includes itself: take the {INCLUDE} that leads back to it out of {above[-1]}")
    text = _text(path) if path.is_file() else ""
    included = re.findall(rf"^[^#\n]*{INCLUDE}(\S+)", text, flags=re.MULTILINE)
    return (text, *(part for name in included for part in _texts(path.parent / name, (*above, path))))


def encoder_names(hparams: str | Path) -> list[str]:
    """Return the names that the setting ``encoder`` of an hparams file may have."""
    return [path.stem for path in _encoder_files(Path(hparams))]


def encoder_settings(hparams: str | Path, encoder: str | None) -> list[str]:
    """Return the settings that an encoder brings and other rows do not have, for example ``upstream``.

    Parameters
    ----------
    hparams : the file of a row
    encoder : the name of the encoder; None for the encoder of the file, which brings none

    Raises
    ------
    InputError
        if there is no such encoder
    """
    if encoder is None:
        return []
    row = _with_base(Path(hparams))
    return [name for name in _of_encoder(Path(hparams), encoder) if name not in row]


def read_tree(hparams: str | Path, encoder: str | None = None) -> CommentedMap:
    """Return the settings of a file by name, each with its comment.

    The settings of its encoder come first, and replace those of the file: a pretrained encoder learns with other rates. Then come those
    of the file, and those of the base that it includes. HyperPyYAML resolves settings in their order: one of the base may refer to one
    of the file that refers to a third.

    Parameters
    ----------
    hparams : the file of a row
    encoder : the name of its encoder; None for the one that the file names. A row that requires others has frozen encoders; of the
        settings of this encoder it takes those in `OF_HEADS_TOO`

    Raises
    ------
    InputError
        if a file is missing or damaged, or there is no such encoder
    """
    path = Path(hparams)
    row = _with_base(path)
    name = row.get(ENCODER) if encoder is None else encoder
    if not isinstance(name, str):
        return row
    of_encoder = _of_encoder(path, name)
    if row.get("requires"):
        for setting in [setting for setting in of_encoder if setting not in OF_HEADS_TOO]:
            del of_encoder[setting]
    return _joined(of_encoder, row)


def read_plain(file: str | Path) -> dict:
    """Return what a YAML file holds as dictionaries, lists and values. Raise an InputError if it is missing or damaged."""
    return plain(_read(Path(file)))


def resolved(tree: CommentedMap, overrides: Mapping, hparams: str | Path) -> StringIO:
    """Return a tree as text, with parts, references and overrides filled in. `hparams` names the file in errors."""
    text = StringIO()
    try:
        ruamel.yaml.YAML().dump(tree, text)
        return resolve_references(text.getvalue(), dict(overrides))
    except Exception as error:  # HyperPyYAML raises another type of error for each kind of wrong tag and reference
        raise InputError(f"{hparams}: cannot be resolved ({_reason(error)}): correct its tags, references and included files") from error


def resolved_plain(tree: CommentedMap, overrides: Mapping, hparams: str | Path) -> dict:
    """Return what `resolved` does, as dictionaries, lists and values (`plain`)."""
    return plain(_loaded(resolved(tree, overrides, hparams).getvalue(), hparams))


def plain(node):
    """Return a node of a tree as dictionaries, lists and values. The tag of a module stands under ``"!"``."""
    tag = _tag(node)
    if isinstance(node, Mapping):
        return {**({"!": tag} if tag else {}), **{str(key): plain(value) for key, value in node.items()}}
    if isinstance(node, list):
        values = [plain(value) for value in node]
        return {"!": tag, BY_PLACE: values} if tag else values
    if tag:
        return {"!": tag}
    for kind in (bool, int, float):  # bool first: it is an int too
        if isinstance(node, kind):
            return kind(node)
    return node if node is None else str(getattr(node, "value", node))


def names_a_row(file: Path) -> bool:
    """Tell whether an hparams file is that of a row: it says ``row:``, and what rows include does not."""
    return "\nrow:" in f"\n{file.read_text(encoding='utf-8', errors='replace')}"


def required_files(tree: CommentedMap, hparams: str | Path, chosen: Mapping) -> dict[str, Path]:
    """Return the hparams file of each required stage of a tree, by the name of the stage; {} for none.

    Parameters
    ----------
    tree : of the file `hparams`
    hparams : the file of a row
    chosen : settings that replace those of the tree; ``first`` decides which file it is

    Raises
    ------
    InputError
        if required stages are described wrongly, or ``first`` names no row that trains an encoder
    """
    hparams, required = Path(hparams), plain(tree.get("requires", {}))
    if required is None:
        return {}
    check_required(required, hparams.name)
    files = {name: part["hparams"] for name, part in required.items()}
    if any(f"<{FIRST}>" in file for file in files.values()):
        first = str(chosen.get(FIRST, tree.get(FIRST)))
        _check_first(first, hparams)
        files = {name: file.replace(f"<{FIRST}>", first) for name, file in files.items()}
    return {name: hparams.parent / file for name, file in files.items()}


def _check_first(first: str, hparams: Path) -> None:
    """Refuse what is no row beside the file `hparams`, and a row that freezes the encoders of others."""
    rows = {path.stem: path for path in sorted(hparams.parent.glob("*.yaml")) if names_a_row(path)}
    where = f"{FIRST} of {hparams.name}"
    below = _with_base(rows[choose(first, rows, f"row for {where}")]).get("requires")
    if below:
        raise InputError(
            f"{where}: {first} trains no encoder, it freezes those of {', '.join(below)}: give a row that requires no other, such as mlee"
        )


def comment_of(tree: CommentedMap, name: str) -> str:
    """Return the first line of the comment beside a setting; "" if it has none."""
    comment = tree.ca.items.get(name)
    return comment[2].value.strip("# \n").split("\n")[0] if comment and comment[2] else ""


def _encoder_files(hparams: Path) -> list[Path]:
    """Return the files of encoders, sorted by name: those beside the file of a row, and then those beside the base that it includes."""
    found: dict[str, Path] = {}
    seen: set[Path] = set()
    while hparams.is_file() and hparams not in seen:
        seen.add(hparams)
        for path in (hparams.parent / ENCODERS).glob("*.yaml"):
            found.setdefault(path.stem, path)
        base = re.search(rf"^{INCLUDE}(\S+)", _text(hparams), flags=re.MULTILINE)
        if base is None:
            break
        hparams = hparams.parent / base[1]
    return [found[name] for name in sorted(found)]


def _of_encoder(hparams: Path, name: str) -> CommentedMap:
    """Return the settings of an encoder by its name."""
    files = {path.stem: path for path in _encoder_files(hparams)}
    if not files:
        raise InputError(
            f"{hparams}: {ENCODER} {name}: there is no folder {hparams.parent / ENCODERS} with its file: `mlee hparams` writes one"
        )
    return _with_base(files[choose(name, files, ENCODER)])


def _with_base(path: Path) -> CommentedMap:
    tree = _read(path)
    base = _included(tree)
    return tree if base is None else _joined(tree, _with_base(path.parent / base))


def _joined(*parts: CommentedMap) -> CommentedMap:
    """Return the settings of several trees with their comments. Of settings with one name, the first one is taken."""
    whole = CommentedMap()
    for part in parts:
        for name, value in part.items():
            if name not in whole:
                whole[name] = value
                if name in part.ca.items:
                    whole.ca.items[name] = part.ca.items[name]
    return whole


def _read(path: Path) -> CommentedMap:
    """Read one file, and replace the names of the parts that it includes by their whole paths."""
    if not path.is_file():
        nearby = sorted(p.name for p in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        if nearby:
            choose(path.name, nearby, f"hparams file in {path.parent}")
        raise InputError(f"{path}: no such hparams file")
    tree = _loaded(_text(path), path)
    for value in tree.values():
        _with_whole_paths(value, path.parent.resolve())
    return tree


def _text(path: Path) -> str:
    if (size := path.stat().st_size) > LARGEST_FILE:
        raise InputError(f"{path}: {size:,} bytes, and no file of settings is larger than {LARGEST_FILE:,}: give another file")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file ({error}): save it as UTF-8, or copy it anew from `mlee hparams`") from error


def _loaded(text: str, where: str | Path) -> CommentedMap:
    """Return the tree of a text of settings. `where` names it in errors."""
    try:
        with warnings.catch_warnings(action="ignore", category=YAMLWarning):  # each shows much of the file, for what YAML allows
            tree = ruamel.yaml.YAML().load(text)
    except (ruamel.yaml.YAMLError, ValueError, ArithmeticError, TypeError, AttributeError, RecursionError) as error:  # also of its values
        raise InputError(f"{where}: not YAML ({_reason(error)}): correct the file") from error
    if not isinstance(tree, CommentedMap):
        raise InputError(f"{where}: not an hparams file: it must hold settings by name")
    _check_size(tree, where)
    return tree


def _check_size(tree: CommentedMap, where: str | Path) -> None:
    """Refuse a tree without end: an anchor in YAML may hold itself, or double what another one holds."""
    left, seen = [tree], 0
    while left:
        node = left.pop()
        seen += 1
        if seen > MOST_VALUES:
            raise InputError(f"{where}: more than {MOST_VALUES} values: take out anchors (&) that hold themselves or repeat one another")
        left.extend(node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ())


def _reason(error: Exception) -> str:
    return "lists or settings too deep in one another" if isinstance(error, RecursionError) else str(error) or type(error).__name__


def _included(node) -> str | None:
    """Return the file that a node includes; None if it includes none."""
    tag = _tag(node)
    return tag.removeprefix(INCLUDE) if tag and tag.startswith(INCLUDE) else None


def _with_whole_paths(node, folder: Path) -> None:
    if (file := _included(node)) is not None:
        node.yaml_set_ctag(Tag(suffix=f"{INCLUDE}{folder / file}"))
    for inner in node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ():
        _with_whole_paths(inner, folder)


def _tag(node) -> str | None:
    tag = getattr(getattr(node, "tag", None), "value", None)
    return tag if tag and tag.startswith("!") and ":" in tag else None
