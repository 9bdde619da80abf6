"""The tables and commands of docs/own_corpus.md give what the page says."""

import pandas as pd
import pytest
from pages import ROOT, command_blocks, tables, words
from releases import write_tables

from mlee_sb.corpora.vote_table import VoteTable
from mlee_sb.corpora.vote_table.columns import KNOWN
from mlee_sb.experiment.prepare_corpus import main

PAGE = "own_corpus.md"
ONE_LINE = [line for (line, *more) in command_blocks() if "vote_table /data/my_corpus" in line and "--table" in line and not more]


@pytest.mark.parametrize("line", ONE_LINE)
def test_a_command_of_the_page_prepares_its_table(line, tmp_path, monkeypatch):
    write_tables(tmp_path / "my_corpus", tables(PAGE))
    monkeypatch.chdir(tmp_path)
    _, _, *arguments = words(line.replace("/data/", f"{tmp_path}/"))
    assert main(arguments) == 0
    found = pd.read_csv(arguments[arguments.index("--output") + 1] + "/utterances.csv").set_index("ID")
    votes = {row.Index: (row.votes_neu, row.votes_hap) for row in found.itertuples()}
    assert (
        votes
        == {
            "raters.csv": {"calls/a": (2, 1), "calls/b": (1, 3), "calls/c": (2, 0), "calls/d": (1, 1)},
            "parts.csv": {"calls/a": (2, 1), "calls/b": (0, 3), "calls/c": (3, 0), "calls/d": (1, 2)},
            "spoken.csv": {"calls/a": (0, 2), "calls/b": (1, 0), "calls/c": (0, 1), "calls/d": (1, 0)},
            "pieces.csv": {
                "calls/a_0-1.2": (2, 1),
                "calls/a_1.2-2.5": (0, 3),
                "calls/b_0-1.5": (0, 3),
                "calls/c_0.5-end": (1, 2),
                "calls/d": (3, 0),
            },
        }[arguments[arguments.index("--table") + 1]]
    )


def test_the_page_has_a_command_for_each_of_its_tables():
    shown = set(tables(PAGE)) - {"votes.csv", "words.csv"}
    assert {words(line)[words(line).index("--table") + 1] for line in ONE_LINE} == shown


def test_the_page_names_each_column_that_is_read():
    text = (ROOT / "docs" / PAGE).read_text(encoding="utf-8")
    rows = "".join(line for line in text.splitlines() if line.startswith("| `"))
    assert [column for column in KNOWN if f"`{column}`" not in rows] == []


def test_columns_of_any_name_are_taken_as_annotators(tmp_path):
    text = tables(PAGE)["raters.csv"]
    write_tables(tmp_path, {"votes.csv": text.replace("annotator_", ""), "raters.csv": text})
    named, told = VoteTable(tmp_path, annotators="mia,tom,zoe"), VoteTable(tmp_path, table="raters.csv")
    assert list(named.utterances())[:4] == list(told.utterances())[:4]
