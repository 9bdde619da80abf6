"""The fixed parts of the encoders of a stage: what computes them, what they depend on, and the folder in which stages share them."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from mlee_sb.models.bundle import load_bundle
from mlee_sb.models.emotion_model import EmotionModel
from mlee_sb.models.encoders.base import Encoder
from mlee_sb.models.encoders.frozen import as_fixed
from mlee_sb.models.registry import describe
from mlee_sb.noted_upstreams import upstream_folders
from mlee_sb.plugins import ENCODERS
from mlee_sb.stage_folder import UPSTREAM, above_rows
from mlee_sb.training.source_code import code_of_fixed
from mlee_sb.training.stage import Stage

SHOWN_DIGITS = 16  # digits of a hash in the name of a file or folder


@dataclass(frozen=True)
class FixedPart:
    """A part of an encoder that never learns, and the folder with its values.

    Attributes
    ----------
    folder : the folder with a file for each speed and set of utterances
    key : text that names all that the values depend on, except utterances and speed; a file with another key is computed again
    module : the module that computes, which must be put on a device
    compute : from waveforms [batch, samples] and lengths [batch], or from the values of `below`, to values [batch, steps, ...] and
        lengths [batch]
    below : the fixed parts that it is computed from; none for waveforms
    of_corpus : whether stages of all folds share it. Then its files hold the utterances of one speaker, and their keys name the
        recordings, too
    """

    folder: Path
    key: str
    module: Encoder
    compute: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    below: Sequence["FixedPart"] = ()
    of_corpus: bool = False

    @property
    def name(self) -> str:
        """What it is, for a person."""
        return f"fixed part of {type(self.module).__name__}" if self.of_corpus else "embeddings of a frozen stage"


def required_models(stage: Stage) -> dict[str, EmotionModel]:
    """Load the models of the required stages, by name."""
    found = {
        name: load_bundle(part.files.model, places=upstream_folders(part.folder), check_answer=False)
        for name, part in stage.requires.items()
    }
    return {name: bundle.model for name, bundle in found.items()}


def fixed_parts(stage: Stage, encoder: Encoder, required: dict[str, EmotionModel]) -> list[FixedPart]:
    """Return the fixed parts of the encoder of a stage: one for each required stage, or the encoder's own; [] if it has none.

    Parameters
    ----------
    stage : the stage
    encoder : its encoder
    required : the models of the required stages, by name
    """
    if required:
        return [_of_stage(stage.requires[name], model.encoder) for name, model in required.items()]
    return [_of_encoder(stage, encoder)] if encoder.keeps_fixed else []


def _of_stage(required: Stage, encoder: Encoder) -> FixedPart:
    """Return the fixed part that computes the embeddings of a trained stage. They are kept in the folder of this stage."""
    files = required.files
    below = fixed_parts(required, encoder, required_models(required))
    embed = encoder.learned if below else encoder
    compute = lambda values, lengths: as_fixed(embed(values, lengths))  # noqa: E731
    return FixedPart(files.embeddings, f"{required.key} {files.weights}", encoder, compute, below)


def _of_encoder(stage: Stage, encoder: Encoder) -> FixedPart:
    """Return the fixed part of an encoder itself. All stages with this encoder share it, whatever their row, fold and seed."""
    described = describe(ENCODERS, encoder)
    identity = [described["name"], described["package"], encoder.fixed_identity, code_of_fixed(encoder)]
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return FixedPart(above_rows(stage.folder) / UPSTREAM / key[:SHOWN_DIGITS], key, encoder, encoder.fixed, of_corpus=True)
