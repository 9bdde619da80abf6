"""The results of a finished training: its bundle with a calibration, its predictions, and its summary."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
from torch import Tensor

from mlee_sb.calibration import VALIDATION, Calibration, Curve, fit
from mlee_sb.corpora.manifest import existence_columns
from mlee_sb.models.bundle import save_bundle
from mlee_sb.models.emotion_model import EmotionModel, PresenceHead
from mlee_sb.stage_folder import Summary
from mlee_sb.training.inputs import StageInputs
from mlee_sb.training.stage import Stage
from mlee_sb.whole_stage import note_files


def presence_head(models: Iterable[EmotionModel]) -> PresenceHead | None:
    """Return the head of the required stage that knows existence, with the place of its encoder among all; None without such a stage."""
    number, start = 0, 0
    for model in models:
        if model.output.knows_existence:
            return PresenceHead(model.classifier, number, start)
        number, start = number + len(model.encoders), start + model.encoder.embedding_size
    return None


def label_rules(stage: Stage) -> dict:
    """Return the entry of config.json about the labels of a stage (`mlee_sb.models.config.LabelRules`)."""
    settings = stage.settings
    return {
        **{name: settings[name] for name in ("row", "target", "train_set", "min_votes", "fold", "seed")},
        "settings": {name: settings[name] for name in stage.target.settings},
        "variant": stage.variant,
        "corpus": stage.data.protocol["corpus"],
    }


def write_results(
    stage: Stage,
    inputs: StageInputs,
    model: EmotionModel,
    required: Iterable[EmotionModel],
    calibration: pd.DataFrame,
    logits: dict[str, Tensor],
    best: dict,
    seconds: float,
) -> None:
    """Calibrate a trained model, and write its bundle, its predictions what they are as files and, as the last file, its summary.

    Parameters
    ----------
    stage, inputs : the stage and its data
    model : with the weights of the best epoch
    required : the models of the required stages
    calibration : the rows that it is calibrated on
    logits : ``"calibration"`` and ``"test"`` -> [n, K]
    best : number and losses of the best epoch
    seconds : duration of the training
    """
    emotions, output, files = stage.settings["emotions"], model.output, stage.files
    curves = next((other.calibration.presence for other in required if other.output.knows_existence and other.calibration), None)
    model.calibration = calibrate(logits["calibration"].numpy(), calibration, model, curves, stage.settings["calibration"])
    probabilities = model.log_probabilities(logits["test"]).exp().numpy()
    existence = probabilities if output.knows_existence else _existence_of_required(stage)
    save_bundle(files.model, model, label_rules(stage), stage.data.protocol["demo"])
    concentrations = output.concentrations(logits["test"].numpy())
    files.write_predictions(inputs.test, emotions, stage.settings["target"], output.name, probabilities, existence, concentrations)
    note_files(files)
    files.write_summary(_summary(stage, inputs, best, seconds))


def calibrate(
    logits: np.ndarray, rows: pd.DataFrame, model: EmotionModel, curves: list[Curve] | None = None, method: str = VALIDATION
) -> Calibration:
    """Calibrate a model on utterances of which each one got its logits from a model that did not hear its speaker.

    Parameters
    ----------
    logits : [n, K]
    rows : n rows of manifests
    model : the model
    curves : curves of presence that were fitted for the required stage that knows existence; None without such a stage
    method : as for `mlee_sb.calibration.fit`
    """
    number = {emotion: k for k, emotion in enumerate(model.emotions)}
    dominant = [number.get(code, -1) for code in rows["dominant"]]
    exists = rows[existence_columns(model.emotions)].to_numpy() if model.output.knows_existence else None
    fitted = fit(logits, dominant, rows["speaker"].tolist(), exists, method)
    return fitted if curves is None else replace(fitted, presence=curves)


def _existence_of_required(stage: Stage) -> np.ndarray | None:
    """Return probabilities of existence [n, K] from the required stage that knows them, for the same test rows; None without one."""
    for required in stage.requires.values():
        if required.target.output.knows_existence:
            return required.files.read_existence(required.settings["emotions"])
    return None


def _summary(stage: Stage, inputs: StageInputs, best: dict, seconds: float) -> Summary:
    settings, protocol = stage.settings, stage.data.protocol
    return Summary(
        **{name: settings[name] for name in ("row", "train_set", "fold", "seed", "target")},
        variant=stage.variant,
        corpus=protocol["corpus"],
        demo=protocol["demo"],
        protocol_hash=protocol["hash"],
        output=stage.target.output.name,
        class_weights=inputs.class_weights.tolist(),
        losses={"train": best["train"], "valid": best["valid"]},
        epochs=best["epoch"],
        seconds=round(seconds, 1),
    )
