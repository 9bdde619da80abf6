"""What README and docs name is there: pages, headings, commands, flags, extras, figures."""

import ast
import importlib
import re
from importlib.metadata import metadata
from pathlib import Path

import pytest
import typer
from pages import CURL, PAGES, ROOT, TEXT, WITH_LINKS, anchors, blocks, fenced, links, other_lines, spans, words
from ruamel.yaml import YAML

import mlee_sb
from mlee_sb.cli.app import app
from mlee_sb.corpora.base import corpus_names
from mlee_sb.evaluation.metrics import SCORES
from mlee_sb.experiment import compare, cross_validate, prepare_corpus, table3, train
from mlee_sb.training.settings import overridable

RUN = ("bash", "python", "csv", "toml", "yaml")  # languages whose blocks are run by tests/e2e/test_readme.py
SHOWN = ("text",)
INSTALL = r"make \w|python3\.11 -m venv |\.venv/bin/(pip|pytest|mlee)\b"
PICTURES = ROOT / "docs/pictures"
HPARAMS = sorted((ROOT / "hparams").glob("*.yaml"))


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", WITH_LINKS, ids=named)
def test_every_link_leads_to_a_page_and_to_a_heading_of_it(page):
    for target in links(page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.is_relative_to(ROOT) and there.exists(), f"{target}: no such page"
        if anchor:
            assert anchor in anchors(there.read_text(encoding="utf-8")), f"{target}: no such heading"


def test_headings_have_the_anchors_of_a_git_host():
    assert list(anchors("# All folds, and `table 3`\n## On a hub\n## On a hub\n```bash\n# no heading\n```\n")) == [
        "all-folds-and-table-3",
        "on-a-hub",
        "on-a-hub-1",
    ]


@pytest.mark.parametrize("page", [*PAGES, ROOT / "benchmarks/README.md"], ids=named)
def test_files_of_the_checkout_that_a_page_names_are_there(page):
    paths = re.findall(r"\b(?:mlee_sb|tests|docs|benchmarks|hparams|recipes)/[\w/.-]*\w", page.read_text(encoding="utf-8"))
    assert not [path for path in paths if not (ROOT / path).exists()]


def test_the_index_and_the_page_of_plug_ins_name_every_page():
    docs = ROOT / "docs"
    named = {target for index in ("index.md", "plugins.md") for target in links((docs / index).read_text(encoding="utf-8"))}
    assert named == {page.name for page in docs.iterdir() if page.suffix in (".md", ".rst", ".ipynb")} - {"index.md"}


def test_the_page_of_the_report_names_every_score():
    page = (ROOT / "docs/report.md").read_text(encoding="utf-8")
    assert not [score.title for score in SCORES.values() if score.title not in page]


def text_in(node: ast.AST) -> str:
    """Return a text of the program, with … for each value that it fills in."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_in(part) for part in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else "…"


@pytest.mark.parametrize(("page", "at_least"), [("faults.md", 20), ("own_corpus.md", 5)])
def test_the_messages_on_a_page_are_those_of_the_program(page, at_least):
    nodes = [node for file in (ROOT / "mlee_sb").rglob("*.py") for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    texts = {text_in(node) for node in nodes if isinstance(node, ast.JoinedStr | ast.Constant)}
    told = re.findall(r"^\| `([^`]+ [^`]+)` \|", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert len(told) > at_least and not [message for message in told if not any(message in text for text in texts)]


def test_every_block_is_of_a_kind_that_is_run():
    assert {language for language, _ in fenced()} <= {*RUN, *SHOWN}
    assert len(re.findall(r"^```", TEXT, re.MULTILINE)) == 2 * len(fenced()), "a block without its language, or without its end"
    assert not [line for line in other_lines() if not re.match(rf"({INSTALL}|torchrun |{CURL})", line)]


def test_targets_of_make_and_extras_exist():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {target for code in [*other_lines(), *spans()] for target in re.findall(r"^make ([\w-]+)", code)} <= targets
    extras = {extra for found in re.findall(r'"(?:mlee_sb|\.)\[([\w,]+)\]"', TEXT) for extra in found.split(",")}
    assert extras and extras <= set(metadata("mlee_sb").get_all("Provides-Extra"))


def test_the_pages_name_the_commands_of_mlee_and_no_other():
    code = [line for block in blocks("bash") for line in block.splitlines()] + spans()
    on_pages = {match[1] for line in code if (match := re.match(r"(?:\.venv/bin/)?mlee ([a-z][\w-]*)", line))}
    assert on_pages == set(typer.main.get_command(app).commands)


def flags_of_help(main, arguments, capsys) -> set[str]:
    with pytest.raises(SystemExit):
        main([*arguments, "--help"])
    return set(re.findall(r"--[\w.-]*\w", capsys.readouterr().out))


def test_every_flag_on_a_page_is_one_of_a_command(capsys):
    known = {
        option
        for command in typer.main.get_command(app).commands.values()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    chosen = {f"{stage}encoder": "pretrained" for stage in ("", "mlee.", "dominant.")}
    known |= {f"--{name}" for file in HPARAMS for name in (*overridable(file), *overridable(file, chosen))} | {"--help"}
    known |= {f"--{file.stem}.{name}" for file in HPARAMS for name in overridable(file)}  # of table3
    for main in (train.main, cross_validate.main):
        known |= flags_of_help(main, [str(HPARAMS[0])], capsys)
    for corpus in corpus_names():
        known |= flags_of_help(prepare_corpus.main, [corpus], capsys)
    known |= flags_of_help(table3.main, [], capsys) | flags_of_help(compare.main, ["table3"], capsys)
    code = [line for block in blocks("bash") for line in block.splitlines() if line not in other_lines()] + spans()
    used = {
        word.partition("=")[0] for line in code if " -m " not in line and "pip " not in line for word in words(line) if word[:2] == "--"
    }
    assert len(used) > 20 and used <= known


@pytest.fixture
def draw(tmp_path, monkeypatch):
    """A function that runs a script of docs/pictures, and returns it; its pictures go into a folder of the test."""
    monkeypatch.syspath_prepend(PICTURES)
    monkeypatch.setattr(importlib.import_module("svg_files"), "FOLDER", tmp_path)

    def drawn(name: str):
        script = importlib.import_module(name)
        assert script.main() == 0
        return script

    return drawn


def texts_of(picture: Path) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", picture.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["draw_ua", "draw_idea", "draw_ways", "draw_gain"])
def test_pictures_say_what_their_script_would_draw_today(name, draw, tmp_path):
    draw(name)
    again = sorted(tmp_path.glob("*.svg"))
    assert again and all(texts_of(picture) == texts_of(PICTURES / picture.name) for picture in again), f"run docs/pictures/{name}.py"


def test_the_picture_of_ua_has_every_line_of_the_table(draw, tmp_path):
    script = draw("draw_ua")
    table = script.rows(script.TABLE.read_text(encoding="utf-8"))
    assert len(table) == 15 and {ua for _, _, ua in table} <= set(texts_of(tmp_path / "ua.svg"))


def test_the_changelog_begins_with_this_version_and_the_citation_can_be_read():
    versions = re.findall(r"^## (\S+), (\S+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    released = [version for version, when in versions if when != "unreleased"]
    assert mlee_sb.__version__ in (released[0], versions[0][0])
    citation = YAML(typ="safe").load(ROOT / "CITATION.cff")
    assert citation["cff-version"] == "1.2.0" and {"message", "title", "authors"} <= set(citation)
    assert [author["family-names"] for author in citation["references"][0]["authors"]][0] == "Ando"
