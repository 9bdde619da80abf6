"""The site of these pages: `make docs` builds it with Sphinx. Whatever Sphinx warns of, a broken link for one, is an error."""

import re

from pygments.lexers.special import TextLexer

from mlee_sb.version import __version__

project, author, version = "mlee_sb", "mlee_sb developers", __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3  # headings have the anchors that a git host gives them
nb_execution_mode = "off"  # tests/e2e/test_notebook.py runs the notebook

default_role = "py:obj"  # docstrings name code in single backticks: a link where this page has it, plain code elsewhere
autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_google_docstring = False

html_show_copyright = False
html_theme, html_title = "furo", f"mlee_sb {version}"

WITH_CONTENTS = ("index", "plugins")
ROW = re.compile(r"^\| \[[^]]+\]\((\w+)\.\w+\)", re.MULTILINE)
OUTSIDE = re.compile(r"(?<!!)\[([^]]+)\]\(\.\./([^)]+)\)")
ITEM = re.compile(r"^(\*{0,2}\w[\w, *]*) : (.+)$")


def add_contents(app, page: str, source: list[str]) -> None:
    """Make the contents of the site from the tables of the pages that list others, one for each heading: no page is listed twice."""
    if page not in WITH_CONTENTS:
        return
    before, *sections = re.split(r"^## (.+)$", source[0], flags=re.MULTILINE)
    for caption, text in [("", before), *zip(sections[::2], sections[1::2], strict=True)]:
        if pages := ROW.findall(text):
            options = f":caption: {caption}\n" if caption else ""
            source[0] += "\n".join(["\n\n```{toctree}", f":hidden:\n{options}", *pages, "```\n"])


def name_files(app, page: str, source: list[str]) -> None:
    """Name a file of the checkout where a page links to it: the site does not have it."""
    source[0] = OUTSIDE.sub(r"\1 (`\2`)", source[0])


def set_descriptions_below(app, what, name, found, options, lines: list[str]) -> None:
    """Set the text behind the name of a parameter below it: ours is what the parameter is, where others write its type."""
    lines[:] = [part for line in lines for part in (re.sub(ITEM, r"\1\n    \2", line)).split("\n")]


def setup(app) -> None:
    """Connect them to Sphinx."""
    app.add_lexer("csv", TextLexer)  # Pygments has none
    app.connect("source-read", add_contents)
    app.connect("source-read", name_files)
    app.connect("autodoc-process-docstring", set_descriptions_below, priority=100)  # before napoleon reads them
