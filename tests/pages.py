"""README and docs, as the tests read them: their blocks of code, their commands, their links."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
"""All that these show is run, or held against what there is."""

WITH_LINKS = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "benchmarks/README.md"]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
RECIPE, MLEE, CURL = "python recipes/", "mlee ", "curl "

_FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def fenced(text: str = TEXT) -> list[tuple[str, str]]:
    """Return (language, code) of each fenced block."""
    return _FENCED.findall(text)


def blocks(language: str, page: str | None = None) -> list[str]:
    """Return the code of each fenced block of a language, once: of all pages, or of one page of docs/."""
    text = TEXT if page is None else (ROOT / "docs" / page).read_text(encoding="utf-8")
    return list(dict.fromkeys(code for found, code in fenced(text) if found == language))


def tables(page: str) -> dict[str, str]:
    """Return the tables that a page of docs/ shows: the name of the file that it names last before each of them, and the text."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    shown = [found for found in _FENCED.finditer(text) if found[1] == "csv"]
    return {re.findall(r"`(\w+\.csv)`", text[: found.start()])[-1]: found[2] for found in shown}


def plug_ins() -> list[tuple[str, str, str, str, str]]:
    """Return the plug-ins that the pages show: group and name of the entry point, module, class, and the code of the module."""
    found = []
    for text in blocks("toml"):
        group, name, module, class_name = re.fullmatch(r'\[project\.entry-points\."(.+)"\]\n(\w+) = "(\w+):(\w+)"\n', text).groups()
        (code,) = [block for block in blocks("python") if f"class {class_name}(" in block]
        found.append((group, name, module, class_name, code))
    return found


def prose(text: str = TEXT) -> str:
    """Return the text without its fenced blocks."""
    return _FENCED.sub("", text)


def spans() -> list[str]:
    """Return what stands between single backticks in the prose."""
    return re.findall(r"`([^`]+)`", prose())


def command_blocks() -> list[tuple[str, ...]]:
    """Return the lines of each block of commands that tests can run; a command in the prose is a block of its own.

    A block whose lines all stand in a longer block is left out: it would be run twice.
    """
    shown = [tuple(code.splitlines()) for code in blocks("bash")] + [(span,) for span in spans() if span.startswith(RECIPE)]
    runnable = dict.fromkeys(lines for lines in shown if lines[0].startswith((RECIPE, MLEE)))
    return [lines for lines in runnable if not any(set(lines) < set(other) for other in runnable)]


def other_lines() -> list[str]:
    """Return the lines of blocks of commands that no test runs in its process: make, pip, torchrun, ..."""
    return [line for code in blocks("bash") for line in code.splitlines() if not line.startswith((RECIPE, MLEE))]


def words(line: str) -> list[str]:
    """Return a command's words, without the comment behind it."""
    return shlex.split(line, comments=True)


def links(text: str) -> list[str]:
    """Return the targets of links and pictures that are no addresses."""
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", prose(text)) if "://" not in target]


def anchors(text: str) -> Iterator[str]:
    """Yield the anchor that a git host gives to each heading."""
    seen: dict[str, int] = {}
    for heading in re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE):
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        seen[anchor] = seen.get(anchor, -1) + 1
        yield f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor
