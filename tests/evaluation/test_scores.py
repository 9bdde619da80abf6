"""Scores from predictions, by hand."""

import json

import pandas as pd
import pytest

from mlee_sb.errors import InputError
from mlee_sb.evaluation.metrics import scores_of
from mlee_sb.evaluation.predictions import read_predictions
from mlee_sb.evaluation.scores import format_scores, score_folder, scores
from mlee_sb.stage_folder import StageFolder, Summary


@pytest.fixture
def predictions():
    return pd.DataFrame(
        {
            "ID": ["001", "NA", "c", "d", "e"],
            "speaker": "s",
            "dominant": ["neu", "neu", "neu", "hap", ""],
            "votes_neu": [3, 2, 2, 0, 0],
            "votes_hap": [0, 0, 0, 2, 1],
            "votes_other": [0, 1, 0, 1, 2],
            "target": "soft",
            "output": "softmax",
            "exist_neu": [1, 1, 1, 0, 0],
            "exist_hap": [0, 0, 0, 1, 1],
            "p_neu": [0.9, 0.8, 0.2, 0.4, 0.9],
            "p_hap": [0.1, 0.2, 0.8, 0.6, 0.1],
            "e_neu": [0.9, 0.8, 0.2, 0.4, 0.1],
            "e_hap": [0.1, 0.2, 0.3, 0.6, 0.7],
        }
    )


def test_wa_ua_and_recalls_by_hand(predictions):
    found = scores(predictions)
    assert (found["n"], found["n_all"]) == (4, 5)
    assert found["wa"] == pytest.approx(3 / 4)
    assert found["recall"] == {"neu": pytest.approx(2 / 3), "hap": 1.0}
    assert found["ua"] == pytest.approx((2 / 3 + 1) / 2)


def test_existence_counts_utterances_without_a_dominant_emotion(predictions):
    existence = scores(predictions)["existence"]
    assert existence["hap"]["auc"] == 1.0
    assert existence["neu"]["auc"] == pytest.approx(5 / 6)  # of 3 x 2 pairs one is in the wrong order
    assert existence["neu"]["share"] == pytest.approx(3 / 5)


def test_every_score_stands_by_its_name_and_a_model_of_existence_has_none_of_posteriors(predictions):
    of_posterior, of_existence = scores(predictions), scores(predictions.assign(output="sigmoid", target="existence"))
    everywhere = {name for theme in ("decisions", "selective", "sets") for name in scores_of(theme)}
    of_posteriors = {name for theme in ("posteriors", "distributions") for name in scores_of(theme)} - {"disagreement_correlation"}
    assert everywhere | of_posteriors <= of_posterior.keys() and everywhere <= of_existence.keys()
    assert not of_posteriors & of_existence.keys() and "disagreement_correlation" not in of_posterior
    assert of_posterior["subset_accuracy"] == pytest.approx(3 / 5)  # wrong are c, and e whose only vote for a target is hap
    assert of_posterior["aurc"] == pytest.approx((0 + 1 / 3 + 1 / 3 + 1 / 4) / 4)  # of the four that are decided, c is as sure as b


def test_the_order_of_the_rows_does_not_matter(predictions):
    assert scores(predictions.sample(frac=1, random_state=1)) == scores(predictions)


def test_a_class_without_a_test_utterance_is_named_and_left_out(predictions):
    found = scores(predictions[predictions["dominant"] != "hap"])
    assert found["recall"]["hap"] is None
    assert found["classes_without_test_utterance"] == ["hap"]
    assert found["ua"] == pytest.approx(2 / 3)


def test_ids_that_look_like_numbers_or_nothing_are_kept(predictions, tmp_path):
    predictions.to_csv(tmp_path / "predictions.csv", index=False)
    frame = read_predictions(tmp_path / "predictions.csv")
    assert frame["ID"].tolist() == ["001", "NA", "c", "d", "e"]
    assert frame["dominant"].tolist()[-1] == ""
    assert scores(frame) == scores(predictions)


@pytest.mark.parametrize("value", [float("nan"), 1.5, -0.1])
def test_a_probability_that_is_none_is_named_with_its_line(predictions, tmp_path, value):
    predictions.loc[2, "p_hap"] = value
    predictions.to_csv(tmp_path / "predictions.csv", index=False)
    with pytest.raises(InputError, match="line 4: p_hap"):
        read_predictions(tmp_path / "predictions.csv")


def test_average_precision_and_auc_by_hand(predictions):
    found = scores(predictions.assign(e_hap=[0.9, 0.2, 0.3, 0.6, 0.7]))["existence"]["hap"]  # exists in d and e, ranked 3rd and 2nd
    assert found["average_precision"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert found["auc"] == pytest.approx(4 / 6)
    assert found["share"] == pytest.approx(2 / 5)


@pytest.fixture
def summary(predictions, tmp_path):
    """What training noted of a stage that has predictions and a bundle."""
    (tmp_path / "model").mkdir()
    predictions.to_csv(tmp_path / "predictions.csv", index=False)
    names = {"row": "dominant_soft", "variant": "lr=0.1", "train_set": "all", "fold": 1, "seed": 1, "target": "soft", "output": "softmax"}
    how = {"class_weights": [1.0, 1.0], "losses": {"train": 1.0, "valid": 2.0}, "epochs": 2, "seconds": 3.0}
    summary = {**names, "corpus": "demo", "demo": True, "protocol_hash": "abc", **how}
    StageFolder(tmp_path).write_summary(Summary(**summary))
    return summary


def test_scores_stand_beside_the_predictions_and_in_the_bundle_with_what_was_trained(summary, tmp_path):
    found = score_folder(tmp_path)
    assert found.items() >= {**summary, "n": 4, "wa": 0.75}.items()
    assert found == json.loads((tmp_path / "scores.json").read_text()) == json.loads((tmp_path / "model" / "scores.json").read_text())
    said = format_scores(found)
    assert "WA  75.0" in said and "DEMO" in said


def test_a_stage_has_scores_only_when_its_model_is_described_too(summary, tmp_path):
    def killed(model):
        assert (model / "scores.json").is_file()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_folder(tmp_path, describe=killed)
    assert not (tmp_path / "scores.json").is_file()


def test_a_stage_that_is_not_finished_is_not_scored(predictions, tmp_path):
    predictions.to_csv(tmp_path / "predictions.csv", index=False)
    with pytest.raises(InputError, match="summary.json: no such file: the stage is not finished"):
        score_folder(tmp_path)
