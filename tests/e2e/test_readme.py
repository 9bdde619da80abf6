"""The README, run as it is written: its commands, its Python, its plugin. Only places and durations are other ones."""

import contextlib
import csv
import re
import shlex
import shutil
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from bundles import write_speech
from releases import write_crema_d, write_wav

from mlee_sb import EmotionClassifier
from mlee_sb.cli import app as cli
from mlee_sb.demo import make_demo_release
from mlee_sb.experiment import arguments as command
from mlee_sb.experiment import cross_validate, table3, train
from mlee_sb.experiment import prepare_corpus as prepare_command
from mlee_sb.training.settings import overridable

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"python recipes/[^`\n]+", README)
MLEE_COMMANDS = re.findall(r"^mlee [^`\n]+", README, re.MULTILINE)
OF_RESULTS = [line for line in MLEE_COMMANDS if line.split()[1] in ("check-protocol", "report")]
OF_MODELS = [line for line in MLEE_COMMANDS if line not in OF_RESULTS]
CREMA_D_VOTES = [(0, 0, 0, 3, 6, 0), (0, 0, 2, 0, 3, 5), (0, 0, 7, 0, 2, 0), (3, 0, 1, 5, 0, 0)]  # A D F H N S
MAINS = {
    "recipes/prepare.py": prepare_command.main,
    "recipes/train.py": train.main,
    "recipes/cross_validate.py": cross_validate.main,
    "recipes/table3.py": table3.main,
}
ONE_STAGE = ["--rows", "mlee", "--train_sets", "all", "--folds", "1", "--mlee.max_epochs", "1", "--mlee.speeds", "1.0", "--device", "cpu"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def quick(arguments: list[str]) -> list[str]:
    """The flags that end a training after an epoch."""
    settings = overridable(arguments[0])
    short = {"max_epochs": "1", "speeds": "1.0"}
    flags = [word for name in settings if (end := name.split(".")[-1]) in short for word in (f"--{name}", short[end])]
    return [*flags, "--device", "cpu"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with what a reader of the README has: the checkout, and the corpora, in the place of /data."""
    folder = tmp_path_factory.mktemp("readme")
    for name in ("recipes", "hparams"):
        shutil.copytree(ROOT / name, folder / name)
    make_demo_release(folder / "corpora/IEMOCAP_full_release", utterances_per_speaker=4, scripted_per_speaker=1)
    clips = {f"{1001 + n // 4}_{sentence}_HAP_XX": CREMA_D_VOTES[n % 4] for n, sentence in enumerate(["IEO", "DFA", "ITS", "TIE"] * 12)}
    write_crema_d(folder / "corpora/CREMA-D", clips)
    write_my_corpus(folder / "corpora/my_corpus", blocks("csv")[0])
    write_wav(folder / "hello.wav", seconds=1, rate=44100, channels=2)
    return folder


def write_my_corpus(folder: Path, text: str) -> None:
    """The table of the README, with every speaker in each of its rows: four recordings teach no one anything."""
    rows = list(csv.DictReader(text.splitlines()))
    folder.mkdir(parents=True)
    with open(folder / "votes.csv", "w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        for row in rows:
            for speaker in {row["speaker"] for row in rows}:
                wav = row["wav"].replace(".wav", f"_{speaker}.wav")
                table.writerow(row | {"wav": wav, "speaker": speaker})
                write_wav(folder / wav)


@pytest.fixture
def in_place(place, monkeypatch):
    monkeypatch.chdir(place)
    monkeypatch.setattr(command, "DEMO_FOLDER", "corpora/IEMOCAP_full_release")
    monkeypatch.setattr(command, "make_demo_release", lambda folder: folder)
    return place


def run(line: str, in_place: Path) -> int:
    """Run one command of the README."""
    _, recipe, *arguments = shlex.split(line.replace(" /data/", f" {in_place}/corpora/"))
    assert (ROOT / recipe).is_file()
    if recipe == "recipes/table3.py":
        arguments += ONE_STAGE
    elif recipe != "recipes/prepare.py" and "--help" not in arguments:
        arguments += quick(arguments)
    if recipe == "recipes/cross_validate.py":
        arguments += ["--folds", "1"]
    return MAINS[recipe](arguments)


@pytest.mark.parametrize("line", dict.fromkeys(COMMANDS))
def test_a_command_of_the_readme_does_its_work(line, in_place, capsys):
    if "--help" in line:
        with pytest.raises(SystemExit, match="0"):
            run(line, in_place)
        assert "--patience" in capsys.readouterr().out
        return
    assert run(line, in_place) == 0
    said = capsys.readouterr().out
    if "--dry-run" in line:
        assert "plan: " in said and "training on" not in said
    elif "cross_validate.py" in line or "table3.py" in line:
        assert "1 of 1 folds" in said and "failed" not in said
    else:
        assert "written to" in said if "prepare.py" in line else "existence AUC" in said or "hparams/dominant" in line


def test_the_readme_has_the_commands_that_people_come_for():
    assert sum("--corpus iemocap" in line for line in COMMANDS) >= 1 and len(COMMANDS) >= 8


@pytest.fixture(scope="module")
def evaluated(place, tmp_path_factory):
    """A folder with results of the rows that figure 3 needs, on two folds."""
    folder = tmp_path_factory.mktemp("evaluated")
    (folder / "corpora").symlink_to(place / "corpora")
    shutil.copytree(place / "hparams", folder / "hparams")
    rows = ["--rows", "dominant", "mlee", "--train_sets", "all", "--folds", "1", "2", "--jobs", "1", "--device", "cpu"]
    short = [word for row in ("dominant", "mlee") for word in (f"--{row}.max_epochs", "1", f"--{row}.speeds", "1.0")]
    data = ["--corpus", "iemocap", "--data_folder", str(folder / "corpora/IEMOCAP_full_release")]
    with contextlib.chdir(folder):
        assert table3.main([*rows, *short, *data]) == 0
    return folder


def test_the_readme_has_a_line_for_each_thing_to_do_with_results():
    assert {shlex.split(line)[1] for line in OF_RESULTS} == {"check-protocol", "report"}


@pytest.mark.parametrize("line", OF_RESULTS)
def test_a_command_for_results_of_the_readme_does_its_work(line, evaluated, monkeypatch, capsys):
    monkeypatch.chdir(evaluated)
    _, *arguments = shlex.split(line.replace(" /data/", f" {evaluated}/corpora/"))
    assert cli.main(arguments) == 0
    said = capsys.readouterr().out
    if "check-protocol" in line:
        assert "6 stages and 10 folds looked at: 0 leaks" in said
    else:
        page = (evaluated / "results/iemocap/report/report.html").read_text()
        assert "written to results/iemocap/report/report.html" in said
        assert "DEMO" in page and page.count("<audio") >= 1, "made from generated speech, and figure 3 is in it"


def test_a_grid_ends_with_its_report(evaluated):
    assert (evaluated / "results/iemocap/report/table3.tex").is_file()


@pytest.fixture
def with_models(in_place):
    """The models that the README names, and recordings to use them on. Made before, where all tests run."""
    for hparams in ("mlee_fusion", "mlee"):
        flags = "--fold 3 --corpus iemocap --data_folder /data/IEMOCAP_full_release"
        assert run(f"python recipes/train.py hparams/{hparams}.yaml {flags}", in_place) == 0
    write_speech(in_place / "hello.wav", 1.0, 44100, 2)
    write_speech(in_place / "meeting.wav", 9.0, 48000, 2)
    (in_place / "recordings").mkdir(exist_ok=True)
    write_speech(in_place / "recordings/a.wav", 0.7)
    return in_place


def test_the_python_of_the_readme_runs(with_models):
    snippets = [block for block in blocks("python") if "class " not in block]
    assert len(snippets) == 7
    found = []
    for snippet in snippets:
        names = {"microphone": [np.full(4800, 0.1, dtype=np.float32)] * 100}
        exec(snippet, names)
        found.append(names)
    _, people, coverage, long, ours, speechbrains, attention = found
    assert len(people["many"]) == 2 and set(people["said"].posterior) == {"neu", "hap", "sad", "ang"}
    assert 0 <= coverage["held"] <= 1
    assert len(long["frame"]) == 4 and (with_models / "presence.txt").is_file() and long["rest"]
    assert set(ours["posterior"]) == {"neu", "hap", "sad", "ang"} and sum(ours["posterior"].values()) == pytest.approx(1, abs=1e-5)
    assert ours["text_lab"] == speechbrains["text_lab"]
    assert ours["out_prob"].tolist()[0] == pytest.approx(speechbrains["out_prob"].tolist()[0], abs=1e-4)
    assert attention["weights"].sum().item() == pytest.approx(1, abs=1e-5)
    assert all(earlier < later for earlier, later in pairwise([0.0, *attention["seconds"].tolist(), 1.0]))


def test_what_the_readme_does_with_models_is_done(with_models, hub, capsys):
    assert [line.split()[1] for line in OF_MODELS].count("classify") >= 3
    hub.token = "secret"
    for line in OF_MODELS:
        _, *arguments = shlex.split(line)
        demo = ["--demo"] if arguments[0] == "push" else []  # in the place of a corpus is one of generated speech
        assert cli.main([*arguments, *demo]) == 0, line
    said = capsys.readouterr().out
    assert f"published: {hub.url}/me/mlee-iemocap" in said and said.count("hello.wav") == 3 and "WRONG" not in said
    assert hub.repositories["me/mlee-iemocap"].private
    assert (with_models / "meeting.png").is_file() and (with_models / "meeting.txt").read_text().count("\t") >= 2


def test_the_encoder_of_the_readme_is_trained_and_found_again_by_its_name(in_place, tmp_path, monkeypatch):
    (module,) = [block for block in blocks("python") if "class MeanOfFrames" in block]
    (entry_point,) = blocks("toml")
    (network,) = blocks("yaml")
    package = tmp_path / "package"
    (package / "my_encoder-1.0.dist-info").mkdir(parents=True)
    (package / "my_encoder.py").write_text(module)
    (package / "my_encoder-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: my_encoder\nVersion: 1.0\n")
    name, group = re.search(r'(\w+) = "', entry_point)[1], re.search(r'"(mlee_sb\.\w+)"', entry_point)[1]
    value = re.search(r'= "(.*)"', entry_point)[1]
    (package / "my_encoder-1.0.dist-info/entry_points.txt").write_text(f"[{group}]\n{name} = {value}\n")
    monkeypatch.syspath_prepend(package)
    hparams = shutil.copytree(ROOT / "hparams", tmp_path / "hparams")
    part = hparams / "parts/paper_encoder.yaml"
    part.write_text(part.read_text().split("network:")[0] + network)

    flags = [
        "--fold",
        "1",
        "--corpus",
        "crema_d",
        "--data_folder",
        "corpora/CREMA-D",
        "--emotions",
        "neu",
        "hap",
        "sad",
        "fea",
        "--results",
    ]
    arguments = [str(hparams / "mlee.yaml"), *flags, str(tmp_path)]
    assert train.main([*arguments, *quick(arguments)]) == 0
    model = tmp_path / "crema_d/mlee/all/seed1/fold1/model"
    assert '"mean_of_frames"' in (model / "config.json").read_text()
    classifier = EmotionClassifier.from_hparams(source=model)
    assert isinstance(classifier.model.encoder.network, sys.modules["my_encoder"].MeanOfFrames)
    assert classifier.classify_file("hello.wav")[0].shape == (1, 4)
