"""The part of the protocol check that looks at trained stages: what each of them used, and whether that was free of its test set."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mlee_sb.calibration import CROSS
from mlee_sb.corpora.manifest import categories_of, read_votes, vote_columns
from mlee_sb.errors import InputError
from mlee_sb.evaluation.protocol.findings import LEAK, NOTE, UNCHECKED, Finding, finding
from mlee_sb.evaluation.protocol.manifests import Manifests
from mlee_sb.evaluation.results import StageResult, frozen_encoders
from mlee_sb.stage_folder import AGAIN, IDENTITY, INNER_COLUMNS, PROTOCOL, SUMMARY, VERSION
from mlee_sb.targets import Target, find_target
from mlee_sb.targets.annotator_votes import annotator_labels, judgements, learnt_annotators
from mlee_sb.typed_files import read_text_table

TRAIN, VALID = ("train",), ("valid",)
SPLITS_OF_USE = {"training": TRAIN, "z_norm": TRAIN, "class_weights": TRAIN, "selection": VALID, "calibration": VALID}
WORDS = {
    "training": "utterances trained on",
    "z_norm": "utterances that the z-norm was computed with",
    "class_weights": "utterances that the class weights were computed with",
    "selection": "utterances that an epoch was chosen with",
    "calibration": "utterances that the model was calibrated with",
}
OF_BOTH = ("fold", "seed", "row", "train_set", "target")  # what summary.json and identity.json both hold
FLOAT32 = 1e-5  # relative: class weights are noted in single precision


def check_stage(stage: StageResult, manifests: Manifests, by_key: Mapping[str, StageResult]) -> Iterator[Finding]:
    """Find what a finished stage did with utterances that it must not use.

    Parameters
    ----------
    stage : what to check
    manifests : the manifests that it was trained on
    by_key : key -> stage, of all stages that were found
    """
    summary, identity = stage.summary, stage.identity
    if summary.fold not in manifests.folds:
        yield finding(UNCHECKED, "stage", stage.folder, f"fold {summary.fold} of its manifests ({manifests.folder}) could not be read")
        return
    if identity.get("emotions") != manifests.protocol["emotions"]:
        what = f"{IDENTITY} and protocol.json ({manifests.folder}) are not of the same training, because they differ in"
        yield finding(LEAK, "stage", stage.files.save, what, ["emotions"])
        return
    differing = [name for name in OF_BOTH if identity.get(name) != getattr(summary, name)]
    if differing or identity.get(PROTOCOL) != summary.protocol_hash:
        what = f"{SUMMARY} and {IDENTITY} are not of the same training, because they differ in"
        yield finding(LEAK, "stage", stage.files.save, what, differing or [PROTOCOL])
    yield from _used(stage, manifests, needs_z_norm=not stage.required)
    if _across(stage):
        yield from _inner_models(stage, manifests)
    yield from _class_weights(stage, manifests)
    yield from _predictions(stage, manifests)
    for name, encoder in frozen_encoders(stage, by_key).items():
        if encoder:
            yield from _encoder(stage, manifests, name, encoder)
        else:
            what = f"its encoder {name} is not among these results, or was trained again since: it is not known what it saw"
            yield finding(UNCHECKED, "encoder", stage.folder, what)


def read_used(stage: StageResult, use: str) -> list[str] | None:
    """Read the IDs that a stage noted for a use; None where it noted none."""
    path = stage.files.used(use)
    return _table(path)["ID"].tolist() if path.is_file() else None


def _across(stage: StageResult) -> bool:
    """Tell whether each training speaker was to be judged by an inner model that did not hear it."""
    return stage.identity.get("calibration") == CROSS


def _table(path: Path, columns: Sequence[str] = ("ID",)) -> pd.DataFrame:
    return read_text_table(path, columns, AGAIN)


def _used(stage: StageResult, manifests: Manifests, needs_z_norm: bool) -> Iterator[Finding]:
    """Find uses of utterances of another split, and what was not noted."""
    fold, uses = stage.summary.fold, stage.files.uses
    if not uses.is_dir():
        yield finding(UNCHECKED, "use", uses, "missing: trained with an older version, which did not note what it used")
        return
    for use, splits in {**SPLITS_OF_USE, **({"calibration": (*TRAIN, *VALID)} if _across(stage) else {})}.items():
        path = stage.files.used(use)
        used = read_used(stage, use)
        if used is None:
            if use != "z_norm" or needs_z_norm:
                yield finding(UNCHECKED, "use", path, "missing, so it is not known what was used")
            continue
        yield from _misused(set(used), WORDS[use], path, splits, manifests, fold)
        not_noted = set.union(*(_usable(manifests.folds[fold][split], stage, manifests) for split in splits)) - set(used)
        if not_noted:
            what = f"not all noted, so it is not known what else was used: utterances of {_files(splits)} that this stage can use"
            yield finding(UNCHECKED, "use", path, what, not_noted)


def _inner_models(stage: StageResult, manifests: Manifests) -> Iterator[Finding]:
    """Find inner models that judged speakers that they were trained on, and what was not noted of them."""
    path, fold = stage.files.used_by_inner, stage.summary.fold
    if not path.is_file():
        what = "missing, so it is not known whether inner models judged speakers that they were trained on"
        yield finding(UNCHECKED, "use", path, what)
        return
    noted, speaker_of, complete = _table(path, INNER_COLUMNS), manifests.speaker_of(), set()
    for group, rows in noted.groupby("group"):
        heard, judged = (set(rows["ID"][rows["use"] == use]) for use in ("training", "calibration"))
        yield from _misused(heard | judged, f"utterances that inner model {group} used", path, TRAIN, manifests, fold)
        both = {speaker_of[id_] for id_ in heard & speaker_of.keys()} & {speaker_of[id_] for id_ in judged & speaker_of.keys()}
        if both:
            yield finding(LEAK, "use", path, f"speakers that inner model {group} was trained on, and judged", both)
        complete |= judged if heard else set()
    if not_noted := set(manifests.folds[fold]["train"]["ID"]) - complete:
        what = "not all noted, so it is not known which inner model judged them, or what it was trained on: utterances of train.csv"
        yield finding(UNCHECKED, "use", path, what, not_noted)


def _files(splits: Sequence[str]) -> str:
    return " or ".join(f"{split}.csv" for split in splits)


def _usable(rows: pd.DataFrame, stage: StageResult, manifests: Manifests) -> set[str]:
    """Return the IDs of the rows of a split that a stage can use."""
    targets = _targets(rows, stage, manifests)
    return set() if targets is None else set(rows["ID"][targets[1]])


def _targets(rows: pd.DataFrame, stage: StageResult, manifests: Manifests) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the labels of some rows of a manifest, and which rows are usable; None where they cannot be made."""
    settings = stage.identity
    try:
        target = find_target(settings["target"])
        if target.needs_annotators:
            votes = _annotator_votes(target, rows, stage, manifests)
        else:
            votes = rows[vote_columns(settings["emotions"])].astype(int).to_numpy()
        return target.training_labels(settings["train_set"], rows["dominant"].tolist(), votes, settings)
    except (ValueError, OverflowError, KeyError, TypeError, InputError):
        return None


