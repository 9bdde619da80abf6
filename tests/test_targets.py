"""Targets: labels, class weights, loss and output of each, by hand; and targets of other authors."""

import math

import numpy as np
import pytest
import torch
from packages import write_package
from torch.nn import functional as F

from mlee_sb.errors import InputError
from mlee_sb.targets import SIGMOID, SOFTMAX, Setting, find_target, target_names

EMOTIONS = ["neu", "hap"]
SETTINGS = {"emotions": EMOTIONS, "min_votes": 2, "full_votes": 1, "alpha": 0.5, "class_frequency": "targets", "class_weights": True}
DOMINANT, VOTES = ["hap", "", "oth", "neu"], np.array([[1, 2], [1, 1], [0, 0], [4, 0]])
HARD, SOFT, EXISTENCE = (find_target(name) for name in ("hard", "soft", "existence"))


@pytest.mark.parametrize(
    ("target", "labels", "usable"),
    [
        (HARD, [[0, 1], [0, 0], [0, 0], [1, 0]], [True, False, False, True]),
        (SOFT, [[1.5 / 4, 2.5 / 4], [1.5 / 3, 1.5 / 3], [0, 0], [4.5 / 5, 0.5 / 5]], [True, True, False, True]),
        (EXISTENCE, [[0, 1], [0, 0], [0, 0], [1, 0]], [True, True, True, True]),
    ],
    ids=["hard", "soft", "existence"],
)
def test_labels_by_hand(target, labels, usable):
    found, can_be_used = target.training_labels("all", DOMINANT, VOTES, SETTINGS)
    np.testing.assert_allclose(found, labels, rtol=1e-6)
    assert found.dtype == np.float32 and can_be_used.tolist() == usable


@pytest.mark.parametrize("target", [HARD, SOFT, EXISTENCE], ids=["hard", "soft", "existence"])
def test_train_set_dominant_keeps_what_has_a_dominant_target_emotion(target):
    assert target.training_labels("dominant", DOMINANT, VOTES, SETTINGS)[1].tolist() == [True, False, False, True]


LABELS = np.array([[0.75, 0.25]] * 2 + [[0.25, 0.75]] * 2 + [[1, 0]] * 2)  # masses 4 and 2


@pytest.mark.parametrize(
    ("target", "labels", "dominant", "changed", "weights"),
    [
        (HARD, [[1, 0]] * 3 + [[0, 1]], ["neu"] * 3 + ["hap"], {}, [4 / (2 * 3), 4 / 2]),
        (SOFT, LABELS, ["neu"] * 5 + ["hap"], {}, [6 / (2 * 4), 6 / (2 * 2)]),
        (SOFT, LABELS, ["neu"] * 5 + ["hap"], {"class_frequency": "dominant"}, [6 / (2 * 5), 6 / 2]),
        (EXISTENCE, [[1, 0], [1, 1], [1, 0], [0, 0]], [""] * 4, {}, [[4 / 2, 4 / (2 * 3)], [4 / (2 * 3), 4 / 2]]),
        (HARD, [[1, 0]] * 3 + [[0, 1]], ["neu"] * 3 + ["hap"], {"class_weights": False}, [1, 1]),
        (EXISTENCE, [[1, 0], [1, 1], [1, 0], [0, 0]], [""] * 4, {"class_weights": False}, [[1, 1], [1, 1]]),
    ],
)
def test_class_weights_by_hand(target, labels, dominant, changed, weights):
    found = target.training_class_weights(np.array(labels), dominant, {**SETTINGS, **changed})
    np.testing.assert_allclose(found, weights)


def test_the_loss_of_hard_and_soft_targets_by_hand():
    logits = torch.tensor([[math.log(3.0), 0.0]])  # posteriors 3/4 and 1/4
    for target in (HARD, SOFT):
        loss = target.loss(logits, torch.tensor([[0.5, 0.5]]), torch.tensor([1.0, 3.0]))
        assert loss.item() == pytest.approx(-0.5 * math.log(3 / 4) - 1.5 * math.log(1 / 4))


