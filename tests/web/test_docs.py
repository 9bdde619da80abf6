"""docs/serve.md, run as it is written: its commands start a server, and curl asks it."""

import inspect
import json
import re
import shutil
import subprocess

import pytest
from bundles import small_existence, write_bundle, write_speech
from pages import CURL, MLEE, ROOT, fenced, words

from mlee_sb.cli.app import main
from mlee_sb.web import serve

from .asking import running

PAGE = (ROOT / "docs/serve.md").read_text(encoding="utf-8")
LINES = [line for language, code in fenced(PAGE) if language == "bash" for line in code.splitlines()]
ADDRESS = "http://127.0.0.1:7860/"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """What a reader of the page has: models below results/, and recordings."""
    folder = tmp_path_factory.mktemp("docs")
    write_bundle(folder / "results/iemocap/mlee_fusion_soft/all/seed1/fold3/model")
    write_bundle(folder / "results/iemocap/mlee/all/seed1/fold3/model", small_existence())
    write_speech(folder / "hello.wav", 1.0)
    write_speech(folder / "meeting.wav", 9.0)
    return folder


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith(MLEE)])
def test_its_commands_start_a_server(line, place, monkeypatch):
    asked = {}
    signature = inspect.signature(serve.serve)
    monkeypatch.setattr(serve, "serve", lambda *given, **more: asked.update(signature.bind(*given, **more).arguments))
    monkeypatch.chdir(place)
    assert main(words(line)[1:]) == 0
    assert serve.make_server(asked["sources"], asked["host"], asked["limits"])
    assert asked["host"] == "127.0.0.1" and asked["port"] == (8000 if "8000" in line else 7860)


def test_its_limits_are_those_of_the_flags(bundle, monkeypatch):
    asked = []
    monkeypatch.setattr(serve, "serve", lambda *given: asked.extend(given))
    main(["serve", "--model", str(bundle)])
    bounds = [float(number) for number in re.findall(r"^\| `--\w+` \|.*\| (\d+) \|$", PAGE, re.MULTILINE)]
    assert bounds == list(vars(asked[3]).values())


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl: install your system's package")
def test_its_requests_are_answered(place, monkeypatch):
    monkeypatch.chdir(place)
    with running(["results/iemocap"]) as address:
        for line in (line for line in LINES if line.startswith(CURL)):
            done = subprocess.run(words(line.replace(ADDRESS, address)), capture_output=True, check=True)
            if "-o " not in line:
                found = json.loads(done.stdout)
                assert found.get("answers") or found.get("segments") or len(found["models"]) == 2, line
                assert not any("error" in answer for answer in found.get("answers", [])), line
    assert (place / "meeting.csv").read_text().startswith("start,end,dominant")
    assert (place / "meeting.png").read_bytes().startswith(b"\x89PNG")
