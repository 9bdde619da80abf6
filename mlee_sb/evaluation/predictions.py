"""Read and check predictions.csv, and turn it into the arrays that scores are computed from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from mlee_sb.corpora.manifest import LUMPED, SPLIT, existence_columns, vote_columns, vote_columns_in
from mlee_sb.errors import InputError
from mlee_sb.stage_folder import AGAIN, CONCENTRATION, EXISTENCE_PROBABILITY, OUTPUT, POSTERIOR, StageFolder, prediction_columns
from mlee_sb.targets import OUTPUTS, Output
from mlee_sb.typed_files import read_text_table
from mlee_sb.uncertainty import concentration_together, entropy, expected_entropy

MOST_VOTES = 2**31  # for an emotion of an utterance: more are damage
LEAST, MOST = np.finfo(float).tiny, np.finfo(float).max  # of a finite number above 0


def read_predictions(path: str | Path) -> pd.DataFrame:
    """Read predictions.csv (contract 2 in the design). IDs and codes keep their text, and an empty dominant emotion stays "".

    Version 0.2.0 wrote no column `output`. For its files the column is added, from the notes of the stage.

    Raises
    ------
    InputError
        if the file or a column is missing, the output is not known or not the same in each row, an ID is there twice, or a value is
        not a probability, not a number of votes or not a concentration
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file: give the folder of a finished stage")
    frame = read_text_table(path, ("ID",), AGAIN)
    emotions = emotions_of(frame)
    if not emotions:
        raise InputError(f"{path}: no column {POSTERIOR}<emotion>: {AGAIN}")
    if frame.empty:
        raise InputError(f"{path}: no row in it, as in a final fold, which tests nobody: give results of a cross-validation")
    if OUTPUT not in frame:
        frame[OUTPUT] = StageFolder(path.parent).read_summary().output
    probabilities = prediction_columns(emotions)
    output = _output_in(frame, path)
    if output.knows_existence or any(column.startswith(EXISTENCE_PROBABILITY) for column in frame):
        probabilities += prediction_columns(emotions, EXISTENCE_PROBABILITY)
    probabilities += existence_columns(emotions)
    votes = _vote_columns(frame, emotions)
    concentrations = [CONCENTRATION] if output.knows_concentration else []
    missing = [column for column in ("ID", "speaker", "dominant", *probabilities, *votes, *concentrations) if column not in frame]
    if missing:
        raise InputError(f"{path}: no column {missing[0]}: {AGAIN}")
    if frame["ID"].duplicated().any():
        raise InputError(f"{path}: ID {frame['ID'][frame['ID'].duplicated()].iloc[0]!r} is there twice: {AGAIN}")
    for columns, least, most, words in (
        (probabilities, 0, 1, "a number between 0 and 1"),
        (votes, 0, MOST_VOTES, "a number of votes"),
        (concentrations, LEAST, MOST, "a finite number above 0"),
    ):
        for column in columns:
            frame[column] = _numbers(frame[column], least, most, words, path)
    return frame


def tests_nobody(path: Path) -> bool:
    """Tell whether there is no row in predictions.csv, because the stage was trained on a final fold."""
    if not path.is_file():
        return False  # who reads it says so
    with open(path, encoding="utf-8", errors="replace") as file:
        return len(list(islice(file, 2))) < 2  # the first line is that of the columns


def emotions_of(frame: pd.DataFrame) -> list[str]:
    """Return the target emotions, in the order of the outputs."""
    return [column.removeprefix(POSTERIOR) for column in frame if column.startswith(POSTERIOR)]


def _output_in(frame: pd.DataFrame, where: Path | str) -> Output:
    names = frame[OUTPUT].unique().tolist()
    if len(names) != 1 or names[0] not in OUTPUTS:
        found = " and ".join(map(repr, names)) or "not there, as there is no row"
        raise InputError(f"{where}: {OUTPUT} is {found}, and must be one of {', '.join(OUTPUTS)}, the same in each row: {AGAIN}")
    return OUTPUTS[names[0]]


def _vote_columns(frame: pd.DataFrame, emotions: list[str]) -> list[str]:
    """Return the columns of the targets, in their order, then those of all other categories that the file counts."""
    return list(dict.fromkeys([*vote_columns(emotions), *vote_columns_in(frame)]))


def _numbers(texts: pd.Series, least: float, most: float, words: str, path: Path) -> pd.Series:
    values = pd.to_numeric(texts, errors="coerce")
    bad = ~values.between(least, most)  # NaN too
    if bad.any():
        line = int(np.flatnonzero(bad)[0]) + 2
        raise InputError(f"{path}, line {line}: {texts.name} is {texts[bad].iloc[0]!r}, and must be {words}: {AGAIN}")
    return values


