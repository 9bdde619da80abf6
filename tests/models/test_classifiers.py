"""Classifiers by their kind: what each answers, and that a bundle holds it and a stranger's one is refused."""

import json
from functools import partial

import pytest
import torch
from bundles import EMOTIONS, LABELS, small_encoder
from torch import nn

from mlee_sb.errors import InputError
from mlee_sb.files import write_json
from mlee_sb.models.annotator_heads import AnnotatorHeads
from mlee_sb.models.bundle import load_bundle, save_bundle
from mlee_sb.models.classifiers import CLASSIFIERS, build_classifier, describe_classifier
from mlee_sb.models.dense_classifier import DenseClassifier
from mlee_sb.models.emotion_model import EmotionModel
from mlee_sb.models.listener_adapted import ListenerAdapted
from mlee_sb.models.multitask_classifier import MultitaskClassifier
from mlee_sb.targets import SOFTMAX

ANNOTATORS, SIZE = 5, 12
WITH_ANNOTATORS = [partial(AnnotatorHeads, hidden_size=8), partial(ListenerAdapted, hidden_size=8, code_size=4)]

of_each_kind = pytest.mark.parametrize("kind", WITH_ANNOTATORS, ids=lambda kind: kind.func.__name__)


def classifier(kind: partial, embedding_size: int = SIZE) -> nn.Module:
    torch.manual_seed(0)
    return kind(embedding_size, len(EMOTIONS), ANNOTATORS)


def model_with(kind: partial) -> EmotionModel:
    encoder = small_encoder()
    return EmotionModel(encoder, classifier(kind, encoder.embedding_size), EMOTIONS, SOFTMAX).eval()


def test_a_dense_classifier_is_described_as_before_there_were_kinds():
    dense = DenseClassifier(SIZE, len(EMOTIONS), hidden_size=8)
    assert describe_classifier(dense) == dense.settings
    assert type(build_classifier(dense.settings)) is DenseClassifier


@of_each_kind
def test_the_answer_is_the_mean_of_the_posteriors_of_all_annotators(kind):
    head, embeddings = classifier(kind), torch.randn(4, SIZE)
    of_annotators = head(embeddings, all_outputs=True)
    assert of_annotators.shape == (4, ANNOTATORS, len(EMOTIONS))
    assert of_annotators.softmax(-1).std(dim=1).min() > 1e-4, "annotators answer differently"
    torch.testing.assert_close(head(embeddings).softmax(-1), of_annotators.softmax(-1).mean(dim=1))
    torch.testing.assert_close(head(embeddings).exp().sum(-1), torch.ones(4))


@of_each_kind
def test_one_annotator_answers_as_a_classifier_of_the_dominant_emotion_does(kind):
    head, embeddings = kind(SIZE, len(EMOTIONS), 1), torch.randn(4, SIZE)
    torch.testing.assert_close(head(embeddings).softmax(-1), head(embeddings, all_outputs=True)[:, 0].softmax(-1))


@of_each_kind
def test_a_bundle_holds_it_and_tells_how_many_annotators_and_no_more_of_them(kind, tmp_path):
    model = model_with(kind)
    save_bundle(tmp_path / "bundle", model, {**LABELS, "target": describe_classifier(model.classifier)["kind"]}, demo=False)
    described = json.loads((tmp_path / "bundle/config.json").read_text())["classifier"]
    assert CLASSIFIERS[described["kind"]] is kind.func and described["n_annotators"] == ANNOTATORS
    loaded = load_bundle(tmp_path / "bundle").model
    waveforms, n_samples = 0.1 * torch.randn(2, 16_000), torch.tensor([16_000, 12_000])
    torch.testing.assert_close(loaded(waveforms, n_samples), model(waveforms, n_samples))


def test_a_bundle_holds_both_tasks_and_answers_with_the_first_one(tmp_path):
    encoder = small_encoder()
    classifier = MultitaskClassifier(encoder.embedding_size, len(EMOTIONS), hidden_size=8)
    model = EmotionModel(encoder, classifier, EMOTIONS, SOFTMAX).eval()
    save_bundle(tmp_path / "bundle", model, {**LABELS, "target": "primary_secondary"}, demo=False)
    loaded = load_bundle(tmp_path / "bundle").model
    embeddings = torch.randn(3, encoder.embedding_size)
    torch.testing.assert_close(loaded.classifier(embeddings, all_outputs=True), classifier(embeddings, all_outputs=True))
    torch.testing.assert_close(loaded.classifier(embeddings), classifier(embeddings, all_outputs=True)[:, 0])
    assert loaded.logits(0.1 * torch.randn(1, 16_000), torch.tensor([16_000]))[1] is None, "it does not tell existence"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"kind": "oracle"}, "there is no kind 'oracle'"),
        ({"kind": ["annotator_heads"]}, "there is no kind"),
        ({"n_annotators": 10**9}, "describes a model of"),
        ({"n_annotators": 2**31, "n_emotions": 2**31}, "config.json"),
        ({"n_annotators": 0}, "n_annotators is 0"),
        ({"n_annotators": "5"}, "config.json"),
        ({"n_annotators": 2**25, "hidden_size": 1}, "numbers in memory"),
        ({"n_annotators": ANNOTATORS + 1}, "model.safetensors"),
    ],
)
def test_the_annotators_of_a_stranger_are_refused_before_they_take_memory(changed, words, tmp_path):
    save_bundle(tmp_path, model_with(WITH_ANNOTATORS[0]), {**LABELS, "target": "annotator_heads"}, demo=False)
    config = json.loads((tmp_path / "config.json").read_text())
    config["classifier"] |= changed
    write_json(tmp_path / "config.json", config)
    with pytest.raises(InputError, match=words):
        load_bundle(tmp_path)
