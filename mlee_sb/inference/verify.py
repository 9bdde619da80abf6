"""Check all files of a bundle: those that mlee_sb reads, those that SpeechBrain would run, and those that people read."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from mlee_sb.errors import InputError, reason_of
from mlee_sb.inference.card import read_scores, tested_scores
from mlee_sb.inference.hub import Place
from mlee_sb.inference.publish import first_wrong_figure
from mlee_sb.inference.source import load_at
from mlee_sb.models.bundle import Bundle, label_encoder_text, speechbrain_checkpoints, speechbrain_yaml
from mlee_sb.models.bundle_files import CARD, CONFIG, GOLDEN, HYPERPARAMS, LABEL_ENCODER, SCORES, WEIGHTS
from mlee_sb.models.config import LARGEST_TEXT, check_place, read_bounded
from mlee_sb.models.upstreams.carried import stored_weights

LARGEST_CHECKPOINT = 2.0  # times the size of its weights


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes
    ----------
    name : what was checked
    passed : whether it is right
    seen : what was found, in words
    """

    name: str
    passed: bool
    seen: str


def verify(place: Place) -> list[Check]:
    """Check everything in a bundle. Nothing in it is executed: only tensors are read from pickled files.

    Returns
    -------
    list of Check
        one for each part of the bundle; if the model cannot be loaded, one that says why
    """
    try:
        bundle = load_at(place)
    except InputError as error:
        return [Check(f"{CONFIG}, {WEIGHTS}, {GOLDEN}", False, str(error))]
    parts, sha256 = len(stored_weights(bundle.model)), bundle.config.weights_sha256
    known = f"sha256 {sha256} as in {CONFIG}" if sha256 else f"{CONFIG} of schema {bundle.config.schema_} notes no sha256 of them"
    done = [
        Check(CONFIG, True, f"schema {bundle.config.schema_}, written by mlee_sb {bundle.config.version}"),
        Check(
            WEIGHTS,
            True,
            f"{parts} tensors, each of the expected shape and finite; labels in this order: {' '.join(bundle.config.emotions)}; {known}",
        ),
        Check(GOLDEN, True, f"the answer to the test tone is the noted one, up to {bundle.golden_difference:.1e}"),
    ]
    looks = {SCORES: _look_at_scores, CARD: _look_at_card, f"{HYPERPARAMS}, {LABEL_ENCODER}, *.ckpt": _look_at_speechbrain}
    return [*done, *(_checked(name, look, place, bundle) for name, look in looks.items())]


def _checked(name: str, look: Callable[[Place, Bundle], str], place: Place, bundle: Bundle) -> Check:
    try:
        return Check(name, True, look(place, bundle))
    except InputError as error:
        return Check(name, False, str(error))


def _look_at_scores(place: Place, bundle: Bundle) -> str:
    scores = read_scores(place, bundle.config)
    if scores is None:
        raise InputError(f"{place.folder / SCORES}: missing: nobody can know how good the model is")
    return f"of this model, over {tested_scores(scores).get('n_all', '?')} test utterances"


def _look_at_card(place: Place, bundle: Bundle) -> str:
    text = read_bounded(place.folder / CARD, LARGEST_TEXT, place.root)
    if not text.strip():
        raise InputError(f"{place.folder / CARD}: empty: train the stage again, which writes it, or get the bundle again")
    scores = read_scores(place, bundle.config)
    if scores is None:
        return "there, but there are no scores to compare it with"
    if wrong := first_wrong_figure(text, scores):
        raise InputError(f"{place.folder / CARD}: {wrong}: is it of another model?")
    return "there, with the figures of scores.json"


def _look_at_speechbrain(place: Place, bundle: Bundle) -> str:
    expected = {
        HYPERPARAMS: speechbrain_yaml(bundle.config, bundle.model.sample_rate),
        LABEL_ENCODER: label_encoder_text(bundle.config.emotions),
    }
    for file, text in expected.items():
        if read_bounded(place.folder / file, LARGEST_TEXT, place.root) != text:
            raise InputError(
                f"{place.folder / file}: not what mlee_sb writes for this config.json. SpeechBrain runs it: do not load this model there"
            )
    for file, own in speechbrain_checkpoints(stored_weights(bundle.model)).items():
        _same_tensors(place.folder / file, own, place.root)
    return "as mlee_sb writes them for this config.json, with the same weights"


def _same_tensors(path: Path, expected: dict[str, torch.Tensor], root: Path) -> None:
    check_place(path, root)
    size = sum(tensor.numel() * tensor.element_size() for tensor in expected.values())
    if path.stat().st_size > LARGEST_CHECKPOINT * size + LARGEST_TEXT:
        raise InputError(f"{path}: {path.stat().st_size:,} bytes, too many for weights of {size:,} bytes")
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle and zip raise another type of error for each kind of damage
        raise InputError(f"{path}: not plain weights ({reason_of(error)})") from error
    if not isinstance(found, dict) or found.keys() != expected.keys() or not all(_equal(found[name], expected[name]) for name in expected):
        raise InputError(f"{path}: not the weights of {WEIGHTS}")


def _equal(found, expected: torch.Tensor) -> bool:
    return isinstance(found, torch.Tensor) and found.dtype == expected.dtype and torch.equal(found, expected)
