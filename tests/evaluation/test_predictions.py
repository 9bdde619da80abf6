"""predictions.csv carries the votes for every category of the corpus, and is read with them."""

import numpy as np
import pandas as pd
import pytest

from mlee_sb.errors import InputError
from mlee_sb.evaluation.predictions import Predictions, read_predictions
from mlee_sb.files import write_json
from mlee_sb.stage_folder import StageFolder
from mlee_sb.targets import SIGMOID, SOFTMAX

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
    return written(tmp_path, TEST)


def written(folder, test):
    """The predictions of a stage with a soft target."""
    StageFolder(folder).write_predictions(test, ["neu", "hap"], "soft", "softmax", np.full((2, 2), 0.5))
    return StageFolder(folder).predictions


def test_votes_of_all_categories_come_back_and_those_of_no_target_are_added_up_beside_them(path):
    found = Predictions.of(read_predictions(path))
    assert found.all_votes.tolist() == [[0, 4, 3, 2], [3, 1, 0, 1]]
    assert found.votes.tolist() == [[0, 4, 5], [3, 1, 1]]
    second = found.take(np.array([1]))
    assert second.all_votes.tolist() == [[3, 1, 0, 1]] and second.votes.tolist() == [[3, 1, 1]]


def test_a_corpus_without_any_other_category_has_no_votes_for_one(tmp_path):
    path = written(tmp_path, TEST.drop(columns=["votes_dis", "votes_ang"]))
    assert Predictions.of(read_predictions(path)).votes.tolist() == [[0, 4, 0], [3, 1, 0]]


def test_the_columns_may_stand_in_another_order(path):
    before = Predictions.of(read_predictions(path))
    frame = pd.read_csv(path)
    frame[["ID", "votes_ang", "votes_hap", *frame.columns.drop(["ID", "votes_ang", "votes_hap"])]].to_csv(path, index=False)
    after = Predictions.of(read_predictions(path))
    assert after.all_votes[:, :2].tolist() == before.all_votes[:, :2].tolist() and after.votes.tolist() == before.votes.tolist()


def test_predictions_of_an_earlier_version_are_read_with_all_other_categories_as_one(path):
    path.write_text(path.read_text().replace("votes_ang", "votes_other").replace("votes_dis,", "x,"))
    found = Predictions.of(read_predictions(path))
    assert found.votes.tolist() == [[0, 4, 2], [3, 1, 1]] and found.all_votes is None


@pytest.mark.parametrize("column", ["votes_hap", "votes_ang"])
def test_a_number_of_votes_that_is_none_is_refused_for_every_category(path, column):
    pd.read_csv(path).assign(**{column: [-1, 1]}).to_csv(path, index=False)
    with pytest.raises(InputError, match=f"line 2: {column} is '-1', and must be a number of votes"):
        read_predictions(path)


def test_the_output_stands_in_the_file_and_is_not_guessed_from_its_numbers(path):
    """A head whose posterior happens to be what its encoder knows of existence still has a posterior."""
    frame = pd.read_csv(path).assign(e_neu=0.5, e_hap=0.5)
    frame.to_csv(path, index=False)
    assert Predictions.of(read_predictions(path)).output is SOFTMAX
    frame.assign(output="sigmoid").to_csv(path, index=False)
    assert Predictions.of(read_predictions(path)).output is SIGMOID


@pytest.mark.parametrize(("target", "output"), [("soft", SOFTMAX), ("existence", SIGMOID)])
def test_the_output_of_a_stage_of_version_0_2_0_comes_from_its_notes(path, target, output):
    pd.read_csv(path).drop(columns=["target", "output"]).assign(e_neu=0.5, e_hap=0.5).to_csv(path, index=False)
    names = {"row": "mlee", "train_set": "all", "fold": 1, "seed": 1, "corpus": "demo", "demo": True, "protocol_hash": "abc"}
    write_json(StageFolder(path.parent).summary, {**names, "losses": {}})
    StageFolder(path.parent).write_identity({"target": target})
    assert Predictions.of(read_predictions(path)).output is output


@pytest.mark.parametrize("outputs", [["softmax", "sigmoid"], ["relu", "relu"]], ids=["two outputs", "an unknown output"])
def test_an_output_that_is_not_known_or_not_one_is_refused(path, outputs):
    pd.read_csv(path).assign(output=outputs, e_neu=0.5, e_hap=0.5).to_csv(path, index=False)
    with pytest.raises(
        InputError, match=r"predictions\.csv: output is '.*, and must be one of softmax, sigmoid, dirichlet, the same in each row"
    ):
        read_predictions(path)


def test_predictions_of_existence_without_its_columns_are_refused(path):
    pd.read_csv(path).assign(output="sigmoid").to_csv(path, index=False)
    with pytest.raises(InputError, match="no column e_neu"):
        read_predictions(path)


def test_predictions_of_different_outputs_cannot_be_put_together(path):
    frame = read_predictions(path)
    with pytest.raises(InputError, match="output is 'softmax' and 'sigmoid'"):
        Predictions.of(pd.concat([frame, frame.assign(output="sigmoid")]))
