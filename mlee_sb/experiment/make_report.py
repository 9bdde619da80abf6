"""What `mlee report` does: evaluate results, read the recordings and encoders of figure 3, and write the report."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import soundfile

from mlee_sb.corpora.manifest import read_utterances
from mlee_sb.errors import InputError, NoAttention, choose
from mlee_sb.evaluation.cells import Cells, read_cells
from mlee_sb.evaluation.evaluate import evaluate
from mlee_sb.evaluation.report.attention import ENCODERS, AttentionFigure, chosen_utterances, stages_of_figure
from mlee_sb.evaluation.report.page import check_output, write_report
from mlee_sb.evaluation.results import find_protocols, find_stages
from mlee_sb.inference.classifier import EmotionClassifier

TRAIN_SET = "all"  # of the soft and the MLEE encoder of figure 3, where there is a choice
FOLDER = "report"


def make_report(
    results: Path,
    output: Path | None = None,
    data_folder: Path | None = None,
    manifests: Path | None = None,
    utterances: Sequence[str] = (),
    only: Collection[Path] | None = None,
    progress: bool = False,
    **evaluation,
) -> Path:
    """Evaluate the results of a corpus and write the report.

    Parameters
    ----------
    results : the folder of the results of one corpus
    output : the folder to write; by default report/ in `results`
    data_folder : the release of the corpus, for figure 3; without it the report says how to get the figure
    manifests : the manifests that the stages were trained with, where they do not lie below `results`
    utterances : IDs for figure 3; by default some about which the listeners disagreed
    only : folders of the stages to report; by default all that are finished below `results`
    progress : whether to show bars
    evaluation : `resamples`, `seed`, `primary`, `undo_class_weights` of `mlee_sb.evaluation.evaluate.evaluate`

    Returns
    -------
    Path
        the HTML file

    Raises
    ------
    InputError
        as `evaluate` and `figures`, or if `output` holds anything else than a report
    """
    output = output or results / FOLDER
    check_output(output)
    found = evaluate(results, manifests, only, progress=progress, **evaluation)
    attention, why_none = [], "Add --data_folder with the release of the corpus to see where the encoders look."
    if data_folder:
        manifests = manifests or find_protocols(results).get(found["protocol_hash"], (None,))[0]
        if manifests is None:
            raise InputError(
                f"{results}: no manifests of these stages below it: give the manifests that training was given, as --manifests"
            )
        why_none = f"Train the rows {', '.join(ENCODERS)} with train set {TRAIN_SET} to see where their encoders look."
        try:
            attention = figures(read_cells(find_stages(results, only)), manifests, data_folder, utterances)
        except NoAttention as error:
            why_none = f"There is no figure 3 for these encoders. {error}"
    return write_report(found, output, attention, why_none)


def figures(
    cells: Cells, manifests: Path, data_folder: Path, wanted: Sequence[str] = (), train_set: str = TRAIN_SET
) -> list[AttentionFigure]:
    """Draw figure 3 for some utterances, each with the encoders of the fold that tests it.

    Parameters
    ----------
    cells : with the rows of `ENCODERS`
    manifests : the folder of manifests, which list the recordings
    data_folder : the folder to which their paths are relative
    wanted : IDs; by default some about which the listeners disagreed
    train_set : of the soft and the MLEE encoder

    Returns
    -------
    list
        empty where a row of `ENCODERS` is missing

    Raises
    ------
    NoAttention
        if an encoder of these rows has no attention
    InputError
        if none of the folds tests an utterance, or a recording or model cannot be read
    """
    stages = stages_of_figure(cells, train_set)
    if not stages:
        return []
    paths = read_utterances(manifests).set_index("ID")["wav"]
    utterances = cells.utterances
    place = {ID: i for i, ID in enumerate(utterances.ids)}
    found = []
    for number, ID in enumerate(wanted or chosen_utterances(cells, train_set), start=1):
        i = place[choose(ID, place, "utterance that these folds test")]
        wav = data_folder / paths[ID]
        if not wav.is_file():
            raise InputError(f"{wav}: no such file: is --data_folder the one that was prepared?")
        samples, rate = soundfile.read(wav, dtype="float32", always_2d=True)
        attention = {name: _attention(stages[row][int(cells.fold_of[i])].folder, wav) for row, name in ENCODERS.items()}
        votes = dict(zip([*utterances.emotions, "other"], utterances.votes[i].astype(int).tolist(), strict=True))
        found.append(AttentionFigure(number, ID, votes, samples.mean(axis=1), rate, attention))
    return found


def _attention(stage: Path, wav: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the middles of the steps in seconds, and the attention weights of the encoder of a stage, both [steps]."""
    try:
        return EmotionClassifier.from_hparams(stage).attention_file(wav)
    except NoAttention as error:
        raise NoAttention(f"{stage}: {error}") from error
