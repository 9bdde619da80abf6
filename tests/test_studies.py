"""The scripts of docs/studies, which make what docs/disagreement.md shows."""

import importlib.util
import sys
from pathlib import Path

import pandas as pd
import pytest
from releases import write_crema_d

from mlee_sb.corpora.prepare import prepare

STUDIES = Path(__file__).parents[1] / "docs/studies"


def load(name: str):
    spec = importlib.util.spec_from_file_location(name, STUDIES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def run(monkeypatch, script, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", [script.__name__, *map(str, arguments)])
    return script.main()


def test_fewer_listeners_keeps_some_votes_of_each_clip_and_the_folds(tmp_path, monkeypatch):
    release, fewer = write_crema_d(tmp_path / "release"), tmp_path / "fewer"
    script = load("fewer_listeners")
    assert run(monkeypatch, script, release, fewer, "--listeners", 2) == 0
    first = pd.read_csv(fewer / "votes.csv")
    votes = first.filter(like="votes_")
    assert (votes.sum(axis=1) == 2).all() and len(votes.columns) == 6
    prepare("crema_d", release, tmp_path / "all", ["neu", "hap"], say=lambda line: None)
    prepare("vote_table", fewer, tmp_path / "some", ["neu", "hap"], say=lambda line: None)
    whole, part = (pd.read_csv(tmp_path / name / "fold3/test.csv") for name in ("all", "some"))
    assert set(part["wav"]) == set(whole["wav"]) and len(part)  # the same speakers are tested
    merged = first.merge(pd.read_csv(tmp_path / "all/utterances.csv"), on="wav", suffixes=("", "_all"))
    assert (merged[votes.columns].to_numpy() <= merged[[f"{column}_all" for column in votes.columns]].to_numpy()).all()
    with pytest.raises(SystemExit, match="exists already"):
        run(monkeypatch, script, release, fewer)


def test_each_case_of_the_gain_has_a_folder_and_a_command_of_its_own():
    gain = load("gain")
    given = type("Given", (), {"data_folder": Path("release"), "results": Path("r"), "seeds": [1], "base": "B", "tiny": "T"})
    commands = [" ".join(gain.command(case, given)) for case in gain.CASES]
    assert len({case.name for case in gain.CASES}) == len(set(commands)) == len(gain.CASES)
    assert all(
        ("--corpus vote_table" in command) == (case.listeners is not None) for command, case in zip(commands, gain.CASES, strict=True)
    )


def test_the_table_of_rows_marks_the_best_value_of_each_score():
    script = load("table_of_rows")
    estimate = lambda value: {"value": value, "low": value - 0.1, "high": value + 0.1}  # noqa: E731
    one, other = ({"row": row, "pooled": {"ua": estimate(ua), "aurc": estimate(ua)}} for row, ua in (("one", 0.6), ("other", 0.5)))
    lines = script.table([one, other, {"row": "none", "pooled": {}}], ("ua", "aurc")).splitlines()
    assert lines[0] == "| row | UA | AURC |"
    assert lines[2:] == ["| `one` | **60.0 [50.0, 70.0]** | 60.0 |", "| `other` | 50.0 [40.0, 60.0] | **50.0** |", "| `none` | – | – |"]


def test_the_simulation_of_the_dirichlet_row_tells_each_figure_of_its_page(monkeypatch, capsys):
    script = load("dirichlet_simulated")
    assert run(monkeypatch, script, "--utterances", 300, "--epochs", 6, "--seeds", 1) == 0
    said = dict(line.rsplit(" to ", 1) for line in capsys.readouterr().out.splitlines())
    figures = {line.rsplit(" ", 1)[0]: float(value) for line, value in said.items()}
    assert figures["listeners of a known spread: rank correlation of the disagreement"] > 0.7
    assert figures["dirichlet, class weights: correlation"] > figures["dirichlet with the published loss, class weights: correlation"]
    page = (STUDIES.parent / "ways.md").read_text(encoding="utf-8")
    assert script.__name__ in page and all(f"| {row} |" in page for row in script.ROWS)
