"""How well a model that learns each annotator knows them: what it says in their place, beside the answer that it gives for all."""

from collections.abc import Iterable

import pandas as pd

from mlee_sb.evaluation.predictions import emotions_of, read_predictions
from mlee_sb.stage_folder import ANNOTATOR, StageFolder, prediction_columns

OWN, MEAN = "own", "mean"  # accuracy of what the model says in an annotator's place, and of its answer for all


def judgements(answers: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """Return for each judgement of an annotator whether the model was right: an answer is, if it is one of the annotator's labels.

    Parameters
    ----------
    answers : of annotators.csv
    predictions : of the same stage, as `mlee_sb.evaluation.predictions.read_predictions` returns them

    Returns
    -------
    pd.DataFrame
        a row for each utterance and annotator: ID, annotator, own (bool) and mean (bool)
    """
    emotions = emotions_of(predictions)
    decided = predictions[prediction_columns(emotions)].to_numpy(float).argmax(axis=1)
    for_all = dict(zip(predictions["ID"], (emotions[k] for k in decided), strict=True))
    right = answers.assign(**{OWN: answers["label"] == answers["answer"], MEAN: answers["label"] == answers["ID"].map(for_all)})
    return right.groupby(["ID", ANNOTATOR], as_index=False)[[OWN, MEAN]].max()


def annotator_scores(files: StageFolder, predictions: pd.DataFrame) -> dict | None:
    """Return the entry of scores.json about annotators, without their names; None for a stage that does not learn them.

    Returns
    -------
    dict
        the numbers of annotators and judgements, and the accuracy over all judgements of what is said in their place and for all
    """
    answers = files.read_annotators()
    if answers is None or answers.empty:
        return None
    found = judgements(answers, predictions)
    return {"annotators": found[ANNOTATOR].nunique(), "judgements": len(found), **_accuracies(found)}


def each_annotator(stages: Iterable[StageFolder]) -> list[dict]:
    """Return the accuracy for each annotator over some stages, those with most judgements first; [] where none of them learns annotators.

    Returns
    -------
    list of dict
        annotator, the number of judgements over all stages, and both accuracies
    """
    of_stages = {files: answers for files in stages if (answers := files.read_annotators()) is not None and len(answers)}
    parts = [judgements(answers, read_predictions(files.predictions)) for files, answers in of_stages.items()]
    if not parts:
        return []
    by_name = pd.concat(parts).groupby(ANNOTATOR)
    found = [{ANNOTATOR: name, "judgements": len(of_one), **_accuracies(of_one)} for name, of_one in by_name]
    return sorted(found, key=lambda one: -one["judgements"])


def _accuracies(found: pd.DataFrame) -> dict[str, float]:
    return {name: float(found[name].mean()) for name in (OWN, MEAN)}
