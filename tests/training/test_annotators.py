"""Targets that learn each annotator: whose votes they get, and what their loss is made of."""

import math

import numpy as np
import pytest
import torch
from packages import write_package
from releases import prepare_quietly, write_table, write_wav
from speechbrain import Stage as Use

from mlee_sb.corpora.base import load_corpus
from mlee_sb.corpora.manifest import read_protocol
from mlee_sb.errors import InputError
from mlee_sb.evaluation.predictions import read_predictions
from mlee_sb.evaluation.protocol.check import check_protocol
from mlee_sb.evaluation.scores import score_folder
from mlee_sb.files import read_json
from mlee_sb.models.bundle import load_bundle
from mlee_sb.models.classifiers import CLASSIFIERS
from mlee_sb.stage_folder import ANNOTATOR_NAMES
from mlee_sb.targets import find_target
from mlee_sb.training.build import built, make_brain
from mlee_sb.training.data import Batch
from mlee_sb.training.inputs import stage_inputs
from mlee_sb.training.run import run
from mlee_sb.training.stage import Data

from .conftest import EMOTIONS, SPEAKERS, VOTES, stage_on

TARGETS = HEADS, ADAPTED = "annotator_heads", "listener_adapted"
SMALL = {"min_annotator_votes": 2, "batch_size": 4, "max_epochs": 1}
JUDGED = {
    "0": "annika:neu boris:neu cat:neu",
    "1": "annika:hap boris:hap dan:neu",
    "2": "annika:neu annika:hap boris:hap",
    "3": "annika:hap boris:oth",
    "4": "eve:hap",
}
"""What was said about each utterance of every speaker: cat, dan and eve judged one of each, and boris heard what is no target, too."""


PLUG_INS = """
import numpy as np
from mlee_sb.targets import Setting
from mlee_sb.targets.hard import HardTarget

class Trusted(HardTarget):
    'The shares of the votes, of which those of the first annotator count twice.'
    name, one_train_set, needs_annotators = 'trusted', 'all', True
    settings = {'min_annotator_votes': Setting(int, above=0)}

    def labels(self, dominant, votes, settings):
        labels = np.zeros((len(votes), len(settings['emotions'])))
        np.add.at(labels, (np.arange(len(votes))[:, None], votes[..., 1].astype(int)), votes[..., 2] * (1 + (votes[..., 0] == 0)))
        total = labels.sum(axis=1, keepdims=True)
        return labels / total.clip(1), total[:, 0] > 0

class OtherHeads(HardTarget):
    name, classifier = 'other_heads', 'annotator_heads'

class Misspelt(HardTarget):
    name, classifier = 'misspelt', 'anotator_heads'
"""


@pytest.fixture
def plug_ins(tmp_path, monkeypatch):
    """Targets of another author about annotators."""
    targets = {"trusted": "Trusted", "other_heads": "OtherHeads", "misspelt": "Misspelt"}
    monkeypatch.syspath_prepend(write_package(tmp_path / "package", "about_annotators", PLUG_INS, targets=targets))


def release_of(folder):
    """A release that names its annotators."""
    lines = [
        f"{speaker}{utterance}.wav,{speaker},{vote.replace(':', ',')}"
        for speaker in SPEAKERS
        for utterance, votes in JUDGED.items()
        for vote in votes.split()
    ]
    release = write_table(folder / "release", "\n".join(["wav,speaker,annotator,label", *lines]))
    for wav in release.glob("*.wav"):
        write_wav(wav, seconds=0.1)
    return release


@pytest.fixture
def named(tmp_path):
    """Manifests of a corpus that names its annotators."""
    release = release_of(tmp_path)
    prepare_quietly("vote_table", release, tmp_path / "manifests", EMOTIONS)
    return Data(tmp_path / "manifests", read_protocol(tmp_path / "manifests"), release)


@pytest.fixture
def stage(named, tmp_path):
    return lambda target, **changed: stage_on(named, tmp_path / "results", target, **{**SMALL, **changed})


def votes_of(inputs, utterance: str) -> list[tuple]:
    row = inputs.train["ID"].tolist().index(utterance)
    return [(inputs.annotators[int(who)], EMOTIONS[int(what)], share) for who, what, share in inputs.train_labels[row].tolist() if share]


