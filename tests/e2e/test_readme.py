"""README and docs, run as they are written: commands, Python, plug-ins. Only places and durations are other ones."""

import contextlib
import csv
import functools
import re
import shlex
import shutil
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from bundles import write_speech
from msp_releases import write_msp_improv, write_msp_podcast
from pages import MLEE, RECIPE, ROOT, blocks, command_blocks, plug_ins, tables, words
from releases import write_crema_d, write_label_lines, write_tables, write_wav
from upstreams import write_upstream

import mlee_sb
from mlee_sb import EmotionClassifier
from mlee_sb.cli import app as cli
from mlee_sb.demo import make_demo_release
from mlee_sb.experiment import arguments as command
from mlee_sb.experiment import compare, cross_validate, hparams_files, prepare_corpus, table3, train

CREMA_D_VOTES = [(0, 0, 0, 3, 6, 0), (0, 0, 2, 0, 3, 5), (0, 0, 7, 0, 2, 0), (3, 0, 1, 5, 0, 0)]  # A D F H N S
MAINS = {"prepare": prepare_corpus.main, "train": train.main, "cross-validate": cross_validate.main}
GRIDS = {"table3": table3.main, "compare": compare.main}
MAINS |= GRIDS
OF_TRAINING = (*MAINS, "hparams")
UPSTREAMS = {"whisper-base": "whisper", "wavlm-large": "wavlm"}  # small ones with random weights, in the place of those on the hub
OF_RESULTS = ("check-protocol", "report")
OF_SERVERS = ("serve",)  # they answer until they are stopped: tests/web/test_docs.py tries them
KINDS = (OF_TRAINING, OF_RESULTS, OF_SERVERS)
ONE_STAGE = ["--rows", "mlee", "--train_sets", "all", "--folds", "1", "--device", "cpu"]


def shorten(hparams: Path) -> None:
    """End every training after an epoch, in the files: with flags, results would lie beside those that the pages name."""
    for file in (*hparams.glob("*.yaml"), *hparams.glob("encoders/*.yaml")):
        text = re.sub(r"^max_epochs: \d+", "max_epochs: 1", file.read_text(), flags=re.MULTILINE)
        text = re.sub(r"^calibration_groups: \d+", "calibration_groups: 2", text, flags=re.MULTILINE)
        text = re.sub(r"^curriculum_bins: \d+", "curriculum_bins: 1", text, flags=re.MULTILINE)  # its last bin would join later
        file.write_text(re.sub(r"^speeds: \[.*?\]", "speeds: [1.0]", text, flags=re.MULTILINE))


def my_hparams(folder: Path) -> Path:
    """The copy of the files that a reader of docs/plugin_target.md changed."""
    copied = folder / "my_hparams"
    if not copied.is_dir():
        shutil.copytree(folder / "hparams", copied)
    (smoothing,), base = blocks("yaml", "plugin_target.md"), copied / "base.yaml"
    if smoothing not in base.read_text():
        base.write_text(base.read_text() + smoothing)
    return copied


