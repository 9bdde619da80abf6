"""Small models that were never trained, as bundles: enough to load, share and ask."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import torch
from hyperpyyaml import load_hyperpyyaml
from safetensors.torch import load_file

from mlee_sb.calibration import Calibration
from mlee_sb.files import write_json
from mlee_sb.inference.card import write_card
from mlee_sb.models.bundle import save_bundle
from mlee_sb.models.dense_classifier import DenseClassifier
from mlee_sb.models.emotion_model import EmotionModel, PresenceHead
from mlee_sb.models.encoders.base import Encoder
from mlee_sb.models.encoders.cnn_blstm_attention import PaperEncoder
from mlee_sb.models.encoders.frozen import FrozenEncoders
from mlee_sb.models.weights import save_weights
from mlee_sb.targets import DIRICHLET, SIGMOID, SOFTMAX

PARTS = Path(__file__).parents[1] / "hparams/parts"

OF_SCHEMA_2 = Path(__file__).parent / "models/schema2"
"""A bundle that mlee_sb wrote when config.json did not note the sha256 of the weights."""

EMOTIONS = ["neu", "hap", "sad"]
RATE = 16000
LABELS = {
    **{"corpus": "crema_d", "row": "mlee_fusion_soft", "train_set": "all", "fold": 1, "seed": 1},
    **{"target": "soft", "min_votes": 1, "alpha": 0.75},
}
SCORES = {
    **{name: LABELS[name] for name in ("row", "train_set", "fold", "seed", "corpus")},
    **{"n": 30, "n_all": 40, "wa": 0.5, "ua": 0.4, "macro_f1": 0.3, "demo": False},
    "recall": {"neu": 0.5, "hap": 0.4, "sad": 0.3},
}
THRESHOLDS = [0.2 + 0.6 * percent / 100 for percent in range(1, 100)]
CURVES = [(1.5, 0.5), (1.0, -0.5), (0.8, 0.0)]


def built(part: str, **changed):
    """What a file in hparams/parts/ describes, with some of its settings changed: the values of the paper stand there alone."""
    lines = [f"part: !include:{PARTS / part}.yaml", *(f"    {name}: {json.dumps(value)}" for name, value in changed.items())]
    return load_hyperpyyaml("\n".join(lines))["part"]


def paper_encoder(**changed) -> PaperEncoder:
    """The encoder of hparams/parts/paper_encoder.yaml, with some of its settings changed."""
    return built("paper_encoder", **changed)


def small_encoder(**changed) -> PaperEncoder:
    """The paper's encoder with few units, for the waveform."""
    encoder = paper_encoder(**changed, channels=[2, 3, 4], kernels=[[5, 6], [4, 3], [3, 3]], lstm_size=6, attention_size=5)
    encoder.normalizer.mean.fill_(-12.0)
    encoder.normalizer.std.fill_(4.0)
    encoder.normalizer.fitted.fill_(True)
    return encoder


def small_fusion(
    seed: int = 0, calibration: bool = True, encoders: Callable[[], list[Encoder]] = lambda: [small_encoder(), small_encoder()]
) -> EmotionModel:
    """Frozen encoders, two unless others are made, the head of existence on the first."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoders = encoders()
        sizes = [encoder.embedding_size for encoder in encoders]
        classifier = DenseClassifier(sum(sizes), len(EMOTIONS), 8)
        torch.nn.init.normal_(classifier.output.weight, std=3)
        presence = PresenceHead(DenseClassifier(sizes[0], len(EMOTIONS), 8), 0, 0)
    known = Calibration(0.7, CURVES, THRESHOLDS, 100, 5) if calibration else None
    return EmotionModel(FrozenEncoders(encoders), classifier, EMOTIONS, SOFTMAX, presence, known).eval()


def small_existence(**changed) -> EmotionModel:
    """A model of existence alone; its encoder may have some settings changed."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        encoder = small_encoder(**changed)
        classifier = DenseClassifier(encoder.embedding_size, len(EMOTIONS), 8)
    return EmotionModel(encoder, classifier, EMOTIONS, SIGMOID, None, Calibration(1.0, CURVES, THRESHOLDS, 100, 5)).eval()


def small_dirichlet() -> EmotionModel:
    """A model of the dominant emotion that tells its uncertainty, too, and nothing of presence."""
    with torch.random.fork_rng():
        torch.manual_seed(2)
        encoder = small_encoder()
        classifier = DenseClassifier(encoder.embedding_size, len(EMOTIONS), 8)
        torch.nn.init.normal_(classifier.output.weight, std=3)
    return EmotionModel(encoder, classifier, EMOTIONS, DIRICHLET, None, Calibration(0.7, None, THRESHOLDS, 100, 5)).eval()


def write_bundle(folder: Path, model: EmotionModel | None = None, demo: bool = False) -> Path:
    """A whole bundle, with scores and card; return its folder."""
    model = model or small_fusion()
    rows = {SIGMOID: ("existence", "mlee"), DIRICHLET: ("dirichlet", "dirichlet")}
    target, row = rows.get(model.output, (LABELS["target"], LABELS["row"]))
    save_bundle(folder, model, {**LABELS, "target": target, "row": row}, demo)
    write_json(folder / "scores.json", {**SCORES, "row": row})
    write_card(folder)
    return folder


def copy_of(bundle: Path, to: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(bundle, to))


def one_weight_a_little_larger(bundle: Path) -> None:
    """Change four bytes of the weights and nothing else, by so little that the test tone does not tell."""
    path = bundle / "model.safetensors"
    weights = load_file(path)
    weights["classifier.output.bias"][0] += 1e-6
    save_weights(path, weights, EMOTIONS)


def speech(seconds: float, rate: int = RATE, seed: int = 0) -> np.ndarray:
    """Something that rises and falls as speech does, [samples]."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    voice = 0.2 * np.sin(2 * np.pi * (200 + 80 * np.sin(3 * time)) * time) + 0.05 * rng.standard_normal(len(time))
    return (voice * np.cos(2 * np.pi * 2 * time) ** 2).astype(np.float32)  # four syllables a second


def write_speech(path: Path, seconds: float = 1.0, rate: int = RATE, channels: int = 1, seed: int = 0) -> Path:
    """A file of it."""
    soundfile.write(path, np.repeat(speech(seconds, rate, seed)[:, None], channels, axis=1), rate)
    return path