def test_annotators_with_enough_judgements_of_the_training_set_are_learnt(stage):
    assert stage_inputs(stage(HEADS)).annotators == ("annika", "boris", "cat", "dan", "eve"), "each judged two, one of c and one of d"
    found = stage_inputs(stage(HEADS, min_annotator_votes=3))
    assert found.annotators == ("annika", "boris")
    assert "c4" not in set(found.train["ID"]), "only eve judged it"


def test_utterances_that_the_stage_does_not_learn_from_do_not_count(stage):
    """Utterance 3 has no dominant emotion: annika judged eight utterances of c and d, and six that have one."""
    assert stage_inputs(stage(HEADS, min_annotator_votes=7)).annotators == ("annika",)
    with pytest.raises(InputError, match=r"fold 1 of .*no annotator judged 7 utterances.*one 6: give a smaller --min_annotator_votes"):
        stage_inputs(stage(HEADS, train_set="dominant", min_annotator_votes=7))


def test_labels_are_the_votes_and_an_annotator_with_two_labels_shares_one_vote(stage):
    found = stage_inputs(stage(HEADS))
    assert votes_of(found, "c0") == [("annika", "neu", 1), ("boris", "neu", 1), ("cat", "neu", 1)]
    assert votes_of(found, "d2") == [("annika", "neu", 0.5), ("annika", "hap", 0.5), ("boris", "hap", 1)]
    assert votes_of(found, "c3") == [("annika", "hap", 1)]
    assert found.train_labels.shape == (10, 3, 3) and found.no_labels(found.test).shape == (5, 2)
    neu, hap = 2 * (3 + 1 + 0.5), 2 * (2 + 1.5 + 1 + 1)
    np.testing.assert_allclose(found.class_weights, [(neu + hap) / (2 * neu), (neu + hap) / (2 * hap)], rtol=1e-6)


@pytest.mark.parametrize("target", TARGETS)
def test_the_loss_by_hand_sums_over_the_votes_each_by_the_logits_of_its_annotator(target):
    logits = torch.tensor([[[math.log(3.0), 0.0], [0.0, 0.0], [9.0, 0.0]]])  # posteriors of neu: 3/4, 1/2, nearly 1
    labels = torch.tensor([[[0.0, 0.0, 1.0], [1.0, 0.0, 0.5], [1.0, 1.0, 0.5], [0.0, 0.0, 0.0]]])
    weights = torch.tensor([1.0, 3.0])
    by_hand = -math.log(3 / 4) - 0.5 * math.log(1 / 2) - 3 * 0.5 * math.log(1 / 2)
    assert find_target(target).loss(logits, labels, weights).item() == pytest.approx(by_hand)
    assert find_target(target).weight(labels, weights).item() == pytest.approx(1 + 0.5 + 3 * 0.5)


@pytest.mark.parametrize("target", TARGETS)
def test_training_asks_for_the_logits_of_each_annotator_and_a_test_for_the_answer(stage, target):
    stage = stage(target)
    inputs = stage_inputs(stage)
    hparams, encoder, classifier = built(stage, [])
    assert type(classifier) is CLASSIFIERS[target] and classifier.settings["n_annotators"] == len(inputs.annotators)
    brain = make_brain(stage, hparams["opt_class"], encoder, classifier, inputs.class_weights, "cpu", epochs=range(1))
    batch = Batch(0.1 * torch.randn(3, 4000), torch.tensor([4000] * 3), inputs.train_labels[:3], torch.arange(3))
    encoder.normalizer.fitted.fill_(True)
    with torch.no_grad():
        for use in (Use.TRAIN, Use.VALID):
            outputs = brain.compute_forward(batch, use)
            assert outputs.shape == (3, len(inputs.annotators), len(EMOTIONS))
            brain.on_stage_start(use, epoch=1)
            expected = stage.target.loss(outputs, batch.labels, inputs.class_weights).mean()
            torch.testing.assert_close(brain.compute_objectives(outputs, batch, use), expected)
        assert brain.compute_forward(batch, Use.TEST).shape == (3, len(EMOTIONS))


def test_a_corpus_without_names_of_annotators_is_refused_before_training(data, tmp_path):
    stage = stage_on(data(VOTES), tmp_path / "results", HEADS, **SMALL)
    with pytest.raises(InputError, match=r"manifests/votes\.csv: the corpus .* does not name its annotators.*train another row"):
        stage_inputs(stage)


