"""`mlee serve` as a process: it tells its address, answers, ends when it is interrupted; and what it refuses."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from bundles import write_speech

from mlee_sb.cli.app import main
from mlee_sb.inference.box import box_folder
from mlee_sb.web.models import IN_THE_BOX, find_models
from mlee_sb.web.recordings import PREFIX
from mlee_sb.web.serve import make_server
from mlee_sb.web.turns import GIVEN_UP

from .asking import LIMITS, ask, post, running_server

TELLS = """
import sys, threading
from mlee_sb.inference.classifier import EmotionClassifier
from mlee_sb.web.turns import Turns

def tell(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\\n")
    sys.stdout.flush()

def timeline(self, path, *arguments, on_progress, **options):  # it never ends by itself
    tell("computed", path)
    while True:
        threading.Event().wait(0.01)
        on_progress(0.0)

async def told_take(self, request, work, take=Turns.take):
    tell("asked", "for")
    return await take(self, request, work)

EmotionClassifier.timeline, Turns.take = timeline, told_take
"""
RUN = "from mlee_sb.cli.app import main; raise SystemExit(main())"


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_ended_and_leaves_no_recording_behind(bundle, tmp_path, sent):
    """Two answers are computed and two wait when it is ended."""
    sound = write_speech(tmp_path / "meeting.wav", 3.0).read_bytes()
    (folder := tmp_path / "temporary").mkdir()
    command = [sys.executable, "-c", TELLS + RUN, "serve", "--model", bundle, "--port", "0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env={**os.environ, "TMPDIR": str(folder)}, **pipes) as process, ThreadPoolExecutor(4) as threads:
        address = process.stdout.readline().split()[1]
        status, _, body = ask(address, "/")
        assert status == 200 and address.startswith("http://127.0.0.1:") and b"demo_model" in body
        asked = [threads.submit(post, address, "/api/timeline", ("meeting.wav", sound)) for _ in range(4)]
        told = sorted(process.stdout.readline().split() for _ in range(4 + LIMITS.at_once))
        assert [word for word, _ in told] == ["asked"] * 4 + ["computed"] * 2
        assert all(Path(path).is_file() and folder in Path(path).parents for _, path in told[4:])
        process.send_signal(sent)
        _, err = process.communicate()
        answers = [one.result() for one in asked]
    assert process.returncode == 0 and err == ""
    assert [(status, said["error"]) for status, said in answers] == [(503, GIVEN_UP)] * 4
    assert not list(folder.glob(f"{PREFIX}*"))


def test_a_request_that_is_cut_off_by_the_end_is_no_fault(bundle, capfd):
    server = make_server([str(bundle)], "127.0.0.1", LIMITS)
    server.config.timeout_graceful_shutdown = 0.1
    with running_server(server) as address, socket.create_connection(urlsplit(address).netloc.split(":")) as connection:
        form = "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 100"
        connection.sendall(f"POST /api/classify HTTP/1.1\r\nHost: localhost\r\n{form}\r\n\r\n".encode())  # and nothing more
        while not server.server_state.tasks:
            time.sleep(0.01)
        server.should_exit = True
        while server.server_state.connections:
            time.sleep(0.01)
    err = capfd.readouterr().err
    assert "Cancel 1 running task" in err and "Traceback" not in err


def refused(capsys, *words) -> str:
    assert main(["serve", *map(str, words)]) == 2
    return capsys.readouterr().err


def test_what_cannot_be_served_is_told(bundle, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert "no model in this folder or below it" in refused(capsys, "--model", tmp_path / "empty")
    assert "nowhere: no such folder" in refused(capsys, "--model", "nowhere")
    assert "cannot be listened at" in refused(capsys, "--model", bundle, "--host", "192.0.2.1", "--port", 0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"--port {port}: cannot be listened at" in refused(capsys, "--model", bundle, "--port", port)


def test_where_no_model_is_named_the_one_in_the_box_is_served(capsys):
    found = find_models([])
    assert found == {IN_THE_BOX: str(box_folder())} and "the model in the box answers" in capsys.readouterr().err


def test_without_the_extra_the_remedy_is_told(bundle, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert 'fastapi is not installed: pip install "mlee_sb[web]"' in refused(capsys, "--model", bundle)


def test_no_other_command_imports_it():
    shown = "print([name for name in sys.modules if name.startswith(('fastapi', 'uvicorn', 'mlee_sb.web'))])"
    for words in (["serve", "--help"], ["classify", "--help"]):
        code = f"import sys; from mlee_sb.cli.app import main; main({words!r}); {shown}"
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        assert done.stdout.endswith("[]\n")


@pytest.mark.parametrize("host, own", [("127.0.0.1", True), ("127.0.0.2", True), ("0.0.0.0", False)])
def test_models_on_the_hub_and_other_names_of_the_machine_depend_on_who_can_ask(bundle, host, own):
    server = make_server([str(bundle)], host, LIMITS)
    with running_server(server) as address:
        assert json.loads(ask(address, "/api/models")[2])["hub"] is own
        assert ask(address, "/", Host="somewhere.example")[0] == (400 if own else 200)
        assert ask(address, "/", Host=host)[0] == 200
