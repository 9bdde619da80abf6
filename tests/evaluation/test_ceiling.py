"""The human ceiling, by hand."""

import numpy as np
import pandas as pd
import pytest

from mlee_sb.evaluation.ceiling import agreement_from_annotators, agreement_from_counts

EMOTIONS = ["neu", "hap"]


def scores(agreement):
    return {name: values[0] for name, values in agreement.scores(np.ones((1, len(agreement.table)))).items()}


def test_each_vote_is_held_against_the_others_of_its_utterance():
    # neu neu hap: a neu meets neu+hap, a tie, twice; the hap meets neu neu and is wrong.
    # neu neu neu hap: each neu meets neu neu hap and is right; the hap is wrong.
    agreement = agreement_from_counts(np.array([[2, 1, 0], [3, 1, 0]]), 2, min_votes=1)
    np.testing.assert_allclose(agreement.table[0], [[0, 1 / 3, 0], [0, 0, 0]])
    np.testing.assert_allclose(agreement.table[1], [[3 / 4, 1 / 4, 0], [0, 0, 0]])
    assert scores(agreement)["wa"] == pytest.approx((3 / 4) / (1 / 3 + 1))


def test_an_answer_that_is_no_target_is_wrong_and_others_that_hear_no_target_are_not_asked():
    agreement = agreement_from_counts(np.array([[2, 0, 1], [1, 0, 3]]), 2, min_votes=1)
    np.testing.assert_allclose(agreement.table[0], [[0, 0, 1 / 3], [0, 0, 0]])
    assert agreement.table[1].sum() == 0


def test_categories_that_are_no_target_do_not_outvote_a_target_together():
    # 4 hap, 3 dis, 2 ang, with neu and hap as targets: hap is what most heard, though dis and ang are 5 together.
    # A hap leaves 3 hap, 3 dis, 2 ang: a tie. Each of the 3 dis and 2 ang leaves hap in front, and is another answer.
    agreement = agreement_from_counts(np.array([[0, 4, 3, 2]]), 2, min_votes=1)
    np.testing.assert_allclose(agreement.table[0], [[0, 0, 0], [0, 0, 5 / 9]])


def test_an_answer_that_is_another_target_is_told_from_one_that_is_none():
    # 4 hap, 2 ang, 3 dis, with neu, hap and ang as targets: as above, and the 2 ang are wrong answers for hap.
    agreement = agreement_from_counts(np.array([[0, 4, 2, 3]]), 3, min_votes=1)
    np.testing.assert_allclose(agreement.table[0], [[0, 0, 0, 0], [0, 0, 2 / 9, 3 / 9], [0, 0, 0, 0]])


def test_others_that_hear_one_category_that_is_no_target_are_not_asked_what_most_of_them_heard():
    # 2 hap, 3 dis: a hap leaves dis in front, which is no target; a dis leaves 2 hap and 2 dis.
    agreement = agreement_from_counts(np.array([[0, 2, 3]]), 2, min_votes=1)
    assert agreement.table.sum() == 0
    np.testing.assert_allclose(agreement.said[0], [0, 2 / 5])
    np.testing.assert_allclose(agreement.exists[0], [0, 1])


def votes(*answers):
    return pd.DataFrame(
        [(ID, annotator, label) for ID, annotator, labels in answers for label in labels.split()], columns=["ID", "annotator", "label"]
    )


def test_an_annotator_with_two_answers_is_taken_out_whole():
    # E1 says neu and hap, the others neu: half right. E2 meets neu hap (E1) and neu (E3): right. E3 likewise.
    agreement = agreement_from_annotators(
        votes(("u", "E1", "neu hap"), ("u", "E2", "neu"), ("u", "E3", "neu")), np.array(["u"]), EMOTIONS, 1
    )
    np.testing.assert_allclose(agreement.table[0], [[(0.5 + 1 + 1) / 3, 0.5 / 3, 0], [0, 0, 0]])


def test_categories_that_are_no_target_are_not_added_up_to_a_plurality():
    answers = votes(("u", "E1", "exc"), ("u", "E2", "fru"), ("u", "E3", "neu"), ("u", "E4", "neu"), ("u", "E5", "neu"))
    agreement = agreement_from_annotators(answers, np.array(["u"]), EMOTIONS, 1)
    np.testing.assert_allclose(agreement.table[0], [[3 / 5, 0, 2 / 5], [0, 0, 0]])


def test_named_annotators_with_one_answer_each_agree_as_their_counts_do():
    rng, codes = np.random.default_rng(0), [*EMOTIONS, "dis", "exc", "oth"]
    counts = rng.integers(0, 4, (40, len(codes)))
    rows = [(f"u{i}", f"E{number}", label) for i, row in enumerate(counts) for number, label in enumerate(np.repeat(codes, row))]
    named = agreement_from_annotators(votes(*rows), np.array([f"u{i}" for i in range(40)]), EMOTIONS, 2)
    counted = agreement_from_counts(counts, 2, min_votes=2)
    for name in ("table", "said", "exists", "both"):
        np.testing.assert_allclose(getattr(named, name), getattr(counted, name))


def test_existence_is_what_the_others_say_by_the_rule_of_the_corpus():
    # neu neu hap with two votes needed: no two others say the same but for the hap, who meets neu neu.
    once = agreement_from_counts(np.array([[2, 1, 0]]), 2, min_votes=2)
    np.testing.assert_allclose(once.exists[0], [1 / 3, 0])
    np.testing.assert_allclose(once.said[0], [2 / 3, 1 / 3])
    assert once.both.sum() == 0 and scores(once)["existence_f1"] == 0


def test_an_utterance_with_a_single_vote_says_nothing():
    agreement = agreement_from_counts(np.array([[1, 0, 0], [0, 0, 0]]), 2, min_votes=1)
    assert agreement.table.sum() == 0 and np.isnan(scores(agreement)["wa"])
