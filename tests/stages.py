"""Results as training leaves them, written by hand: manifests of four speakers, an encoder and a head on it. Nothing is trained."""

from pathlib import Path

import pandas as pd
from releases import write_table

from mlee_sb.corpora.manifest import read_protocol
from mlee_sb.corpora.prepare import prepare
from mlee_sb.evaluation.protocol.stages import key_of
from mlee_sb.evaluation.results import VERSION
from mlee_sb.files import write_json

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
    prepare("vote_table", release, results / MANIFESTS, ["neu", "hap"], say=lambda line: None, name="calls")
    encoder = write_stage(results, ENCODER)
    write_stage(results, HEAD, required={"dominant": key_of(encoder)})
    return results


def write_stage(results: Path, stage: Path, required: dict[str, str] | None = None) -> dict:
    """A finished stage with a hard target; return its identity."""
    protocol, (_, row, train_set, _, fold) = read_protocol(results / MANIFESTS), stage.parts
    names = {"row": row, "train_set": train_set, "fold": int(fold.removeprefix("fold")), "seed": 1}
    settings = {"target": "hard", "emotions": ["neu", "hap"], "min_votes": 1, "class_weights": True, "protocol": protocol["hash"]}
    settings[VERSION] = "0.2.0"
    identity = {**names, **settings, **{f"required {name}": key for name, key in (required or {}).items()}}
    save = results / stage / "save"
    write_json(save / "identity.json", identity)
    uses = {"training": TRAIN, "class_weights": TRAIN, "selection": VALID, "calibration": [*VALID, "b2"]}
    uses |= {} if required else {"z_norm": TRAIN}
    for use, ids in uses.items():
        write_used(results / stage, use, ids)
    test = pd.read_csv(results / MANIFESTS / fold / "test.csv")
    columns = ["ID", "speaker", "dominant", "votes_neu", "votes_hap", "votes_oth"]
    test[columns].assign(p_neu=0.5, p_hap=0.5).to_csv(results / stage / "predictions.csv", index=False)
    noted = {"corpus": protocol["corpus"], "demo": False, "protocol_hash": protocol["hash"], "class_weights": WEIGHTS, "losses": {}}
    write_json(save / "summary.json", {**names, **noted})
    return identity


def write_used(stage: Path, use: str, ids: list[str]) -> None:
    """save/used/<use>.csv of a stage."""
    path = stage / "save" / "used" / f"{use}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["ID", *ids]) + "\n")
