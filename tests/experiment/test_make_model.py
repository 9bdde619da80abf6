"""The model that comes with the package, made as `make model` makes it, on a small release and a small upstream."""

import json

import pytest
from huggingface_hub import ModelCard
from releases import write_crema_d
from upstreams import write_upstream

from mlee_sb import EmotionClassifier
from mlee_sb.corpora.base import load_corpus
from mlee_sb.errors import InputError
from mlee_sb.evaluation.evaluate import evaluate
from mlee_sb.evaluation.protocol.check import check_protocol
from mlee_sb.evaluation.results import find_stages
from mlee_sb.experiment import make_model as making
from mlee_sb.inference.hub import Place
from mlee_sb.inference.model_facts import facts
from mlee_sb.inference.verify import verify
from mlee_sb.stage_folder import StageFolder

SHORT = {"max_epochs": 1}
CLIPS = ["IEO", "DFA", "ITS", "TIE"]
VOTES = [(0, 0, 0, 6, 3, 0), (0, 0, 2, 0, 3, 5), (4, 0, 3, 2, 0, 0), (2, 5, 1, 0, 1, 0)]  # A D F H N S
SPEAKERS = [str(1001 + number) for number in range(3)]  # as few as make folds


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of a model, and that of what was trained on the way."""
    place = tmp_path_factory.mktemp("made")
    rows = {f"{speaker}_{clip}_HAP_XX": votes for speaker in SPEAKERS for clip, votes in zip(CLIPS, VOTES, strict=True)}
    release, upstream = write_crema_d(place / "release", rows), write_upstream(place / "whisper_small", "whisper")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(making, "VALIDATE", 1)
        patch.setattr(making, "SETTINGS", making.SETTINGS | SHORT | {"calibration": "validation", "mlee": SHORT, "dominant": SHORT})
        making.make_model(release, str(upstream), place / "results", place / "model")
    return place / "model", place / "results", release


def test_it_is_whole_and_answers_without_its_upstream(made):
    folder, _, release = made
    assert all(check.passed for check in verify(Place(folder, folder)))
    said = EmotionClassifier.from_hparams(folder).predict(next((release / "AudioWAV").glob("*.wav")))
    assert said.posterior is None or set(said.posterior) == set(making.EMOTIONS)


def test_all_speakers_made_it_and_its_scores_are_those_of_the_cross_validation(made):
    folder, results, _ = made
    scores = json.loads((folder / "scores.json").read_text())
    assert scores["n_all"] == 0, "nobody is left to test it"
    assert (scores["trained_on"]["utterances"], scores["trained_on"]["speakers"]) == (8, 2)
    tested = scores["cross_validated"]
    (cell,) = [cell for cell in evaluate(results / "folds/crema_d", resamples=2)["cells"] if cell["row"].startswith("mlee_fusion")]
    assert (tested["folds"], tested["n_all"], tested["n_speakers"]) == (3, 12, 3)
    assert tested["ua"] == pytest.approx(cell["pooled"]["ua"]["value"])
    coverage = tested["calibrated"]["coverage"]["0.9"]
    assert coverage["share"] == pytest.approx(cell["coverage"]["share"])
    shares = [fold["share"] for fold in cell["coverage"]["folds"]]
    assert (coverage["worst_fold"], coverage["best_fold"]) == pytest.approx((min(shares), max(shares)))


def test_its_card_says_how_good_it_is_what_it_is_not_good_for_and_whose_work_is_in_it(made):
    folder, _, _ = made
    card = ModelCard((folder / "README.md").read_text())
    tested = json.loads((folder / "scores.json").read_text())["cross_validated"]
    figures = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert figures["ua"] == pytest.approx(tested["ua"], abs=1e-6) and "cross-validation of 3 folds" in card.text
    assert "It learned from 8 utterances of 2 speakers" in card.text and "in the worst fold" in card.text
    assert "In brackets" not in card.text and f"| UA (balanced accuracy) | {100 * tested['ua']:.1f} |" in card.text, "three speakers"
    assert "licence mit, its weights are in this model" in card.text and "Open Database License" in card.text
    assert "What it is not good for" in card.text and "No speaker of the test set" not in card.text
    assert facts(Place(folder, folder))["ua"].endswith("test utterances of 3 folds")


def test_the_stage_that_it_was_made_of_stays_as_training_left_it(made):
    _, results, _ = made
    for found in find_stages(results / "final"):
        stage = StageFolder(found.predictions.parent)
        assert stage.bundle_scores.read_text() == stage.scores.read_text()
        assert ModelCard.load(stage.model / "README.md").text


def test_it_tells_which_clips_made_it(made):
    folder, _, release = made
    assert (folder / making.MADE_FROM).read_text().split() == sorted(wav.stem for wav in (release / "AudioWAV").glob("*.wav"))
    assert "made from 12 clips of CREMA-D, and the release has 12." in (folder / "README.md").read_text()


def test_nothing_leaked_and_a_final_fold_is_no_leak(made):
    _, results, release = made
    for name, stages in (("folds", 9), ("final", 3)):
        checked = check_protocol(results / name, load_corpus, data_folder=release)
        assert (checked.leaks, checked.of("unchecked"), checked.stages) == ([], [], stages)


def test_a_report_of_a_final_fold_says_that_it_tests_nobody(made):
    _, results, _ = made
    assert len(find_stages(results / "final")) == 3
    with pytest.raises(InputError, match=r"predictions.csv: no row in it, as in a final fold, which tests nobody"):
        evaluate(results / "final/crema_d")
