"""The site of docs/, as `make docs` builds it."""

import re
import shlex
import subprocess
import sys

import pytest
from pages import ROOT

import mlee_sb


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built in another folder by the command of the Makefile, which fails if Sphinx warns of anything."""
    folder = tmp_path_factory.mktemp("build")
    (command,) = re.findall(r"^\t\$\(BIN\)/sphinx-build (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    words = [word.replace("build/", f"{folder}/") for word in shlex.split(command)]
    done = subprocess.run([sys.executable, "-m", "sphinx", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


def test_every_page_is_in_the_contents(site):
    contents = re.findall(r'<a class="reference internal" href="(\w+)\.html">', (site / "index.html").read_text(encoding="utf-8"))
    assert {page.stem for page in (ROOT / "docs").iterdir() if page.suffix in (".md", ".rst", ".ipynb")} - {"index"} <= set(contents)


def test_what_the_package_offers_is_on_the_page_of_the_api(site):
    page = (site / "api.html").read_text(encoding="utf-8")
    assert all(f'id="mlee_sb.{name}"' in page for name in mlee_sb.__all__ if not name.startswith("_"))
    assert "a wav, flac, ogg or mp3 file of any sample rate" in page, "with what docstrings say of parameters"


def test_the_page_on_speed_has_the_figures_of_the_benchmarks(site):
    (figure,) = re.findall(r"training step, batch 16.*?\*\*([\d.]+ x)\*\*", (ROOT / "benchmarks/README.md").read_text(encoding="utf-8"))
    assert figure in (site / "speed.html").read_text(encoding="utf-8")


def test_nothing_is_loaded_from_elsewhere(site):
    loaded = [
        address
        for page in site.glob("*.html")
        for address in re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="(https?:)?//', page.read_text(encoding="utf-8"))
    ]
    assert not loaded
