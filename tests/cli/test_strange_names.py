"""Names that a stranger chose: no folder ends for one, and none commands the terminal."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bundles import write_bundle, write_speech
from rich.console import Console

from mlee_sb.cli.app import main
from mlee_sb.cli.terminal import facts_table, show, show_predictions
from mlee_sb.errors import InputError, error_line, printable
from mlee_sb.files import ESCAPED, json_text, write_json
from mlee_sb.inference.answers import Prediction

STRANGE = {  # bytes of a file name -> how it is shown
    b"M\xfcller.wav": r"M\xfcller.wav",
    b"\xff\xfe.wav": r"\xff\xfe.wav",
    b"a\x1b[31mred.wav": r"a\x1b[31mred.wav",
    b"\xc2\x9b2Jc1.wav": r"\x9b2Jc1.wav",
    b"two\nlines.wav": r"two\nlines.wav",
    b"back\rover.wav": r"back\rover.wav",
    b"[red].wav": "[red].wav",
    b"[bold red]x[link=a].wav": "[bold red]x[link=a].wav",
    b"end\\.wav": "end\\.wav",
    "\u202egnp.wav".encode(): r"\u202egnp.wav",
    "\u00fcn\u00efc\u00f6de \u5b57.wav".encode(): "\u00fcn\u00efc\u00f6de \u5b57.wav",
    b"bell\x07.wav": r"bell\x07.wav",
}
NAMES = sorted(STRANGE)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("strange") / "model")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("recordings")
    content = write_speech(place / "plain.wav", 0.3).read_bytes()
    (place / "plain.wav").unlink()
    for name in NAMES:
        with open(os.path.join(os.fsencode(place), name), "wb") as file:
            file.write(content)
    return place


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_shown_on_one_line_that_commands_nothing(name):
    shown = printable(os.fsdecode(name))
    assert shown == STRANGE[name] and shown.isprintable()


def by_mlee(*words: object) -> subprocess.CompletedProcess:
    """`mlee` in a process, with its output to a pipe that takes ASCII and nothing else."""
    code = "from mlee_sb.cli.app import main; raise SystemExit(main())"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii:strict"}
    return subprocess.run([sys.executable, "-c", code, *map(str, words)], capture_output=True, env=environment)


def test_a_folder_of_strange_names_is_told_to_its_end(bundle, folder, capsys):
    assert main(["classify", str(folder), "--model", str(bundle)]) == 0
    table = capsys.readouterr().out
    assert all(f"/{shown} " in table for shown in STRANGE.values()) and "\x1b" not in table and len(table.splitlines()) == 2 + len(NAMES)
    assert main(["classify", str(folder), "--model", str(bundle), "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {Path(row["file"]).name for row in rows} == set(STRANGE.values()) and not any(row["error"] for row in rows)


def test_json_gives_the_name_by_which_the_file_is_opened_again(bundle, folder):
    done = by_mlee("classify", folder, "--model", bundle, "--json")
    lines = done.stdout.decode("ascii").splitlines()
    assert (done.returncode, done.stderr) == (0, b"")
    assert sorted(os.fsencode(Path(json.loads(line)["file"]).name) for line in lines) == NAMES


def test_json_is_utf8_whatever_the_name(tmp_path):
    name = "\U0001f600 M\udcfcller.wav"
    write_json(tmp_path / "a.json", {"name": name})
    assert json.loads((tmp_path / "a.json").read_bytes().decode("utf-8"))["name"] == name
    assert json.loads(json_text(name).encode("utf-8")) == name == json.loads(json_text(name).encode("ascii", ESCAPED))


def test_what_is_wrong_with_a_strange_file_is_shown_so_too(bundle, tmp_path, capsys):
    path = os.fsdecode(os.path.join(os.fsencode(tmp_path), b"\x1b[2J\xfc.wav"))
    Path(path).write_bytes(b"nothing")
    assert main(["classify", path, path + "none", "--model", str(bundle)]) == 1
    said = capsys.readouterr().err
    assert r"\x1b[2J\xfc.wav: cannot be read as audio" in said and r"\x1b[2J\xfc.wavnone: no such file" in said and "\x1b" not in said
    assert main(["timeline", path, "--model", str(bundle)]) == 2
    assert r"\x1b[2J\xfc.wav: cannot be read" in capsys.readouterr().err


def test_a_timeline_of_a_strange_file_is_written(bundle, folder, tmp_path, capsys):
    path = os.path.join(str(folder), os.fsdecode(b"M\xfcller.wav"))
    for form in ([], ["--json"], ["--csv"], ["--plot", os.path.join(tmp_path, os.fsdecode(b"\xfc.svg"))]):
        assert main(["timeline", path, "--model", str(bundle), *form]) == 0
        assert capsys.readouterr().out


def test_an_error_of_several_lines_keeps_them():
    assert error_line(InputError("a\x1b:\n  b")) == "error: a\\x1b:\n  b"


def prediction(emotions) -> Prediction:
    probabilities = dict.fromkeys(emotions, 0.5)
    return Prediction(emotions[0], None, 0.5, probabilities, probabilities, tuple(emotions), 0.9, 1.0, 1.0)


def test_emotions_and_facts_of_a_strange_model_style_nothing(capsys):
    emotions = ["[/]", "[red]x", "a\\"]
    show_predictions([("a.wav", prediction(emotions))], emotions)
    show(facts_table({"folder": "[/]\x1b[2J"}))
    said = capsys.readouterr().out
    assert all(f"p_{emotion}" in said and f"e_{emotion}" in said for emotion in emotions) and r"[/]\x1b[2J" in said and "\x1b" not in said


def test_in_a_narrow_terminal_posteriors_are_left_out_and_that_is_said(monkeypatch, capsys):
    emotions = ["neu", "hap", "sad", "ang", "fea", "dis"]
    rows = [("a/rather/long/name.wav", prediction(emotions))]
    monkeypatch.setattr("mlee_sb.cli.terminal._console", lambda: Console(width=110))
    show_predictions(rows, emotions)
    said = capsys.readouterr().out
    assert "e_dis" in said and "p_neu" not in said and "posterior (p_...) is in a wider terminal, and in --csv and --json" in said
