"""The row dirichlet, trained for a moment: what its stage leaves."""

import pandas as pd
import pytest
import torch

from mlee_sb.models.bundle import load_bundle
from mlee_sb.models.waveforms import load_waveform
from mlee_sb.stage_folder import CONCENTRATION
from mlee_sb.targets import DIRICHLET
from mlee_sb.training.train_stage import train_stage

from .conftest import EMOTIONS, stage_on


def test_its_predictions_hold_the_concentrations_of_its_bundle(data, tmp_path):
    release = data()
    stage = stage_on(release, tmp_path / "results", "dirichlet", max_epochs=1, batch_size=8, speeds=[1.0])
    train_stage(stage, "cpu", say=lambda line: None)
    model, written = load_bundle(stage.model_folder).model, pd.read_csv(stage.files.predictions)
    assert model.output is DIRICHLET
    for number, row in written.iterrows():
        waveform = load_waveform(release.data_folder / f"{row['ID']}.wav", model.sample_rate)
        with torch.no_grad():
            logits = model.logits(waveform.unsqueeze(0), torch.tensor([len(waveform)]))[0].double().numpy()
        assert row[CONCENTRATION] == pytest.approx(DIRICHLET.concentrations(logits)[0], rel=1e-4), number
        assert row[[f"p_{emotion}" for emotion in EMOTIONS]].tolist() == pytest.approx(DIRICHLET.probabilities(logits)[0], rel=1e-4)