@dataclass(frozen=True)
class Predictions:
    """n predictions for K emotions, as arrays.

    Attributes
    ----------
    emotions : the K codes
    output : what the probabilities mean
    ids, speakers : [n], text
    dominant : [n], index of the dominant emotion; -1 where it is not a target
    votes : [n, K + 1], the last column for everything that is not a target
    exists : bool [n, K], which emotions exist by the label rules
    posterior : [n, K]; where the output knows existence, the probability that each emotion exists
    existence : [n, K], the probability that each emotion exists; None where the stage does not know it
    all_votes : [n, C], for each category of the corpus, the targets first; None where an earlier version added up the others
    test_sets : [n], the test set of each utterance, where the corpus has several; otherwise None
    concentrations : [n], of the Dirichlet distributions whose means the posteriors are; None where the output has none
    """

    emotions: list[str]
    output: Output
    ids: np.ndarray
    speakers: np.ndarray
    dominant: np.ndarray
    votes: np.ndarray
    exists: np.ndarray
    posterior: np.ndarray
    existence: np.ndarray | None
    all_votes: np.ndarray | None = None
    test_sets: np.ndarray | None = None
    concentrations: np.ndarray | None = None

    @classmethod
    def of(cls, frame: pd.DataFrame) -> "Predictions":
        """Make predictions from a frame as `read_predictions` returns it, or from several of them concatenated.

        Raises
        ------
        InputError
            if the rows have different outputs
        """
        emotions = emotions_of(frame)
        number = {emotion: k for k, emotion in enumerate(emotions)}
        existence = prediction_columns(emotions, EXISTENCE_PROBABILITY)
        columns = _vote_columns(frame, emotions)
        all_votes = frame[columns].to_numpy(float)
        return cls(
            emotions,
            _output_in(frame, "predictions"),
            frame["ID"].to_numpy(),
            frame["speaker"].to_numpy(),
            np.array([number.get(code, -1) for code in frame["dominant"]], dtype=int),
            np.column_stack([all_votes[:, : len(emotions)], all_votes[:, len(emotions) :].sum(axis=1)]),
            frame[existence_columns(emotions)].to_numpy(float).astype(bool),
            frame[prediction_columns(emotions)].to_numpy(float),
            frame[existence].to_numpy(float) if existence[0] in frame else None,
            None if columns[len(emotions) :] == vote_columns([LUMPED]) else all_votes,
            frame[SPLIT].to_numpy() if SPLIT in frame else None,
            frame[CONCENTRATION].to_numpy(float) if CONCENTRATION in frame else None,
        )

    @classmethod
    def together(cls, several: Sequence["Predictions"]) -> "Predictions":
        """Return the answer of several models to the same utterances: the mean of their probabilities."""
        first, posteriors = several[0], np.array([one.posterior for one in several])
        found = {"posterior": posteriors.mean(axis=0)}
        if first.existence is not None:
            found["existence"] = np.mean([one.existence for one in several], axis=0)
        if first.concentrations is not None:
            found["concentrations"] = concentration_together(posteriors, np.array([one.concentrations for one in several]))
        return replace(first, **found)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def _columns(self) -> tuple[np.ndarray | None, ...]:
        answers = (self.posterior, self.existence)
        known = (self.ids, self.speakers, self.dominant, self.votes, self.exists)
        return (*known, *answers, self.all_votes, self.test_sets, self.concentrations)

    @property
    def disagreement(self) -> np.ndarray:
        """How much the listeners would disagree by the model, [n] in bits: the expected entropy of their votes; without a distribution
        over the posterior, the entropy of the posterior itself."""
        return entropy(self.posterior) if self.concentrations is None else expected_entropy(self.posterior, self.concentrations)

    def by_test_set(self) -> dict[str, np.ndarray]:
        """Return the rows of each test set as a mask [n], by its name; {} where there is one test set."""
        return {} if self.test_sets is None else {name: self.test_sets == name for name in np.unique(self.test_sets).tolist()}

    def take(self, rows: np.ndarray) -> "Predictions":
        """Return the predictions of some rows: indices, or a mask [n]."""
        return Predictions(self.emotions, self.output, *(None if column is None else column[rows] for column in self._columns))

    @classmethod
    def joined(cls, parts: Sequence["Predictions"]) -> "Predictions":
        """Join predictions of several folds of one row. What one part does not have, all of it does not have."""
        columns = zip(*(part._columns for part in parts), strict=True)
        whole = [None if any(part is None for part in column) else np.concatenate(column) for column in columns]
        return cls(parts[0].emotions, parts[0].output, *whole)
