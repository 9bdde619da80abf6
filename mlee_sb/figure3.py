"""From the results of some rows to figure 3: the recordings and the encoders that it needs."""

from collections.abc import Sequence
from pathlib import Path

import soundfile

from mlee_sb.corpora.manifest import read_utterances
from mlee_sb.errors import InputError, choose
from mlee_sb.evaluation.attention import ENCODERS, AttentionFigure, chosen_utterances, stages_of_figure
from mlee_sb.evaluation.cells import Cells
from mlee_sb.inference.classifier import EmotionClassifier

TRAIN_SET = "all"


def figures(
    cells: Cells, manifests: Path, data_folder: Path, wanted: Sequence[str] = (), train_set: str = TRAIN_SET
) -> list[AttentionFigure]:
    """Figure 3 for some utterances, each with the encoders of the fold that tests it.

    Parameters
    ----------
    cells : with the rows of `ENCODERS`
    manifests : where the recordings are listed
    data_folder : what their paths are relative to
    wanted : IDs; by default some that listeners dispute
    train_set : of the soft and the MLEE encoder

    Returns
    -------
    list
        empty where a row of `ENCODERS` is missing

    Raises
    ------
    InputError
        if an utterance is not tested in any of the folds, or a recording or model cannot be read
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
        attention = {
            name: EmotionClassifier.from_hparams(stages[row][int(cells.fold_of[i])].folder).attention_file(wav)
            for row, name in ENCODERS.items()
        }
        votes = dict(zip([*utterances.emotions, "other"], utterances.votes[i].astype(int).tolist(), strict=True))
        found.append(AttentionFigure(number, ID, votes, samples.mean(axis=1), rate, attention))
    return found
