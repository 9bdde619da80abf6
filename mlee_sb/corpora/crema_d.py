"""CREMA-D (Cao et al., IEEE Transactions on Affective Computing 2014), in the layout of its release.

The labels are what listeners heard, not what the actor intended. The file names say what the actor intended.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd

from mlee_sb.corpora.base import Corpus, Fold, Skipped, Utterance, grouped_folds, next_validates, plurality
from mlee_sb.errors import InputError

VOTES = "processedResults/tabulatedVotes.csv"
AUDIO = "AudioWAV"

CODES = {"A": "ang", "D": "dis", "F": "fea", "H": "hap", "N": "neu", "S": "sad"}
"""The columns with the numbers of votes."""

FIRST_VOICE_ROW, FIRST_FACE_ROW = 100_000, 200_000
LAST_ROW = 399_999
"""The first column numbers the rows: 1xxxxx were rated from the voice alone, 2xxxxx from the face, 3xxxxx from both."""

N_GROUPS = 10

EMO_SUPERB = "emo_superb"
EMO_SUPERB_SETS = (range(1001, 1019), range(1019, 1037), range(1037, 1055), range(1055, 1073), range(1073, 1092))
"""The actors of the five sets of EMO-SUPERB (Wu et al., SLT 2024), as in the files of its authors: fold K of them, which is
data/CREMA-D/Primary/labels_consensus_K.csv of github.com/EMOsuperb/EMO-SUPERB-submission, tests set K and validates on the next one."""


class CremaD(Corpus):
    """The voice-only votes of CREMA-D. Which listener gave which vote is not in the release."""

    name = "crema_d"
    emotions = categories = tuple(CODES.values())
    default_emotions = ("neu", "hap", "sad", "ang")
    dominant_rule = "the one emotion with the most votes among all six; none on a tie"
    dominant_is_plurality = True
    texts_shared_by_design = True
    fold_options = ("division",)

    def __init__(
        self,
        data_folder: str | Path,
        *,
        division: Annotated[
            Literal["ten", "emo_superb"], "how the actors are divided: ten groups, or the five sets of the benchmark EMO-SUPERB"
        ] = "ten",
    ):
        super().__init__(data_folder)
        self.division = division
        self._in_sets: list[tuple[str, ...]] = []
        for expected in (AUDIO, VOTES):
            if not (self.data_folder / expected).exists():
                raise InputError(
                    f"{self.data_folder}: no {expected} in it; the data folder must be the CREMA-D release, with {AUDIO} and {VOTES}"
                )

    def utterances(self) -> Iterator[Utterance | Skipped]:
        """Yield every row of voice-only votes, then the wavs without votes. In a part of the release, most rows have no wav."""
        table = self._voice_votes()
        columns = [table[column].tolist() for column in ("fileName", "numResponses", *CODES)]
        for name, n_annotators, *counts in zip(*columns, strict=True):
            votes = dict(zip(CODES.values(), counts, strict=True))
            actor = name.split("_")[0]
            yield Utterance(name, f"{AUDIO}/{name}.wav", actor, "", votes, n_annotators, plurality(votes))
        rated = set(table["fileName"])
        for file in sorted(os.listdir(self.data_folder / AUDIO)):
            stem, ending = os.path.splitext(file)
            if ending.lower() == ".wav" and stem not in rated and not file.startswith("."):
                yield Skipped(stem, f"{AUDIO}/{file}", f"wav without an annotation in {VOTES}")

    def folds(self, speakers: Sequence[str]) -> list[Fold]:
        """Make ten groups of actors [choice], or the five sets of EMO-SUPERB. Fold k tests group k and validates on group k+1.

        Raises
        ------
        InputError
            if nobody of a set of EMO-SUPERB is among the speakers
        """
        if self.division != EMO_SUPERB:
            return grouped_folds(speakers, N_GROUPS)
        self._in_sets = [tuple(str(actor) for actor in actors if str(actor) in speakers) for actors in EMO_SUPERB_SETS]
        for number, (found, actors) in enumerate(zip(self._in_sets, EMO_SUPERB_SETS, strict=True), start=1):
            if not found:
                raise InputError(
                    f"--division {EMO_SUPERB}: no usable utterance of an actor of its set {number} ({actors[0]} to {actors[-1]}): "
                    "get the whole release, or leave --division out"
                )
        return next_validates(self._in_sets, sum(self._in_sets, ()))

    def remarks(self) -> list[str]:
        """Say where folds of EMO-SUPERB lack actors: a figure on such a part of the release is of another task than the published ones."""
        found, whole = map(len, self._in_sets), map(len, EMO_SUPERB_SETS)
        lacking = [f"{n} of the {all_} of set {number}" for number, (n, all_) in enumerate(zip(found, whole, strict=False), 1) if n < all_]
        if not lacking:
            return []
        return [f"WARNING: of the actors of EMO-SUPERB, only {', '.join(lacking)} are here: no figure can stand beside its published ones"]

    @staticmethod
    def text_of(utterance: str) -> str | None:
        """Return the code of the sentence. Every actor speaks the same twelve sentences.

        >>> CremaD.text_of("1001_IEO_HAP_XX")
        'IEO'
        """
        return utterance.split("_")[1] if "_" in utterance else None

    def _voice_votes(self) -> pd.DataFrame:
        path = self.data_folder / VOTES
        columns = {"fileName": str, "numResponses": int, **dict.fromkeys(CODES, int)}
        try:
            header = pd.read_csv(path, nrows=0).columns
            missing = [column for column in columns if column not in header]
            if missing:
                raise ValueError(f"no column {', '.join(missing)}")
            table = pd.read_csv(path, usecols=[header[0], *columns], dtype={header[0]: int, **columns})
        except ValueError as error:
            raise InputError(f"{path}: cannot be read as the release's table of votes: {error}") from error
        row = table[header[0]]
        outside = ~row.between(FIRST_VOICE_ROW, LAST_ROW)
        if outside.any():
            line, found = row[outside].index[0] + 2, row[outside].iloc[0]
            raise InputError(
                f"{path}, line {line}: {found} in the first column ({header[0]!r}), which must hold the numbers of the rows, from "
                f"{FIRST_VOICE_ROW} to {LAST_ROW}: they tell which votes are for the voice alone. Were they lost when the table was saved? "
                "Get it from the release again"
            )
        return table[(row >= FIRST_VOICE_ROW) & (row < FIRST_FACE_ROW)]
