"""The HTTP API: it says what the command line says, takes no more than it should, and leaves nothing behind."""

import csv
import io
import json
import socket
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile
from bundles import EMOTIONS, RATE, small_dirichlet, speech, write_bundle, write_speech

from mlee_sb.cli.app import main
from mlee_sb.inference.classifier import EmotionClassifier

from .asking import LIMITS, ask, post, running


def recording(seconds: float = 1.0, seed: int = 0, form: str = "WAV") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, speech(seconds, RATE, seed), RATE, format=form)
    return buffer.getvalue()


@pytest.fixture
def uploads(tmp_path, monkeypatch):
    """The folder for temporary files, to be looked into."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def said_by(capsys, *words) -> str:
    assert main([str(word) for word in words]) == 0
    return capsys.readouterr().out


def test_it_classifies_as_the_command_line_does(address, bundle, tmp_path, capsys):
    files = [write_speech(tmp_path / name, 1 + number, seed=number) for number, name in enumerate(["a.wav", "b.flac"])]
    status, found = post(address, "/api/classify", *((file.name, file.read_bytes()) for file in files), coverage=0.5)
    assert status == 200 and found["model"] == bundle.name
    lines = [json.loads(line) for line in said_by(capsys, "classify", *files, "--model", bundle, "--coverage", 0.5, "--json").splitlines()]
    for answer, line, file in zip(found["answers"], lines, files, strict=True):
        assert answer == {**line, "file": file.name, "attention": None}


def test_it_tells_uncertainty_and_abstains_above_what_is_asked_for_as_the_command_line_does(tmp_path, capsys):
    bundle, file = write_bundle(tmp_path / "model", small_dirichlet()), write_speech(tmp_path / "a.wav", 1.0)
    with running([bundle]) as address:
        status, found = post(address, "/api/classify", ("a.wav", file.read_bytes()), max_uncertainty=0.1, coverage=0.05)
    line = json.loads(said_by(capsys, "classify", file, "--model", bundle, "--max_uncertainty", 0.1, "--coverage", 0.05, "--json"))
    assert status == 200 and found["answers"] == [{**line, "file": "a.wav", "attention": None}]
    assert line["uncertainty"]["total"] > 0.1 and line["dominant"] is None


def test_it_follows_a_recording_as_the_command_line_does(address, bundle, tmp_path, capsys):
    file = write_speech(tmp_path / "meeting.wav", 9.0)
    fields = {"window": 2, "hop": 1}
    flags = ["timeline", file, "--model", bundle, "--window", 2, "--hop", 1]
    status, found = post(address, "/api/timeline", (file.name, file.read_bytes()), **fields)
    assert status == 200 and found == json.loads(said_by(capsys, *flags, "--json"))
    status, table = post(address, "/api/timeline", (file.name, file.read_bytes()), form="csv", **fields)
    assert status == 200 and table == said_by(capsys, *flags, "--csv") and len(list(csv.DictReader(io.StringIO(table)))) == 8
    status, picture = post(address, "/api/timeline", (file.name, file.read_bytes()), form="svg", **fields)
    assert status == 200 and "<svg" in picture


def test_it_tells_where_the_encoders_look(address, classifier, tmp_path):
    file = write_speech(tmp_path / "a.wav", 1.5)
    _, found = post(address, "/api/classify", (file.name, file.read_bytes()), attention="true")
    (answer,) = found["answers"]
    assert [look["encoder"] for look in answer["attention"]] == [0, 1]
    for look in answer["attention"]:
        seconds, weights = classifier.attention_file(file, look["encoder"])
        assert look["seconds"] == pytest.approx(seconds) and look["weights"] == pytest.approx(weights)


def test_it_hears_the_channel_that_is_asked_for(address, classifier, tmp_path):
    both = np.stack([speech(1.5), 0.3 * speech(1.5, seed=1)], axis=1)
    soundfile.write(tmp_path / "call.wav", both, RATE, subtype="FLOAT")
    content = ("call.wav", (tmp_path / "call.wav").read_bytes())
    for channel in (1, 2):
        _, found = post(address, "/api/classify", content, channel=channel, attention="true")
        (answer,) = found["answers"]
        alone = both[:, channel - 1]
        assert answer["posterior"] == pytest.approx(classifier.predict(alone, sample_rate=RATE).posterior, abs=1e-6)
        soundfile.write(tmp_path / "alone.wav", alone, RATE, subtype="FLOAT")
        assert answer["attention"][0]["weights"] == pytest.approx(classifier.attention_file(tmp_path / "alone.wav")[1])
        _, found = post(address, "/api/timeline", content, channel=channel, window=1, hop=1)
        assert found["channel"] == channel
    status, found = post(address, "/api/classify", content, channel=3)
    assert status == 400 and found["answers"][0]["error"] == "call.wav: channel 3: give one from 1 to 2, the channels that it has"
    assert post(address, "/api/classify", content, channel=0)[0] == 422


def test_what_it_answers_is_described(address):
    status, _, body = ask(address, "/openapi.json")
    schema = json.loads(body)
    assert status == 200 and set(schema["paths"]) == {"/api/models", "/api/classify", "/api/timeline"}
    answer = schema["components"]["schemas"]["FileAnswer"]["properties"]
    assert {"file", "dominant", "confidence", "presence", "candidates", "attention"} <= set(answer)


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_no_page_that_loads_from_elsewhere_is_served(address, path):
    assert ask(address, path)[0] == 404


def test_many_at_once_get_each_the_answer_to_their_own(address, classifier, tmp_path, uploads):
    files = [write_speech(tmp_path / f"{n}.wav", 0.5 + n / 10, seed=n) for n in range(12)]

    def answered(file):
        return post(address, "/api/classify", (file.name, file.read_bytes()))[1]["answers"][0]

    with ThreadPoolExecutor(len(files)) as threads:
        found = list(threads.map(answered, files))
    for file, answer in zip(files, found, strict=True):
        said = classifier.predict(file)
        assert answer["file"] == file.name and answer["seconds"] == said.seconds
        assert answer["posterior"] == pytest.approx(said.posterior, abs=1e-6)
    assert list(uploads.iterdir()) == []


def test_as_many_answers_as_are_allowed_are_made_at_the_same_time(bundle, monkeypatch):
    inside, most, lock, predict = 0, 0, threading.Lock(), EmotionClassifier.predict_many
    both = threading.Barrier(2)

    def watched(self, *arguments, **options):
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        both.wait()  # four requests, two by two
        found = list(predict(self, *arguments, **options))
        with lock:
            inside -= 1
        return found

    monkeypatch.setattr(EmotionClassifier, "predict_many", watched)
    with running([bundle]) as address, ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: post(address, "/api/classify", ("a.wav", recording())), range(4)))
    assert [status for status, _ in found] == [200] * 4 and most == LIMITS.at_once == 2


def test_a_model_that_many_ask_for_at_once_is_loaded_once_and_the_oldest_is_dropped(tmp_path, monkeypatch):
    results = tmp_path / "results"
    for name in ("one", "two", "three"):
        write_bundle(results / name / "model")
    loaded = []
    init = EmotionClassifier.__init__
    monkeypatch.setattr(EmotionClassifier, "__init__", lambda self, *args: (loaded.append(1), init(self, *args))[1])
    with running([results]) as address:
        _, _, body = ask(address, "/api/models")
        offered = json.loads(body)["models"]
        assert offered == ["one", "three", "two"]

        def answered(name):
            return post(address, "/api/classify", ("a.wav", recording(0.3)), model=name)[1]["model"]

        with ThreadPoolExecutor(6) as threads:
            assert list(threads.map(answered, [offered[1]] * 6)) == [offered[1]] * 6
        assert len(loaded) == 2  # the first when the server started
        answered(offered[2]), answered(offered[1])
        assert len(loaded) == 3
        answered(offered[0])  # only two are kept
        assert len(loaded) == 4


def test_what_is_no_audio_is_told_beside_the_answers_of_the_rest(address, uploads):
    status, found = post(address, "/api/classify", ("good.wav", recording()), ("bad.wav", b"<script>alert(1)</script>"))
    good, bad = found["answers"]
    assert status == 200 and good["seconds"] == 1.0
    assert bad["file"] == "bad.wav" and bad["error"].startswith("bad.wav: cannot be read as audio") and str(uploads) not in bad["error"]
    status, found = post(address, "/api/classify", ("bad.wav", b"nothing"))
    assert status == 400 and "give a wav, flac, ogg or mp3 file" in found["answers"][0]["error"]
    status, found = post(address, "/api/timeline", ("bad.wav", b"nothing"))
    assert status == 400 and found["error"].startswith("bad.wav: cannot be read as audio")
    whole = recording()
    status, found = post(address, "/api/timeline", ("cut.wav", whole[: len(whole) // 2]))
    assert status == 400 and found["error"].startswith("cut.wav: truncated")
    assert list(uploads.iterdir()) == []


@pytest.mark.parametrize(
    "name, shown",
    [
        ("../../../etc/passwd", "passwd"),
        ("/etc/hostname", "hostname"),
        ("C:\\\\sounds\\\\a.wav", "a.wav"),
        ("<img src=x onerror=alert(1)>.wav", "<img src=x onerror=alert(1)>.wav"),
        ("a.raw", "a.raw"),
        ("x" * 1000 + ".wav", "x" * 120),
        ("..", ".."),
        ("語音.wav", "語音.wav"),
    ],
)
def test_a_file_may_be_called_anything(address, uploads, name, shown):
    status, found = post(address, "/api/classify", (name, recording(0.3)))
    assert status == 200 and [answer["file"] for answer in found["answers"]] == [shown]
    assert list(uploads.iterdir()) == []


@pytest.mark.parametrize("says", ["Content-Length: 4000001", "Content-Length: -1", "Transfer-Encoding: chunked"])
def test_what_is_too_large_is_refused_before_it_is_read(address, uploads, says):
    """By its size, or when more has come than is taken; not by reading all of it."""
    host = urlsplit(address)
    with socket.create_connection((host.hostname, host.port)) as connection:
        form = "Content-Type: multipart/form-data; boundary=x"
        connection.sendall(f"POST /api/classify HTTP/1.1\r\nHost: {host.netloc}\r\n{form}\r\n{says}\r\n\r\n".encode())
        if "chunked" in says:
            begins = b"--x\r\nContent-Disposition: form-data; name=file; filename=a.wav\r\n\r\n"
            connection.sendall(f"{LIMITS.bytes + 1:x}\r\n".encode() + begins.ljust(LIMITS.bytes + 1, b"a"))  # and no end
        answer = connection.makefile("rb").readline()
    assert answer.split()[1] == (b"400" if "-1" in says else b"413")
    assert list(uploads.iterdir()) == []


def test_more_recordings_than_are_taken_are_refused(address, uploads):
    status, found = post(address, "/api/classify", *[("a.wav", recording(0.1))] * 5)
    assert status == 413 and "4 are the most" in found["error"]
    assert list(uploads.iterdir()) == []


def test_what_is_too_long_is_refused_whatever_its_header_says(address, uploads, monkeypatch):
    long = recording(70, form="FLAC")
    status, found = post(address, "/api/timeline", ("long.flac", long))
    assert status == 400 and found["error"].startswith("long.flac: longer than 1 min,")
    monkeypatch.setattr("mlee_sb.web.desk.seconds_of", lambda path: 0.0)
    status, found = post(address, "/api/timeline", ("long.flac", long))
    assert status == 400 and found["error"].startswith("long.flac: longer than 1 min,")
    status, found = post(address, "/api/classify", ("longer.flac", recording(121, form="FLAC")))
    assert status == 400 and "an utterance may have 120 s at most" in found["answers"][0]["error"]
    assert list(uploads.iterdir()) == []


@pytest.mark.parametrize(
    "path, fields, words",
    [
        ("/api/classify", {"model": "nowhere"}, "unknown model 'nowhere'"),
        ("/api/classify", {"model": "/etc"}, "unknown model '/etc'"),
        ("/api/classify", {"model": "me/mlee"}, "unknown model 'me/mlee'"),
        ("/api/classify", {"coverage": 1}, "coverage is 1.0"),
        ("/api/classify", {"gate": "enegry"}, "did you mean 'energy'"),
        ("/api/classify", {"coverage": "much"}, "coverage: Input should be a valid number"),
        ("/api/timeline", {"hop": 0.001}, "hop: Input should be greater"),
        ("/api/timeline", {"window": 200, "hop": 100}, "window: Input should be less than or equal to 120"),
        ("/api/timeline", {"window": 1, "hop": 2}, "hop 2.0 s"),
        (
            "/api/timeline",
            {"window": 4.2, "hop": 0.5},
            "8 hops are the most in a window: give a hop of 0.525 s",
        ),
        ("/api/timeline", {"form": "pdf"}, "form: Input should be"),
    ],
)
def test_a_wrong_field_is_told(address, path, fields, words):
    status, found = post(address, path, ("a.wav", recording(0.5)), **fields)
    assert status in (400, 422) and words in found["error"]


def test_a_request_without_a_recording_is_told_so(address):
    status, found = post(address, "/api/classify", model="")
    assert status == 422 and "file: Field required" in found["error"]


def test_a_recording_is_removed_when_something_breaks_too(address, uploads, monkeypatch):
    there = []

    def broken(*_, **__):
        there.extend(path.read_bytes() for path in uploads.rglob("*") if path.is_file())
        raise RuntimeError("broken")

    monkeypatch.setattr(EmotionClassifier, "predict_many", broken)
    assert post(address, "/api/classify", ("a.wav", recording(0.3)))[0] == 500
    assert there == [recording(0.3)] and list(uploads.iterdir()) == []


def test_a_browser_is_told_to_ask_nobody_else_and_to_keep_nothing(address):
    _, headers, _ = ask(address, "/")
    assert headers["content-security-policy"].startswith("default-src 'none'") and headers["cache-control"] == "no-store"


@pytest.mark.parametrize("form", ["FLAC", "OGG", "MP3"])
def test_formats_are_told_by_their_content(address, form):
    status, found = post(address, "/api/classify", ("misnamed.txt", recording(0.5, form=form)))
    assert status == 200 and found["answers"][0]["seconds"] == pytest.approx(0.5, abs=0.1)


def test_another_site_cannot_ask_through_a_visitors_browser(address):
    for site in ("cross-site", "same-site"):
        status, found = post(address, "/api/classify", ("a.wav", recording(0.3)), headers={"Sec_Fetch_Site": site})
        assert status == 403 and "another site" in found["error"]
    proxied = {"Sec_Fetch_Site": "same-origin", "Origin": "https://before-it.example"}
    assert post(address, "/api/classify", ("a.wav", recording(0.3)), headers=proxied)[0] == 200
    own = urlsplit(address).netloc
    origins = [
        f"http://{own}",
        f"https://{own}",
        "http://evil.example",
        f"http://{own}.evil.example",
        "http://127.0.0.1:1",
        "null",
        "http://[",
    ]
    for origin, expected in zip(origins, [200, 200, *[403] * 5], strict=True):
        assert post(address, "/api/classify", ("a.wav", recording(0.3)), headers={"Origin": origin})[0] == expected, origin
    assert ask(address, "/", Host="evil.example")[0] == 400
    assert ask(address, "/", Host="localhost:1234")[0] == 200


def test_a_model_on_the_hub_is_taken_where_that_is_allowed_and_a_folder_never(bundle, hub, tmp_path, monkeypatch):
    from mlee_sb.inference.publish import push

    push(bundle, "me/mlee", licence="cc-by-4.0", demo=True)
    monkeypatch.chdir(tmp_path)
    write_bundle(tmp_path / "you/mlee")
    with running([bundle], hub=True) as address:
        status, found = post(address, "/api/classify", ("a.wav", recording(0.3)), model="me/mlee")
        assert status == 200 and found["model"] == "me/mlee" and set(found["answers"][0]["posterior"]) == set(EMOTIONS)
        status, found = post(address, "/api/classify", ("a.wav", recording(0.3)), model="you/mlee")
        assert status == 400 and "no such model" in found["error"]


def test_who_comes_when_all_places_are_taken_is_asked_to_come_again(bundle):
    with running([bundle], replace(LIMITS, connections=1)) as address:
        assert ask(address, "/api/models")[0] == 503
