"""A stage that learns two tasks: its files are those of a stage that knows the dominant emotion only."""

import json

import pandas as pd
import torch

from mlee_sb.models.bundle import load_bundle
from mlee_sb.models.multitask_classifier import MultitaskClassifier
from mlee_sb.training.inputs import stage_inputs
from mlee_sb.training.train_stage import train_stage

from .conftest import EMOTIONS, VOTES


def test_a_stage_of_two_tasks_answers_with_the_first_one(stage):
    part = stage("primary_secondary", max_epochs=1, batch_size=8, speeds=[1.0])
    inputs = stage_inputs(part)
    assert len(inputs.train) == 2 * len(VOTES), "also what has no dominant emotion"
    train_stage(part, "cpu", lambda line: None)
    loaded = load_bundle(part.model_folder)
    assert isinstance(loaded.model.classifier, MultitaskClassifier) and loaded.model.presence is None
    assert json.loads(part.files.config.read_text())["classifier"]["kind"] == "multitask"
    told = pd.read_csv(part.files.predictions)
    assert not [column for column in told if column.startswith("e_")]
    torch.testing.assert_close(torch.tensor(told[[f"p_{emotion}" for emotion in EMOTIONS]].sum(axis=1).to_numpy()).float(), torch.ones(6))
    assert part.files.read_summary().class_weights == inputs.class_weights.tolist() and len(inputs.class_weights) == len(EMOTIONS)
