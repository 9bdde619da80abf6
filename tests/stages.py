"""Results as training leaves them, written by hand: manifests of four speakers, an encoder and a head on it. Nothing is trained."""

from pathlib import Path

import numpy as np
import pandas as pd
from releases import write_table

from mlee_sb.corpora.manifest import read_protocol
from mlee_sb.corpora.prepare import prepare
from mlee_sb.stage_folder import PROTOCOL, REQUIRED, VERSION, StageFolder, Summary, key_of

VOTES = """
wav,speaker,session,votes_neu,votes_hap,votes_other
a0.wav,a,sa,0,3,0
a1.wav,a,sa,0,3,0
a2.wav,a,sa,3,0,0
b0.wav,b,sb,0,3,0
b1.wav,b,sb,3,0,0
b2.wav,b,sb,1,1,1
c0.wav,c,sc,3,0,0
c1.wav,c,sc,3,0,0
c2.wav,c,sc,0,3,0
d0.wav,d,sd,3,0,0
d1.wav,d,sd,3,0,0
d2.wav,d,sd,0,3,0
"""
EMOTIONS = ["neu", "hap"]
TRAIN, VALID = ["c0", "c1", "c2", "d0", "d1", "d2"], ["b0", "b1"]  # of fold 1, which tests a; b2 has no dominant emotion
WEIGHTS = [6 / 8, 6 / 4]  # 4 neu and 2 hap in training: 6 / (2 * 4) and 6 / (2 * 2)
WEIGHTS_WITH_TEST = [9 / 10, 9 / 8]  # 5 neu and 4 hap
ENCODER, HEAD = Path("calls/dominant_hard/dominant/seed1/fold1"), Path("calls/mlee_pretrain_hard/dominant/seed1/fold1")
MANIFESTS = Path("calls/manifests/neu_hap")


def write_results(folder: Path) -> Path:
    """Clean results in `folder`/results of the release in `folder`/release."""
    results = folder / "results"
    release = write_table(folder / "release", VOTES)
    (results / MANIFESTS).parent.mkdir(parents=True)
    prepare("vote_table", release, results / MANIFESTS, EMOTIONS, say=lambda line: None, name="calls")
    encoder = write_stage(results, ENCODER)
    write_stage(results, HEAD, required={"dominant": key_of(encoder)})
    return results


def write_stage(results: Path, stage: Path, required: dict[str, str] | None = None) -> dict:
    """Write a finished stage with a hard target. Return its identity."""
    protocol, (_, row, train_set, _, fold) = read_protocol(results / MANIFESTS), stage.parts
    row, _, variant = row.partition("@")
    names = {"row": row, "train_set": train_set, "fold": int(fold.removeprefix("fold")), "seed": 1, "target": "hard"}
    settings = {"emotions": EMOTIONS, "min_votes": 1, "class_weights": True, "variant": variant}
    requires = {REQUIRED + name: key for name, key in (required or {}).items()}
    identity = {**names, **settings, PROTOCOL: protocol["hash"], VERSION: "0.2.0", **requires}
    files = StageFolder(results / stage)
    files.write_identity(identity)
    uses = {"training": TRAIN, "class_weights": TRAIN, "selection": VALID, "calibration": [*VALID, "b2"]}
    for use, ids in (uses | ({} if required else {"z_norm": TRAIN})).items():
        files.note_use(use, ids)
    test = pd.read_csv(results / MANIFESTS / fold / "test.csv", keep_default_na=False)
    files.write_predictions(test, EMOTIONS, "hard", "softmax", np.full((len(test), 2), 0.5))
    of_data = {"corpus": protocol["corpus"], "demo": False, "protocol_hash": protocol["hash"]}
    how = {"output": "softmax", "class_weights": WEIGHTS, "losses": {}, "epochs": 1, "seconds": 1.0}
    files.write_summary(Summary(**names, variant=variant, **of_data, **how))
    return identity
