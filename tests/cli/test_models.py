"""`mlee` and models, as a person types it: classify, timeline, push, info, verify, export."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from bundles import EMOTIONS, copy_of, write_bundle, write_speech

from mlee_sb.cli.app import main


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("cli") / "model")


@pytest.fixture
def folder(tmp_path):
    """Three recordings, one of them below, and something that is none."""
    place = tmp_path / "recordings"
    (place / "deeper").mkdir(parents=True)
    for number, name in enumerate(["a.wav", "b.FLAC", "deeper/c.ogg"]):
        write_speech(place / name, 0.4 + number / 5, seed=number)
    (place / "notes.txt").write_text("no audio")
    return place


def run(capsys, *words):
    status = main([str(word) for word in words])
    said = capsys.readouterr()
    return status, said.out, said.err


def piped(bundle, content: bytes, *words):
    command = [
        sys.executable,
        "-c",
        "from mlee_sb.cli.app import main; raise SystemExit(main())",
        "classify",
        "-",
        "--model",
        str(bundle),
        *words,
    ]
    return subprocess.run(command, input=content, capture_output=True)


def test_files_and_folders_are_told_in_a_table(bundle, folder, capsys):
    status, out, err = run(capsys, "classify", folder, folder / "a.wav", "--model", bundle)
    lines = out.splitlines()
    assert status == 0 and err == f"{folder}: files passed over: .txt: no ending of a recording (1)\n" and len(lines) == 6
    assert lines[0].split() == ["posterior", "presence"]
    assert lines[1].split() == ["file", "dominant", "sure", "candidates", "p_neu", "p_hap", "p_sad", "e_neu", "e_hap", "e_sad"]
    assert [line.split()[0] for line in lines[2:]] == [str(folder / name) for name in ("a.wav", "b.FLAC", "deeper/c.ogg", "a.wav")]


def test_json_is_one_object_a_line_and_csv_a_table(bundle, folder, capsys):
    _, out, _ = run(capsys, "classify", folder, "--model", bundle, "--json")
    objects = [json.loads(line) for line in out.splitlines()]
    assert [Path(one["file"]).name for one in objects] == ["a.wav", "b.FLAC", "c.ogg"]
    assert all(set(one["posterior"]) == set(EMOTIONS) == set(one["presence"]) for one in objects)
    _, out, _ = run(capsys, "classify", folder, "--model", bundle, "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [float(row["p_neu"]) for row in rows] == pytest.approx([one["posterior"]["neu"] for one in objects], abs=1e-6)
    assert [row["error"] for row in rows] == ["", "", ""]


def test_a_bad_file_is_reported_and_the_rest_goes_on(bundle, folder, capsys):
    (folder / "bad.wav").write_bytes(b"nothing")
    for form in ("--json", "--csv", None):
        status, out, err = run(capsys, "classify", folder, folder / "missing.wav", "--model", bundle, *([form] if form else []))
        assert status == 1
        assert "bad.wav: cannot be read as audio" in err and "missing.wav: no such file" in err and err.count("error:") == 2
        assert all(name in out for name in ("a.wav", "b.FLAC", "c.ogg"))
        if form == "--json":
            assert ["error" in json.loads(line) for line in out.splitlines()] == [False, False, True, False, True]
        if form == "--csv":
            assert [bool(row["error"]) for row in csv.DictReader(io.StringIO(out))] == [False, False, True, False, True]


def test_audio_or_a_list_of_files_comes_through_a_pipe(bundle, folder):
    done = piped(bundle, (folder / "a.wav").read_bytes(), "--json")
    by_pipe = json.loads(done.stdout)
    assert by_pipe["file"] == "-" and by_pipe["dominant"] is not None or by_pipe["abstained"]
    done = piped(bundle, f"{folder}/a.wav\n\n{folder}/b.FLAC\n".encode(), "--json")
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    assert [Path(one["file"]).name for one in objects] == ["a.wav", "b.FLAC"] and done.stderr == b""
    assert objects[0]["posterior"] == pytest.approx(by_pipe["posterior"], abs=1e-6)
    done = piped(bundle, b"")
    assert done.returncode == 2 and b"standard input is empty" in done.stderr
    done = piped(bundle, b"RIFF\0 and no more")
    assert done.returncode == 1 and b"standard input: cannot be read as audio" in done.stderr


@pytest.mark.parametrize(
    "words, message",
    [
        (["classify", "FOLDER/empty", "--model", "MODEL"], "empty: no recording in this folder"),
        (["classify", "FOLDER", "--model", "nowhere"], "nowhere: no such folder"),
        (["classify", "FOLDER", "--model", "MODEL", "--json", "--csv"], "--json and --csv: choose one"),
        (["classify", "FOLDER", "--model", "MODEL", "--coverage", "1"], "coverage is 1.0"),
        (["classify", "FOLDER", "--model", "MODEL", "--gate", "enegry"], "did you mean 'energy'"),
        (["classify", "FOLDER", "--model", "MODEL", "--device", "tpu"], "unknown device 'tpu'"),
        (["classify", "FOLDER", "--revision", "main"], "revision 'main': of which model"),
        (["push"], "Missing argument"),
        (["timeline", "FOLDER", "--model", "MODEL"], "3 files, and a timeline is of one"),
        (["timeline", "FOLDER/a.wav", "--model", "MODEL", "--labels", "all"], "unknown labels 'all'"),
        (["timeline", "FOLDER/a.wav", "--model", "MODEL", "--hop", "9"], "hop 9.0 s"),
        (["timeline", "FOLDER/a.wav", "--model", "MODEL", "--window", "nan"], "window nan s"),
        (["timeline", "FOLDER/a.wav", "--model", "MODEL", "--audacity", "FOLDER/deeper/../a.wav"], "the recording itself"),
        (["timeline", "FOLDER/a.wav", "--model", "MODEL", "--audacity", "FOLDER/new.WAV"], "the name of a recording"),
        (["timeline", "FOLDER/a.wav", "--model", "MODEL", "--plot", "FOLDER/a.gif"], "a plot can be written as .png"),
        (["classify", "FOLDER", "--model", "FOLDER/a.wav"], "a.wav: a file; a model is the folder"),
        (["classify", "FOLDER", "--model", "nothere.onnx"], "nothere.onnx: no such file"),
        (["export", "MODEL", "FOLDER/a.wav/model.onnx"], "a file is where a folder must be"),
        (["push", "FOLDER", "me/x"], "no config.json"),
        (["push", "MODEL", "me/x"], "no licence"),
        (["info", "FOLDER"], "no config.json"),
        (["export", "MODEL", "FOLDER/a.txt"], "ends in .onnx"),
        (["prepare", "iemocap"], "DATA_FOLDER"),
    ],
)
def test_a_wrong_word_ends_with_2_and_a_message(bundle, folder, capsys, words, message, monkeypatch):
    (folder / "empty").mkdir()
    monkeypatch.delenv("MLEE_MODEL", raising=False)
    words = [word.replace("FOLDER", str(folder)).replace("MODEL", str(bundle)) for word in words]
    try:
        status, _, err = run(capsys, *words)
    except SystemExit as done:  # argparse's own way
        status, err = done.code, capsys.readouterr().err
    assert status == 2 and message in err


def test_where_no_model_is_named_the_one_in_the_box_answers(folder, capsys, monkeypatch):
    monkeypatch.delenv("MLEE_MODEL", raising=False)
    status, out, err = run(capsys, "classify", folder / "a.wav", "--json")
    assert status == 0 and "ang" in json.loads(out)["posterior"] and err.startswith("the model in the box answers: ")
    status, out, err = run(capsys, "timeline", folder / "a.wav", "--json")
    assert status == 0 and json.loads(out)["segments"] and err.startswith("the model in the box answers: ")


def test_the_model_may_be_named_once_for_all(bundle, folder, capsys, monkeypatch):
    monkeypatch.setenv("MLEE_MODEL", str(bundle))
    assert run(capsys, "classify", folder / "a.wav")[0] == 0


def test_a_timeline_is_told_and_written_in_every_form(bundle, tmp_path, capsys):
    path = write_speech(tmp_path / "long.wav", 5.2)
    options = ["--model", bundle, "--window", "1", "--hop", "0.5"]
    status, out, _ = run(capsys, "timeline", path, *options, "--audacity", tmp_path / "a.txt", "--plot", tmp_path / "a.png")
    assert status == 0 and out.splitlines()[0].split() == ["from", "to", "dominant"] and "0:00:05.2" in out
    labels = [line.split("\t") for line in (tmp_path / "a.txt").read_text().splitlines()]
    assert float(labels[0][0]) == 0 and float(labels[-1][1]) == pytest.approx(5.2)
    assert (tmp_path / "a.png").stat().st_size > 5000
    _, out, _ = run(capsys, "timeline", path, *options, "--json")
    assert len(json.loads(out)["segments"]) == 10
    _, out, _ = run(capsys, "timeline", path, *options, "--csv")
    assert len(list(csv.DictReader(io.StringIO(out)))) == 10


def test_where_nobody_speaks_a_timeline_says_so_and_a_wrong_name_loses_no_recording(bundle, folder, tmp_path, capsys):
    soundfile.write(tmp_path / "silent.wav", np.zeros(32000), 16000)
    status, _, err = run(capsys, "timeline", tmp_path / "silent.wav", "--model", bundle)
    assert status == 0 and "no speech was heard" in err
    before = (folder / "a.wav").read_bytes()
    run(capsys, "timeline", folder / "a.wav", "--model", bundle, "--audacity", folder / "a.wav")
    assert (folder / "a.wav").read_bytes() == before


def test_a_wav_that_was_cut_off_is_reported(bundle, folder, capsys):
    whole = (folder / "a.wav").read_bytes()
    (folder / "a.wav").write_bytes(whole[: len(whole) // 2])
    status, out, err = run(capsys, "classify", folder / "a.wav", folder / "b.FLAC", "--model", bundle)
    assert status == 1 and "truncated: the header promises" in err and "b.FLAC" in out


def test_info_tells_what_a_model_is(bundle, capsys):
    _, out, _ = run(capsys, "info", bundle)
    assert "neu hap sad" in out and "mlee_fusion_soft" in out and "50.0 %" in out
    _, out, _ = run(capsys, "info", bundle, "--json")
    assert json.loads(out)["emotions"] == "neu hap sad"


def test_verify_ends_with_1_where_something_is_wrong(bundle, tmp_path, capsys):
    status, out, _ = run(capsys, "verify", bundle)
    assert status == 0 and out.count("right  ") == 6
    spoilt = copy_of(bundle, tmp_path / "spoilt")
    (spoilt / "golden.json").write_text("{}")
    status, out, _ = run(capsys, "verify", spoilt)
    assert status == 1 and "WRONG" in out and "golden.json" in out
    status, out, _ = run(capsys, "verify", spoilt, "--json")
    assert status == 1 and json.loads(out)[0]["passed"] is False


def test_an_exported_model_is_classified_with(bundle, folder, tmp_path, capsys):
    pytest.importorskip("onnxscript")
    status, out, _ = run(capsys, "export", bundle, tmp_path / "model.onnx")
    for words in (("info", tmp_path / "model.onnx"), ("classify", folder, "--model", tmp_path / "model.onnx", "--device", "cuda:0")):
        refused, _, err = run(capsys, *words)
        assert refused == 2 and "an ONNX file" in err
    assert status == 0 and "the same probabilities, up to" in out
    _, ours, _ = run(capsys, "classify", folder, "--model", bundle, "--json")
    _, theirs, _ = run(capsys, "classify", folder, "--model", tmp_path / "model.onnx", "--json")
    for one, other in zip(ours.splitlines(), theirs.splitlines(), strict=True):
        assert json.loads(one)["posterior"] == pytest.approx(json.loads(other)["posterior"], abs=1e-5)


HEAVY = {"torch", "pandas", "numpy", "scipy", "huggingface_hub", "transformers"}


@pytest.mark.parametrize("words", [["--help"], ["classify", "--help"], ["timeline", "--help"], ["push", "--help"]])
def test_help_costs_no_torch_and_hides_nothing_in_brackets(words):
    code = f"import sys; from mlee_sb.cli.app import main; main({words!r}); print({HEAVY} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.endswith("set()\n")
    if words == ["classify", "--help"]:
        assert "mlee_sb[vad]" in done.stdout.replace("\n", "").replace(" ", "").replace("│", "") or "[vad]" in done.stdout


def test_silence_is_told_as_such(bundle, tmp_path, capsys):
    soundfile.write(tmp_path / "s.wav", [0.0] * 16000, 16000)
    status, out, _ = run(capsys, "classify", tmp_path / "s.wav", "--model", bundle)
    assert status == 0 and "no speech" in out
