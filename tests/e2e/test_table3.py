"""The grid of table 3 in one command: what is planned, and what becomes of it."""

import json

import pytest
from releases import write_table, write_wav
from upstreams import write_upstream

from mlee_sb.experiment.table3 import main

from .conftest import of_tones, stage_of

QUICK = [word for row in ("dominant", "mlee", "mlee_fusion") for word in (f"--{row}.max_epochs", "1", f"--{row}.speeds", "1.0")]
SMALL = ["--rows", "dominant", "mlee_fusion", "--targets", "soft", "--train_sets", "all", "--folds", "1", *QUICK]


@pytest.fixture(scope="module")
def ten_speakers(tmp_path_factory):
    """A release of ten speakers: ten folds."""
    rows = [f"{s}{i}.wav,{s},{v}" for s in "abcdefghij" for i, v in enumerate(["3,0,0", "0,3,0", "1,1,1"])]
    folder = write_table(tmp_path_factory.mktemp("ten"), "\n".join(["wav,speaker,votes_neu,votes_hap,votes_other", *rows]))
    for wav in folder.glob("*.wav"):
        write_wav(wav)
    return folder


def test_ten_folds_need_50_encoders_and_80_heads_and_the_plan_alone_is_on_stdout(ten_speakers, tmp_path, capsys):
    assert main([*of_tones(ten_speakers, tmp_path), "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    stages = plan["stages"]
    assert (plan["encoders"], plan["heads"], len(stages)) == (50, 80, 130)
    assert len({stage["folder"] for stage in stages}) == 130
    hard = [stage for stage in stages if stage["row"] == "dominant_hard"]
    assert [(stage["train_set"], stage["fold"]) for stage in hard] == [("dominant", fold) for fold in range(1, 11)]
    before = set()
    for stage in stages:
        assert stage["kind"] == ("head" if stage["requires"] else "encoder") and not stage["finished"]
        assert set(stage["requires"]) <= before, "planned before what it requires"
        before.add(stage["folder"])
    assert not list(tmp_path.rglob("save"))


def test_a_setting_of_a_file_reaches_its_stage_however_it_is_required(tones, tmp_path, capsys):
    flags = ["--rows", "mlee", "mlee_pretrain", "mlee_fusion", "--targets", "soft", "--train_sets", "all", "--folds", "1", "--alpha", "0.5"]
    assert main([*of_tones(tones, tmp_path), *flags, "--mlee.lr", "0.001", "--dominant.lr", "0.002", "--dry-run", "--json"]) == 0
    assert [stage["row"] for stage in json.loads(capsys.readouterr().out)["stages"]] == [
        "mlee@lr=0.001",
        "mlee_pretrain_soft@alpha=0.5,mlee.lr=0.001",
        "dominant_soft@alpha=0.5,lr=0.002",
        "mlee_fusion_soft@alpha=0.5,dominant.lr=0.002,mlee.lr=0.001",
    ]


def test_a_grid_on_an_upstream_has_its_thirteen_cells_whatever_existence_learns(ten_speakers, tmp_path, capsys):
    upstream = write_upstream(tmp_path / "whisper", "whisper")
    flags = ["--folds", "1", "--dry-run", "--json", "--encoder", "pretrained", "--upstream", str(upstream), "--mlee.full_votes", "2"]
    assert main([*of_tones(ten_speakers, tmp_path), *flags]) == 0
    stages = json.loads(capsys.readouterr().out)["stages"]
    assert len(stages) == 13 and all("encoder=pretrained" in stage["row"] for stage in stages)
    assert all("full_votes=2" in stage["row"] for stage in stages if not stage["row"].startswith("dominant"))


def test_a_failed_stage_is_named_with_its_log_and_the_same_command_tries_it_again(tones, tmp_path, capsys):
    diverges = ["--dominant.lr", "1e30", "--dominant.batch_size", "1"]
    assert main([*of_tones(tones, tmp_path), *SMALL, *diverges]) == 1
    said = capsys.readouterr().out
    failed = stage_of("dominant_soft", max_epochs=1, speeds=[1.0], lr=1e30, batch_size=1)
    log = tmp_path / "tones" / failed / "run.log"
    assert f"failed: {failed.parts[0]} (train set all, seed 1, fold 1): " in said and "lower lr" in said and str(log) in said
    assert "Traceback" in log.read_text()
    assert f"(train set all, seed 1, fold 1): skipped: requires {failed.parts[0]}" in said
    assert (tmp_path / "tones" / stage_of("mlee", max_epochs=1, speeds=[1.0]) / "scores.json").is_file(), "it did nothing wrong"

    assert main([*of_tones(tones, tmp_path), *SMALL]) == 0
    said = capsys.readouterr().out
    assert "1 are finished" in said and "[1/3] finished before, reused" in said
    assert said.count("1 of 1 folds") == 2 and "failed:" not in said


def test_a_report_that_cannot_be_written_is_a_failure_and_the_same_command_tries_it_again(tones, tmp_path, capsys):
    place = tmp_path / "tones" / stage_of("mlee", max_epochs=1, speeds=[1.0]).parts[0] / "report"
    place.mkdir(parents=True)
    (place / "mine.txt").write_text("no report")
    arguments = [*of_tones(tones, tmp_path), "--rows", "mlee", "--train_sets", "all", "--folds", "1", *QUICK]
    assert main(arguments) == 1
    said = capsys.readouterr().out
    assert "1 of 1 folds" in said and f"no report: {place}: holds something that is not a report" in said

    (place / "mine.txt").unlink()
    assert main(arguments) == 0
    assert f"report: {place / 'report.html'}" in capsys.readouterr().out
    page = (place / "report.html").read_text()
    assert "No intervals and no tests: 1 test speaker is too few" in page and "to make it again" in page


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--mlee.lrr", "1"], "did you mean --mlee.lr"),
        (["--mlee.lr", "fast"], "must be a number"),
        (["--mlee.patience", "0"], "must be above 0"),
        (["--rows", "mlee_fusoin"], "did you mean 'mlee_fusion'"),
        (["--targets", "sfot"], "did you mean 'soft'"),
        (["--folds", "7"], "unknown fold '7'"),
        (["--folds", "all", "1"], "either all or numbers"),
        (["--backend", "daks"], "did you mean 'dask'"),
        (["--json"], "add --dry-run"),
        (["--hparams", "nowhere"], "no such hparams file"),
    ],
)
def test_a_wrong_word_is_answered_before_training(tones, tmp_path, capsys, flags, said):
    assert main([*of_tones(tones, tmp_path), "--rows", "mlee", *flags]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.rglob("save"))


def test_its_help_is_told_wherever_it_is_asked_for(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as done:
        main(["--help"])
    assert done.value.code == 0 and "settings of all rows" in capsys.readouterr().out