def test_the_loss_of_existence_by_hand_sums_over_the_emotions():
    logits = torch.tensor([[math.log(3.0), 0.0]])  # probabilities 3/4 and 1/2
    weights = torch.tensor([[1.0, 2.0], [4.0, 1.0]])  # absent, present
    loss = EXISTENCE.loss(logits, torch.tensor([[1.0, 0.0]]), weights)
    assert loss.item() == pytest.approx(-2 * math.log(3 / 4) - 4 * math.log(1 / 2))


def test_hard_labels_give_the_cross_entropy_of_torch():
    logits, classes, weights = torch.randn(5, 4), torch.tensor([0, 1, 2, 3, 1]), torch.rand(4) + 0.5
    expected = F.cross_entropy(logits, classes, weight=weights, reduction="none")
    torch.testing.assert_close(HARD.loss(logits, F.one_hot(classes, 4).float(), weights), expected)


def test_existence_without_weights_is_the_binary_cross_entropy_of_torch():
    logits, labels = 5 * torch.randn(6, 4), torch.randint(0, 2, (6, 4)).float()
    expected = F.binary_cross_entropy_with_logits(logits, labels, reduction="none").sum(dim=1)
    torch.testing.assert_close(EXISTENCE.loss(logits, labels, torch.ones(4, 2)), expected)


def test_an_utterance_weighs_its_class_weight_and_a_soft_label_the_mean_of_them():
    weights = torch.tensor([1.0, 3.0])
    for target in (HARD, SOFT):
        assert target.weight(torch.tensor([[0.0, 1.0], [0.5, 0.5]]), weights).tolist() == [3.0, 2.0]


def test_an_utterance_weighs_the_mean_over_the_emotions_of_present_or_absent():
    weights = torch.tensor([[1.0, 2.0], [4.0, 1.0]])  # absent, present
    assert EXISTENCE.weight(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), weights).tolist() == [3.0, 1.0]


def test_the_loss_of_logits_far_from_zero_stays_finite():
    logits = torch.tensor([[200.0, -200.0]])
    assert EXISTENCE.loss(logits, torch.tensor([[0.0, 1.0]]), torch.ones(2, 2)).item() == pytest.approx(400)
    assert HARD.loss(logits, torch.tensor([[0.0, 1.0]]), torch.ones(2)).item() == pytest.approx(400)


@pytest.mark.parametrize(
    ("output", "of_targets"),
    [(SOFTMAX, ["annotator_heads", "hard", "listener_adapted", "primary_secondary", "soft"]), (SIGMOID, ["existence"])],
)
def test_each_target_has_the_output_of_its_loss(output, of_targets):
    assert set(of_targets) <= set(target_names(output))
    logits = torch.tensor([[1.5, -0.5, 3.0]])
    both = output.log_probabilities(logits).exp().numpy(), output.probabilities(logits.numpy())
    expected = {SOFTMAX: F.softmax(logits, dim=-1), SIGMOID: F.sigmoid(logits)}[output].numpy()
    for found in both:
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_divided_out_class_weights_leave_what_training_without_them_would_give():
    """The weighted loss is smallest at p * w, the unweighted one at p: of existence for each emotion alone."""
    p, w = np.array([[0.2, 0.5, 0.3]]), np.array([2.0, 0.5, 4.0])
    np.testing.assert_allclose(SOFTMAX.undo_class_weights(p * w / (p * w).sum(), w), p)
    p, w = np.array([[0.2, 0.9]]), np.array([[0.5, 3.0], [2.0, 0.6]])
    present, absent = p * w[:, 1], (1 - p) * w[:, 0]
    np.testing.assert_allclose(SIGMOID.undo_class_weights(present / (present + absent), w), p)


# Targets of other authors


