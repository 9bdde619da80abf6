"""What each utterance was used for, noted where it is used: `mlee check-protocol` compares it with the test set."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from mlee_sb.errors import choose
from mlee_sb.files import write_json, written_beside

USES = ("training", "z_norm", "class_weights", "selection", "calibration")


def note_use(save_folder: Path, use: str, ids: Iterable[str]) -> None:
    """Write the IDs of the utterances that were used so, to ``save/used/<use>.csv`` of a stage.

    Parameters
    ----------
    save_folder : of the stage
    use : ``"training"`` (gradients), ``"z_norm"`` and ``"class_weights"`` (statistics), ``"selection"`` (of an epoch),
        ``"calibration"`` (of how sure the model may be)
    ids : of the utterances
    """
    choose(use, USES, "use")
    with written_beside(save_folder / "used" / f"{use}.csv") as beside:
        pd.Series(list(ids), name="ID").to_csv(beside, index=False, lineterminator="\n")


def note_data_folder(save_folder: Path, data_folder: Path) -> None:
    """Write where the recordings lay to ``save/data_folder.json`` of a stage, for `mlee check-protocol` to find them there.

    Parameters
    ----------
    save_folder : of the stage. Nothing in it is ever published, and this is why it is not in the summary, which scores.json repeats
    data_folder : what the wav paths of the manifests are relative to
    """
    write_json(save_folder / "data_folder.json", {"data_folder": str(data_folder.resolve())})
