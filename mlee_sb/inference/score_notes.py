"""scores.json of a bundle: the types of its entries. Its author may be a stranger."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, Field

from mlee_sb.errors import InputError
from mlee_sb.stage_folder import CROSS_VALIDATED, TRAINED_ON
from mlee_sb.typed_files import check_types

Share = Annotated[float, Field(ge=0, le=1.000001)]  # sums of shares are rounded
Count = Annotated[int, Field(ge=0, lt=2**53)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Level = Annotated[str, Field(pattern=r"^(0\.\d{1,9}|1(\.0)?)$")]
OF_EMOTIONS = ("recall", "existence")  # entries with a value for each emotion


class _Interval(BaseModel):
    value: Share | None
    low: Share | None
    high: Share | None


class _Existence(BaseModel):
    auc: Share | None = None


class _Coverage(BaseModel):
    share: Share
    mean_size: Annotated[Number, Field(ge=0)]
    worst_fold: Share = 0.0
    best_fold: Share = 0.0


class _Calibrated(BaseModel):
    ece: Number | None = None
    presence_brier: dict[str, Number] = {}
    coverage: dict[Level, _Coverage] = {}


class _Tested(BaseModel):
    """The scores over test utterances, of a fold or of a cross-validation."""

    n: Count = 0
    n_all: Count = 0
    wa: Share | None = None
    ua: Share | None = None
    macro_f1: Share | None = None
    recall: dict[str, Share | None] = {}
    existence: dict[str, _Existence] = {}
    intervals: dict[str, _Interval] = {}
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    calibrated: _Calibrated = _Calibrated()
    folds: Count = 0
    n_speakers: Count = 0


class _OfFolds(_Tested):
    folds: Count
    n_speakers: Count


class _TrainedOn(BaseModel):
    utterances: Count
    speakers: Count
    dominant: dict[str, Count]
    exist: dict[str, Count]


class _Scores(_Tested):
    cross_validated: _OfFolds = None  # absent, or whole: null is refused
    trained_on: _TrainedOn = None


def check_scores(scores: object, emotions: Sequence[str], path: object, remedy: str) -> None:
    """Check the types of scores.json, and that it is about the emotions of the model.

    Raises
    ------
    InputError
        if an entry is missing, has another type, or is about other emotions; the message names the file and the entry
    """
    check_types(scores, _Scores, path, remedy)
    for tested in (scores, scores.get(CROSS_VALIDATED, {})):
        for entry, beside in (("n", "n_all"), ("confidence", "intervals")):
            if beside in tested and entry not in tested:
                raise InputError(f"{path}: {entry} is missing beside {beside}: {remedy}")
        for entry in OF_EMOTIONS:
            if entry in tested and set(tested[entry]) != set(emotions):
                raise InputError(f"{path}: {entry} is of {', '.join(tested[entry])}, and the model has {', '.join(emotions)}: {remedy}")
    if TRAINED_ON in scores:
        heard = scores[TRAINED_ON]
        if CROSS_VALIDATED not in scores:
            raise InputError(f"{path}: {CROSS_VALIDATED} is missing beside {TRAINED_ON}: {remedy}")
        for emotion in emotions:
            if emotion not in heard["dominant"] or emotion not in heard["exist"]:
                raise InputError(f"{path}: {TRAINED_ON} does not tell of {emotion}: {remedy}")
