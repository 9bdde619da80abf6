"""predictions.csv, read and checked, and as the arrays that scores are computed from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mlee_sb.corpora.manifest import vote_columns, vote_columns_in
from mlee_sb.errors import InputError

POSTERIOR, EXISTENCE_PROBABILITY, EXISTENCE = "p_", "e_", "exist_"


def read_predictions(path: str | Path) -> pd.DataFrame:
    """Read predictions.csv (contract 2 in the design). IDs and codes keep their text, an empty dominant stays "".

    Raises
    ------
    InputError
        if the file or a column is missing, an ID is there twice, or a value is no probability or no number of votes
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file: give the folder of a finished stage")
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    emotions = emotions_of(frame)
    knows_existence = any(column.startswith(EXISTENCE_PROBABILITY) for column in frame)
    prefixes = [POSTERIOR, EXISTENCE, *([EXISTENCE_PROBABILITY] if knows_existence else [])]
    probabilities = [prefix + emotion for prefix in prefixes for emotion in emotions]
    votes = _vote_columns(frame, emotions)
    missing = [column for column in ("ID", "speaker", "dominant", *probabilities, *votes) if column not in frame]
    if missing or not emotions:
        raise InputError(f"{path}: no column {missing[0] if missing else 'p_<emotion>'}: train the stage again")
    if frame["ID"].duplicated().any():
        raise InputError(f"{path}: ID {frame['ID'][frame['ID'].duplicated()].iloc[0]!r} is there twice: train the stage again")
    for columns, most, words in ((probabilities, 1, "between 0 and 1"), (votes, np.inf, "a number of votes")):
        for column in columns:
            frame = frame.assign(**{column: _numbers(frame[column], most, words, path)})
    return frame


def emotions_of(frame: pd.DataFrame) -> list[str]:
    """The target emotions, in the order of the outputs."""
    return [column.removeprefix(POSTERIOR) for column in frame if column.startswith(POSTERIOR)]


def _vote_columns(frame: pd.DataFrame, emotions: list[str]) -> list[str]:
    """Those of the targets, in their order, then those of all other categories that the file counts."""
    return list(dict.fromkeys([*vote_columns(emotions), *vote_columns_in(frame)]))


def _numbers(texts: pd.Series, most: float, words: str, path: Path) -> pd.Series:
    values = pd.to_numeric(texts, errors="coerce")
    bad = ~values.between(0, most)  # NaN too
    if bad.any():
        line = int(np.flatnonzero(bad)[0]) + 2
        raise InputError(f"{path}, line {line}: {texts.name} is {texts[bad].iloc[0]!r}, not {words}: train the stage again")
    return values


@dataclass(frozen=True)
class Predictions:
    """n predictions for K emotions, as arrays.

    Attributes
    ----------
    emotions : the K codes
    ids, speakers : [n], text
    dominant : [n], index of the dominant emotion; -1 where it is none of the targets
    votes : [n, K + 1], the last column for all that is no target
    exists : bool [n, K], which emotions exist by the label rules
    posterior : [n, K]; for a stage that learnt existence, the probability of existence of each
    existence : [n, K], probability that each emotion exists; None where the stage does not know
    all_votes : [n, C], for each category of the corpus, the targets first; None where `votes` are all that is known
    """

    emotions: list[str]
    ids: np.ndarray
    speakers: np.ndarray
    dominant: np.ndarray
    votes: np.ndarray
    exists: np.ndarray
    posterior: np.ndarray
    existence: np.ndarray | None
    all_votes: np.ndarray | None = None

    @classmethod
    def of(cls, frame: pd.DataFrame) -> "Predictions":
        """From a frame as `read_predictions` returns it, or several of them concatenated."""
        emotions = emotions_of(frame)
        number = {emotion: k for k, emotion in enumerate(emotions)}
        knows_existence = EXISTENCE_PROBABILITY + emotions[0] in frame
        all_votes = frame[_vote_columns(frame, emotions)].to_numpy(float)
        return cls(
            emotions,
            frame["ID"].to_numpy(),
            frame["speaker"].to_numpy(),
            np.array([number.get(code, -1) for code in frame["dominant"]], dtype=int),
            np.column_stack([all_votes[:, : len(emotions)], all_votes[:, len(emotions) :].sum(axis=1)]),
            _columns(frame, EXISTENCE, emotions).astype(bool),
            _columns(frame, POSTERIOR, emotions),
            _columns(frame, EXISTENCE_PROBABILITY, emotions) if knows_existence else None,
            all_votes,
        )

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: np.ndarray) -> "Predictions":
        """Those of some rows: indices, or a mask [n]."""
        columns = (self.ids, self.speakers, self.dominant, self.votes, self.exists, self.posterior, self.existence, self.all_votes)
        return Predictions(self.emotions, *(None if column is None else column[rows] for column in columns))

    @property
    def is_existence(self) -> bool:
        """Whether `posterior` is no posterior, but the probability that each emotion exists."""
        return self.existence is not None and np.array_equal(self.posterior, self.existence)


def _columns(frame: pd.DataFrame, prefix: str, emotions: list[str]) -> np.ndarray:
    return frame[[prefix + emotion for emotion in emotions]].to_numpy(float)
