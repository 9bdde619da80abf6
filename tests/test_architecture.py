"""The house as the design draws it: who may import whom, and nothing grown too large to live in."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGE = Path(__file__).resolve().parents[1] / "mlee_sb"
FILES = sorted(PACKAGE.rglob("*.py"))
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef

BELOW = {"audio", "disk", "errors", "files", "locks", "plugins", "start", "typed_files", "version", "workers"}  # what every room stands on
MAY_IMPORT = {
    "disk": set(),
    "errors": set(),
    "files": set(),
    "audio": set(),
    "locks": set(),
    "plugins": set(),
    "start": set(),
    "stage_notes": set(),
    "typed_files": set(),
    "version": set(),
    "workers": set(),
    "labels": set(),
    "targets": {"labels"},
    "stage_folder": {"corpora.manifest", "models.bundle_files", "stage_notes"},
    "noted_upstreams": {"stage_folder"},
    "whole_stage": {"stage_folder", "models.bundle_files"},
    "calibration": set(),
    "uncertainty": set(),
    "fonts": set(),
    "hub_errors": set(),
    "hub_requests": set(),
    "hub_files": {"hub_errors", "hub_requests"},
    "hub_cache": {"hub_errors", "hub_files", "hub_requests"},
    "corpora": {"labels"},
    "demo": {"corpora"},  # writes a release in IEMOCAP's layout
    "models": {"calibration", "hub_cache", "hub_errors", "hub_files", "targets.outputs"},
    "training": {"calibration", "labels", "models", "noted_upstreams", "targets", "stage_folder", "whole_stage", "corpora.manifest"},
    "evaluation": {"calibration", "fonts", "labels", "targets", "stage_folder", "corpora.manifest", "uncertainty"},
    "testing": {"models"},
    "inference": {
        *("calibration", "fonts", "hub_cache", "hub_errors", "hub_files", "labels", "models", "noted_upstreams", "stage_folder"),
        *("targets.outputs", "uncertainty"),
    },
    # What recipes/ and `mlee` call.
    "experiment": {"demo", "corpora", "training", "evaluation", "inference", "targets", "stage_folder", "models.bundle_files"},
    "web": {"hub_errors", "inference", "models.bundle_files", "models.waveforms", "stage_folder"},
    "cli": {"corpora", "labels", "models", "training", "evaluation", "inference", "experiment", "stage_folder", "web"},
    "__init__": {"inference", "experiment"},
}
SHARED = ("audio", "disk", "errors", "files", "plugins", "stage_folder", "stage_notes", "typed_files", "labels", "calibration")
WITHOUT_TORCH = (*SHARED, "demo", "corpora", "evaluation")
TORCH = {"torch", "torchaudio", "speechbrain", "safetensors"}
DISTRIBUTIONS = {"sklearn": "scikit-learn", "ruamel": "ruamel.yaml", "pyworld": "pyworld-prebuilt"}  # where the import has another name
SHOWS_VALUES = {"typed_files.py"}  # in an error, of settings that differ

# The docstring of a function begins with one of these. Add a verb that is missing.
VERBS = """
    answer build calculate calibrate call check choose clear classify compare compute count describe draw embed end evaluate export fetch
    fill find fit follow give import join keep lay leave let load look make name normalise note offer open parse predict prepare print
    publish raise read recognise refuse remove rename resolve resume return run save say score serve set show speak split start take tell
    train turn use wait write yield
"""

LONGEST_FILE, LONGEST_FUNCTION = 400, 50  # lines; of a function without its docstring


def imports(file: Path) -> set[str]:
    """The modules that a file imports anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            found |= {f"{node.module}.{alias.name}" if node.module == "mlee_sb" else node.module for alias in node.names}
    return found