def named(code, text: str):
    """One of the parameters of a test, named by its last line."""
    return pytest.param(code, id=text.splitlines()[-1][:90])


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """The packages of the pages on plug-ins, where Python finds them: each entry point, and the class that it names."""
    folder = tmp_path_factory.mktemp("packages")
    for number, (group, name, module, class_name, code) in enumerate(plug_ins()):
        (folder / f"{module}.py").write_text(code)
        about = folder / f"{module}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.{number}\n")
        (about / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}:{class_name}\n")
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with what a reader of the pages has: the checkout, and the corpora, in the place of /data."""
    folder = tmp_path_factory.mktemp("readme")
    for name in ("recipes", "hparams"):
        shutil.copytree(ROOT / name, folder / name)
    shorten(folder / "hparams")
    make_demo_release(folder / "corpora/IEMOCAP_full_release", utterances_per_speaker=4, scripted_per_speaker=1)
    clips = {
        f"{1001 + 8 * (n // 4)}_{sentence}_HAP_XX": CREMA_D_VOTES[n % 4] for n, sentence in enumerate(["IEO", "DFA", "ITS", "TIE"] * 12)
    }
    write_crema_d(folder / "corpora/CREMA-D", clips)
    write_my_corpus(folder / "corpora/my_corpus", tables("own_corpus.md"))
    (folder / "my_comparison.yaml").write_text(blocks("yaml", "compare.md")[0])
    (folder / "corpora/merge_exc.csv").write_text(blocks("csv", "folds.md")[0])
    write_label_lines(folder / "corpora/label_lines")
    write_msp_podcast(folder / "corpora/MSP-PODCAST")
    write_msp_improv(folder / "corpora/MSP-IMPROV")
    for name, family in UPSTREAMS.items():
        write_upstream(folder / "corpora" / name, family)
    write_wav(folder / "hello.wav", seconds=1, rate=44100, channels=2)
    return folder


def write_my_corpus(folder: Path, texts: dict[str, str]) -> None:
    """The tables of own_corpus.md; the first one with every speaker in each of its rows: four recordings teach no one anything."""
    rows = list(csv.DictReader(texts["votes.csv"].splitlines()))
    write_tables(folder, texts)
    with open(folder / "votes.csv", "w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        for row in rows:
            for speaker in {row["speaker"] for row in rows}:
                wav = row["wav"].replace(".wav", f"_{speaker}.wav")
                table.writerow(row | {"wav": wav, "speaker": speaker})
                write_wav(folder / wav)


@pytest.fixture
def in_place(place, packages, monkeypatch):
    monkeypatch.chdir(place)
    monkeypatch.syspath_prepend(packages)
    monkeypatch.setattr(command, "DEMO_FOLDER", "corpora/IEMOCAP_full_release")
    monkeypatch.setattr(command, "make_demo_release", lambda folder: folder)
    monkeypatch.setattr(hparams_files, "shipped", lambda name: place / name)
    return place


def called(line: str) -> str:
    """The command of a line, as `mlee` calls it; recipes have the same names."""
    return Path(words(line)[1]).stem.replace("_", "-")


def run(line: str, folder: Path, *more: str) -> int:
    """Run one command of the pages, with its training made short."""
    program, first, *arguments = words(re.sub(" (/data|openai|microsoft)/", f" {folder}/corpora/", line))
    assert (ROOT / first).is_file() or f"{program} " == MLEE
    arguments += more
    if called(line) in GRIDS:
        arguments += ONE_STAGE
    if called(line) == "compare":
        arguments += ["--baseline", "mlee", "--seeds", "1", "--results", f"results_{Path(arguments[0]).stem}"]  # each has its emotions
    elif called(line) in ("train", "cross-validate") and "--help" not in arguments:
        arguments += ["--device", "cpu"]
    if called(line) == "cross-validate":
        arguments += ["--folds", "1"]
    if called(line) == "hparams":
        shutil.rmtree(arguments[0], ignore_errors=True)  # of a test before
    elif "my_hparams" in line:
        my_hparams(folder)
    return MAINS[called(line)](arguments) if line.startswith(RECIPE) else cli.main([first, *arguments])


def of_kind(*commands: str) -> list:
    """The blocks whose commands are among these, or, of none, those that use models."""
    others = (*OF_TRAINING, *OF_RESULTS, *OF_SERVERS)
    found = [lines for lines in command_blocks() if (called(lines[0]) in commands if commands else called(lines[0]) not in others)]
    return [named(lines, "\n".join(lines)) for lines in found]


def test_a_block_is_of_one_kind_and_the_pages_have_what_people_come_for():
    kinds = [{next((kind for kind in KINDS if called(line) in kind), ()) for line in lines} for lines in command_blocks()]
    assert all(len(kind) == 1 for kind in kinds), "one test runs one block"
    lines = [line for block in command_blocks() for line in block]
    assert sum(line.startswith(RECIPE) for line in lines) >= 8 and any("--corpus iemocap" in line for line in lines)
    assert sum(called(line) == "classify" for line in lines) >= 3


@pytest.mark.parametrize("lines", of_kind(*OF_TRAINING))
def test_commands_that_train_do_their_work(lines, in_place, capsys):
    for line in lines:
        if "--help" in line:
            with pytest.raises(SystemExit, match="0"):
                run(line, in_place)
            assert "--patience" in capsys.readouterr().out
            continue
        assert run(line, in_place) == 0
        said = capsys.readouterr().out
        if "--dry-run" in line:
            assert "plan: " in said and "training on" not in said
        elif called(line) in ("cross-validate", *GRIDS):
            assert "1 of 1 folds" in said and "failed" not in said, said
        elif called(line) == "hparams":
            assert Path(words(line)[2], "mlee_fusion.yaml").is_file()
        else:
            scored = "  WA " in said or ("data/final" in line and "tests nobody" in said)
            assert "written to" in said if called(line) == "prepare" else scored


@pytest.fixture(scope="module")
def evaluated(place, tmp_path_factory):
    """A folder with results of the rows that figure 3 needs, on two folds."""
    folder = tmp_path_factory.mktemp("evaluated")
    (folder / "corpora").symlink_to(place / "corpora")
    shutil.copytree(place / "hparams", folder / "hparams")
    rows = ["--rows", "dominant", "mlee", "--train_sets", "all", "--folds", "1", "2", "--jobs", "1", "--device", "cpu"]
    data = ["--corpus", "iemocap", "--data_folder", str(folder / "corpora/IEMOCAP_full_release")]
    with contextlib.chdir(folder):
        assert table3.main([*rows, *data]) == 0
    return folder


@pytest.mark.parametrize("lines", of_kind(*OF_RESULTS))
def test_commands_for_results_do_their_work(lines, evaluated, monkeypatch, capsys):
    monkeypatch.chdir(evaluated)
    for line in lines:
        assert run(line, evaluated) == 0
        said = capsys.readouterr().out
        if called(line) == "check-protocol":
            assert "6 stages and 10 folds looked at: 0 leaks" in said
        else:
            page = (evaluated / "results/iemocap/report/report.html").read_text()
            assert "written to results/iemocap/report/report.html" in said
            assert "DEMO" in page and page.count("<audio") >= 1, "made from generated speech, and figure 3 is in it"


def test_a_grid_ends_with_its_report(evaluated):
    assert (evaluated / "results/iemocap/report/table3.tex").is_file()


@pytest.fixture
def with_models(in_place):
    """The models that the pages name, and recordings to use them on. Made before, where all tests run."""
    for hparams in ("mlee_fusion", "mlee"):
        flags = "--fold 3 --corpus iemocap --data_folder /data/IEMOCAP_full_release"
        assert run(f"python recipes/train.py hparams/{hparams}.yaml {flags}", in_place) == 0
    write_speech(in_place / "hello.wav", 1.0, 44100, 2)
    write_speech(in_place / "meeting.wav", 9.0, 48000, 2)
    (in_place / "recordings").mkdir(exist_ok=True)
    write_speech(in_place / "recordings/a.wav", 0.7)
    return in_place


@pytest.mark.parametrize("lines", of_kind())
def test_commands_for_models_do_their_work(lines, with_models, hub, capsys):
    hub.token = "secret"
    capsys.readouterr()
    for line in lines:
        publishes = called(line) == "push"
        assert run(line, with_models, *(["--demo"] if publishes else [])) == 0, line  # in the place of a corpus is one of generated speech
        said = capsys.readouterr().out
        files = [Path(word) for word in words(line) if word.endswith((".png", ".txt", ".onnx"))]
        assert all(file.is_file() and file.stat().st_size for file in files)
        if called(line) == "classify":
            assert ("hello.wav" if "hello.wav" in line else "a.wav") in said
        elif publishes:
            assert f"published: {hub.url}/me/mlee-iemocap" in said and hub.repositories["me/mlee-iemocap"].private
        elif called(line) == "verify":
            assert "right" in said and "WRONG" not in said
        elif "--audacity" in line:
            assert Path("meeting.txt").read_text().count("\t") >= 2


def of_python(names: dict, printed: str) -> None:
    """Hold what a snippet found and printed against what its page says of it."""
    emotions = {"neu", "hap", "sad", "ang"}
    if "many" in names:
        assert len(names["many"]) == 2 and set(names["said"].posterior) == emotions
    if "held" in names:
        assert 0 <= names["held"] <= 1
    if "frame" in names:
        assert len(names["frame"]) == 4 and Path("presence.txt").is_file() and names["rest"]
    if "posterior" in names:
        assert set(names["posterior"]) == emotions and sum(names["posterior"].values()) == pytest.approx(1, abs=1e-5)
    if "attention_file" in names["code"]:
        assert names["weights"].sum().item() == pytest.approx(1, abs=1e-5)
        assert all(earlier < later for earlier, later in pairwise([0.0, *names["seconds"].tolist(), 1.0]))
    if "study" in names:
        assert len(names["study"].trials) == 2 and all(trial.value > 0 for trial in names["study"].trials)
        assert printed.count("training on cpu") == 2 and printed.count("finished before, reused") == 4, "encoders are trained once"
    if "trained" in names:
        assert 0 <= names["trained"].scores["ua"] <= 1


SNIPPETS = [block for block in blocks("python") if "class " not in block]


def executed(code: str) -> dict:
    """The names of a snippet after it ran."""
    names = {"microphone": [np.full(4800, 0.1, dtype=np.float32)] * 100, "code": code}
    exec(code, names)
    return names


@pytest.mark.parametrize("code", [named(code, code) for code in SNIPPETS])
def test_the_python_of_the_pages_runs(code, with_models, monkeypatch, capsys):
    if "mlee_sb.train(" in code:
        monkeypatch.setattr(mlee_sb, "train", functools.partial(mlee_sb.train, device="cpu"))
        code = code.replace('"/data/', f'"{with_models}/corpora/')
    if "my_hparams" in code:
        my_hparams(with_models)
    code = re.sub(r"n_trials=\d+", "n_trials=2", code)
    capsys.readouterr()
    of_python(executed(code), capsys.readouterr().out)


def test_speechbrains_class_says_what_ours_says(with_models):
    ours, speechbrains = (executed(code) for code in SNIPPETS if "text_lab" in code)
    assert ours["text_lab"] == speechbrains["text_lab"]
    assert ours["out_prob"].tolist()[0] == pytest.approx(speechbrains["out_prob"].tolist()[0], abs=1e-4)


def test_the_encoder_and_the_front_end_of_the_pages_are_trained_and_found_again_by_their_names(in_place, tmp_path):
    (encoder,), (front_end,) = (blocks("yaml", f"plugin_{kind}.md") for kind in ("encoder", "front_end"))
    hparams = shutil.copytree(in_place / "hparams", tmp_path / "hparams")
    (hparams / "mlee.yaml").write_text((hparams / "mlee.yaml").read_text() + encoder)
    (hparams / "parts/features.yaml").write_text(front_end)

    flags = "--fold 1 --corpus crema_d --data_folder corpora/CREMA-D --emotions neu hap sad fea --device cpu --results"
    assert train.main([str(hparams / "mlee.yaml"), *shlex.split(flags), str(tmp_path)]) == 0
    model = tmp_path / "crema_d/mlee/all/seed1/fold1/model"
    assert all(f'"{name}"' in (model / "config.json").read_text() for name in ("mean_of_frames", "log_mel"))
    classifier = EmotionClassifier.from_hparams(source=model)
    assert isinstance(classifier.model.encoder, sys.modules["my_encoder"].MeanOfFrames)
    assert classifier.classify_file("hello.wav")[0].shape == (1, 4)
