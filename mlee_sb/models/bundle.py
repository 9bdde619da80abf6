"""A trained model as a folder (contract 3): written whole, and read without running anything in it.

mlee_sb reads only config.json, model.safetensors and golden.json. hyperparams.yaml and the *.ckpt files are for SpeechBrain's
EncoderClassifier only, which runs hyperparams.yaml.
"""

import json
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor

from mlee_sb.errors import InputError
from mlee_sb.files import sha256_of, write_json, write_text, written_beside
from mlee_sb.models.bundle_files import CHECKPOINTS, CONFIG, GOLDEN, HYPERPARAMS, LABEL_ENCODER, WEIGHTS
from mlee_sb.models.classifiers import build_classifier, describe_classifier
from mlee_sb.models.config import Architecture, BundleConfig, EncoderConfig, read_config
from mlee_sb.models.emotion_model import EmotionModel, PresenceHead
from mlee_sb.models.encoders.base import Encoder
from mlee_sb.models.encoders.frozen import FrozenEncoders
from mlee_sb.models.estimate import check_model
from mlee_sb.models.golden import check_golden, golden_answer
from mlee_sb.models.registry import build, describe
from mlee_sb.models.upstreams.carried import PREFIX, stored_weights, take_carried, upstreams_of
from mlee_sb.models.upstreams.upstream import Upstream
from mlee_sb.models.weights import check_memory, load_weights, save_weights
from mlee_sb.plugins import ENCODERS, FRONT_ENDS
from mlee_sb.targets.outputs import OUTPUTS

# `!new:` runs code of this package only, and only with the settings of config.json.
SPEECHBRAIN_YAML = """\
# Written for SpeechBrain: EncoderClassifier.from_hparams(source=<this folder>). mlee_sb itself reads config.json only.
# Loading this file runs code from it, as with every SpeechBrain model: do so only if you trust where it came from.
config: {config}

compute_features: !new:mlee_sb.models.speechbrain_modules.Waveforms
mean_var_norm: !new:mlee_sb.models.speechbrain_modules.Waveforms
embedding_model: !new:mlee_sb.models.speechbrain_modules.WaveformEmbedding
    config: !ref <config>
classifier: !new:mlee_sb.models.speechbrain_modules.LogProbabilities
    config: !ref <config>
label_encoder: !new:speechbrain.dataio.encoder.CategoricalEncoder
audio_normalizer: !new:speechbrain.dataio.preprocess.AudioNormalizer
    sample_rate: {sample_rate}

modules:
    compute_features: !ref <compute_features>
    mean_var_norm: !ref <mean_var_norm>
    embedding_model: !ref <embedding_model>
    classifier: !ref <classifier>

pretrainer: !new:{pretrainer}
    loadables:
{upstreams}        embedding_model: !ref <embedding_model>
        classifier: !ref <classifier>
        label_encoder: !ref <label_encoder>
"""
PRETRAINER = "speechbrain.utils.parameter_transfer.Pretrainer"
# Where the bundle carries upstreams: they are read from its model.safetensors, so that a bundle holds them once. They come first, because
# layers of them that learned are among the weights of the embedding model.
PRETRAINER_WITH_UPSTREAMS = "mlee_sb.models.speechbrain_modules.PretrainerWithUpstreams"
UPSTREAMS = PREFIX.rstrip(".")  # its name for what takes them
NOT_WRITTEN = "0" * 64  # stands for the sha256 of weights that are not written yet


@dataclass(frozen=True)
class Bundle:
    """A loaded model, its config.json, and the largest difference between its answer to the tone and golden.json."""

    model: EmotionModel
    config: BundleConfig
    golden_difference: float


def describe_model(model: EmotionModel, labels: dict, demo: bool, weights_sha256: str = NOT_WRITTEN) -> BundleConfig:
    """Return the content of config.json: everything that is needed to build `model` again, except its weights.

    Parameters
    ----------
    model : the model
    labels : the rules of its labels, and the data that it was trained on (`mlee_sb.models.config.LabelRules`)
    demo : whether it was trained on the demo release
    weights_sha256 : sha256 of the file with its weights; by default that of no file
    """
    presence = model.presence and {"encoder": model.presence.encoder, "classifier": describe_classifier(model.presence.classifier)}
    upstreams = upstreams_of(model)
    front_ends = [getattr(encoder, "front_end", None) for encoder in model.encoders]
    encoders = [
        {
            **describe(ENCODERS, encoder),
            "front_end": None if front_end is None else describe(FRONT_ENDS, front_end),
            "upstream": upstream,
        }
        for encoder, front_end, upstream in zip(model.encoders, front_ends, upstreams.of_encoders, strict=True)
    ]
    return BundleConfig(
        weights_sha256=weights_sha256,
        version=version("mlee_sb"),
        demo=demo,
        emotions=model.emotions,
        output=model.output.name,
        labels=labels,
        frozen_encoders=isinstance(model.encoder, FrozenEncoders),
        encoders=encoders,
        upstreams=upstreams.described,
        classifier=describe_classifier(model.classifier),
        presence=presence,
        calibration=model.calibration,
    )