def room(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def within(module: str, allowed: set[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in allowed)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_a_file_imports_only_what_its_room_may(file):
    allowed = MAY_IMPORT[room(file)] | BELOW | {room(file)}
    ours = {name.removeprefix("mlee_sb.") for name in imports(file) if name.split(".")[0] == "mlee_sb"}
    assert not {name for name in ours if not within(name, allowed)}
    if room(file) in WITHOUT_TORCH:
        assert not {name for name in imports(file) if name.split(".")[0] in TORCH}


def file_of(module: str) -> Path | None:
    """The file of one of our modules; None for what is no module of ours."""
    path = PACKAGE.parent.joinpath(*module.split("."))
    found = [file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()]
    return found[0] if found else None


def test_no_file_needs_one_that_needs_it():
    """Also not inside of a function: `prepare` of TopologicalSorter raises for a circle, and names it."""
    TopologicalSorter({file: {file_of(name) for name in imports(file)} - {None} for file in FILES}).prepare()


@pytest.mark.parametrize(
    "module", ["labels", "experiment.prepare_corpus", "demo", "evaluation.scores", "evaluation.protocol.check", "cli.app"]
)
def test_a_room_without_torch_starts_without_it(module):
    code = f"import sys, mlee_sb.{module}; print({TORCH!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def test_what_is_imported_is_declared():
    declared = {canonicalize_name(Requirement(line).name) for line in requires("mlee_sb")}
    names = {name.split(".")[0] for file in FILES for name in imports(file)} - {"mlee_sb", *sys.stdlib_module_names}
    undeclared = {name for name in names if canonicalize_name(DISTRIBUTIONS.get(name, name)) not in declared}
    assert not undeclared


def test_the_three_that_break_one_another_import_together():
    subprocess.run([sys.executable, "-c", "import torch, torchaudio, speechbrain"], check=True)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_nothing_has_to_be_scrolled_through(file):
    text = file.read_text(encoding="utf-8")
    assert text.count("\n") <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, FUNCTION):
            docstring = ast.get_docstring(node, clean=False) or ""
            assert node.end_lineno - node.lineno - docstring.count("\n") < LONGEST_FUNCTION, node.name


def is_property(node: ast.AST) -> bool:
    """Whether a function is read as an attribute: its docstring says what it is, not what it does."""
    return any("property" in ast.unparse(decorator) for decorator in node.decorator_list)


def public_functions(file: Path) -> list[ast.AST]:
    found = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, FUNCTION)]
    return [node for node in found if not node.name.startswith("_") and not is_property(node)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_the_docstring_of_a_public_function_begins_with_an_imperative_verb(file):
    first_words = {node: docstring.split()[0] for node in public_functions(file) if (docstring := ast.get_docstring(node))}
    wrong = [
        f"{file}:{node.lineno}: the docstring of {node.name} must begin with a verb such as Return, not with {word!r}"
        for node, word in first_words.items()
        if word.rstrip(".,:;").lower() not in VERBS.split()
    ]
    assert not wrong, "\n".join(wrong)


def is_json(node: ast.AST, *names: str) -> bool:
    """Whether it is a call of `json` by one of these names."""
    function = node.func if isinstance(node, ast.Call) else None
    return isinstance(function, ast.Attribute) and getattr(function.value, "id", "") == "json" and function.attr in names


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_json_that_is_written_or_shown_never_holds_nan(file):
    """Through mlee_sb.files, or with allow_nan=False. What is only digested, or read again at once, is no JSON for anybody."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    digested = [node.value for node in nodes if isinstance(node, ast.Attribute) and node.attr == "encode"]
    read_again = [argument for node in nodes if is_json(node, "loads") for argument in node.args]
    for node in nodes:
        if is_json(node, "dump", "dumps") and node not in digested + read_again and file.name not in SHOWS_VALUES:
            assert any(keyword.arg == "allow_nan" and not keyword.value.value for keyword in node.keywords), f"line {node.lineno}"


@pytest.mark.parametrize("recipe", sorted((PACKAGE.parent / "recipes").glob("*.py")), ids=lambda file: file.name)
def test_a_recipe_is_thin(recipe):
    tree = ast.parse(recipe.read_text(encoding="utf-8"))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.For | ast.While)]
    assert ast.get_docstring(tree)
