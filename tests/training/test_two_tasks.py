"""A stage that learns two tasks: what it is trained on, and that only its training sees the second one."""

import torch
from speechbrain import Stage as Use

from mlee_sb.models.multitask_classifier import MultitaskClassifier
from mlee_sb.training.build import built, make_brain
from mlee_sb.training.data import Batch
from mlee_sb.training.inputs import stage_inputs

from .conftest import EMOTIONS, VOTES


def test_a_stage_of_two_tasks_trains_both_and_is_asked_for_the_first_one(stage):
    part = stage("primary_secondary")
    inputs = stage_inputs(part)
    assert len(inputs.train) == 2 * len(VOTES), "also what has no dominant emotion"
    assert inputs.train_labels.shape == (2 * len(VOTES), 3, len(EMOTIONS)) and inputs.class_weights.shape == (len(EMOTIONS),)
    hparams, encoder, classifier = built(part, [])
    assert isinstance(classifier, MultitaskClassifier)
    brain = make_brain(part, hparams["opt_class"], encoder.eval(), classifier, inputs.class_weights, "cpu", epochs=[])
    batch = Batch(torch.zeros(2, 1600), torch.tensor([1600, 1600]), inputs.train_labels[:2], torch.arange(2))
    for use, shape in ((Use.TEST, (2, 2)), (Use.VALID, (2, 2, 2))):
        brain.on_stage_start(use, epoch=1)
        outputs = brain.compute_forward(batch, use)
        assert outputs.shape == shape
    loss = brain.compute_objectives(outputs, batch, Use.VALID)
    torch.testing.assert_close(loss, part.target.loss(outputs, batch.labels, inputs.class_weights).mean())
