"""The golden.json of a bundle: the answer of a model to a test tone. It is checked at each loading, to find a wrong weight or label."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from mlee_sb.errors import InputError
from mlee_sb.models.bundle_files import GOLDEN
from mlee_sb.models.config import AGAIN, read_bounded
from mlee_sb.models.emotion_model import EmotionModel

LARGEST_GOLDEN = 64 * 1024  # bytes
SECONDS, PITCH, TREMOLO, LOUDNESS = 1.0, 150.0, 4.0, 0.1  # of the tone: s, Hz, Hz, amplitude of the first harmonic
HARMONICS = 8
TOLERANCE = 1e-4  # for a probability, because processors round differently


def tone(sample_rate: int, min_samples: int = 0) -> Tensor:
    """Return a voice-like tone [samples]: harmonics of a rising pitch, with a changing loudness. It is the same on every machine."""
    n = max(round(SECONDS * sample_rate), min_samples)
    time = torch.arange(n, dtype=torch.float64) / sample_rate
    phase = 2 * torch.pi * PITCH * (time + 0.2 * time.square())
    voice = sum((phase * h).sin() / h for h in range(1, HARMONICS + 1))
    return (LOUDNESS * voice * (1 + 0.5 * (2 * torch.pi * TREMOLO * time).sin())).float()


@torch.no_grad()
def golden_answer(model: EmotionModel) -> dict[str, dict[str, float]]:
    """Return the answer of the model to the tone: name of the answer -> emotion -> probability; NaN if a logit is not finite.

    The answers are those of its output, and presence if the model has a head for it.
    """
    waveform = tone(model.sample_rate, model.min_samples)
    logits, presence = model.logits(waveform.unsqueeze(0), torch.tensor([len(waveform)]))
    answers = {model.output.answer: model.log_probabilities(logits).exp() + 0 * logits}
    if model.presence is not None:
        answers["presence"] = presence.sigmoid() + 0 * presence
    return {name: dict(zip(model.emotions, values[0].double().tolist(), strict=True)) for name, values in answers.items()}


def check_golden(model: EmotionModel, folder: Path, root: Path | None = None) -> float:
    """Give the tone to the model, and return the largest difference between a probability and golden.json.

    Raises
    ------
    InputError
        if golden.json is missing or damaged, has other emotions or another order, or if the model gives another answer
    """
    path = folder / GOLDEN
    text = read_bounded(path, LARGEST_GOLDEN, root)
    try:
        noted = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error}); {AGAIN}") from error
    try:
        said = golden_answer(model)
    except InputError as error:
        raise type(error)(f"{path}: the model cannot answer the tone: {error}") from error
    except Exception as error:  # of any kind: settings that fit together may still make a model that cannot compute
        raise InputError(f"{path}: the model cannot answer the tone ({type(error).__name__}: {error!s:.200}); {AGAIN}") from error
    if not isinstance(noted, Mapping) or noted.keys() != said.keys() or not all(isinstance(part, Mapping) for part in noted.values()):
        raise InputError(f"{path}: must hold {', '.join(said)}; {AGAIN}")
    worst = 0.0
    for name, by_emotion in said.items():
        if list(noted[name]) != model.emotions:
            raise InputError(
                f"{path}: {name} must have the emotions {' '.join(model.emotions)} in this order: labels were exchanged; {AGAIN}"
            )
        for emotion, value in by_emotion.items():
            expected = noted[name][emotion]
            if not isinstance(expected, float) or not abs(expected - value) <= TOLERANCE:  # NaN too
                raise InputError(f"{path}: the model says {name} {emotion} {value:.6f} of the tone, not {expected!r:.20}: damaged; {AGAIN}")
            worst = max(worst, abs(expected - value))
    return worst
