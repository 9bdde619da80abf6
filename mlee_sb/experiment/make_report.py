"""What `mlee report` does: evaluate results, read the recordings and encoders of figure 3, and write the report."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from mlee_sb.corpora.manifest import pieces_of, read_utterances
from mlee_sb.errors import InputError, NoAttention, choose
from mlee_sb.evaluation.cells import Cell, Cells, read_cells
from mlee_sb.evaluation.evaluate import evaluate
from mlee_sb.evaluation.report.attention import OF_THE_PAPER, AttentionFigure, cells_of_figure, chosen_utterances
from mlee_sb.evaluation.report.entries import title_of
from mlee_sb.evaluation.report.page import check_output, write_report
from mlee_sb.evaluation.results import find_protocols, find_stages
from mlee_sb.inference.audio_input import Sound, load_utterance
from mlee_sb.inference.classifier import EmotionClassifier

FOLDER = "report"
PLAYED = 16_000  # Hz of the recordings in figure 3
ADD_DATA_FOLDER = "Add --data_folder with the release of the corpus to see where the encoders look."

Attention = dict[str, tuple[np.ndarray, np.ndarray]]  # name of an encoder -> middles of its steps in seconds, and weights, both [steps]


def make_report(
    results: Path,
    output: Path | None = None,
    data_folder: Path | None = None,
    manifests: Path | None = None,
    utterances: Sequence[str] = (),
    only: Collection[Path] | None = None,
    comparison: str | None = None,
    progress: bool = False,
    command: str = "",
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
    comparison : the name of that whose claims and primary score are meant; by default that which was begun last in this folder
    progress : whether to show bars
    command : what makes the report again, for its reader; "" where it was made from Python
    evaluation : `resamples`, `seed`, `primary`, `undo_class_weights` of `mlee_sb.evaluation.evaluate.evaluate`

    Returns
    -------
    Path
        the HTML file

    Raises
    ------
    InputError
        as `evaluate` and `figures`, if `output` holds anything else than a report, or if `utterances` are not tested by these folds or
        there is no `data_folder` for them
    """
    output = output or results / FOLDER
    check_output(output)
    if utterances and not data_folder:
        raise InputError("--utterance is about figure 3, which needs the recordings: add --data_folder with the release of the corpus")
    cells = read_cells(find_stages(results, only)) if data_folder else None
    for ID in utterances:
        choose(ID, cells.utterances.ids, "test utterance")
    found = evaluate(results, manifests, only, comparison=comparison, progress=progress, **evaluation)
    attention, why_none = [], ADD_DATA_FOLDER
    if cells:
        manifests = manifests or find_protocols(results).get(found["protocol_hash"], (None,))[0]
        if manifests is None:
            raise InputError(
                f"{results}: no manifests of these stages below it: give the manifests that training was given, as --manifests"
            )
        attention, why_none = figures(cells, manifests, data_folder, utterances)
    return write_report(found, output, attention, why_none, command)


def figures(cells: Cells, manifests: Path, data_folder: Path, wanted: Sequence[str] = ()) -> tuple[list[AttentionFigure], str]:
    """Draw figure 3 for some utterances, each with the encoders of the fold that tests it.

    Parameters
    ----------
    cells : what the report is about
    manifests : the folder of manifests, which list the recordings
    data_folder : the folder to which their paths are relative
    wanted : IDs of test utterances; by default some about which the listeners disagreed

    Returns
    -------
    figures, lacking
        one for each utterance; and for a person, which rows are not in them because their encoders have no attention

    Raises
    ------
    InputError
        if a recording or model cannot be read
    """
    shown = cells_of_figure(cells)
    frame = read_utterances(manifests)
    pieces = dict(zip(frame["ID"], pieces_of(frame), strict=True))
    utterances = cells.utterances
    place = {ID: i for i, ID in enumerate(utterances.ids)}
    found: list[AttentionFigure] = []
    lacking: dict[str, str] = {}
    ids = wanted or chosen_utterances(cells, shown)
    if not ids:
        return [], "The listeners disagreed about no utterance. To see one of another kind, name it with --utterance."
    for ID in ids:
        i = place[ID]
        wav, start, end = pieces[ID]
        wav = data_folder / wav
        sound = Sound(wav, start=start, end=end)
        if not wav.is_file():
            raise InputError(f"{wav}: no such file: is --data_folder the one that was prepared?")
        attention: Attention = {}
        for cell in shown:
            attention |= _attention(cell, int(cells.fold_of[i]), sound, lacking)
        if not attention:
            break
        samples = load_utterance(sound, PLAYED, 1).numpy()
        votes = dict(zip([*utterances.emotions, "other"], utterances.votes[i].astype(int).tolist(), strict=True))
        found.append(AttentionFigure(len(found) + 1, ID, votes, samples, PLAYED, attention))
    return found, "".join(f"There is no attention of {row} to show: {why}. " for row, why in lacking.items()).rstrip()


def _attention(cell: Cell, fold: int, sound: Sound, lacking: dict[str, str]) -> Attention:
    """Return where each encoder of a cell looks in a sound, by its name. Note the cell in `lacking` if one of them cannot tell."""
    stage, name = next(iter(cell.stages.values()))[fold].folder, OF_THE_PAPER.get(cell.row, title_of(cell.row))
    if cell.row in lacking:
        return {}
    classifier = EmotionClassifier.from_hparams(stage)
    n = len(getattr(classifier.model, "encoders", ""))
    try:
        weights = [classifier.attention_file(sound, encoder) for encoder in range(n or 1)]
    except NoAttention as error:
        lacking[cell.row] = str(error)
        return {}
    return {name if n == 1 else f"{name}, encoder {encoder + 1}": weights for encoder, weights in enumerate(weights)}
