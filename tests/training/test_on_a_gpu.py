"""On a GPU, no step of training waits for it, and no tensor is left on the CPU. No GPU is needed to see it, but backward needs one."""

import contextlib
from types import SimpleNamespace

import pytest
import torch
from bundles import built, paper_encoder
from pretend_gpu import DEVICE, PretendGpu
from speechbrain import Stage
from torch.distributed.utils import _to_kwargs

from mlee_sb.models.device import upload
from mlee_sb.models.emotion_model import EmotionModel, PresenceHead
from mlee_sb.models.encoders.frozen import FrozenEncoders
from mlee_sb.targets import SOFTMAX
from mlee_sb.training.brains import BRAINS, Learned
from mlee_sb.training.data import Batch

EMOTIONS = ["neu", "hap", "sad"]
K = len(EMOTIONS)
LENGTHS = torch.tensor([8000, 16000, 12000])  # samples
BATCH = Batch(torch.ones(3, 16000), LENGTHS, torch.eye(K), torch.arange(3))


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "enabled", False)  # an LSTM asks the driver for it, and there is none
    with PretendGpu() as gpu:
        yield gpu


def head(embedding_size):
    return built("classifier")(embedding_size=embedding_size, n_emotions=K)


def brain_on_the_gpu(target, monkeypatch):
    """At the second step of an epoch, when the progress bar has nothing new to show."""
    brain = object.__new__(BRAINS[target])  # without SpeechBrain's part, which asks the driver for the device
    brain.device, brain.step, brain.nonfinite_patience, brain.training_ctx = DEVICE, 2, 3, contextlib.nullcontext()
    brain.scaler = torch.amp.GradScaler("cuda", enabled=False)
    encoder = paper_encoder()
    brain.modules = torch.nn.ModuleDict({"encoder": Learned(encoder, dropout=0.0), "classifier": head(encoder.embedding_size)}).to(DEVICE)
    brain.loss_mean = "plain"
    brain.class_weights = torch.ones(K, 2).to(DEVICE) if target == "existence" else torch.ones(K).to(DEVICE)
    monkeypatch.setattr(torch.Tensor, "backward", lambda loss: None)
    monkeypatch.setattr(brain, "optimizers_step", lambda: None)
    brain.on_stage_start(Stage.TRAIN, epoch=1)
    return brain


def moved_by_ddp(args):
    """What torch's DistributedDataParallel hands to the module on its GPU."""
    moved, _ = _to_kwargs(args, {}, torch.device(DEVICE), False)
    return moved[0]


@pytest.mark.parametrize("target", BRAINS)
def test_a_training_step_waits_for_nothing(gpu, target, monkeypatch):
    brain = brain_on_the_gpu(target, monkeypatch)
    gpu.waited_for.clear()  # modules were moved there
    loss = brain.fit_batch(BATCH)
    assert brain.update_average(loss, 1.25) == 1.25
    assert str(loss.device) == DEVICE and loss.shape == ()
    assert gpu.waited_for == []


def test_an_encoder_that_ddp_wraps_for_a_gpu_finds_its_lengths_on_the_cpu(gpu, monkeypatch):
    brain = brain_on_the_gpu("hard", monkeypatch)
    encoder = brain.modules.encoder
    brain.modules = SimpleNamespace(encoder=lambda *args: encoder(*moved_by_ddp(args)), classifier=brain.modules.classifier)
    gpu.waited_for.clear()
    assert brain.fit_batch(BATCH).shape == ()
    assert gpu.waited_for == []


def test_classifying_waits_for_its_answer_alone(gpu):
    frozen = FrozenEncoders([paper_encoder(), paper_encoder()])
    presence = PresenceHead(head(frozen.encoders[0].embedding_size), 0, 0)
    model = EmotionModel(frozen, head(frozen.embedding_size), EMOTIONS, SOFTMAX, presence).to(DEVICE).eval()
    gpu.waited_for.clear()
    logits, existence = model.logits(upload(BATCH.inputs, DEVICE), LENGTHS)
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