def check_describable(model: EmotionModel, labels: dict, demo: bool) -> None:
    """Check before training that config.json can describe a model, and that the model can be built again from it.

    Parameters
    ----------
    model, labels, demo : as for `describe_model`

    Raises
    ------
    InputError
        if a part of it is not registered, has no settings, or cannot be built from them, or no bundle can hold its classifier
    """
    try:
        _without_memory(describe_model(model, labels, demo))
    except InputError as error:
        remedy = "A model is built on torch's meta device when it is loaded: compute constants below `with torch.device('cpu'):`"
        raise InputError(f"{error} {remedy}" if "meta" in str(error) else str(error)) from error


def _without_memory(config: Architecture) -> EmotionModel:
    """Build the model on the meta device: it takes no memory, whatever config.json says."""
    with torch.device("meta"):
        return build_model(config)


def build_model(config: Architecture, places: Sequence[Path] = ()) -> EmotionModel:
    """Build the model that config.json describes, with new weights. The global random generator does not change.

    Parameters
    ----------
    config : the description
    places : folders in which the files of its upstreams may lie

    Raises
    ------
    InputError
        if an encoder or a front end is not registered here, or if the parts do not fit together
    """
    with torch.random.fork_rng(devices=[]):
        encoders = [_build_encoder(part, config, places) for part in config.whole_encoders]
        encoder: Encoder = FrozenEncoders(encoders) if config.frozen_encoders else encoders[0]
        classifier = build_classifier(config.classifier)
        presence = _presence_head(config, encoders)
    heads = {"classifier": (classifier, encoder)}
    if presence:
        heads["presence"] = (presence.classifier, encoders[presence.encoder])
    for name, (head, below) in heads.items():
        if (head.settings["embedding_size"], head.settings["n_emotions"]) != (below.embedding_size, len(config.emotions)):
            raise InputError(
                f"{name}: made for {head.settings}, but there are {below.embedding_size} dimensions and {len(config.emotions)} emotions"
            )
    known = {name: getattr(config, name) for name in ("calibration", "demo") if hasattr(config, name)}  # of a whole config.json
    return EmotionModel(encoder, classifier, config.emotions, OUTPUTS[config.output], presence, **known)


def _build_encoder(config: EncoderConfig, whole: Architecture, places: Sequence[Path]) -> Encoder:
    parts = {} if config.front_end is None else {"front_end": build(FRONT_ENDS, **config.front_end.model_dump())}
    if config.upstream is not None:
        parts["upstream"] = Upstream(whole.upstreams[config.upstream], places)
    return build(ENCODERS, config.name, config.package, config.settings, **parts)


def _presence_head(config: Architecture, encoders: list[Encoder]) -> PresenceHead | None:
    if config.presence is None:
        return None
    start = sum(encoder.embedding_size for encoder in encoders[: config.presence.encoder])
    return PresenceHead(build_classifier(config.presence.classifier), config.presence.encoder, start)


