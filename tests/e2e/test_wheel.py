"""The toolkit from its wheel, in a folder that is no checkout: everything that a person comes for works there."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from bundles import write_speech
from pages import ROOT, plug_ins
from releases import write_label_lines

import mlee_sb
from mlee_sb.demo import make_demo_release
from mlee_sb.experiment.make_model import MADE_FROM
from mlee_sb.inference.box import FOLDER
from mlee_sb.models.bundle_files import FILES

SMALL = {"utterances_per_speaker": 6, "scripted_per_speaker": 1}  # of the demo release
ONE_EPOCH = [word for stage in ("", "mlee.", "dominant.") for word in (f"--{stage}max_epochs", "1", f"--{stage}speeds", "1.0")]

DEMO = f"""
from functools import partial
from mlee_sb.cli.app import main
from mlee_sb.experiment import arguments, demo_run

arguments.make_demo_release = partial(arguments.make_demo_release, **{SMALL})
one_epoch = {{"max_epochs": 1, "speeds": [1.0]}}
demo_run.SHORT = {{**one_epoch, "mlee": one_epoch, "dominant": one_epoch, "device": "cpu"}}
raise SystemExit(main(["demo"]))
"""
"""`mlee demo` with a small release and a shorter training."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built without a network, out of the source distribution: that is complete, too."""
    folder = tmp_path_factory.mktemp("built")
    python([sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", folder], cwd=ROOT)
    (source,) = folder.glob("*.tar.gz")
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder, source]
    python(pip, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


class Installed:
    """A virtual environment with the wheel and the other packages of this one, and a folder to work in."""

    def __init__(self, folder: Path, wheel: Path):
        self.environment, self.place = folder / "environment", folder / "place"
        self.place.mkdir()
        python([sys.executable, "-m", "venv", "--without-pip", self.environment], cwd=folder)
        (packages,) = self.environment.glob("lib/python*/site-packages")
        others = [path for path in sys.path if path.endswith("-packages")]
        (packages / "others.pth").write_text("\n".join(others))  # a line adds a folder, and not what an editable install adds to it
        self.install(wheel)

    def install(self, package: Path) -> None:
        pip = [sys.executable, "-m", "pip", "--python", self.environment / "bin/python", "install"]
        python([*pip, "--no-deps", "--no-index", "--no-build-isolation", "--ignore-installed", package], cwd=self.place)

    def python(self, code: str) -> str:
        return python([self.environment / "bin/python", "-c", code], cwd=self.place)

    def mlee(self, *words) -> str:
        return python([self.environment / "bin/mlee", *words], cwd=self.place)


def python(words: list, cwd: Path) -> str:
    """Run a command without a way to the checkout, and return what it says."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(list(map(str, words)), cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    return Installed(tmp_path_factory.mktemp("installed"), wheel)


@pytest.fixture(scope="module")
def of_demo(installed):
    """The flags of a run on a small demo release."""
    release = make_demo_release(installed.place / "data/demo_release", **SMALL)
    return ["--corpus", "demo", "--data_folder", release, "--device", "cpu"]


def test_every_file_of_the_checkout_that_the_package_reads_is_in_the_wheel(wheel):
    there = set(zipfile.ZipFile(wheel).namelist())
    endings = ("py", "j2", "css", "js", "md")
    inside = {file.relative_to(ROOT).as_posix() for ending in endings for file in (ROOT / "mlee_sb").rglob(f"*.{ending}")}
    beside = {
        f"mlee_sb/{file.relative_to(ROOT).as_posix()}" for pattern in ("hparams/**/*.yaml", "recipes/*.py") for file in ROOT.glob(pattern)
    }
    inside |= {f"mlee_sb/{FOLDER.name}/{file}" for file in (*FILES, MADE_FROM)}
    assert inside | beside == {name for name in there if ".dist-info/" not in name}


def test_the_package_is_that_of_the_wheel(installed):
    assert installed.python("import mlee_sb; print(mlee_sb.__file__)").startswith(str(installed.environment))
    assert installed.mlee("--version") == f"mlee_sb {mlee_sb.__version__}\n"


def test_a_file_is_classified_by_the_model_in_the_box(installed):
    write_speech(installed.place / "hello.wav")
    assert "hello.wav" in installed.mlee("classify", "hello.wav")


def test_the_hparams_are_copied_for_a_person_to_change(installed):
    installed.mlee("hparams", "there")
    there = installed.place / "there"
    assert {file.relative_to(there) for file in there.rglob("*.yaml")} == {
        file.relative_to(ROOT / "hparams") for file in (ROOT / "hparams").rglob("*.yaml")
    }
    assert "recipes/" not in installed.mlee("train", "there/mlee_fusion.yaml", "--help")


def test_a_row_is_trained_by_its_name_and_reported(installed, of_demo):
    said = installed.mlee("train", "mlee_fusion", "--fold", "3", *of_demo, *ONE_EPOCH, "--results", "short")
    assert "[3/3] mlee_fusion_soft" in said and "DEMO" in said
    (card,) = installed.place.glob("short/demo/mlee_fusion_soft*/all/seed1/fold3/model/README.md")
    assert "demo" in card.read_text()
    installed.mlee("report", "short/demo", "--resamples", "10")
    assert (installed.place / "short/demo/report/report.html").is_file()


def test_table_3_is_planned(installed, of_demo):
    assert "plan: 13 stages" in installed.mlee("table3", "--folds", "3", *of_demo, "--dry-run")
    assert "plan: 13 stages" in installed.mlee("compare", "table3", "--folds", "3", *of_demo, "--dry-run")


@pytest.mark.real  # test_demo.py runs it from a checkout
def test_the_demo_runs_and_leaves_the_main_command_alone(installed, of_demo):
    said = installed.python(DEMO)
    assert "DEMO: generated speech, a short training" in said and "Ses02F" in said.splitlines()[-2]
    assert (installed.place / "results_demo/demo").is_dir()
    assert "plan: 3 stages" in installed.mlee("cross-validate", "mlee_fusion", "--folds", "3", *of_demo, "--dry-run")


PLUG_INS = """[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "my_plug_ins"
version = "1.0"
dependencies = ["mlee_sb"]

[tool.hatch.build.targets.wheel]
include = ["*.py"]
"""


@pytest.fixture
def with_plug_ins(installed, tmp_path):
    """A package with all plug-ins of the pages, installed as any other."""
    text = PLUG_INS
    for group, name, module, class_name, code in plug_ins():
        (tmp_path / f"{module}.py").write_text(code)
        text += f'\n[project.entry-points."{group}"]\n{name} = "{module}:{class_name}"\n'
    (tmp_path / "pyproject.toml").write_text(text)
    installed.install(tmp_path)
    return installed


OWN_ROW = """!include:base.yaml
row: my_row
target: smoothed_hard
smoothing: 0.1
lr: 0.001
encoder: !new:my_encoder.MeanOfFrames
    front_end: !include:parts/features.yaml
    embedding_size: 32
"""


def test_an_encoder_a_target_and_a_corpus_of_another_package_are_trained_together(with_plug_ins):
    write_label_lines(with_plug_ins.place / "data/label_lines")
    with_plug_ins.mlee("hparams", "hparams")
    (with_plug_ins.place / "hparams/my_row.yaml").write_text(OWN_ROW)
    of_corpus = ["--corpus", "label_lines", "--data_folder", "data/label_lines", "--device", "cpu", "--max_epochs", "1", "--speeds", "1.0"]
    said = with_plug_ins.mlee("train", "my_row", "--fold", "1", *of_corpus)
    (model,) = with_plug_ins.place.glob("results/label_lines/my_row*/*/seed1/fold1/model")
    assert f"model: {model.relative_to(with_plug_ins.place)}" in said
    assert "mean_of_frames" in (model / "config.json").read_text()
    assert "1.wav" in with_plug_ins.mlee("classify", "data/label_lines/anna", "--model", model)