def _annotator_votes(target: Target, rows: pd.DataFrame, stage: StageResult, manifests: Manifests) -> np.ndarray:
    """Return the votes for some rows of those annotators that a stage learns."""
    settings, votes = stage.identity, read_votes(manifests.folder)
    annotators = learnt_annotators(judgements(target, votes, manifests.folds[stage.summary.fold]["train"], settings), settings)
    return annotator_labels(votes, rows["ID"].tolist(), settings["emotions"], annotators)


def _misused(used: set[str], words: str, path: Path, splits: Sequence[str], manifests: Manifests, fold: int) -> Iterator[Finding]:
    """Find used utterances that are in none of some splits: of the test set, of no manifest, and of other splits."""
    of_fold, speaker_of = manifests.folds[fold], manifests.speaker_of()
    tested = _tested(used, manifests, fold)
    if tested:
        yield finding(LEAK, "use", path, f"{words}, though they are of the test set or its speakers", tested)
    rest = used - tested - {id_ for split in splits for id_ in of_fold[split]["ID"]}
    unknown = {id_ for id_ in rest if id_ not in speaker_of}
    if unknown:
        yield finding(LEAK, "use", path, f"{words}, though the manifests do not have them", unknown)
    if rest - unknown:
        yield finding(LEAK, "use", path, f"{words}, though they are not in {_files(splits)}", rest - unknown)


