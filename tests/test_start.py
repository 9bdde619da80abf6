"""How commands start and end: with a line for a person, whatever happens, and whenever."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlee_sb.errors import InputError
from mlee_sb.start import exit_status

ROOT = Path(__file__).resolve().parents[1]
STOPPED_IN_AN_IMPORT = "raise KeyboardInterrupt\n"  # as if somebody pressed Ctrl-C while this module is imported


def ended(*words, path="", **how) -> subprocess.CompletedProcess:
    environment = {"PYTHONPATH": f"{path}:{ROOT}", "PATH": "/usr/bin:/bin"}
    return subprocess.run([sys.executable, *words], env=environment, text=True, stderr=subprocess.PIPE, cwd=ROOT, **how)


@pytest.mark.parametrize(
    "words",
    [("-c", "import sys; from mlee_sb.start import mlee; sys.exit(mlee())"), ("recipes/train.py",), ("recipes/prepare.py",)],
    ids=lambda words: words[0],
)
def test_ctrl_c_during_imports_ends_without_a_traceback(tmp_path, words):
    for module in ("typer", "pandas"):
        (tmp_path / f"{module}.py").write_text(STOPPED_IN_AN_IMPORT)
    done = ended(*words, path=tmp_path, stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped\n")


def raised(error):
    def work():
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (InputError("a.csv: wrong"), 2, "error: a.csv: wrong"),
        (OSError(errno.EROFS, "Read-only file system", "/results"), 2, "error: /results: the disk is read-only: give a folder that can be"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "a"), 2, "error: [Errno 2] No such file or directory: 'a'"),
        (KeyboardInterrupt(), 130, "stopped; go on"),
    ],
)
def test_an_error_is_a_line_and_a_status(error, status, line, capsys):
    assert exit_status(raised(error), "stopped; go on") == status
    assert capsys.readouterr().err.startswith(line)


def test_one_process_of_several_says_that_it_was_stopped(monkeypatch, capsys):
    monkeypatch.setenv("RANK", "1")
    assert exit_status(raised(KeyboardInterrupt())) == 130 and capsys.readouterr().err == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_what_was_printed_to_a_full_disk_is_told():
    with open("/dev/full", "w") as full:
        done = ended("-c", "import sys; from mlee_sb.start import mlee; sys.exit(mlee())", "--version", stdout=full)
    assert done.returncode == 2
    assert done.stderr.startswith("error: standard output: the disk is full: free some space") and done.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_an_error_that_cannot_be_told_has_its_status():
    program = "import sys; from mlee_sb.start import exit_status; sys.exit(exit_status(lambda: open('nothing')))"
    with open("/dev/full", "w") as full:
        assert subprocess.run([sys.executable, "-c", program], stderr=full, cwd=ROOT).returncode == 2


def test_a_closed_output_is_nowhere():
    program = "import sys; from mlee_sb.start import exit_status; sys.exit(exit_status(lambda: print('hello') or int(sys.stdout.isatty())))"
    done = ended("-c", program, preexec_fn=lambda: os.close(1))
    assert (done.returncode, done.stderr) == (0, "")
