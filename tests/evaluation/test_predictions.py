"""predictions.csv carries the votes for every category of the corpus, and is read with them."""

import numpy as np
import pandas as pd
import pytest

from mlee_sb.errors import InputError
from mlee_sb.evaluation.predictions import Predictions, read_predictions
from mlee_sb.training.predictions import write_predictions

TEST = pd.DataFrame(
    {
        "ID": ["u0", "u1"],
        "speaker": ["s", "s"],
        "votes_neu": [0, 3],
        "votes_hap": [4, 1],
        "votes_dis": [3, 0],
        "votes_ang": [2, 1],
        "dominant": ["hap", "neu"],
        "exist_neu": [0, 1],
        "exist_hap": [1, 1],
    }
)


@pytest.fixture
def path(tmp_path):
    write_predictions(tmp_path / "predictions.csv", TEST, ["neu", "hap"], np.full((2, 2), 0.5))
    return tmp_path / "predictions.csv"


def test_votes_of_all_categories_come_back_and_those_of_no_target_are_added_up_beside_them(path):
    found = Predictions.of(read_predictions(path))
    assert found.all_votes.tolist() == [[0, 4, 3, 2], [3, 1, 0, 1]]
    assert found.votes.tolist() == [[0, 4, 5], [3, 1, 1]]
    second = found.take(np.array([1]))
    assert second.all_votes.tolist() == [[3, 1, 0, 1]] and second.votes.tolist() == [[3, 1, 1]]


def test_a_corpus_without_any_other_category_has_no_votes_for_one(tmp_path):
    write_predictions(tmp_path / "p.csv", TEST.drop(columns=["votes_dis", "votes_ang"]), ["neu", "hap"], np.full((2, 2), 0.5))
    assert Predictions.of(read_predictions(tmp_path / "p.csv")).votes.tolist() == [[0, 4, 0], [3, 1, 0]]


def test_the_columns_may_stand_in_another_order(path):
    before = Predictions.of(read_predictions(path))
    frame = pd.read_csv(path)
    frame[["ID", "votes_ang", "votes_hap", *frame.columns.drop(["ID", "votes_ang", "votes_hap"])]].to_csv(path, index=False)
    after = Predictions.of(read_predictions(path))
    assert after.all_votes[:, :2].tolist() == before.all_votes[:, :2].tolist() and after.votes.tolist() == before.votes.tolist()


def test_predictions_of_an_earlier_version_are_read_with_all_other_categories_as_one(path):
    path.write_text(path.read_text().replace("votes_ang", "votes_other").replace("votes_dis,", "x,"))
    assert Predictions.of(read_predictions(path)).all_votes.tolist() == [[0, 4, 2], [3, 1, 1]]


@pytest.mark.parametrize("column", ["votes_hap", "votes_ang"])
def test_a_number_of_votes_that_is_none_is_refused_for_every_category(path, column):
    pd.read_csv(path).assign(**{column: [-1, 1]}).to_csv(path, index=False)
    with pytest.raises(InputError, match=f"line 2: {column} is '-1', not a number of votes"):
        read_predictions(path)
