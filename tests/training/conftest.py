"""A corpus that is prepared in a moment, and stages on it."""

from pathlib import Path

import pytest
from releases import write_table, write_wav

from mlee_sb.corpora.manifest import read_protocol
from mlee_sb.corpora.prepare import prepare
from mlee_sb.files import write_json
from mlee_sb.models.bundle_files import WEIGHTS
from mlee_sb.stage_folder import Summary
from mlee_sb.training.stage import Data, Stage, make_stage

EMOTIONS = ["neu", "hap"]
VOTES = ["3,0,0", "0,3,0", "2,1,0", "1,2,0", "1,1,1", "0,0,3"]  # neu, hap, other: the last two have no dominant target
SPEAKERS = "abcd"  # fold 1 tests a, validates on b, trains on c and d


def votes_table(votes) -> str:
    """A row for each of `votes` by each speaker; `votes` may be a dictionary of each speaker's."""
    by_speaker = votes if isinstance(votes, dict) else dict.fromkeys(SPEAKERS, votes)
    rows = [f"{s}{i}.wav,{s},{v}" for s, counts in by_speaker.items() for i, v in enumerate(counts)]
    return "\n".join(["wav,speaker,votes_neu,votes_hap,votes_other", *rows])


def prepared(folder: Path, votes=VOTES, min_votes: int = 1) -> Data:
    """The manifests of a table of votes."""
    release = write_table(folder / "release", votes_table(votes))
    for number, wav in enumerate(sorted(release.glob("*.wav"))):  # batches need padding
        write_wav(wav, seconds=0.06 + 0.02 * (number % 4))
    prepare("vote_table", release, folder / "manifests", EMOTIONS, min_votes, say=lambda line: None)
    return Data(folder / "manifests", read_protocol(folder / "manifests"), release)


def stage_on(data: Data, results: Path, hparams: str, **overrides) -> Stage:
    """The stage of an hparams file, on fold 1."""
    return make_stage(Path("hparams") / f"{hparams}.yaml", {"emotions": EMOTIONS, "fold": 1, **overrides}, data, results)


def finished(part):
    """A stage that looks as if it had been trained, on encoders that are not there."""
    settings, names = part.settings, ("row", "train_set", "fold", "seed", "target")
    rest = {"class_weights": None, "losses": {}, "epochs": 1, "seconds": 1.0, "output": "softmax", "demo": False, "protocol_hash": "1"}
    part.files.write_summary(Summary(**{name: settings[name] for name in names}, variant="", corpus="calls", **rest))
    for path in (part.files.predictions, part.files.hyperparams, part.files.config, part.files.model / WEIGHTS):
        write_json(path, {})
    part.files.write_identity(part.identity)
    return part


@pytest.fixture
def data(tmp_path):
    """`data(votes)` prepares a table of votes."""
    return lambda votes=VOTES: prepared(tmp_path, votes)


@pytest.fixture
def stage(data, tmp_path):
    """`stage("mlee", lr=0.1)` is a stage on the table of `VOTES`, or on `on`."""
    return lambda hparams, on=None, **overrides: stage_on(on or data(), tmp_path / "results", hparams, **overrides)
