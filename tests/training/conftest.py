"""A corpus that is prepared in a moment, and stages on it."""

from pathlib import Path

import pytest
from releases import write_table

from mlee_sb.corpora.manifest import read_protocol
from mlee_sb.corpora.prepare import prepare
from mlee_sb.training.stage import Data, make_stage

EMOTIONS = ["neu", "hap"]
VOTES = ["3,0,0", "0,3,0", "2,1,0", "1,2,0", "1,1,1", "0,0,3"]  # neu, hap, other: the last two have no dominant target
SPEAKERS = "abcd"  # fold 1 tests a, validates on b, trains on c and d


def votes_table(votes=VOTES, speakers=SPEAKERS) -> str:
    """A row for each of `votes` by each speaker; `votes` may be a dictionary of each speaker's."""
    by_speaker = votes if isinstance(votes, dict) else dict.fromkeys(speakers, votes)
    rows = [f"{s}{i}.wav,{s},{v}" for s, counts in by_speaker.items() for i, v in enumerate(counts)]
    return "\n".join(["wav,speaker,votes_neu,votes_hap,votes_other", *rows])


@pytest.fixture
def data(tmp_path):
    """Makes the manifests of a table of votes: `data(votes)`."""

    def make(votes=VOTES) -> Data:
        folder = write_table(tmp_path / "release", votes_table(votes))
        prepare("vote_table", folder, tmp_path / "manifests", EMOTIONS, say=lambda line: None)
        return Data(tmp_path / "manifests", read_protocol(tmp_path / "manifests"), folder)

    return make


@pytest.fixture
def stage(data, tmp_path):
    """Makes a stage: `stage("mlee", lr=0.1)`, on the data of `VOTES` or on `on`."""

    def make(hparams: str, on: Data | None = None, **overrides):
        overrides = {"emotions": EMOTIONS, "fold": 1, **overrides}
        return make_stage(Path("hparams") / f"{hparams}.yaml", overrides, on or data(), tmp_path / "results")

    return make
