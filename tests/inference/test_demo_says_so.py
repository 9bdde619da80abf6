"""Whatever a model of generated speech answers, and in whatever form, it says that it is a DEMO; the answers of others do not."""

import csv
import io
import json

import numpy as np
import pandas as pd
import pytest
from bundles import RATE, speech, write_bundle

from mlee_sb import EmotionClassifier
from mlee_sb.cli.app import main
from mlee_sb.inference.answers import DEMO


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("demo") / "model", demo=True)


@pytest.fixture(scope="module")
def demo(folder):
    return EmotionClassifier.from_hparams(folder)


def test_every_prediction_says_so_also_where_nobody_speaks(demo, classifier, hello):
    for model, expected in ((demo, True), (classifier, False)):
        stream = model.stream(RATE, 0.5, 0.25)
        timeline = model.timeline(hello, 0.5, 0.25)
        fed = [one.prediction for one in stream.feed(speech(1.0))]
        windows = [one.prediction for one in timeline.segments]
        silent = model.predict(np.zeros(RATE), sample_rate=RATE)
        said = [model.predict(hello), silent, *model.predict_many([hello, hello]), *fed, *windows, model, timeline]
        assert silent.posterior is None and {one.demo for one in said} == {expected}


def test_every_form_of_a_timeline_says_so(demo, hello, tmp_path):
    timeline = demo.timeline(hello, 0.5, 0.25)
    timeline.to_csv(tmp_path / "a.csv")
    assert pd.read_csv(tmp_path / "a.csv")["demo"].all()
    assert timeline.as_json()["demo"] and all(one["demo"] for one in timeline.as_json()["segments"])
    timeline.to_audacity(tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text().splitlines()[0] == f"0.000000\t1.300000\t{DEMO}"
    timeline.plot(tmp_path / "a.svg")
    assert f"<!-- {DEMO} -->" in (tmp_path / "a.svg").read_text(), "as a picture tells what its letters say"


@pytest.mark.parametrize("command", ["classify", "timeline"])
def test_the_command_line_says_so_in_every_form(folder, bundle, hello, capsys, command):
    def said_by(model, *form):
        assert main([command, str(hello), "--model", str(model), *form]) == 0
        return capsys.readouterr().out

    assert said_by(folder).splitlines()[-1] == DEMO and DEMO not in said_by(bundle)
    assert [json.loads(said_by(model, "--json"))["demo"] for model in (folder, bundle)] == [True, False]
    columns = [next(csv.DictReader(io.StringIO(said_by(model, "--csv"))))["demo"] for model in (folder, bundle)]
    assert columns == ["True", "False"]
