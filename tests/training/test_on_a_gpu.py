"""On a GPU, nothing between the waveforms and the losses waits for it, and no tensor is left on the CPU. No GPU is needed to see it."""

import pytest
import torch
from pretend_gpu import DEVICE, PretendGpu

from mlee_sb.models.classifier import DenseClassifier
from mlee_sb.models.encoder import CnnBlstmAttention
from mlee_sb.models.features import LogPowerSpectrogram
from mlee_sb.models.normalization import ZNorm
from mlee_sb.models.pipeline import EmotionModel, FrozenEncoders, PresenceHead, UtteranceEncoder
from mlee_sb.training.brains import BRAINS
from mlee_sb.training.data import Batch

EMOTIONS = ["neu", "hap", "sad"]
K = len(EMOTIONS)
LENGTHS = torch.tensor([8000, 16000, 12000])  # samples


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "enabled", False)  # an LSTM asks the driver for it, and there is none
    with PretendGpu() as gpu:
        yield gpu


def utterance_encoder():
    return UtteranceEncoder(LogPowerSpectrogram(), ZNorm(), CnnBlstmAttention())


@pytest.mark.parametrize("target", BRAINS)
def test_a_training_step_waits_for_nothing_before_its_loss(gpu, target):
    brain = object.__new__(BRAINS[target])  # without SpeechBrain's part, which asks the driver for the device
    brain.device, brain.utterance_losses = DEVICE, []
    brain.modules = torch.nn.ModuleDict({"encoder": utterance_encoder(), "classifier": DenseClassifier(256, K)}).to(DEVICE)
    brain.class_weights = torch.ones(K, 2).to(DEVICE) if target == "existence" else torch.ones(K).to(DEVICE)
    batch = Batch(torch.randn(3, 16000), LENGTHS, torch.eye(K), torch.arange(3))
    loss = brain.compute_objectives(brain.compute_forward(batch, stage=None), batch, stage=None)
    assert str(loss.device) == DEVICE and loss.shape == ()
    assert gpu.waited_for == []


def test_classifying_waits_for_its_answer_alone(gpu):
    frozen = FrozenEncoders([utterance_encoder(), utterance_encoder()])
    presence = PresenceHead(DenseClassifier(256, K), 0, 0)
    model = EmotionModel(frozen, DenseClassifier(512, K), EMOTIONS, "softmax", presence).to(DEVICE).eval()
    logits, existence = model.logits(torch.randn(3, 16000).to(DEVICE), LENGTHS)
    assert {str(logits.device), str(existence.device)} == {DEVICE}
    assert gpu.waited_for == []
    logits.cpu()
    assert gpu.waited_for != []


def test_the_pretended_gpu_sees_what_it_is_there_to_see(gpu):
    there, here = torch.ones(2).to(DEVICE), torch.ones(2)
    with pytest.raises(RuntimeError, match="device"):
        there + here
    with pytest.raises(RuntimeError):
        bool(there.isfinite().all())
    assert torch.equal(here + here, torch.full((2,), 2.0))