def save_bundle(folder: str | Path, model: EmotionModel, labels: dict, demo: bool) -> None:
    """Write the bundle of `model` as one folder, whole or not at all. The answer to the tone comes from the weights as they are written.

    The weights of its upstreams are not written, unless the model carries them (`mlee_sb.models.upstreams.carried.carry`).

    Raises
    ------
    InputError
        if a part of the model is not registered, or if its weights or its answer are not finite
    """
    weights = stored_weights(model)
    places = [place for encoder in model.encoders if hasattr(encoder, "upstream") for place in encoder.upstream.places]
    with written_beside(folder) as beside:
        beside.mkdir()
        save_weights(beside / WEIGHTS, weights, model.emotions)
        config = describe_model(model, labels, demo, sha256_of(beside / WEIGHTS))
        write_json(beside / CONFIG, config.as_json())
        shutil.copymode(beside / CONFIG, beside / WEIGHTS)  # safetensors makes a file that only its owner can read
        said = golden_answer(_load(beside, places=places)[0])
        if not all(math.isfinite(value) for by_emotion in said.values() for value in by_emotion.values()):
            raise InputError(f"{folder}: not written: the model's answer to a test tone is not finite: train it again, with a lower lr")
        write_json(beside / GOLDEN, said)
        write_text(beside / HYPERPARAMS, speechbrain_yaml(config, model.sample_rate))
        write_text(beside / LABEL_ENCODER, label_encoder_text(model.emotions))
        for file, of_part in speechbrain_checkpoints(weights).items():
            torch.save(of_part, beside / file)


def speechbrain_checkpoints(weights: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Return the weights of a bundle as SpeechBrain's EncoderClassifier reads them: file -> name of a tensor -> the tensor.

    Upstreams are not among them: SpeechBrain reads those from model.safetensors.
    """
    return {
        file: {f"model.{name}": tensor for name, tensor in weights.items() if name.startswith(prefix)}
        for prefix, file in CHECKPOINTS.items()
    }


def speechbrain_yaml(config: BundleConfig, sample_rate: int) -> str:
    """Return the hyperparams.yaml of a bundle. It depends on config.json alone, so a changed file can be noticed."""
    architecture = Architecture(**{name: getattr(config, name) for name in Architecture.model_fields if name != "presence"})
    carries = any(upstream.here for upstream in config.upstreams)
    return SPEECHBRAIN_YAML.format(
        config=json.dumps(architecture.model_dump(mode="json", exclude={"presence"}), allow_nan=False),
        sample_rate=sample_rate,
        pretrainer=PRETRAINER_WITH_UPSTREAMS if carries else PRETRAINER,
        upstreams=f"        {UPSTREAMS}: !ref <embedding_model>\n" if carries else "",
    )


def load_bundle(folder: str | Path, root: Path | None = None, places: Sequence[Path] = (), check_answer: bool = True) -> Bundle:
    """Load a bundle in eval mode on the CPU, and check its answer to the tone. Nothing in the bundle is run.

    Parameters
    ----------
    folder : the folder of the bundle
    root : the folder that must hold its files after links are followed; by default `folder`
    places : folders in which the files of its upstreams may lie, besides those where they are always looked for
    check_answer : whether the answer to the tone is checked. Without it, no upstream is loaded before it is used

    Raises
    ------
    InputError
        if a file is missing, damaged or too large, the weights are not exactly those that config.json was written with, the labels are
        in another order, an encoder or a front end is not registered here, or the answer to the tone is another one
    """
    folder = Path(folder)
    model, config = _load(folder, root, places)
    return Bundle(model, config, check_golden(model, folder, root) if check_answer else math.nan)


def _load(folder: Path, root: Path | None = None, places: Sequence[Path] = ()) -> tuple[EmotionModel, BundleConfig]:
    config, path = read_config(folder, root), folder / WEIGHTS
    with _described_by(folder / CONFIG):
        like = _without_memory(config)
        check_memory(like)
        check_model(like)
    weights = load_weights(path, like, config.emotions, config.weights_sha256, root)
    with _described_by(folder / CONFIG):
        model = build_model(config, places)  # takes memory, and only now it is sure that there are weights for it
    take_carried(model, weights)
    model.load_state_dict({name: tensor for name, tensor in weights.items() if not name.startswith(PREFIX)}, strict=True)
    return model.eval(), config


@contextmanager
def _described_by(path: Path) -> Iterator[None]:
    """Turn the errors of building what a config.json describes into InputErrors that name it."""
    try:
        yield
    except InputError as error:
        raise type(error)(f"{path}: {error}") from error
    except (TypeError, ValueError, ArithmeticError, RuntimeError, MemoryError) as error:  # wrong settings of modules that are no plug-ins
        raise InputError(f"{path}: incomplete or misspelt ({error}); get the bundle again") from error


def label_encoder_text(emotions: Sequence[str]) -> str:
    """Return the text of the file for SpeechBrain's CategoricalEncoder, with each emotion at the index of its output."""
    lines = [f"{emotion!r} => {index}" for index, emotion in enumerate(emotions)]
    return "\n".join([*lines, "================", "'starting_index' => 0", ""])
