"""Results as training leaves them, without any training: predictions of a known quality, with their summaries and logs."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

EMOTIONS = ["neu", "hap", "sad"]
ROWS = {  # row -> how much its posterior knows of the votes
    "dominant_hard": 1.0,
    "dominant_soft": 1.5,
    "mlee": 2.0,
    "mlee_pretrain_hard": 1.5,
    "mlee_pretrain_soft": 2.0,
    "mlee_fusion_hard": 2.0,
    "mlee_fusion_soft": 3.0,
}


def fabricate(
    results: Path,
    rows: Iterable[str] = ROWS,
    train_sets: Iterable[str] = ("dominant", "all"),
    seeds: Iterable[int] = (1,),
    folds: Iterable[int] = (1, 2, 3),
    corpus: str = "crema_d",
    emotions: list[str] = EMOTIONS,
    **summary,
) -> Path:
    """Write the stages of some cells of table 3; returns the folder of the corpus.

    Each fold tests two speakers of 12 utterances each. `summary` replaces entries of save/summary.json.
    """
    for row in rows:
        for train_set in ("dominant",) if row == "dominant_hard" else train_sets:
            for seed in seeds:
                for fold in folds:
                    folder = results / corpus / row / train_set / f"seed{seed}" / f"fold{fold}"
                    names = {"row": row, "train_set": train_set, "seed": seed, "fold": fold, "corpus": corpus}
                    write_stage(folder, predictions(row, train_set, seed, fold, emotions), {**names, **summary})
    return results / corpus


def predictions(row: str, train_set: str, seed: int, fold: int, emotions: list[str] = EMOTIONS) -> pd.DataFrame:
    """A predictions.csv: the votes are the fold's, what is predicted is the row's."""
    rng = np.random.default_rng(fold)
    k, speakers = len(emotions), np.repeat([f"s{2 * fold}", f"s{2 * fold + 1}"], 12)
    votes = rng.multinomial(5, rng.dirichlet(np.full(k + 1, 0.5), len(speakers)))  # [n, K + 1]
    most = votes.max(axis=1, keepdims=True)
    alone = (votes == most).sum(axis=1) == 1
    dominant = [[*emotions, "oth"][row.argmax()] if one else "" for row, one in zip(votes, alone, strict=True)]
    frame = pd.DataFrame({"ID": [f"{speaker}_{i:02}" for i, speaker in enumerate(speakers)], "speaker": speakers, "dominant": dominant})
    frame[[f"votes_{emotion}" for emotion in emotions]] = votes[:, :k]
    frame["votes_oth"] = votes[:, k]
    frame[[f"exist_{emotion}" for emotion in emotions]] = (votes[:, :k] > 0).astype(int)
    noise = np.random.default_rng([fold, seed, list(ROWS).index(row) if row in ROWS else 99, len(train_set)])
    logits = ROWS.get(row, 1.0) * votes[:, :k] + noise.normal(0, 2, (len(frame), k))
    existence = 1 / (1 + np.exp(-(2.0 * (votes[:, :k] > 0) - 1 + np.random.default_rng([fold, seed]).normal(0, 1, (len(frame), k)))))
    posterior = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    frame[[f"p_{emotion}" for emotion in emotions]] = existence if row == "mlee" else posterior
    if row.startswith("mlee"):
        frame[[f"e_{emotion}" for emotion in emotions]] = existence
    return frame


def write_stage(folder: Path, frame: pd.DataFrame, summary: dict) -> None:
    """Write what a finished stage leaves: predictions.csv, save/summary.json, save/identity.json, train_log.txt."""
    (folder / "save").mkdir(parents=True)
    frame.to_csv(folder / "predictions.csv", index=False)
    emotions = [column for column in frame if column.startswith("p_")]
    weights = [([0.4, 1.6] if summary["row"] == "mlee" else 0.5 + k / len(emotions)) for k in range(len(emotions))]
    trained = {"losses": {"train": 0.5, "valid": 0.9}, "epochs": 2, "seconds": 60.0, "class_weights": weights}
    whole = {"demo": False, "protocol_hash": "0123abcd" * 8, **trained} | summary
    (folder / "save" / "summary.json").write_text(json.dumps(whole))
    identity = {"protocol": whole["protocol_hash"], **{name: whole[name] for name in ("row", "train_set", "seed", "fold")}}
    (folder / "save" / "identity.json").write_text(json.dumps(identity))
    losses = [(1, 1.2, 1.0), (2, 0.9, 0.9), (3, 0.5, 1.1)]
    (folder / "train_log.txt").write_text("".join(f"epoch: {e} - train loss: {t:.6f} - valid loss: {v:.6f}\n" for e, t, v in losses))
