"""The DEMO release has a listener who hears anger nearly everywhere: a training on its sound finds them."""

import pytest

from mlee_sb.demo import make_demo_release
from mlee_sb.evaluation.annotators import each_annotator
from mlee_sb.experiment.train import train
from mlee_sb.stage_folder import StageFolder

ANGRY = "E4"


@pytest.mark.real
def test_the_listener_who_hears_anger_nearly_everywhere_is_found(tmp_path):
    release = make_demo_release(tmp_path / "release")
    settings = {"max_epochs": 8, "speeds": [1.0], "device": "cpu"}
    files = StageFolder(
        train("annotator_heads", fold=3, corpus="demo", data_folder=release, results=tmp_path / "results", **settings).folder
    )
    answers = files.read_annotators()
    angry = (answers["answer"] == "ang").groupby(answers["annotator"]).mean()
    assert angry[ANGRY] > 0.6 and angry.drop(ANGRY).max() < 0.5
    of_angry = next(one for one in each_annotator([files]) if one["annotator"] == ANGRY)
    assert of_angry["own"] > of_angry["mean"] + 0.1
