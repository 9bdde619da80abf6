"""predictions.csv -> scores.json of a stage: over the whole test set and per utterance, never per batch."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from mlee_sb.errors import InputError
from mlee_sb.evaluation import metrics
from mlee_sb.evaluation.certainty import calibrated_scores, read_calibration
from mlee_sb.evaluation.metrics import SCORES
from mlee_sb.evaluation.predictions import Predictions, read_predictions
from mlee_sb.files import write_json


def scores(frame: pd.DataFrame) -> dict:
    """WA, UA, macro-F1, recalls and confusion over the utterances with a dominant target emotion; existence over all.

    A class without a test utterance has no recall (None), is named, and is left out of the means. All scores are
    fractions; `mlee_sb.evaluation.metrics` has their formulas.

    Parameters
    ----------
    frame : as `read_predictions` returns it

    Returns
    -------
    dict
        n, n_all, wa, ua, macro_f1, recall, confusion (rows are truths), classes_without_test_utterance; nll, brier,
        jensen_shannon and ece for a posterior; existence where the frame has probabilities of it
    """
    predictions = Predictions.of(frame.sort_values("ID"))  # sums in one order: the order of the rows must not show
    emotions, once = predictions.emotions, np.ones((1, len(predictions)))
    table = metrics.confusion(predictions, once)
    recall = dict(zip(emotions, map(_or_none, metrics.recalls_of(table)[0]), strict=True))
    result = {
        "n": int((predictions.dominant >= 0).sum()),
        "n_all": len(predictions),
        **{name: _or_none(score.of(predictions, once)[0]) for name, score in SCORES.items() if name in ("wa", "ua", "macro_f1")},
        "recall": recall,
        "confusion": table[0].astype(int).tolist(),
        "classes_without_test_utterance": [emotion for emotion, value in recall.items() if value is None],
    }
    if not predictions.is_existence:
        result |= {name: _or_none(score.of(predictions, once)[0]) for name, score in SCORES.items() if score.needs == "posterior"}
    if predictions.existence is not None:
        result["existence"] = existence_scores(predictions)
    return result


def existence_scores(predictions: Predictions) -> dict[str, dict]:
    """For each emotion: AUC, average precision and F1 of its existence, and the share of utterances that it exists in."""
    once = np.ones((1, len(predictions)))
    columns = {
        "auc": metrics.existence_auc(predictions, once)[0],
        "average_precision": metrics.existence_average_precision(predictions, once)[0],
        "f1": metrics.existence_f1(predictions, once)[0],
        "share": predictions.exists.mean(axis=0),
    }
    return {emotion: {name: _or_none(values[k]) for name, values in columns.items()} for k, emotion in enumerate(predictions.emotions)}


def score_folder(folder: str | Path) -> dict:
    """Score the predictions of a stage and write scores.json, in its folder and in its bundle.

    Raises
    ------
    InputError
        as `read_predictions`, or if training wrote no summary
    """
    folder = Path(folder)
    summary = folder / "save" / "summary.json"
    if not summary.is_file():
        raise InputError(f"{summary}: no such file: the stage is not finished, train it first")
    frame = read_predictions(folder / "predictions.csv")
    found = {**json.loads(summary.read_text(encoding="utf-8")), **scores(frame)}
    if calibration := read_calibration(folder / "model"):
        found["calibrated"] = calibrated_scores(Predictions.of(frame), calibration)
    if (folder / "model").is_dir():
        write_json(folder / "model" / "scores.json", found)
    write_json(folder / "scores.json", found)
    return found


def format_scores(found: dict) -> str:
    """Scores as a few lines for a person, in percent."""
    lines = [f"  WA {_percent(found['wa'])}  UA {_percent(found['ua'])}  over {found['n']} test utterances with a dominant emotion"]
    lines.append("  recall        " + "  ".join(f"{emotion} {_percent(value)}" for emotion, value in found["recall"].items()))
    if "existence" in found:
        aucs = "  ".join(f"{emotion} {_percent(value['auc'])}" for emotion, value in found["existence"].items())
        lines.append(f"  existence AUC {aucs}  over all {found['n_all']}")
    if found.get("demo"):
        lines.append("  DEMO: generated speech and simulated annotators; these figures say nothing about the method")
    return "\n".join(lines)


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _percent(value: float | None) -> str:
    return " none" if value is None else f"{100 * value:5.1f}"
