"""Calibrate a trained model on the validation split of its fold: speakers that it did not learn from and is not tested on."""

from dataclasses import replace

import numpy as np
import pandas as pd

from mlee_sb.calibration import Calibration, Curve, fit
from mlee_sb.corpora.manifest import existence_columns


def calibrate(logits: np.ndarray, frame: pd.DataFrame, emotions: list[str], output: str, curves: list[Curve] | None = None) -> Calibration:
    """What the bundle keeps to tell how sure it is.

    Parameters
    ----------
    logits : [n, K], of the validation split
    frame : its rows, n
    emotions : the K codes
    output : of the model, a key of `mlee_sb.models.pipeline.OUTPUTS`
    curves : of presence, fitted for the required stage that knows existence; None where there is none, or for that stage itself
    """
    number = {emotion: k for k, emotion in enumerate(emotions)}
    dominant = [number.get(code, -1) for code in frame["dominant"]]
    exists = frame[existence_columns(emotions)].to_numpy() if output == "sigmoid" else None
    fitted = fit(logits, dominant, frame["speaker"].tolist(), exists)
    return fitted if curves is None else replace(fitted, presence=curves)
