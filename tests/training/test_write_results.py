"""A trained model knows how sure it may be: from the validation speakers of its fold, and from nobody else."""

import numpy as np
import pandas as pd
import pytest
import torch

from mlee_sb.calibration import fit
from mlee_sb.models.bundle import load_bundle
from mlee_sb.models.emotion_model import EmotionModel
from mlee_sb.models.waveforms import load_waveform
from mlee_sb.targets import SIGMOID, SOFTMAX
from mlee_sb.training.inputs import stage_inputs
from mlee_sb.training.stage import plan
from mlee_sb.training.train_stage import train_stage
from mlee_sb.training.write_results import calibrate, presence_head

from .conftest import EMOTIONS, prepared, stage_on

SHORT = {"max_epochs": 2, "batch_size": 4}


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    """The MLEE stage, the dominant stage and their fusion, trained."""
    folder = tmp_path_factory.mktemp("calibrated")
    found = plan(stage_on(prepared(folder), folder / "results", "mlee_fusion", **SHORT, requires={"mlee": SHORT, "dominant": SHORT}))
    for stage in found:
        train_stage(stage, "cpu", say=lambda line: None)
    return found


@torch.no_grad()
def logits_of(stage, frame):
    model = load_bundle(stage.model_folder).model
    waveforms = [load_waveform(stage.data.data_folder / wav, model.sample_rate) for wav in frame["wav"]]
    return np.concatenate([model.logits(w.unsqueeze(0), torch.tensor([len(w)]))[0].numpy() for w in waveforms])


@pytest.mark.parametrize("number", [0, 1, 2])
def test_it_is_fitted_on_every_utterance_of_the_validation_speakers(stages, number):
    stage = stages[number]
    frame = pd.read_csv(stage.data.manifests / "fold1/valid.csv", keep_default_na=False)
    assert set(frame["speaker"]) == {"b"}
    existence = stage.settings["target"] == "existence"
    dominant = [EMOTIONS.index(code) if code in EMOTIONS else -1 for code in frame["dominant"]]
    exists = frame[[f"exist_{emotion}" for emotion in EMOTIONS]].to_numpy() if existence else None
    expected = fit(logits_of(stage, frame), dominant, frame["speaker"].tolist(), exists)
    found = load_bundle(stage.model_folder).model.calibration
    assert found.temperature == pytest.approx(expected.temperature, rel=1e-3)
    assert found.thresholds == pytest.approx(expected.thresholds, abs=1e-4)
    assert (found.n_utterances, found.n_speakers) == (4, 1)
    assert pd.read_csv(stage.files.used("calibration"))["ID"].tolist() == frame["ID"].tolist()


def test_a_fusion_carries_the_head_and_the_curves_of_its_mlee_stage(stages):
    mlee, fusion = load_bundle(stages[0].model_folder).model, load_bundle(stages[2].model_folder).model
    assert fusion.calibration.presence == mlee.calibration.presence is not None
    frame = stage_inputs(stages[2]).test
    waveform = load_waveform(stages[2].data.data_folder / frame["wav"][0], 16000).unsqueeze(0)
    length = torch.tensor([waveform.shape[1]])
    with torch.no_grad():
        torch.testing.assert_close(fusion.logits(waveform, length)[1], mlee.logits(waveform, length)[0])
    assert load_bundle(stages[1].model_folder).model.presence is None


def test_the_head_is_found_wherever_its_encoder_stands(stages):
    mlee, dominant = (load_bundle(stage.model_folder).model for stage in stages[:2])
    head = presence_head([dominant, mlee])
    assert (head.encoder, head.part) == (1, slice(256, 512))
    assert presence_head([dominant]) is None


def model_of(output):
    """A model of which only emotions and output are asked."""
    return EmotionModel(torch.nn.Identity(), torch.nn.Identity(), EMOTIONS, output)


def test_utterances_without_a_dominant_target_calibrate_presence_and_nothing_else():
    frame = pd.DataFrame(
        {"dominant": ["neu", "", "oth", "hap"], "speaker": list("abab"), "exist_neu": [1, 1, 0, 0], "exist_hap": [0, 1, 0, 1]}
    )
    logits = np.array([[2.0, -2], [1, 1], [-2, -2], [-1, 2]])
    assert calibrate(logits, frame, model_of(SOFTMAX)).n_utterances == 2
    found = calibrate(logits, frame, model_of(SIGMOID))
    assert found.n_utterances == 2 and all(slope > 0.05 for slope, _ in found.presence)
