"""Results as training leaves them, without any training: predictions of a known quality, with their summaries and logs."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from mlee_sb.evaluation.predictions import read_predictions
from mlee_sb.evaluation.results import find_stages
from mlee_sb.stage_folder import OUTPUT, PROTOCOL, TARGET, StageFolder, Summary, stage_place
from mlee_sb.targets import find_target

EMOTIONS = ["neu", "hap", "sad"]
HASH = "0123abcd" * 8  # of the protocol
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
    variant: str = "",
    **summary,
) -> Path:
    """Write the stages of some cells of table 3; returns the folder of the corpus.

    Each fold tests two speakers of 12 utterances each. `variant` names other settings; `summary` replaces entries of the summary.
    """
    for row in rows:
        for train_set in ("dominant",) if row == "dominant_hard" else train_sets:
            for seed in seeds:
                for fold in folds:
                    folder = stage_place(results, corpus, row, variant, train_set, seed, fold)
                    names = {"row": row, "variant": variant, "train_set": train_set, "seed": seed, "fold": fold, "corpus": corpus}
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
    target = find_target("existence" if row == "mlee" else "hard" if row.endswith("hard") else "soft")
    frame[TARGET], frame[OUTPUT] = target.name, target.output.name
    frame[[f"p_{emotion}" for emotion in emotions]] = existence if row == "mlee" else posterior
    if row.startswith("mlee"):
        frame[[f"e_{emotion}" for emotion in emotions]] = existence
    return frame


def write_stage(folder: Path, frame: pd.DataFrame, summary: dict) -> None:
    """Write what a finished stage leaves: predictions, summary, identity and the log of its training."""
    files = StageFolder(folder)
    emotions = [column for column in frame if column.startswith("p_")]
    weights = [([0.4, 1.6] if summary["row"] == "mlee" else 0.5 + k / len(emotions)) for k in range(len(emotions))]
    trained = {"losses": {"train": 0.5, "valid": 0.9}, "epochs": 2, "seconds": 60.0, "class_weights": weights}
    meaning = {"target": frame[TARGET].iloc[0], "output": frame[OUTPUT].iloc[0]}
    whole = {"demo": False, "protocol_hash": HASH, **meaning, **trained} | summary
    files.write_summary(Summary(**whole))
    of_stage = {name: whole[name] for name in ("row", "variant", "target", "train_set", "seed", "fold")}
    files.write_identity({PROTOCOL: whole["protocol_hash"], "min_votes": 1, **of_stage})
    frame.to_csv(files.predictions, index=False)
    losses = [(1, 1.2, 1.0), (2, 0.9, 0.9), (3, 0.5, 1.1)]
    files.train_log.write_text("".join(f"epoch: {e} - train loss: {t:.6f} - valid loss: {v:.6f}\n" for e, t, v in losses))


def cell(found: dict, row: str, train_set: str) -> dict:
    """The cell of a row and train set in what `evaluate` found."""
    (one,) = [cell for cell in found["cells"] if (cell["row"], cell["train_set"]) == (row, train_set)]
    return one


def rewrite(folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Change the predictions of every stage: `change` takes and returns a frame."""
    for stage in find_stages(folder):
        change(read_predictions(stage.predictions)).to_csv(stage.predictions, index=False)


def rare(frame: pd.DataFrame, speakers: tuple[str, ...]) -> pd.DataFrame:
    """With `sad` as the dominant emotion of two utterances of some speakers, and of no other."""
    first = frame.groupby("speaker").cumcount() < 2
    others = frame["dominant"].replace({"sad": "hap", "oth": "neu", "": "neu"})
    return frame.assign(dominant=others.mask(first & frame["speaker"].isin(speakers), "sad"))
