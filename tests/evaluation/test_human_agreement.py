"""Where the human ceiling of a report comes from: which votes it believes, and what it says where it knows none."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from releases import without_the_hash_of_votes, write_table

from mlee_sb.corpora.prepare import prepare
from mlee_sb.errors import InputError
from mlee_sb.evaluation.ceiling import agreement_from_counts
from mlee_sb.evaluation.evaluate import evaluate
from mlee_sb.evaluation.predictions import Predictions, read_predictions
from mlee_sb.evaluation.report.tables import table3
from mlee_sb.evaluation.results import find_stages

from .fabricated import EMOTIONS, fabricate, predictions

QUICK = {"resamples": 20}
ANNOTATORS = "each annotator against the others"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Manifests of the utterances that fabricated stages test, in which three annotators say neu of all of them."""
    folder = tmp_path_factory.mktemp("prepared")
    tested = pd.concat(predictions("mlee", "all", 1, fold) for fold in (1, 2, 3))
    answers = [f"{u.ID},{u.ID}.wav,{u.speaker},E{n},neu" for u in tested.itertuples() for n in range(3)]
    answers += [f"{u.ID},{u.ID}.wav,{u.speaker},E4,hap" for u in tested[:1].itertuples()]
    release = write_table(folder / "release", "\n".join(["ID,wav,speaker,annotator,label", *answers]))
    prepare("vote_table", release, folder / "manifests", ["neu", "hap"], say=lambda line: None)
    return folder / "manifests"


@pytest.fixture
def manifests(prepared, tmp_path):
    return shutil.copytree(prepared, tmp_path / "given")


def trained_on(manifests, folder):
    """Stages that were trained on these manifests, which do not lie below them."""
    protocol_hash = json.loads((manifests / "protocol.json").read_text())["hash"]
    return fabricate(folder, rows=["mlee"], train_sets=["all"], protocol_hash=protocol_hash)


def human(results, manifests=None):
    return evaluate(results, manifests, **QUICK)["human"]


def test_annotators_are_the_ceiling_where_the_manifests_name_them(manifests, tmp_path):
    results = trained_on(manifests, tmp_path / "results")
    assert "its manifests, which may name the annotators, were not found: give them as --manifests" in human(results)["source"]
    given = human(results, manifests)
    assert given["source"] == ANNOTATORS and 0.99 < given["wa"]["value"] < 1
    manifests.rename(results / "manifests")
    assert human(results) == given


def test_votes_that_were_changed_since_are_not_believed(manifests, tmp_path):
    results = trained_on(manifests, tmp_path / "results")
    (manifests / "votes.csv").write_text("ID,annotator,label\ns2_00,E1,neu\ns2_00,E2,hap\n")
    with pytest.raises(InputError, match=r"votes\.csv: this file was changed: its hash is .*; run mlee prepare"):
        evaluate(results, manifests, **QUICK)


def test_votes_of_another_protocol_are_refused(manifests, tmp_path):
    results = fabricate(tmp_path / "results", rows=["mlee"], train_sets=["all"])
    with pytest.raises(InputError, match="manifests of the protocol .*, and the stages below .* were trained on 0123abcd"):
        evaluate(results, manifests, **QUICK)


def test_votes_that_nothing_vouches_for_are_not_used_and_that_is_said(manifests, tmp_path):
    without_the_hash_of_votes(manifests)
    found = human(trained_on(manifests, tmp_path / "results"), manifests)
    assert "its votes.csv is not used: an earlier version of mlee_sb prepared it" in found["source"]
    assert found["wa"]["value"] < 0.99


def test_votes_that_were_lumped_together_have_no_ceiling_and_the_report_says_why(tmp_path):
    results = fabricate(tmp_path, rows=["dominant_soft", "mlee"], train_sets=["all"])
    for stage in find_stages(results):
        stage.predictions.write_text(stage.predictions.read_text().replace("votes_oth", "votes_other"))
    found = evaluate(results, **QUICK)
    assert [found["human"][name]["value"] for name in ("wa", "ua", "macro_f1", "existence_f1")] == [None] * 4
    assert all(share["value"] is None for cell in found["cells"] for share in cell["share_of_human"].values())
    assert any("Human: not known, because" in note and "(votes_other)" in note for note in table3(found).notes)


def test_existence_is_judged_by_the_rule_that_the_stages_were_trained_with(tmp_path):
    results = fabricate(tmp_path, rows=["mlee"], train_sets=["all"])
    stages = find_stages(results)
    for stage in stages:
        path = stage.folder / "save/identity.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"min_votes": 3}))
    votes = Predictions.of(pd.concat(read_predictions(stage.predictions) for stage in stages)).all_votes
    by_hand = agreement_from_counts(votes, len(EMOTIONS), min_votes=3).scores(np.ones((1, len(votes))))["existence_f1"][0]
    assert human(results)["existence_f1"]["value"] == pytest.approx(by_hand)


def test_a_rule_that_is_none_is_an_error_that_names_it(tmp_path):
    results = fabricate(tmp_path, rows=["mlee"], train_sets=["all"])
    for stage in find_stages(results):
        path = stage.folder / "save/identity.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"min_votes": "1"}))
    with pytest.raises(
        InputError,
        match=r"identity\.json: damaged .min_votes is \"1\": Input should be a valid integer.: move the folder of this stage away",
    ):
        evaluate(results, **QUICK)
