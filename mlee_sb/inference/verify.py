"""Look through a bundle: what mlee_sb reads of it, what SpeechBrain would run of it, what people read of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from mlee_sb.errors import InputError
from mlee_sb.inference.card import read_scores
from mlee_sb.inference.hub import LARGEST_TEXT, Place
from mlee_sb.inference.publish import figures_that_differ
from mlee_sb.inference.source import load_at
from mlee_sb.models.bundle import Bundle, label_encoder_text, speechbrain_yaml
from mlee_sb.models.bundle_files import CARD, CHECKPOINTS, CONFIG, GOLDEN, HYPERPARAMS, LABEL_ENCODER, SCORES, WEIGHTS
from mlee_sb.models.config import check_place, read_bounded

LARGEST_CHECKPOINT = 2.0  # times what its weights take


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: its name, whether it is right, and what was seen."""

    name: str
    passed: bool
    seen: str


def verify(place: Place) -> list[Check]:
    """Check everything in a bundle. Nothing of it is executed: of pickled files, only tensors are read.

    Returns
    -------
    list
        in the order in which a person would ask; where the model itself cannot be loaded, that alone
    """
    try:
        bundle = load_at(place)
    except InputError as error:
        return [Check(f"{CONFIG}, {WEIGHTS}, {GOLDEN}", False, str(error))]
    parts, sha256 = len(bundle.model.state_dict()), bundle.config.weights_sha256
    known = f"sha256 {sha256} as {CONFIG} notes it" if sha256 else f"{CONFIG} of schema {bundle.config.schema_} notes no sha256 of them"
    done = [
        Check(CONFIG, True, f"schema {bundle.config.schema_}, written by mlee_sb {bundle.config.version}"),
        Check(
            WEIGHTS,
            True,
            f"{parts} tensors, each of the expected shape and finite; labels in this order: {' '.join(bundle.config.emotions)}; {known}",
        ),
        Check(GOLDEN, True, f"the test tone is answered as noted, up to {bundle.golden_difference:.1e}"),
    ]
    for name, look in {SCORES: _scores, CARD: _card, f"{HYPERPARAMS}, {LABEL_ENCODER}, *.ckpt": _speechbrain}.items():
        done.append(_checked(name, look, place, bundle))
    return done


def _checked(name: str, look: Callable[[Place, Bundle], str], place: Place, bundle: Bundle) -> Check:
    try:
        return Check(name, True, look(place, bundle))
    except InputError as error:
        return Check(name, False, str(error))


def _scores(place: Place, bundle: Bundle) -> str:
    scores = read_scores(place, bundle.config)
    if scores is None:
        raise InputError(f"{place.folder / SCORES}: missing: nobody can tell how good the model is")
    return f"of this model, over {scores.get('n_all', '?')} test utterances"


def _card(place: Place, bundle: Bundle) -> str:
    text = read_bounded(place.folder / CARD, LARGEST_TEXT, place.root)
    scores = read_scores(place, bundle.config)
    if scores is None:
        return "there, with no scores to hold it against"
    if differing := figures_that_differ(text, scores):
        raise InputError(f"{place.folder / CARD}: {differing}: is it of another model?")
    return "there, with the figures of scores.json"


def _speechbrain(place: Place, bundle: Bundle) -> str:
    expected = {
        HYPERPARAMS: speechbrain_yaml(bundle.config, bundle.model.sample_rate),
        LABEL_ENCODER: label_encoder_text(bundle.config.emotions),
    }
    for file, text in expected.items():
        if read_bounded(place.folder / file, LARGEST_TEXT, place.root) != text:
            raise InputError(
                f"{place.folder / file}: not what mlee_sb writes for this config.json: SpeechBrain would run it: do not let it"
            )
    weights = bundle.model.state_dict()
    for prefix, file in CHECKPOINTS.items():
        own = {f"model.{name}": tensor for name, tensor in weights.items() if name.startswith(prefix)}
        _same_tensors(place.folder / file, own, place.root)
    return "as mlee_sb writes them for this config.json, with the same weights"


def _same_tensors(path: Path, expected: dict[str, torch.Tensor], root: Path) -> None:
    check_place(path, root)
    size = sum(tensor.numel() * tensor.element_size() for tensor in expected.values())
    if path.stat().st_size > LARGEST_CHECKPOINT * size + LARGEST_TEXT:
        raise InputError(f"{path}: {path.stat().st_size:,} bytes for weights of {size:,}")
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle and zip have a type of error for each kind of damage
        raise InputError(f"{path}: not plain weights ({str(error).splitlines()[0][:200]})") from error
    if not isinstance(found, dict) or found.keys() != expected.keys() or not all(_equal(found[name], expected[name]) for name in expected):
        raise InputError(f"{path}: not the weights of {WEIGHTS}")


def _equal(found, expected: torch.Tensor) -> bool:
    return isinstance(found, torch.Tensor) and found.dtype == expected.dtype and torch.equal(found, expected)
