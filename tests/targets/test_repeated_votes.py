"""Votes as repeated examples: a set with a row for each vote is the reference."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mlee_sb.labels import softmax_class_weights
from mlee_sb.targets import find_target

TARGET, SOFT = find_target("repeated_votes"), find_target("soft")
VOTES = np.array([[3, 1, 0], [0, 1, 1], [0, 0, 5]])
SETTINGS = {"emotions": ["neu", "hap", "sad"], "min_votes": 1, "alpha": 0.0, "class_frequency": "targets", "class_weights": True}
LOGITS = torch.randn(3, 3, generator=torch.Generator().manual_seed(1))
ROWS, CLASSES = zip(*[(i, k) for i, row in enumerate(VOTES) for k, n in enumerate(row) for _ in range(n)], strict=True)  # a row a vote


def mean_loss(target, labels, weights):
    return target.loss(LOGITS, labels, weights).sum() / target.examples(labels).sum()


def test_loss_and_class_weights_are_those_of_a_set_with_a_row_for_each_vote():
    labels = torch.from_numpy(TARGET.training_labels("all", [""] * 3, VOTES, SETTINGS)[0])
    weights = TARGET.class_weights(labels.numpy(), [""] * 3, SETTINGS)
    np.testing.assert_allclose(weights, softmax_class_weights(np.eye(3)[list(CLASSES)]))
    weights = torch.from_numpy(weights).float()
    losses = F.cross_entropy(LOGITS[list(ROWS)], torch.tensor(CLASSES), weight=weights, reduction="none")
    torch.testing.assert_close(mean_loss(TARGET, labels, weights), losses.mean())
    weighted = TARGET.loss(LOGITS, labels, weights).sum() / TARGET.weight(labels, weights).sum()
    torch.testing.assert_close(weighted, F.cross_entropy(LOGITS[list(ROWS)], torch.tensor(CLASSES), weight=weights))


@pytest.mark.parametrize(("votes", "same"), [([[3, 1, 0], [0, 2, 2], [0, 0, 4]], True), (VOTES, False)])
def test_it_is_the_soft_target_without_smoothing_where_all_utterances_have_as_many_votes(votes, same):
    found = []
    for target in (TARGET, SOFT):
        labels = target.training_labels("all", [""] * 3, np.array(votes), SETTINGS)[0]
        weights = torch.from_numpy(target.class_weights(labels, [""] * 3, SETTINGS)).float()
        found.append(mean_loss(target, torch.from_numpy(labels), weights).item())
    assert (found[0] == pytest.approx(found[1], rel=1e-5)) == same


def test_what_has_no_target_vote_is_left_out_and_the_train_set_can_be_chosen():
    votes = np.array([[1, 1, 0], [0, 0, 0], [2, 0, 0]])
    dominant = ["", "", "neu"]
    assert TARGET.training_labels("all", dominant, votes, SETTINGS)[1].tolist() == [True, False, True]
    assert TARGET.training_labels("dominant", dominant, votes, SETTINGS)[1].tolist() == [False, False, True]
