"""What README and docs name is there: pages, headings, commands, flags, extras, figures."""

import importlib.util
import re
from importlib.metadata import metadata
from pathlib import Path

import pytest
import typer
from pages import CURL, PAGES, ROOT, TEXT, WITH_LINKS, anchors, blocks, fenced, links, other_lines, spans, words
from ruamel.yaml import YAML

import mlee_sb
from mlee_sb.cli.app import app
from mlee_sb.experiment import cross_validate, prepare_corpus, table3, train
from mlee_sb.training.settings import overridable

RUN = ("bash", "python", "csv", "toml", "yaml")  # languages whose blocks are run by tests/e2e/test_readme.py
SHOWN = ("text",)
INSTALL = r"make \w|python3\.11 -m venv |\.venv/bin/(pip|pytest|mlee)\b"
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


def test_the_index_names_every_page():
    index = ROOT / "docs/README.md"
    assert {named for named in links(index.read_text(encoding="utf-8")) if "/" not in named} == {
        page.name for page in PAGES if page.parent == index.parent and page != index
    }


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
    for main in (train.main, cross_validate.main):
        known |= flags_of_help(main, [str(HPARAMS[0])], capsys)
    known |= flags_of_help(table3.main, [], capsys) | flags_of_help(prepare_corpus.main, ["vote_table"], capsys)
    code = [line for block in blocks("bash") for line in block.splitlines() if line not in other_lines()] + spans()
    used = {
        word.partition("=")[0] for line in code if " -m " not in line and "pip " not in line for word in words(line) if word[:2] == "--"
    }
    assert len(used) > 20 and used <= known


def test_the_picture_of_ua_is_drawn_from_the_table(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("draw_ua", ROOT / "docs/draw_ua.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    committed, again = script.PICTURE, tmp_path / "ua.svg"
    monkeypatch.setattr(script, "PICTURE", again)
    assert script.main() == 0
    said, said_again = (re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text(encoding="utf-8")) for path in (committed, again))
    assert said == said_again, "run docs/draw_ua.py"
    table = script.rows(script.TABLE.read_text(encoding="utf-8"))
    assert len(table) == 15 and {ua for _, _, ua in table} <= set(said)


def test_the_changelog_begins_with_this_version_and_the_citation_can_be_read():
    versions = re.findall(r"^## (\S+), (\S+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    released = [version for version, when in versions if when != "unreleased"]
    assert mlee_sb.__version__ in (released[0], versions[0][0])
    citation = YAML(typ="safe").load(ROOT / "CITATION.cff")
    assert citation["cff-version"] == "1.2.0" and {"message", "title", "authors"} <= set(citation)
    assert [author["family-names"] for author in citation["references"][0]["authors"]][0] == "Ando"