def with_target(tmp_path, monkeypatch, name, body):
    """Install a package whose class `Mine` is registered as a target."""
    code = f"from mlee_sb.targets import SOFTMAX, Target\nfrom mlee_sb.targets.hard import HardTarget\n{body}"
    monkeypatch.syspath_prepend(write_package(tmp_path, f"package_of_{name}", code, targets={name: "Mine"}))


def test_a_target_with_a_wrong_name_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="unknown target 'existnce': did you mean 'existence'"):
        find_target("existnce")


@pytest.mark.parametrize("missing", ["name", "output", "labels", "class_weights", "loss", "weight"])
def test_a_target_that_lacks_a_member_is_named_with_it(tmp_path, monkeypatch, missing):
    name = f"without_{missing}"
    members = {"name": repr(name), "output": "SOFTMAX"}
    members |= {member: f"HardTarget.{member}" for member in ("labels", "class_weights", "loss", "weight")}
    lines = [f"    {member} = {value}" for member, value in members.items() if member != missing]
    with_target(tmp_path, monkeypatch, name, "\n".join(["class Mine(Target):", *lines]))
    with pytest.raises(InputError, match=rf"target '{name}' \(package_of_{name}.Mine\): has no {missing}: a target needs name, output"):
        find_target(name)


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        ("no_target", "class Mine:\n    pass", "must be a subclass of mlee_sb.targets.Target"),
        ("a_function", "def Mine():\n    pass", "must be a subclass of mlee_sb.targets.Target"),
        ("other_name", "class Mine(HardTarget):\n    name = 'mine'", "its name 'other_name' as in the entry point"),
        ("other_output", "class Mine(HardTarget):\n    name, output = 'other_output', 'softmax'", "must be one of mlee_sb.targets.OUTPUTS"),
        (
            "no_other_outputs",
            "class Mine(HardTarget):\n    name, all_outputs = 'no_other_outputs', True",
            "all_outputs is True, and its classifier 'dense' has K logits only",
        ),
        (
            "whose_votes",
            "class Mine(HardTarget):\n    name, needs_annotators = 'whose_votes', True",
            "needs_annotators is True, so its settings must have 'min_annotator_votes'",
        ),
        (
            "not_there",
            "class Yours(HardTarget):\n    pass",
            "package_of_not_there:Mine of the package package_of_not_there cannot be imported",
        ),
    ],
)
def test_what_is_no_target_is_named(tmp_path, monkeypatch, name, body, message):
    with_target(tmp_path, monkeypatch, name, body)
    with pytest.raises(InputError, match=message):
        find_target(name)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        (Setting(float, above=0), 0, "hparams.yaml: it is 0, and must be above 0"),
        (Setting(float, least=0), -0.5, "it is -0.5, and must be 0 or more"),
        (Setting(int, above=0, least=2), 1, "it is 1, and must be above 0 and 2 or more"),
        (Setting(float), math.inf, "it is inf, and must be finite"),
        (Setting(float), "1", "it is '1', and must be a number"),
        (Setting(int), 1.0, "it is 1.0, and must be a whole number"),
        (Setting(int), True, "it is True, and must be a whole number"),
        (Setting(bool), 1, "it is 1, and must be True or False"),
        (Setting(str, choices=("plain", "weighted")), "plian", "did you mean 'plain'"),
        (Setting(list), None, "it is None, and must be a list"),
    ],
)
def test_a_value_that_a_setting_may_not_have_is_named(setting, value, message):
    with pytest.raises(InputError, match=message):
        setting.check("it", value, "hparams.yaml")


@pytest.mark.parametrize(
    ("setting", "value"), [(Setting(float), 1), (Setting(float, least=0), 0), (Setting(list, optional=True), None), (Setting(bool), False)]
)
def test_a_value_that_a_setting_may_have_is_taken(setting, value):
    setting.check("it", value, "hparams.yaml")
