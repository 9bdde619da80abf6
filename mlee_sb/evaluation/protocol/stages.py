"""The part of the protocol check that looks at trained stages: what each used, and whether its test set was kept out of it."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from mlee_sb.corpora.manifest import categories_of, vote_columns
from mlee_sb.errors import InputError
from mlee_sb.evaluation.protocol.findings import LEAK, NOTE, UNCHECKED, Finding, finding
from mlee_sb.evaluation.protocol.manifests import Manifests
from mlee_sb.evaluation.results import REQUIRED, VERSION, StageResult
from mlee_sb.targets import find_target

USED = Path("save") / "used"
SPLIT_OF_USE = {"training": "train", "z_norm": "train", "class_weights": "train", "selection": "valid", "calibration": "valid"}
WORDS = {
    "training": "utterances trained on",
    "z_norm": "utterances that the z-norm was computed with",
    "class_weights": "utterances that the class weights were computed with",
    "selection": "utterances that an epoch was chosen with",
    "calibration": "utterances that the model was calibrated with",
}
FLOAT32 = 1e-5  # relative: class weights are noted in single precision


def key_of(identity: Mapping) -> str:
    """The key by which a stage that requires another one knows it: of its identity.json."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def check_stage(stage: StageResult, manifests: Manifests, by_key: Mapping[str, StageResult]) -> Iterator[Finding]:
    """What a finished stage did with utterances that it must not use.

    Parameters
    ----------
    stage : to look at
    manifests : those that it was trained on
    by_key : key -> stage, of all stages that were found
    """
    if stage.fold not in manifests.folds:
        yield finding(UNCHECKED, "stage", stage.folder, f"fold {stage.fold} of its manifests ({manifests.folder}) could not be read")
        return
    identity = stage.identity
    if identity.get("emotions") != manifests.protocol["emotions"]:
        what = f"identity.json and protocol.json ({manifests.folder}) are not of the same training, by their"
        yield finding(LEAK, "stage", stage.folder / "save", what, ["emotions"])
        return
    differing = [name for name in ("fold", "seed", "row", "train_set") if identity.get(name) != getattr(stage, name)]
    if differing or identity.get("protocol") != stage.protocol_hash:
        names = differing or ["protocol"]
        yield finding(LEAK, "stage", stage.folder / "save", "summary.json and identity.json are not of the same training, by their", names)
    yield from _used(stage, manifests, needs_z_norm=not _required(identity))
    yield from _class_weights(stage, manifests)
    yield from _predictions(stage, manifests)
    for name, encoder in frozen_encoders(stage, by_key).items():
        if encoder:
            yield from _encoder(stage, manifests, name, encoder)
        else:
            what = f"its encoder {name} is not among these results, or was trained again since: what that saw is not known"
            yield finding(UNCHECKED, "encoder", stage.folder, what)


def frozen_encoders(stage: StageResult, by_key: Mapping[str, StageResult]) -> dict[str, StageResult | None]:
    """The stages that a stage froze, by name; None for one that is not there, or was trained again since and has other weights."""
    noted = stage.encoders
    there = {name: by_key.get(key) for name, key in _required(stage.identity).items()}
    return {name: one if one and one.weights in (None, noted.get(name)) else None for name, one in there.items()}


def read_used(stage: StageResult, use: str) -> list[str] | None:
    """The IDs that a stage noted for a use; None where it noted none."""
    path = stage.folder / USED / f"{use}.csv"
    return _ids(path, ["ID"])["ID"].tolist() if path.is_file() else None


def _required(identity: Mapping) -> dict[str, str]:
    return {name.removeprefix(REQUIRED): key for name, key in identity.items() if name.startswith(REQUIRED)}


def _ids(path: Path, columns: list[str]) -> pd.DataFrame:
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except ValueError as error:
        raise InputError(f"{path}: damaged ({error}): train the stage again") from error
    missing = [column for column in columns if column not in frame]
    if missing:
        raise InputError(f"{path}: no column {', '.join(missing)}: train the stage again")
    return frame


def _used(stage: StageResult, manifests: Manifests, needs_z_norm: bool) -> Iterator[Finding]:
    if not (stage.folder / USED).is_dir():
        yield finding(UNCHECKED, "use", stage.folder, "no save/used/ in it: trained with an older version, which did not note what it used")
        return
    for use, split in SPLIT_OF_USE.items():
        path = stage.folder / USED / f"{use}.csv"
        used = read_used(stage, use)
        if used is None:
            if use != "z_norm" or needs_z_norm:
                yield finding(UNCHECKED, "use", path, "missing, so it is not known what was used")
            continue
        yield from _misused(set(used), WORDS[use], path, split, manifests, stage.fold)
        not_noted = _usable(manifests.folds[stage.fold][split], stage.identity) - set(used)
        if not_noted:
            what = f"not all noted, so it is not known what else was used: utterances of {split}.csv that this stage can use"
            yield finding(UNCHECKED, "use", path, what, not_noted)


def _usable(rows: pd.DataFrame, settings: Mapping) -> set[str]:
    """The IDs of the rows of a split that a stage can use."""
    targets = _targets(rows, settings)
    return set() if targets is None else set(rows["ID"][targets[1]])


def _targets(rows: pd.DataFrame, settings: Mapping) -> tuple[np.ndarray, np.ndarray] | None:
    """The targets of some rows of a manifest and which of them are usable; None where they cannot be made."""
    try:
        votes = rows[vote_columns(settings["emotions"])].astype(int).to_numpy()
        target = find_target(settings["target"])
        return target.training_labels(settings["train_set"], rows["dominant"].tolist(), votes, settings)
    except (ValueError, OverflowError, KeyError):
        return None