@pytest.mark.parametrize(
    ("row", "target", "remedy"),
    [
        *(("dominant", target, f"mlee train {target}$") for target in TARGETS),
        (HEADS, "soft", "mlee train dominant --target soft$"),
        (HEADS, ADAPTED, "mlee train listener_adapted$"),
        ("mlee_pretrain", HEADS, "mlee train annotator_heads$"),
    ],
)
def test_a_target_that_needs_another_classifier_is_refused_with_the_row_that_has_it(named, tmp_path, row, target, remedy):
    with pytest.raises(InputError, match=f"{row}.yaml: the target {target} needs a classifier of the kind .*{remedy}"):
        stage_on(named, tmp_path / "results", row, target=target)


@pytest.mark.parametrize(
    ("row", "target", "message"),
    [
        ("dominant", "other_heads", "mlee train annotator_heads --target other_heads$"),
        ("dominant", "misspelt", "unknown kind of classifier of the target misspelt 'anotator_heads': did you mean 'annotator_heads'"),
    ],
)
def test_a_target_of_another_author_is_sent_to_a_row_that_is_there(plug_ins, named, tmp_path, row, target, message):
    with pytest.raises(InputError, match=message):
        stage_on(named, tmp_path / "results", row, target=target)


def test_a_target_may_learn_the_votes_of_annotators_with_a_classifier_that_does_not(plug_ins, named, tmp_path):
    stage = stage_on(named, tmp_path / "results", "dominant", target="trusted", speeds=[1.0], **SMALL)
    assert "min_annotator_votes=2" in stage.row and stage.identity["min_annotator_votes"] == 2
    run(stage, "cpu", score_folder, say=lambda line: None)
    assert stage.finished and stage.files.read_annotators() is None


def test_a_final_model_has_no_answers_for_tests_that_it_has_not(tmp_path):
    release = release_of(tmp_path)
    prepare_quietly("vote_table", release, tmp_path / "final", EMOTIONS, final=1)
    data = Data(tmp_path / "final", read_protocol(tmp_path / "final"), release)
    stage = stage_on(data, tmp_path / "results", HEADS, speeds=[1.0], **SMALL)
    run(stage, "cpu", score_folder, say=lambda line: None)
    assert stage.finished and stage.scored and stage.files.read_annotators().empty
    assert "annika" in read_json(stage.files.save / ANNOTATOR_NAMES, "")


def test_a_stage_answers_in_the_place_of_each_annotator_and_publishes_no_name(stage, named, tmp_path):
    stage = stage(HEADS, min_annotator_votes=3, speeds=[1.0], calibration="cross", calibration_groups=2)
    run(stage, "cpu", score_folder, say=lambda line: None)
    assert stage.finished and stage.scored
    files, predictions = stage.files, read_predictions(stage.files.predictions)
    answers = files.read_annotators()
    said = [f"{ID}:{who}:{label}" for ID, who, label in zip(answers["ID"], answers["annotator"], answers["label"], strict=True)]
    judged = "a0:annika:neu a0:boris:neu a1:annika:hap a1:boris:hap a2:annika:neu a2:annika:hap a2:boris:hap a3:annika:hap"
    assert sorted(said) == sorted(judged.split()), "cat, dan and eve were not learnt, and boris's other emotion is no target"
    of_ann = answers[(answers["ID"] == "a2") & (answers["annotator"] == "annika")]
    assert of_ann["p"].astype(float).sum() == pytest.approx(1, abs=1e-6), "the probabilities of both emotions"
    assert (of_ann["label"] == of_ann["answer"]).sum() == 1
    np.testing.assert_allclose(predictions[["p_neu", "p_hap"]].sum(axis=1), 1, atol=1e-6)
    assert read_json(files.scores, "")["annotators"]["judgements"] == 7
    assert read_json(files.save / ANNOTATOR_NAMES, "") == {"annika": 0, "boris": 1}
    published = b"".join(path.read_bytes() for path in files.model.iterdir())
    assert b"annika" not in published and b"boris" not in published
    assert load_bundle(files.model).config.classifier["n_annotators"] == 2
    assert not check_protocol(tmp_path / "results", load_corpus, [named.manifests], named.data_folder).leaks
    files.annotators.write_text("damaged")
    assert not stage.finished
