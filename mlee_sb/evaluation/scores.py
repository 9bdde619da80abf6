"""predictions.csv -> scores, over the whole test set and per utterance, never per batch."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, recall_score, roc_auc_score

from mlee_sb.errors import InputError
from mlee_sb.files import write_json

POSTERIOR, EXISTENCE_PROBABILITY, EXISTENCE = "p_", "e_", "exist_"


def read_predictions(path: str | Path) -> pd.DataFrame:
    """Read predictions.csv (contract 2 in the design). IDs and codes keep their text, an empty dominant stays "".

    Raises
    ------
    InputError
        if the file or a column is missing, an ID is there twice, or a probability is none
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file: give the folder of a finished stage")
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    emotions = emotions_of(frame)
    knows_existence = any(column.startswith(EXISTENCE_PROBABILITY) for column in frame)
    prefixes = [POSTERIOR, EXISTENCE, *([EXISTENCE_PROBABILITY] if knows_existence else [])]
    numbers = [prefix + emotion for prefix in prefixes for emotion in emotions]
    missing = [column for column in ("ID", "speaker", "dominant", *numbers) if column not in frame]
    if missing or not emotions:
        raise InputError(f"{path}: no column {missing[0] if missing else 'p_<emotion>'}: train the stage again")
    if frame["ID"].duplicated().any():
        raise InputError(f"{path}: ID {frame['ID'][frame['ID'].duplicated()].iloc[0]!r} is there twice: train the stage again")
    for column in numbers:
        values = pd.to_numeric(frame[column], errors="coerce")
        bad = ~values.between(0, 1)  # NaN too
        if bad.any():
            line = int(np.flatnonzero(bad)[0]) + 2
            raise InputError(f"{path}, line {line}: {column} is {frame[column][bad].iloc[0]!r}, not between 0 and 1: train the stage again")
        frame = frame.assign(**{column: values})
    return frame


def emotions_of(frame: pd.DataFrame) -> list[str]:
    """The target emotions, in the order of the outputs."""
    return [column.removeprefix(POSTERIOR) for column in frame if column.startswith(POSTERIOR)]


def scores(frame: pd.DataFrame) -> dict:
    """WA, UA and recalls over the utterances with a dominant target emotion; existence AUCs over all.

    WA is the share of utterances whose most probable emotion (equations 1 and 7; the first in label order on a tie) is
    the dominant one. UA is the mean of the recalls of the classes; a class without a test utterance has no recall
    (None), is named, and is left out of the mean. All scores are fractions.

    Parameters
    ----------
    frame : as `read_predictions` returns it

    Returns
    -------
    dict
        n, n_all, wa, ua, recall, classes_without_test_utterance, and existence where the frame has probabilities of it
    """
    emotions = emotions_of(frame)
    tested = frame[frame["dominant"].isin(emotions)]
    decided = np.array(emotions)[tested[[POSTERIOR + emotion for emotion in emotions]].to_numpy().argmax(axis=1)]
    truth = tested["dominant"].to_numpy()
    occurring = [emotion for emotion in emotions if (truth == emotion).any()]
    recalls = recall_score(truth, decided, labels=occurring, average=None, zero_division=0) if occurring else []
    recall = {**dict.fromkeys(emotions), **{emotion: float(value) for emotion, value in zip(occurring, recalls, strict=True)}}
    result = {
        "n": len(tested),
        "n_all": len(frame),
        "wa": float((decided == truth).mean()) if len(tested) else None,
        "ua": float(np.mean(recalls)) if occurring else None,
        "recall": recall,
        "classes_without_test_utterance": [emotion for emotion in emotions if emotion not in occurring],
    }
    if EXISTENCE_PROBABILITY + emotions[0] in frame:
        result["existence"] = {emotion: _existence_scores(frame, emotion) for emotion in emotions}
    return result


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
    found = {**json.loads(summary.read_text(encoding="utf-8")), **scores(read_predictions(folder / "predictions.csv"))}
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


def _existence_scores(frame: pd.DataFrame, emotion: str) -> dict:
    truth, probability = frame[EXISTENCE + emotion].to_numpy(), frame[EXISTENCE_PROBABILITY + emotion].to_numpy()
    both = 0 < truth.sum() < len(truth)
    return {
        "auc": float(roc_auc_score(truth, probability)) if both else None,
        "average_precision": float(average_precision_score(truth, probability)) if truth.any() else None,
        "share": float(truth.mean()),
    }


def _percent(value: float | None) -> str:
    return " none" if value is None else f"{100 * value:5.1f}"
