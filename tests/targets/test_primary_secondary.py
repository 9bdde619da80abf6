"""Primary and secondary emotions: the labels of both tasks and their loss by hand, and a model that learns both."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mlee_sb.errors import InputError
from mlee_sb.models.multitask_classifier import MultitaskClassifier
from mlee_sb.targets.existence import ExistenceTarget
from mlee_sb.targets.hard import HardTarget
from mlee_sb.targets.primary_secondary import PrimarySecondaryTarget
from mlee_sb.training.settings import read_settings

SETTINGS = {"emotions": ["neu", "hap"], "min_votes": 1, "full_votes": 1, "secondary_weight": 0.5, "class_weights": True}
DOMINANT, VOTES = ["neu", "hap", "", "exc"], np.array([[2, 1], [0, 3], [1, 1], [0, 0]])
TARGET = PrimarySecondaryTarget()


def labels_of(train_set="all", **changed):
    return TARGET.training_labels(train_set, DOMINANT, VOTES, {**SETTINGS, **changed})


def test_labels_by_hand():
    labels, usable = labels_of()
    assert labels.dtype == np.float32 and usable.tolist() == [True] * 4
    assert labels.tolist() == [  # dominant, present, absent
        [[1, 0], [0.5, 0.5], [0, 0]],
        [[0, 1], [0, 0.5], [0.5, 0]],
        [[0, 0], [0.5, 0.5], [0, 0]],
        [[0, 0], [0, 0], [0.5, 0.5]],
    ]


def test_train_set_dominant_keeps_what_has_a_dominant_target_emotion():
    assert labels_of("dominant")[1].tolist() == [True, True, False, False]


def test_class_weights_are_those_of_the_hard_target():
    labels, dominant = labels_of()[0], [*DOMINANT, "neu"]
    labels = np.concatenate([labels, labels[:1]])
    hard = HardTarget().training_labels("all", dominant, np.concatenate([VOTES, VOTES[:1]]), SETTINGS)[0]
    np.testing.assert_allclose(TARGET.class_weights(labels, dominant, SETTINGS), HardTarget().class_weights(hard, dominant, SETTINGS))


def test_the_loss_by_hand():
    logits = torch.tensor([[[math.log(3.0), 0.0], [0.0, math.log(3.0)]]])  # posterior 3/4 1/4; existence 1/2 3/4
    labels = torch.from_numpy(labels_of()[0])
    loss = TARGET.loss(logits, labels[:1], torch.tensor([2.0, 1.0]))
    assert loss.item() == pytest.approx(-2 * math.log(3 / 4) - 0.5 * math.log(1 / 2) - 0.5 * math.log(3 / 4))
    loss = TARGET.loss(logits, labels[1:2], torch.tensor([2.0, 1.0]))
    assert loss.item() == pytest.approx(-math.log(1 / 4) - 0.5 * math.log(1 / 2) - 0.5 * math.log(3 / 4))


def test_the_loss_is_that_of_both_targets_alone():
    logits, weights = 3 * torch.randn(4, 2, 2), torch.tensor([0.5, 2.0])
    present = torch.from_numpy(ExistenceTarget().labels(DOMINANT, VOTES, SETTINGS)[0]).float()
    hard = torch.from_numpy(HardTarget().labels(DOMINANT, VOTES, SETTINGS)[0]).float()
    expected = HardTarget().loss(logits[:, 0], hard, weights)
    expected = expected + 0.7 * F.binary_cross_entropy_with_logits(logits[:, 1], present, reduction="none").sum(dim=1)
    labels = torch.from_numpy(labels_of(secondary_weight=0.7)[0])
    torch.testing.assert_close(TARGET.loss(logits, labels, weights), expected)


def test_an_utterance_without_a_dominant_emotion_teaches_the_second_task_only():
    logits = torch.zeros(1, 2, 2, requires_grad=True)
    labels = torch.from_numpy(labels_of()[0][2:3])
    TARGET.loss(logits, labels, torch.ones(2)).sum().backward()
    assert (logits.grad[0, 0] == 0).all() and (logits.grad[0, 1] != 0).all()


def test_without_a_weight_it_would_be_no_second_task():
    """And an utterance without a dominant emotion would have no weight in a mean."""
    with pytest.raises(InputError, match="secondary_weight is 0, and must be above 0"):
        read_settings("hparams/primary_secondary.yaml", {"secondary_weight": 0})


def test_an_utterance_weighs_its_class_weight_and_that_of_the_second_task():
    labels = torch.from_numpy(labels_of()[0])
    assert TARGET.weight(labels, torch.tensor([2.0, 3.0])).tolist() == [2.5, 3.5, 0.5, 0.5]


def test_the_answer_of_the_classifier_is_that_of_the_first_task():
    classifier, embeddings = MultitaskClassifier(embedding_size=5, n_emotions=3, hidden_size=4), torch.randn(2, 5)
    both = classifier(embeddings, all_outputs=True)
    assert both.shape == (2, 2, 3) and torch.equal(both[:, 0], classifier(embeddings))
    assert not torch.equal(both[:, 1], both[:, 0])


def test_one_model_learns_both_tasks():
    """The first number of an embedding tells what is dominant, the second whether the other emotion was heard, too."""
    embeddings = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1], [0, 1]])
    dominant, votes = ["neu", "neu", "hap", "hap", ""], np.array([[2, 1], [3, 0], [1, 2], [0, 3], [1, 1]])
    labels = torch.from_numpy(TARGET.training_labels("all", dominant, votes, SETTINGS)[0])
    torch.manual_seed(0)
    classifier = MultitaskClassifier(embedding_size=2, n_emotions=2, hidden_size=16)
    optimizer = torch.optim.Adam(classifier.parameters(), lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        TARGET.loss(classifier(embeddings, all_outputs=True), labels, torch.ones(2)).mean().backward()
        optimizer.step()
    with torch.no_grad():
        both = classifier(embeddings, all_outputs=True)
    assert both[:4, 0].argmax(dim=-1).tolist() == [0, 0, 1, 1]
    assert (both[:, 1] > 0).tolist() == [[count > 0 for count in of_utterance] for of_utterance in votes]
