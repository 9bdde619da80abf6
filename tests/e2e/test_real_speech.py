"""The main job on real speech with real votes. It takes most of an hour on two cores: `make test-real` runs it."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from speechbrain.inference.classifiers import EncoderClassifier

from mlee_sb import EmotionClassifier
from mlee_sb.evaluation.predictions import read_predictions
from mlee_sb.inference.hub import pull
from mlee_sb.inference.onnx_model import export
from mlee_sb.inference.publish import push
from mlee_sb.models.bundle import load_bundle

EMOTIONS = ["neu", "hap", "sad", "fea"]
CHANCE = 1 / len(EMOTIONS)
HOURS = 3600  # seconds

pytestmark = [pytest.mark.real, pytest.mark.timeout(2 * HOURS)]


@pytest.fixture(scope="module")
def fusion(crema_d_folder, tmp_path_factory):
    """The folder of a fusion that was trained on a fold."""
    results = tmp_path_factory.mktemp("real")
    flags = ["--fold", "1", "--corpus", "crema_d", "--data_folder", str(crema_d_folder), "--emotions", *EMOTIONS]
    subprocess.run([sys.executable, "recipes/train.py", "hparams/mlee_fusion.yaml", *flags, "--results", str(results)], check=True)
    return results / "crema_d/mlee_fusion_soft/all/seed1/fold1"


@pytest.fixture
def tested(fusion, crema_d_folder):
    """Some of the recordings that it is tested with, and the rows of its predictions."""
    rows = list(read_predictions(fusion / "predictions.csv").head(10).itertuples())
    return [(crema_d_folder / "AudioWAV" / f"{row.ID}.wav", row) for row in rows]


def test_a_fusion_trained_on_real_speech_hears_more_than_chance(fusion, tested):
    scores = json.loads((fusion / "scores.json").read_text())
    assert scores["demo"] is False
    assert scores["ua"] > CHANCE
    assert np.mean([scores["existence"][emotion]["auc"] for emotion in ("hap", "sad", "fea")]) > 0.55
    assert scores["calibrated"]["coverage"]["0.9"]["share"] > 0.7  # five speakers: of many folds it is close to 0.9

    classifier = EmotionClassifier.from_hparams(source=fusion)
    for path, row in tested:
        posterior = classifier.classify_file(path)[0][0].exp()
        np.testing.assert_allclose(posterior, [getattr(row, f"p_{emotion}") for emotion in EMOTIONS], atol=1e-5)


def test_it_says_the_same_from_a_hub_by_speechbrain_and_as_onnx(fusion, tested, hub, tmp_path):
    push(fusion, "me/mlee-crema-d", licence="odbl")
    ours, pulled = EmotionClassifier.from_hparams(fusion), EmotionClassifier.from_hparams("me/mlee-crema-d")
    theirs = EncoderClassifier.from_hparams(source=str(pull("me/mlee-crema-d").folder), savedir=str(tmp_path / "sb"))
    export(load_bundle(fusion / "model"), tmp_path / "model.onnx")
    onnx = EmotionClassifier.from_hparams(tmp_path / "model.onnx")
    for path, _ in tested:
        expected = ours.classify_file(path)[0]
        assert torch.equal(pulled.classify_file(path)[0], expected) and pulled.predict(path) == ours.predict(path)
        torch.testing.assert_close(theirs.classify_file(str(path), savedir=str(tmp_path))[0].exp(), expected.exp(), atol=1e-5, rtol=0)
        torch.testing.assert_close(onnx.classify_file(path)[0].exp(), expected.exp(), atol=1e-5, rtol=0)
