"""The notebook of docs/, run from its first cell to its last in a process of its own: only the corpus and the trainings are smaller."""

import os
import re

import nbclient
import nbformat
import pytest
from pages import ROOT

NOTEBOOK = ROOT / "docs/first_model.ipynb"
SMALLER = """
from functools import partial

from mlee_sb.experiment import arguments

arguments.make_demo_release = partial(arguments.make_demo_release, utterances_per_speaker=4, scripted_per_speaker=1)
"""


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def test_no_output_is_committed(notebook):
    assert not [cell for cell in notebook.cells if cell.cell_type == "code" and (cell.outputs or cell.execution_count)]


@pytest.mark.real
def test_it_trains_and_shows_a_timeline(notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    for cell in notebook.cells:
        short = re.sub(r"max_epochs=\d+", "max_epochs=1", cell.source)
        cell.source = short.replace('{"max_epochs": 5}', '{"max_epochs": 1, "speeds": [1.0]}')
    notebook.cells.insert(0, nbformat.v4.new_code_cell(SMALLER))
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    shown = [data for output in outputs if (data := output.get("data"))]
    assert not [output for output in outputs if output.output_type == "error"]
    assert shown[-1].get("image/png"), "the timeline"
    assert "DEMO: generated speech" in "".join(output.get("text", "") for output in outputs)
    assert (tmp_path / "long.wav").is_file() and any("'UA'" in data["text/plain"] for data in shown)