def _misused(used: set[str], words: str, path: Path, split: str, manifests: Manifests, fold: int) -> Iterator[Finding]:
    """Used utterances that are not of `split`, by whose they are: of the test set, of the other split, or of nobody."""
    splits, speaker_of = manifests.folds[fold], manifests.speaker_of()
    tested = _tested(used, manifests, fold)
    if tested:
        yield finding(LEAK, "use", path, f"{words}, though they are of the test set or its speakers", tested)
    rest = used - tested - set(splits[split]["ID"])
    unknown = {id_ for id_ in rest if id_ not in speaker_of}
    if unknown:
        yield finding(LEAK, "use", path, f"{words}, though the manifests do not have them", unknown)
    if rest - unknown:
        yield finding(LEAK, "use", path, f"{words}, though they are not in {split}.csv", rest - unknown)


def _tested(used: set[str], manifests: Manifests, fold: int) -> set[str]:
    """Those of the test set, and others of its speakers."""
    speakers, speaker_of = manifests.speakers(fold, "test"), manifests.speaker_of()
    return (used & set(manifests.folds[fold]["test"]["ID"])) | {id_ for id_ in used if speaker_of.get(id_) in speakers}


def _class_weights(stage: StageResult, manifests: Manifests) -> Iterator[Finding]:
    noted, settings = stage.class_weights, stage.identity
    path = stage.folder / "save" / "summary.json"
    if noted is None or VERSION not in settings:
        what = "trained with an older version, which did not note its class weights or had other ones"
        yield finding(UNCHECKED, "class_weights", path, what)
        return
    splits = manifests.folds[stage.fold]
    if _same(noted, _weights([splits["train"]], settings)):
        return
    others = {"training and test": ["train", "test"], "training and validation": ["train", "valid"], "all utterances": [*splits]}
    of = [words for words, names in others.items() if _same(noted, _weights([splits[name] for name in names], settings))]
    what = "class weights that are not those of the training set"
    yield finding(LEAK, "class_weights", path, f"{what}: they are those of {of[0]}" if of else what)


def _weights(frames: list[pd.DataFrame], settings: Mapping) -> np.ndarray | None:
    """The class weights over some rows of a manifest; None where they cannot be computed."""
    rows = pd.concat(frames, ignore_index=True)
    made = _targets(rows, settings)
    if made is None:
        return None
    targets, usable = made
    try:
        return find_target(settings["target"]).training_class_weights(targets[usable], rows["dominant"][usable].tolist(), settings)
    except InputError:  # an emotion without an example
        return None


def _same(noted, computed: np.ndarray | None) -> bool:
    try:
        return computed is not None and np.shape(noted) == computed.shape and np.allclose(noted, computed, rtol=FLOAT32, atol=0)
    except (ValueError, TypeError):  # a table of rows of several lengths, or of words
        return False


def _predictions(stage: StageResult, manifests: Manifests) -> Iterator[Finding]:
    path = stage.predictions
    if not path.is_file():
        yield finding(UNCHECKED, "predictions", path, "missing, though the stage is finished")
        return
    columns = ["ID", "speaker", "dominant", *vote_columns(categories_of(manifests.protocol))]
    frame, test = _ids(path, ["ID"]), manifests.folds[stage.fold]["test"]
    known = set(test["ID"])
    wrong = {
        "predictions of utterances that are not in test.csv": set(frame["ID"]) - known,
        "no prediction of utterances in test.csv": known - set(frame["ID"]),
        "utterances that are predicted more than once": set(frame["ID"][frame["ID"].duplicated()]),
    }
    columns = [column for column in columns if column in frame]  # an older version did not write all of them
    there = set(test[columns].itertuples(index=False, name=None))
    rows = zip(frame["ID"], frame[columns].itertuples(index=False, name=None), strict=True)
    wrong["votes, speakers or dominant emotions that are not those of test.csv"] = {i for i, row in rows if i in known and row not in there}
    for what, ids in wrong.items():
        if ids:
            yield finding(LEAK, "predictions", path, what, ids)


def _encoder(stage: StageResult, manifests: Manifests, name: str, encoder: StageResult) -> Iterator[Finding]:
    """What the encoder that a stage froze saw of that stage's test set: its own use of it may have been right."""
    fold, where = stage.fold, f"its encoder {name} ({encoder.folder})"
    used = {id_ for use in SPLIT_OF_USE for id_ in read_used(encoder, use) or ()}
    tested = _tested(used, manifests, fold)
    if tested:
        yield finding(LEAK, "encoder", stage.folder, f"{where} used utterances of this stage's test set", tested)
    if encoder.protocol_hash != stage.protocol_hash:
        yield finding(LEAK, "encoder", stage.folder, f"{where} was trained on another protocol", [encoder.protocol_hash])
    elif encoder.fold != fold:
        learnt = [manifests.listed(encoder.fold, split) for split in ("train", "valid")]
        seen = manifests.speakers(fold, "test") & set.union(*learnt)
        what = f"{where} was trained on fold {encoder.fold}"
        if seen:
            yield finding(LEAK, "encoder", stage.folder, f"{what}, which trains or validates on test speakers of fold {fold}", seen)
        else:
            yield finding(NOTE, "encoder", stage.folder, f"{what}, and this stage on fold {fold}")
