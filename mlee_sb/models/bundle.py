"""A trained model as a folder: config.json and model.safetensors, and beside them what SpeechBrain's EncoderClassifier reads.

Nothing in config.json or model.safetensors is executed. hyperparams.yaml is: it exists for SpeechBrain only.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from speechbrain.dataio.encoder import CategoricalEncoder
from torch import nn

from mlee_sb.errors import InputError
from mlee_sb.files import write_json, write_text, written_beside
from mlee_sb.models.classifier import DenseClassifier
from mlee_sb.models.normalization import ZNorm
from mlee_sb.models.pipeline import EmotionModel, FrozenEncoders, UtteranceEncoder
from mlee_sb.models.registry import ENCODERS, FRONT_ENDS, build, describe

SCHEMA = 1

# `!new:` runs code of this package, with the settings of config.json and no other.
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

pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
    loadables:
        embedding_model: !ref <embedding_model>
        classifier: !ref <classifier>
        label_encoder: !ref <label_encoder>
"""


def describe_model(model: EmotionModel, labels: dict, demo: bool) -> dict:
    """The content of config.json: all that is needed to build `model` again, without its weights.

    Parameters
    ----------
    model : the model
    labels : the rules that made its targets, for the reader
    demo : whether it was trained on the demo release
    """
    encoders = [
        {
            "front_end": describe(FRONT_ENDS, encoder.front_end),
            "normalizer": encoder.normalizer.settings,
            "network": describe(ENCODERS, encoder.network),
        }
        for encoder in model.encoders
    ]
    return {
        "format": "mlee_sb",
        "schema": SCHEMA,
        "demo": demo,
        "emotions": model.emotions,
        "output": model.output,
        "labels": labels,
        "frozen_encoders": isinstance(model.encoder, FrozenEncoders),
        "encoders": encoders,
        "classifier": model.classifier.settings,
    }


def build_model(config: dict) -> EmotionModel:
    """Build the model that config.json describes, with fresh weights."""
    encoders = [
        UtteranceEncoder(build(FRONT_ENDS, part["front_end"]), ZNorm(**part["normalizer"]), build(ENCODERS, part["network"]))
        for part in config["encoders"]
    ]
    encoder: nn.Module = FrozenEncoders(encoders) if config["frozen_encoders"] else encoders[0]
    return EmotionModel(encoder, DenseClassifier(**config["classifier"]), config["emotions"], config["output"])


def save_bundle(folder: str | Path, model: EmotionModel, labels: dict, demo: bool) -> None:
    """Write the bundle of `model` as one folder, whole or not at all."""
    config = describe_model(model, labels, demo)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with written_beside(folder) as beside:
        beside.mkdir()
        write_json(beside / "config.json", config)
        save_file(weights, beside / "model.safetensors")
        yaml = SPEECHBRAIN_YAML.format(config=json.dumps(config), sample_rate=model.encoder.sample_rate)
        write_text(beside / "hyperparams.yaml", yaml)
        _label_encoder(model.emotions).save(beside / "label_encoder.ckpt")  # the name that the Pretrainer looks for in the source
        for prefix, file in {"encoder.": "embedding_model.ckpt", "classifier.": "classifier.ckpt"}.items():
            torch.save({f"model.{name}": tensor for name, tensor in weights.items() if name.startswith(prefix)}, beside / file)


def read_config(folder: str | Path) -> dict:
    """Read config.json of a bundle.

    Raises
    ------
    InputError
        if there is none, it is not JSON, or it is of another format or schema
    """
    path = Path(folder) / "config.json"
    if not path.is_file():
        raise InputError(f"{folder}: no config.json in it; give the folder model/ that training wrote")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error}); get the bundle again") from error
    if not isinstance(config, dict) or config.get("format") != "mlee_sb":
        raise InputError(f'{path}: not an mlee_sb model (its "format" is not "mlee_sb")')
    if config.get("schema") != SCHEMA:
        raise InputError(f"{path}: schema {config.get('schema')!r}, and this version reads {SCHEMA}: install a newer mlee_sb")
    return config


def load_bundle(folder: str | Path) -> EmotionModel:
    """Load a bundle in eval mode, on the CPU. Executes nothing of it.

    Raises
    ------
    InputError
        if a file is missing or broken, or the weights are not exactly those that config.json describes
    """
    folder = Path(folder)
    config = read_config(folder)
    try:
        model = build_model(config)
    except (KeyError, TypeError) as error:
        raise InputError(f"{folder / 'config.json'}: incomplete or misspelt ({error}); get the bundle again") from error
    path = folder / "model.safetensors"
    if not path.is_file():
        raise InputError(f"{path}: missing; get the bundle again")
    try:
        model.load_state_dict(load_file(path), strict=True)
    except Exception as error:  # safetensors and torch have a type of error for each kind of damage
        raise InputError(f"{path}: not the weights that config.json describes ({error})") from error
    return model.eval()


def _label_encoder(emotions: Sequence[str]) -> CategoricalEncoder:
    """SpeechBrain's encoder of labels, with each emotion at the index of its output."""
    encoder = CategoricalEncoder()
    for index, emotion in enumerate(emotions):
        encoder.enforce_label(emotion, index)
    encoder.expect_len(len(emotions))
    return encoder
