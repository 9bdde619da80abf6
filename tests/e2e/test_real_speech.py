"""The main job on real speech with real votes. It takes most of an hour on two cores: `make test-real` runs it."""

import json
import subprocess
import sys

import numpy as np
import pytest

from mlee_sb import EmotionClassifier
from mlee_sb.evaluation.predictions import read_predictions

EMOTIONS = ["neu", "hap", "sad", "fea"]
CHANCE = 1 / len(EMOTIONS)


@pytest.mark.real
@pytest.mark.timeout(2 * 3600)
def test_a_fusion_trained_on_real_speech_hears_more_than_chance(crema_d_folder, tmp_path):
    flags = ["--fold", "1", "--corpus", "crema_d", "--data_folder", str(crema_d_folder), "--emotions", *EMOTIONS]
    subprocess.run([sys.executable, "recipes/train.py", "hparams/mlee_fusion.yaml", *flags, "--results", str(tmp_path)], check=True)

    fusion = tmp_path / "crema_d/mlee_fusion_soft/all/seed1/fold1"
    scores = json.loads((fusion / "scores.json").read_text())
    assert scores["demo"] is False
    assert scores["ua"] > CHANCE
    assert np.mean([scores["existence"][emotion]["auc"] for emotion in ("hap", "sad", "fea")]) > 0.55

    classifier = EmotionClassifier.from_hparams(source=fusion)
    for row in read_predictions(fusion / "predictions.csv").head(5).itertuples():
        posterior = classifier.classify_file(crema_d_folder / "AudioWAV" / f"{row.ID}.wav")[0][0].exp()
        np.testing.assert_allclose(posterior, [getattr(row, f"p_{emotion}") for emotion in EMOTIONS], atol=1e-5)