def _tested(used: set[str], manifests: Manifests, fold: int) -> set[str]:
    """Return those of some utterances that are in the test set of a fold, or are of its speakers."""
    speakers, speaker_of = manifests.speakers(fold, "test"), manifests.speaker_of()
    return (used & set(manifests.folds[fold]["test"]["ID"])) | {id_ for id_ in used if speaker_of.get(id_) in speakers}


def _class_weights(stage: StageResult, manifests: Manifests) -> Iterator[Finding]:
    noted, settings, path = stage.summary.class_weights, stage.identity, stage.files.summary
    if noted is None or VERSION not in settings:
        what = "trained with an older version, which did not note its class weights or had other ones"
        yield finding(UNCHECKED, "class_weights", path, what)
        return
    splits = manifests.folds[stage.summary.fold]
    if _same(noted, _weights([splits["train"]], stage, manifests)):
        return
    others = {"training and test": ["train", "test"], "training and validation": ["train", "valid"], "all utterances": [*splits]}
    of = [words for words, names in others.items() if _same(noted, _weights([splits[name] for name in names], stage, manifests))]
    what = "class weights that are not those of the training set"
    yield finding(LEAK, "class_weights", path, f"{what}: they are those of {of[0]}" if of else what)


def _weights(frames: list[pd.DataFrame], stage: StageResult, manifests: Manifests) -> np.ndarray | None:
    """Compute the class weights over some rows of a manifest; None where they cannot be computed."""
    rows, settings = pd.concat(frames, ignore_index=True), stage.identity
    made = _targets(rows, stage, manifests)
    if made is None:
        return None
    targets, usable = made
    try:
        return find_target(settings["target"]).training_class_weights(targets[usable], rows["dominant"][usable].tolist(), settings)
    except (InputError, KeyError):  # an emotion without an example, or a setting that was not noted
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
    frame, test = _table(path), manifests.folds[stage.summary.fold]["test"]
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
    """Find what the encoder of a stage saw of the test set of that stage. For a fold of its own that may have been right."""
    fold, where = stage.summary.fold, f"its encoder {name} ({encoder.folder})"
    used = {id_ for use in SPLITS_OF_USE for id_ in read_used(encoder, use) or ()}
    tested = _tested(used, manifests, fold)
    if tested:
        yield finding(LEAK, "encoder", stage.folder, f"{where} used utterances of this stage's test set", tested)
    other = encoder.summary
    if other.protocol_hash != stage.summary.protocol_hash:
        yield finding(LEAK, "encoder", stage.folder, f"{where} was trained on another protocol", [other.protocol_hash])
    elif other.fold != fold:
        learnt = [manifests.speakers(other.fold, split) for split in ("train", "valid")]
        seen = manifests.speakers(fold, "test") & set.union(*learnt)
        what = f"{where} was trained on fold {other.fold}"
        if seen:
            yield finding(LEAK, "encoder", stage.folder, f"{what}, which trains or validates on test speakers of fold {fold}", seen)
        else:
            yield finding(NOTE, "encoder", stage.folder, f"{what}, and this stage on fold {fold}")
