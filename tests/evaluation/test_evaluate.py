"""A folder of results, evaluated: what is compared with what, on which utterances, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize, minimize_scalar
from sklearn.metrics import accuracy_score, roc_auc_score

from mlee_sb.errors import InputError
from mlee_sb.evaluation.cells import learning_curve, read_cells
from mlee_sb.evaluation.evaluate import evaluate
from mlee_sb.evaluation.predictions import read_predictions
from mlee_sb.evaluation.results import find_stages, one_protocol
from mlee_sb.targets import SIGMOID, SOFTMAX

from .fabricated import EMOTIONS, cell, fabricate, rare, rewrite

QUICK = {"resamples": 200}


def accuracy(frames) -> float:
    frame = pd.concat(frames)
    frame = frame[frame["dominant"].isin(EMOTIONS)]
    return accuracy_score(frame["dominant"], np.array(EMOTIONS)[frame[[f"p_{e}" for e in EMOTIONS]].to_numpy().argmax(axis=1)])


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return fabricate(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def found(results):
    return evaluate(results, **QUICK)


def test_pooled_and_mean_over_folds_are_what_they_say(results, found):
    frames = [read_predictions(results / f"mlee_fusion_soft/all/seed1/fold{fold}/predictions.csv") for fold in (1, 2, 3)]
    fusion = cell(found, "mlee_fusion_soft", "all")
    assert fusion["pooled"]["wa"]["value"] == pytest.approx(accuracy(frames))
    assert fusion["mean_over_folds"]["wa"]["value"] == pytest.approx(np.mean([accuracy([frame]) for frame in frames]))
    assert fusion["pooled"]["wa"]["value"] != pytest.approx(fusion["mean_over_folds"]["wa"]["value"])
    assert np.sum(fusion["confusion"]) == found["n"] < found["n_all"] == 72


def test_folds_of_one_speaker_each_are_as_unsure_as_their_speakers(tmp_path):
    """Folds of one size: their mean is the pooled score in every resample, one that draws a speaker twice too."""
    folder = fabricate(tmp_path, rows=["dominant_soft"], train_sets=["all"], folds=range(1, 9))
    for stage in find_stages(folder):
        frame = read_predictions(stage.predictions).iloc[:12]  # of one speaker
        frame.assign(dominant=[EMOTIONS[row] for row in frame[[f"votes_{e}" for e in EMOTIONS]].to_numpy().argmax(axis=1)]).to_csv(
            stage.predictions, index=False
        )
    found = cell(evaluate(folder, **QUICK), "dominant_soft", "all")
    for end in ("value", "low", "high"):
        assert found["mean_over_folds"]["wa"][end] == pytest.approx(found["pooled"]["wa"][end])
    assert found["pooled"]["wa"]["low"] < found["pooled"]["wa"]["high"]


def test_every_estimate_lies_in_its_interval(found):
    def estimates(node):
        if isinstance(node, dict) and set(node) == {"value", "low", "high"}:
            yield node
        elif isinstance(node, dict | list):
            for below in node.values() if isinstance(node, dict) else node:
                yield from estimates(below)

    everything = [e for e in estimates(found) if e["low"] is not None]
    assert len(everything) > 500
    assert sum(e["low"] <= e["value"] <= e["high"] for e in everything) > 0.97 * len(everything)  # a skewed few may not


def test_it_is_plain_json_and_the_same_again(results, found):
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert evaluate(results, **QUICK) == found
    assert evaluate(results, **QUICK, seed=1)["cells"][0]["pooled"]["wa"] != found["cells"][0]["pooled"]["wa"]


def test_rows_stand_in_the_order_of_the_paper(found):
    names = [(cell["row"], cell["train_set"]) for cell in found["cells"]]
    assert names[:3] == [("dominant_hard", "dominant"), ("dominant_soft", "dominant"), ("dominant_soft", "all")]
    assert names[-1] == ("mlee_fusion_soft", "all") and len(names) == 13


def test_each_row_is_held_against_dominant_recognition_with_its_target_and_train_set(found):
    pairs = {(c["row"], c["train_set"]): c["baseline"] for c in found["comparisons"]}
    assert pairs["mlee_fusion_hard", "all"] == "dominant_hard" and pairs["mlee_fusion_soft", "dominant"] == "dominant_soft"
    assert len(found["comparisons"]) == 2 * 12  # every cell but dominant hard itself, in WA and UA
    fusion, soft = cell(found, "mlee_fusion_soft", "all"), cell(found, "dominant_soft", "all")
    (wa,) = [c for c in found["comparisons"] if (c["row"], c["train_set"], c["score"]) == ("mlee_fusion_soft", "all", "wa")]
    assert wa["difference"]["value"] == pytest.approx(fusion["pooled"]["wa"]["value"] - soft["pooled"]["wa"]["value"])
    assert all(c["p"] <= c["p_holm"] for c in found["comparisons"] if c["declared"])
    assert all(c["p_holm"] is None for c in found["comparisons"] if not c["declared"])


def test_eight_claims_are_declared_in_ua_or_in_the_score_that_was_chosen_beforehand(results, found):
    claims = [c for c in found["comparisons"] if c["declared"]]
    assert len(claims) == 8 and {c["score"] for c in claims} == {"ua"} and not {"mlee", "dominant_soft"} & {c["row"] for c in claims}
    assert {c["score"] for c in evaluate(results, primary="wa", **QUICK)["comparisons"] if c["declared"]} == {"wa"}
    with pytest.raises(InputError, match="unknown primary score 'uua': did you mean 'ua'"):
        evaluate(results, primary="uua", **QUICK)


def test_claims_can_be_about_a_score_in_which_lower_is_better_and_that_is_over_other_utterances(results):
    found = evaluate(results, primary="JSD to the votes (bits)", **QUICK)
    assert found["primary"] == "jensen_shannon"
    claims = {(c["row"], c["train_set"]): c for c in found["comparisons"] if c["declared"]}
    assert len(claims) == 8 and {c["score"] for c in claims.values()} == {"jensen_shannon"}
    of_rows = [cell(found, row, "all")["pooled"]["jensen_shannon"]["value"] for row in ("mlee_fusion_soft", "dominant_soft")]
    claim = claims["mlee_fusion_soft", "all"]
    assert claim["difference"]["value"] == pytest.approx(of_rows[0] - of_rows[1]) and claim["difference"]["value"] < 0
    assert ("mlee", "jensen_shannon") not in {(c["row"], c["score"]) for c in found["comparisons"]}, "MLEE has no posterior"


def test_a_test_counts_the_speakers_of_the_utterances_that_its_score_is_about(tmp_path):
    """Of eight speakers, three have no dominant emotion, and one has no vote for a target, so no divergence to the votes."""
    folder = fabricate(tmp_path, rows=["dominant_hard", "mlee_fusion_hard"], train_sets=["dominant"], folds=range(1, 9))

    def one_of_each_fold(frame):
        frame = frame[frame["speaker"].str.removeprefix("s").astype(int) % 2 == 0].copy()
        frame.loc[frame["speaker"].isin(["s2", "s6", "s16"]), "dominant"] = ""
        frame.loc[frame["speaker"] == "s8", [f"votes_{emotion}" for emotion in EMOTIONS]] = 0
        return frame

    rewrite(folder, one_of_each_fold)
    tests = {c["score"]: (c["units"], c["df"]) for c in evaluate(folder, primary="jensen_shannon", **QUICK)["comparisons"]}
    assert tests["wa"] == ("speakers", 4) and tests["jensen_shannon"] == ("speakers", 6)


def test_a_difference_is_tested_by_leaving_out_speakers_and_folds_by_hand(results, found):
    frames = {
        row: pd.concat(read_predictions(results / f"{row}/all/seed1/fold{fold}/predictions.csv").assign(fold=fold) for fold in (1, 2, 3))
        for row in ("mlee_fusion_soft", "dominant_soft")
    }

    def without(column, value):
        return np.subtract(*(accuracy([frame[frame[column] != value]]) for frame in frames.values()))

    errors = {}
    for units, column in (("speakers", "speaker"), ("folds", "fold")):
        left = np.array([without(column, value) for value in frames["dominant_soft"][column].unique()])
        errors[units] = np.sqrt((len(left) - 1) / len(left) * ((left - left.mean()) ** 2).sum())
    (wa,) = [c for c in found["comparisons"] if (c["row"], c["train_set"], c["score"]) == ("mlee_fusion_soft", "all", "wa")]
    assert wa["error"] == pytest.approx(max(errors.values())) and wa["units"] == max(errors, key=errors.get)
    assert wa["df"] == {"speakers": 5, "folds": 2}[wa["units"]]


def test_a_model_that_always_says_one_emotion_has_chance_level_without_any_doubt(tmp_path):
    """Three of eight speakers have an emotion, so that 2 % of the resamples lack it; a recall is missing there."""
    folder = fabricate(tmp_path, rows=["dominant_hard", "mlee_fusion_hard"], train_sets=["dominant"], folds=(1, 2, 3, 4))
    always_hap = {f"p_{emotion}": float(emotion == "hap") for emotion in EMOTIONS}
    rewrite(folder, lambda frame: rare(frame, ("s2", "s5", "s8")).assign(**always_hap))
    found = evaluate(folder, **QUICK)
    for row in ("dominant_hard", "mlee_fusion_hard"):
        ua = cell(found, row, "dominant")["pooled"]["ua"]
        assert (ua["value"], ua["low"], ua["high"]) == pytest.approx([1 / 3] * 3)
        assert cell(found, row, "dominant")["share_of_human"]["ua"]["high"] < 1.5
        assert cell(found, row, "dominant")["pooled"]["wa"]["low"] < cell(found, row, "dominant")["pooled"]["wa"]["high"]
    assert {(c["p"], c["difference"]["low"]) for c in found["comparisons"]} == {(1, 0)}


def test_ua_has_the_degrees_of_freedom_of_the_speakers_of_its_rarest_emotion_and_wa_those_of_all(tmp_path):
    folder = fabricate(tmp_path, rows=["dominant_hard", "mlee_fusion_hard"], train_sets=["dominant"], folds=range(1, 9))
    one_of_each_fold = {f"s{2 * fold}" for fold in range(1, 9)}
    rewrite(folder, lambda frame: rare(frame[frame["speaker"].isin(one_of_each_fold)], ("s2", "s6", "s16")))
    tests = {c["score"]: (c["units"], c["df"]) for c in evaluate(folder, **QUICK)["comparisons"]}
    assert tests == {"ua": ("speakers", 2), "wa": ("speakers", 7)}


def test_a_difference_on_the_same_resamples_is_surer_than_its_two_scores(tmp_path):
    """Two rows that differ in a few utterances: each score is unsure, their difference is not."""
    folder = fabricate(tmp_path, rows=["dominant_hard", "dominant_soft"], train_sets=["dominant"])
    for fold in (1, 2, 3):
        frame = read_predictions(folder / f"dominant_hard/dominant/seed1/fold{fold}/predictions.csv")
        frame.to_csv(folder / f"dominant_soft/dominant/seed1/fold{fold}/predictions.csv", index=False)
    for comparison in evaluate(folder, **QUICK)["comparisons"]:
        assert comparison["difference"] == {"value": 0, "low": 0, "high": 0} and comparison["p"] == 1
    widths = [cell["pooled"]["wa"]["high"] - cell["pooled"]["wa"]["low"] for cell in evaluate(folder, **QUICK)["cells"]]
    assert min(widths) > 0.05


def test_seeds_are_averaged_and_told_one_by_one(tmp_path):
    folder = fabricate(tmp_path, rows=["dominant_soft", "mlee"], train_sets=["all"], seeds=(1, 2))
    soft = cell(evaluate(folder, **QUICK), "dominant_soft", "all")
    assert soft["seeds"] == [1, 2] and soft["by_seed"]["nll"][0] != soft["by_seed"]["nll"][1]
    assert soft["pooled"]["nll"]["value"] == pytest.approx(np.mean(soft["by_seed"]["nll"]))


def test_the_seeds_together_answer_with_the_mean_of_their_probabilities(tmp_path):
    folder = fabricate(tmp_path, rows=["dominant_soft", "mlee"], train_sets=["all"], seeds=(1, 2))
    found = evaluate(folder, **QUICK)
    soft, mlee = (cell(found, row, "all") for row in ("dominant_soft", "mlee"))
    files = {seed: [folder / f"mlee/all/seed{seed}/fold{fold}/predictions.csv" for fold in (1, 2, 3)] for seed in (1, 2)}
    one, other = (pd.concat(map(read_predictions, of_seed)) for of_seed in files.values())
    by_hand = np.mean([roc_auc_score(one[f"exist_{code}"], one[f"p_{code}"] + other[f"p_{code}"]) for code in EMOTIONS])
    assert mlee["together"]["existence_auc"]["value"] == pytest.approx(by_hand)
    assert mlee["together"]["existence_auc"]["value"] != mlee["pooled"]["existence_auc"]["value"]
    assert soft["together"]["ua"]["low"] < soft["together"]["ua"]["value"] < soft["together"]["ua"]["high"]
    alone = fabricate(tmp_path / "alone", rows=["dominant_soft"], train_sets=["all"])
    assert cell(evaluate(alone, **QUICK), "dominant_soft", "all")["together"] == {}


def test_only_folds_that_every_cell_has_are_compared_and_the_others_are_named(tmp_path):
    fabricate(tmp_path, rows=["dominant_soft"], train_sets=["all"], folds=(1, 2, 3))
    found = evaluate(fabricate(tmp_path, rows=["mlee"], train_sets=["all"], folds=(1, 2)), **QUICK)
    assert found["folds"] == [1, 2] and found["n_all"] == 48
    assert found["left_out"] == ["fold 3: not finished for mlee (all, seed 1)"]


def test_without_a_common_fold_nothing_is_compared(tmp_path):
    fabricate(tmp_path, rows=["dominant_soft"], train_sets=["all"], folds=(1,))
    with pytest.raises(InputError, match="no fold is finished for every row.*\n.*fold 1: not finished for mlee"):
        evaluate(fabricate(tmp_path, rows=["mlee"], train_sets=["all"], folds=(2,)))


def test_predictions_of_different_protocols_are_refused_with_both_hashes_and_what_differs(tmp_path):
    fabricate(tmp_path, rows=["dominant_soft"], protocol_hash="aaa")
    folder = fabricate(tmp_path, rows=["mlee"], protocol_hash="bbb")
    for name, min_votes in (("aaa", 1), ("bbb", 3)):
        (folder / "manifests" / name).mkdir(parents=True)
        protocol = {"corpus": "crema_d", "emotions": EMOTIONS, "rules": {"min_votes": min_votes}, "folds": [], "hash": name}
        (folder / "manifests" / name / "protocol.json").write_text(json.dumps(protocol))
    with pytest.raises(InputError) as error:
        evaluate(folder)
    assert "aaa" in str(error.value) and "bbb" in str(error.value)
    assert 'rules: {"min_votes": 1} and {"min_votes": 3}' in str(error.value) and "emotions:" not in str(error.value)


def test_what_differs_is_told_from_the_stages_where_the_manifests_lie_elsewhere(tmp_path):
    fabricate(tmp_path, rows=["dominant_soft"], protocol_hash="aaa")
    folder = fabricate(tmp_path, rows=["mlee"], protocol_hash="bbb")
    with pytest.raises(InputError, match="the utterances, their votes or their recordings differ"):
        one_protocol(find_stages(folder))


def test_predictions_that_were_changed_after_training_are_refused(tmp_path):
    folder = fabricate(tmp_path, rows=["dominant_soft", "mlee"], train_sets=["all"])
    path = folder / "mlee/all/seed1/fold2/predictions.csv"
    frame = read_predictions(path)
    frame.loc[3, "votes_neu"] += 1
    frame.to_csv(path, index=False)
    with pytest.raises(InputError, match="mlee/all/seed1: the predictions are of other utterances or votes"):
        evaluate(folder)


def test_an_utterance_that_two_folds_test_is_refused(tmp_path):
    folder = fabricate(tmp_path, rows=["dominant_soft"], train_sets=["all"], folds=(1, 2))
    text = (folder / "dominant_soft/all/seed1/fold1/predictions.csv").read_text()
    (folder / "dominant_soft/all/seed1/fold2/predictions.csv").write_text(text)
    with pytest.raises(InputError, match="'s2_00' is tested in two folds"):
        read_cells(find_stages(folder))


def test_two_folders_of_the_same_stage_are_not_mixed(tmp_path):
    fabricate(tmp_path / "results", rows=["mlee"])
    fabricate(tmp_path / "results_lr", rows=["mlee"])
    with pytest.raises(InputError, match="results/crema_d/mlee/.*results_lr/.* are the same row, train set, seed and fold"):
        evaluate(tmp_path)


def test_folds_that_were_trained_with_different_settings_are_no_folds_of_one_row(tmp_path):
    folder = fabricate(tmp_path, rows=["dominant_soft", "mlee"], train_sets=["all"])
    path = folder / "mlee/all/seed1/fold2/save/identity.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"lr": 0.1, "required x": "of its fold"}))
    with pytest.raises(InputError, match="mlee/all/seed1/fold2 were trained with different settings.*\n  lr: None and 0.1$"):
        evaluate(folder)


def test_an_empty_folder_and_a_damaged_summary_are_named(tmp_path):
    with pytest.raises(InputError, match="no finished stage below it"):
        evaluate(tmp_path)
    folder = fabricate(tmp_path, rows=["mlee"], folds=(1,))
    (folder / "mlee/all/seed1/fold1/save/summary.json").write_text("{")
    with pytest.raises(InputError, match="summary.json: damaged"):
        evaluate(folder)


def test_scores_by_ambiguity_count_every_utterance_once(found):
    assert sum(found["thirds"]["n"].values()) == found["n_all"]
    by_third = cell(found, "mlee_fusion_soft", "all")["ambiguity"]
    assert set(by_third) == {"agreed", "between", "disputed"}
    assert by_third["agreed"]["wa"]["value"] > by_third["disputed"]["wa"]["value"]  # the fabricated posteriors follow the votes


def test_existence_is_scored_where_it_was_learnt_and_posteriors_where_they_are(found):
    mlee, fusion = cell(found, "mlee", "all"), cell(found, "mlee_fusion_soft", "all")
    assert "existence_auc" in mlee["pooled"] and "nll" not in mlee["pooled"] and not mlee["reliability"]
    assert "nll" in fusion["pooled"] and "existence_auc" not in fusion["pooled"] and not fusion["existence"]
    assert set(mlee["existence"]["auc"]) == set(EMOTIONS)
    assert sum(b["n"] for b in fusion["reliability"]) == found["n"]


def test_scores_are_shares_of_the_human_ceiling(found):
    fusion = cell(found, "mlee_fusion_soft", "all")
    share = fusion["pooled"]["wa"]["value"] / found["human"]["wa"]["value"]
    assert fusion["share_of_human"]["wa"]["value"] == pytest.approx(share)
    assert "each vote against the other votes" in found["human"]["source"]


def test_the_papers_figures_are_for_iemocap_and_its_emotions_only(tmp_path, found):
    assert "IEMOCAP, and this is crema_d" in found["why_no_figures_of_the_paper"]
    four = ["neu", "hap", "sad", "ang"]
    iemocap = fabricate(tmp_path, rows=["mlee"], corpus="iemocap", emotions=four)
    assert evaluate(iemocap, **QUICK)["why_no_figures_of_the_paper"] == ""
    demo = fabricate(tmp_path / "demo", rows=["mlee"], corpus="iemocap", emotions=four, demo=True)
    assert "DEMO" in evaluate(demo, **QUICK)["why_no_figures_of_the_paper"]
    other = fabricate(tmp_path / "other", rows=["mlee"], corpus="iemocap")
    assert "these are neu hap sad" in evaluate(other, **QUICK)["why_no_figures_of_the_paper"]


def test_table_1_is_the_share_of_utterances_in_which_an_emotion_exists(results, found):
    frame = pd.concat(read_predictions(stage.predictions) for stage in find_stages(results) if "mlee/all" in stage.folder.as_posix())
    assert found["table1"]["all"]["hap"] == pytest.approx(frame["exist_hap"].mean())
    assert found["table1"]["dominant"]["hap"] == pytest.approx(frame["exist_hap"][frame["dominant"].isin(EMOTIONS)].mean())


def test_learning_curves_come_from_the_logs(results):
    curve = learning_curve(find_stages(results)[0])
    assert curve.to_dict("list") == {"epoch": [1, 2, 3], "train": [1.2, 0.9, 0.5], "valid": [1.0, 0.9, 1.1]}


def test_class_weights_can_be_divided_out_of_posteriors_and_of_existence(results, found):
    undone = evaluate(results, undo_class_weights=True, **QUICK)
    assert undone["class_weights_undone"] and not found["class_weights_undone"]
    assert len(undone["comparisons"]) == len(found["comparisons"]) and not any(c["declared"] or c["p_holm"] for c in undone["comparisons"])
    weights = np.array([0.5, 0.5 + 1 / 3, 0.5 + 2 / 3])  # of the fabricated stages; 0.4 and 1.6 for existence
    for row, undo in (("dominant_soft", lambda p: p / weights), ("mlee", lambda p: 1 / (1 + 4 * (1 / p - 1)))):
        frames = [read_predictions(results / f"{row}/all/seed1/fold{fold}/predictions.csv") for fold in (1, 2, 3)]
        columns = [f"p_{emotion}" for emotion in EMOTIONS]
        by_hand = accuracy([frame.assign(**dict(zip(columns, undo(frame[columns].to_numpy()).T, strict=True))) for frame in frames])
        assert cell(undone, row, "all")["pooled"]["wa"]["value"] == pytest.approx(by_hand)
    assert cell(undone, "dominant_soft", "all")["pooled"]["nll"] != cell(found, "dominant_soft", "all")["pooled"]["nll"]
    assert cell(undone, "mlee", "all")["existence"]["f1"] != cell(found, "mlee", "all")["existence"]["f1"]


def test_class_weights_that_shift_no_posterior_need_not_be_divided_out(tmp_path):
    folder = fabricate(tmp_path, rows=["dominant_soft"], target="all_inclusive")
    both = [cell(evaluate(folder, undo_class_weights=undo, **QUICK), "dominant_soft", "all")["pooled"] for undo in (False, True)]
    assert both[0]["nll"] == both[1]["nll"]


def test_a_model_trained_with_weights_is_the_one_without_once_they_are_undone():
    """The least of a weighted cross entropy, found by a solver, for votes of 7 to 2 to 1."""
    share, weights = np.array([0.7, 0.2, 0.1]), np.array([0.3, 0.9, 1.8])
    least = minimize(lambda z: -(weights * share * (z - np.log(np.exp(z).sum()))).sum(), np.zeros(3)).x
    np.testing.assert_allclose(SOFTMAX.undo_class_weights(np.exp(least)[None] / np.exp(least).sum(), weights)[0], share, atol=1e-4)
    pair = np.array([[0.2, 1.8]])
    best = minimize_scalar(lambda p: -(0.3 * 1.8 * np.log(p) + 0.7 * 0.2 * np.log(1 - p)), bounds=(1e-6, 1 - 1e-6), method="bounded").x
    np.testing.assert_allclose(SIGMOID.undo_class_weights(np.array([[best]]), pair), [[0.3]], atol=1e-4)


def test_chance_is_to_always_say_the_most_frequent_emotion(results, found):
    dominant = pd.concat(read_predictions(s.predictions) for s in find_stages(results) if "mlee/all" in s.folder.as_posix())["dominant"]
    counts = dominant[dominant.isin(EMOTIONS)].value_counts()
    assert found["chance"] == {"emotion": counts.index[0], "wa": counts.iloc[0] / counts.sum(), "ua": pytest.approx(1 / 3)}


def test_class_weights_that_were_not_noted_cannot_be_undone(tmp_path):
    folder = fabricate(tmp_path, rows=["mlee"], class_weights=None)
    assert evaluate(folder, **QUICK)["n"]
    with pytest.raises(InputError, match="mlee/dominant/seed1/fold1: its class weights were not noted"):
        evaluate(folder, undo_class_weights=True)


def test_a_damaged_line_of_a_log_is_left_out_of_the_learning_curve(tmp_path):
    stage = find_stages(fabricate(tmp_path, ["mlee"], ["all"], folds=[1]))[0]
    good = "epoch: 2 - train loss: 1.5 - valid loss: 9.544798e-01"
    wrong = [
        "epoch: 1 - train loss: 1.7 - valid loss: 2.0582.058190",
        "eporain",
        f"epoch: {'9' * 5000} - train loss: 1 - valid loss: 1",
        "\0",
    ]
    stage.files.train_log.write_text("\n".join([*wrong, good, "epoch: 3 - train loss: nan - valid loss: 1e999"]))
    assert learning_curve(stage).to_numpy().tolist() == [[2, 1.5, 0.9544798]]
