"""predictions.csv: what a stage says of each test utterance, beside what the annotators said (contract 2 in the design)."""

from pathlib import Path

import numpy as np
import pandas as pd

from mlee_sb.corpora.manifest import existence_columns, vote_columns_in
from mlee_sb.files import written_beside

EXACT = "%.9g"  # the digits that tell every float32 from its neighbours


def posterior_columns(emotions: list[str]) -> list[str]:
    """Columns of the posterior, or for the mlee row of the probabilities of existence."""
    return [f"p_{emotion}" for emotion in emotions]


def existence_probability_columns(emotions: list[str]) -> list[str]:
    """Columns of the probabilities of existence, in the files of stages that know them."""
    return [f"e_{emotion}" for emotion in emotions]


def write_predictions(
    path: Path, test: pd.DataFrame, emotions: list[str], probabilities: np.ndarray, existence: np.ndarray | None = None
) -> None:
    """Write predictions.csv, whole or not at all.

    Parameters
    ----------
    path : file to write
    test : rows of the test manifest, n
    emotions : K codes, in the order of the columns
    probabilities : [n, K], posteriors, or probabilities of existence for the mlee row
    existence : [n, K], probabilities of existence, where the stage knows them
    """
    frame = test[["ID", "speaker", "dominant", *vote_columns_in(test), *existence_columns(emotions)]].copy()
    frame[posterior_columns(emotions)] = probabilities
    if existence is not None:
        frame[existence_probability_columns(emotions)] = existence
    with written_beside(path) as beside:
        frame.to_csv(beside, index=False, float_format=EXACT, lineterminator="\n")


def read_existence(path: Path, emotions: list[str]) -> np.ndarray:
    """The probabilities of existence [n, K] in a predictions.csv."""
    return pd.read_csv(path, dtype={"ID": str}, keep_default_na=False)[existence_probability_columns(emotions)].to_numpy()
