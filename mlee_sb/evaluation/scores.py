"""Turn predictions.csv into the scores.json of a stage: over the whole test set and per utterance, never per batch."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from mlee_sb.errors import InputError
from mlee_sb.evaluation import metrics
from mlee_sb.evaluation.annotators import annotator_scores
from mlee_sb.evaluation.calibrated_scores import calibrated_scores, read_calibration
from mlee_sb.evaluation.metrics import DECISIONS, EXISTENCE, SCORES, number, scores_of
from mlee_sb.evaluation.predictions import Predictions, read_predictions, tests_nobody
from mlee_sb.files import write_json
from mlee_sb.stage_folder import StageFolder

TEST_SETS = "test_sets"


def scores(frame: pd.DataFrame) -> dict:
    """Compute all scores, recalls and the confusion matrix of some predictions, and existence by emotion.

    A class without a test utterance has no recall (None). It is named, and left out of the means. Scores in percent are fractions here.
    `mlee_sb.evaluation.metrics` has their formulas.

    Parameters
    ----------
    frame : as `read_predictions` returns it

    Returns
    -------
    dict
        n, n_all, recall, confusion (rows are truths), classes_without_test_utterance; by its name each of `SCORES` that these
        predictions have, but for means of existence; existence by emotion where the frame has probabilities of it; test_sets, with all
        of this for each of several test sets
    """
    predictions = Predictions.of(frame.sort_values("ID"))  # sums in one order: the order of the rows must not show
    sets = {name: _scores(predictions.take(rows)) for name, rows in predictions.by_test_set().items()}
    return {**_scores(predictions), **({TEST_SETS: sets} if sets else {})}


def _scores(predictions: Predictions) -> dict:
    emotions, once = predictions.emotions, np.ones((1, len(predictions)))
    table = metrics.confusion(predictions, once)
    recall = dict(zip(emotions, map(number, metrics.recalls_of(table)[0]), strict=True))
    result = {
        "n": int((predictions.dominant >= 0).sum()),
        "n_all": len(predictions),
        **{name: number(SCORES[name].of(predictions, once)[0]) for name in scores_of(DECISIONS)},
        "recall": recall,
        "confusion": table[0].astype(int).tolist(),
        "classes_without_test_utterance": [emotion for emotion, value in recall.items() if value is None],
    }
    others = [name for name, score in SCORES.items() if score.theme not in (DECISIONS, EXISTENCE) and score.defined_for(predictions)]
    result |= {name: number(SCORES[name].of(predictions, once)[0]) for name in others}
    if predictions.existence is not None:
        result["existence"] = existence_scores(predictions)
    return result


def existence_scores(predictions: Predictions) -> dict[str, dict]:
    """Compute for each emotion the AUC, average precision and F1 of its existence, and the share of utterances in which it exists."""
    once = np.ones((1, len(predictions)))
    columns = {
        "auc": metrics.existence_auc(predictions, once)[0],
        "average_precision": metrics.existence_average_precision(predictions, once)[0],
        "f1": metrics.existence_f1(predictions, once)[0],
        "share": predictions.exists.mean(axis=0),
    }
    return {emotion: {name: number(values[k]) for name, values in columns.items()} for k, emotion in enumerate(predictions.emotions)}


def score_folder(folder: str | Path, describe: Callable[[Path], object] = lambda model: None) -> dict:
    """Score the predictions of a stage and write scores.json, in its bundle and in its folder.

    A stage of a final fold tests nobody, so there is nothing to score: `n_all` is 0.

    Parameters
    ----------
    folder : of the stage
    describe : called with the folder of the bundle, when its scores are there. The scores of the stage are written after it: with them,
        all that follows training is done, and a killed run is not

    Raises
    ------
    InputError
        as `read_predictions`, or if the summary of training is missing or damaged
    """
    stage = StageFolder(Path(folder))
    if not stage.summary.is_file():
        raise InputError(f"{stage.summary}: no such file: the stage is not finished, train it first")
    found = {**asdict(stage.read_summary()), "n": 0, "n_all": 0}
    if not tests_nobody(stage.predictions):
        frame = read_predictions(stage.predictions)
        found |= scores(frame)
        if calibration := read_calibration(stage.config):
            found["calibrated"] = calibrated_scores([(Predictions.of(frame), calibration)])
        if of_annotators := annotator_scores(stage, frame):
            found["annotators"] = of_annotators
    if stage.model.is_dir():
        write_json(stage.bundle_scores, found)
        describe(stage.model)
    write_json(stage.scores, found)
    return found


def format_scores(found: dict) -> str:
    """Return scores as a few lines for a person, in percent."""
    if not found["n_all"]:
        return "  no scores: this fold tests nobody"
    lines = [f"  WA {_percent(found['wa'])}  UA {_percent(found['ua'])}  over {found['n']} test utterances with a dominant emotion"]
    lines.append("  recall        " + "  ".join(f"{emotion} {_percent(value)}" for emotion, value in found["recall"].items()))
    if "existence" in found:
        aucs = "  ".join(f"{emotion} {_percent(value['auc'])}" for emotion, value in found["existence"].items())
        lines.append(f"  existence AUC {aucs}  over all {found['n_all']}")
    for name, of_set in found.get(TEST_SETS, {}).items():
        lines.append(f"  {name:13} WA {_percent(of_set['wa'])}  UA {_percent(of_set['ua'])}  over {of_set['n']} of them")
    if found.get("demo"):
        lines.append("  DEMO: generated speech and simulated annotators; these figures say nothing about the method")
    return "\n".join(lines)


def _percent(value: float | None) -> str:
    return " none" if value is None else f"{100 * value:5.1f}"
