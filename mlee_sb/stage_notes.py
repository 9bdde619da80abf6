"""What a stage notes of itself in the folder `save`: its summary, and the types of its identity."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, Field

LARGEST = 2**53  # up to here, every whole number is a number of JSON
Number = Annotated[int, Field(ge=1, le=LARGEST)]
Count = Annotated[int, Field(ge=0, le=LARGEST)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True)
class Summary:
    """The content of summary.json: what a finished stage is, and how its training ended. Training writes this file last.

    Attributes
    ----------
    row : the row's name
    variant : the settings in which the stage differs from its hparams file (`variant_of`); "" where it does not
    train_set, fold, seed : which stage of the row it is
    corpus, demo, protocol_hash : the data that it was trained on
    target, output : names of the target and of its output
    class_weights : of the loss
    losses : the mean loss of the best epoch, ``train`` and ``valid``
    epochs : the number of the best epoch
    seconds : of training
    """

    row: str
    variant: str
    train_set: Literal["dominant", "all"]
    fold: Number
    seed: Count
    corpus: str
    demo: bool
    protocol_hash: str
    target: str
    output: str
    class_weights: list[Finite] | list[list[Finite]] | None
    losses: dict[str, Finite]
    epochs: Count
    seconds: Finite


# Values for what version 0.2.0 or an earlier one did not note.
LATER = {"variant": "", "target": None, "output": None, "class_weights": None, "epochs": 0, "seconds": 0.0}


class Identity(BaseModel):
    """The entries of identity.json that others read than training itself. There are as many more as there are settings."""

    row: str = ""
    target: str = ""
    train_set: str = ""
    fold: Number = 1
    seed: Count = 0
    emotions: list[str] = []
    min_votes: Number = 1
    alpha: Finite = 0.0
    full_votes: Number = 1
    class_weights: bool = True
    class_frequency: str = ""
    calibration: str = ""
    protocol: str = ""


Keys = dict[str, str]  # keys of required stages, and hashes of sources, in an identity


class DataFolder(BaseModel):
    """The content of data_folder.json."""

    data_folder: Annotated[str, Field(min_length=1)]
