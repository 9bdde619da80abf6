"""The concentration of a Dirichlet output in predictions.csv: written, read, checked, scored."""

import numpy as np
import pandas as pd
import pytest

from mlee_sb.errors import InputError
from mlee_sb.evaluation.cells import read_cells
from mlee_sb.evaluation.evaluate import evaluate
from mlee_sb.evaluation.predictions import Predictions, read_predictions
from mlee_sb.evaluation.results import find_stages
from mlee_sb.evaluation.scores import scores
from mlee_sb.stage_folder import StageFolder
from mlee_sb.targets import DIRICHLET
from mlee_sb.uncertainty import entropy, expected_entropy

from .fabricated import cell, fabricate, rewrite

TEST = pd.DataFrame(
    {
        "ID": ["u0", "u1"],
        "speaker": ["s", "t"],
        "votes_neu": [0, 3],
        "votes_hap": [4, 1],
        "dominant": ["hap", "neu"],
        "exist_neu": [0, 1],
        "exist_hap": [1, 1],
    }
)
POSTERIORS, CONCENTRATIONS = np.array([[0.2, 0.8], [0.6, 0.4]]), np.array([3.25, 8000.0])
OTHERS = "dominant_soft"


@pytest.fixture
def path(tmp_path):
    files = StageFolder(tmp_path)
    files.write_predictions(TEST, ["neu", "hap"], "dirichlet", "dirichlet", POSTERIORS, concentrations=CONCENTRATIONS)
    return files.predictions


def test_it_comes_back_and_goes_with_its_utterance(path):
    found = Predictions.of(read_predictions(path))
    assert found.concentrations.tolist() == CONCENTRATIONS.tolist() and found.output is DIRICHLET
    assert found.take(np.array([1])).concentrations.tolist() == [8000.0]
    assert Predictions.joined([found, found]).concentrations.tolist() == [*CONCENTRATIONS] * 2
    assert found.disagreement == pytest.approx(expected_entropy(POSTERIORS, CONCENTRATIONS))


def test_other_outputs_have_none_and_disagree_as_their_posterior_does(tmp_path):
    StageFolder(tmp_path).write_predictions(TEST, ["neu", "hap"], "soft", "softmax", POSTERIORS)
    found = Predictions.of(read_predictions(StageFolder(tmp_path).predictions))
    assert found.concentrations is None and found.disagreement == pytest.approx(entropy(POSTERIORS))


@pytest.mark.parametrize("value", ["0", "-1", "inf", "nan", "much", ""])
def test_what_is_no_concentration_is_refused_with_its_line(path, value):
    path.write_text(path.read_text().replace("8000", value))
    with pytest.raises(InputError, match="line 3: concentration is .*must be a finite number above 0"):
        read_predictions(path)


def test_a_missing_column_is_refused(path):
    pd.read_csv(path).drop(columns="concentration").to_csv(path, index=False)
    with pytest.raises(InputError, match="no column concentration"):
        read_predictions(path)


def test_models_of_several_seeds_that_contradict_one_another_know_little_together(path):
    one = Predictions.of(read_predictions(path))
    other = Predictions.of(read_predictions(path).assign(p_neu=[0.8, 0.6], p_hap=[0.2, 0.4]))
    together = Predictions.together([one, other])
    assert together.concentrations[0] < 3.25 and together.concentrations[1] == pytest.approx(8000.0)


OWN = {"disagreement_correlation"}  # scores that no other posterior has


def test_it_is_scored_as_any_other_posterior_and_its_disagreement_beside_that(path):
    frame = read_predictions(path)
    found, as_softmax = scores(frame), scores(frame.assign(output="softmax"))
    assert found.keys() - as_softmax.keys() == OWN and "nll" in as_softmax
    assert {name: value for name, value in found.items() if name not in OWN} == as_softmax


def test_it_is_reported_beside_other_rows_and_its_class_weights_can_be_undone(tmp_path):
    """A row of one output more: its class weights are divided out of the posterior and of the concentration."""
    folder = fabricate(tmp_path, rows=[OTHERS, "dirichlet"], train_sets=["all"], folds=[1, 2])
    rewrite(folder / "dirichlet", lambda frame: frame.assign(output="dirichlet", target="dirichlet", concentration=4.0))
    found = evaluate(folder, resamples=20)
    names = cell(found, OTHERS, "all")["pooled"].keys()
    assert cell(found, "dirichlet", "all")["pooled"].keys() == names | OWN and "jensen_shannon" in names
    undone = evaluate(folder, resamples=20, undo_class_weights=True)
    assert cell(undone, "dirichlet", "all")["pooled"]["ua"] != cell(found, "dirichlet", "all")["pooled"]["ua"]


def test_undoing_class_weights_gives_the_concentrations_of_the_votes(tmp_path):
    folder = fabricate(tmp_path, rows=["dirichlet"], train_sets=["all"], folds=[1])
    rewrite(folder, lambda frame: frame.assign(output="dirichlet", target="dirichlet", concentration=4.0))
    before, after = (read_cells(find_stages(folder), undo_class_weights=undo).utterances for undo in (False, True))
    weights = np.array([0.5, 0.5 + 1 / 3, 0.5 + 2 / 3])  # those of fabricated stages
    each = 4.0 * before.posterior / weights
    assert after.concentrations == pytest.approx(each.sum(axis=1))
    assert after.posterior * after.concentrations[:, None] == pytest.approx(each)
