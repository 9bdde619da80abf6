"""The folder of a trained stage (contract 2): its place, file names, columns, identity, key and summary. No other file spells them."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd

from mlee_sb.corpora.manifest import SPLIT, existence_columns, test_sets_in, vote_columns_in
from mlee_sb.errors import InputError, choose
from mlee_sb.files import is_hidden, read_json, sha256_of, write_json, written_beside
from mlee_sb.models.bundle_files import CONFIG, HYPERPARAMS, SCORES, WEIGHTS
from mlee_sb.stage_notes import LATER, DataFolder, Identity, Keys, Summary
from mlee_sb.typed_files import check_types, read_text_table, read_typed

PREDICTIONS, TRAIN_LOG, RUN_LOG = "predictions.csv", "train_log.txt", "run.log"
MODEL, SAVE, USED, EMBEDDINGS, INNER, TENSORBOARD = "model", "save", "used", "embeddings", "inner", "tensorboard"
ANNOTATORS, ANNOTATOR_NAMES = "annotators.csv", "annotators.json"  # of a stage that learns each annotator; the names in the folder `SAVE`
SUMMARY, IDENTITY, ENCODERS, DATA_FOLDER = "summary.json", "identity.json", "encoders.json", "data_folder.json"  # in the folder `SAVE`
DIGESTS = "files.json"  # in the folder `SAVE`: the sha256 of each file that training wrote
CROSS_VALIDATED, TRAINED_ON = "cross_validated", "trained_on"  # entries of scores.json of a final model: what is known of it
CHECKPOINTS = "CKPT*"  # SpeechBrain's name for the folders of checkpoints, in the folder `SAVE`
UPSTREAM = "upstream"  # the folder below the results of a corpus for fixed parts of encoders that all stages share
MANIFESTS = "manifests"  # the folder below the results of a corpus in which training prepares its manifests

POSTERIOR, EXISTENCE_PROBABILITY = "p_", "e_"  # column prefixes of predictions.csv, before the code of an emotion
TARGET, OUTPUT = "target", "output"  # columns of predictions.csv: the target's name, and the name of its output
CONCENTRATION = "concentration"  # column: of the Dirichlet distribution whose mean the posterior is, where the output has one
ANNOTATOR = "annotator"
ANNOTATOR_COLUMNS = ("ID", ANNOTATOR, "label", "answer", "p")
EXACT = "%.9g"  # so many digits are different for any two float32 numbers

VARIANT_MARK = "@"  # in the name of a row, before its variant
VERSION = "version of mlee_sb"  # entry of an identity, since 0.2.0
SOURCE = "source of "  # prefix of an entry: the hash of the code of a module or a package
REQUIRED = "required "  # prefix of an entry: the key of a required stage
PROTOCOL = "protocol"  # entry: the hash of the protocol

USES = ("training", "z_norm", "class_weights", "selection", "calibration")
INNER_COLUMNS = ("group", "use", "ID")  # of what inner models used: "training" what one was trained on, "calibration" what it judged
# For stages that version 0.2.0 or an earlier one trained: those versions noted only the target.
OUTPUTS_BEFORE = {"hard": "softmax", "soft": "softmax", "existence": "sigmoid"}
AGAIN = "move the folder of this stage away, and train it again"
LONGEST_VARIANT, SHOWN_DIGITS, LONGEST_SHOWN = 80, 8, 40  # characters of a name and of a value, digits of a hash


def key_of(identity: Mapping) -> str:
    """Return the key of a stage from its identity. Two stages with equal keys are the same stage."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def variant_of(changed: Mapping) -> str:
    """Return the name of the settings in which a stage differs from its hparams file; "" for none.

    Parameters
    ----------
    changed : name of a setting -> value; the settings of a required stage begin with its name

    >>> variant_of({"mlee.lr": 0.001, "speeds": [0.9, 1.0]})
    'mlee.lr=0.001,speeds=0.9_1.0'
    """
    text = ",".join(f"{name}={_in_a_name(changed[name])}" for name in sorted(changed))
    if len(text) <= LONGEST_VARIANT:
        return text
    digits = hashlib.sha256(text.encode()).hexdigest()[:SHOWN_DIGITS]
    return f"{text[: LONGEST_VARIANT - SHOWN_DIGITS - 1].rstrip('.,=')}-{digits}"


def _in_a_name(value) -> str:
    text = "_".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    if all(character.isalnum() or character in "._-+" for character in text) and len(text) <= LONGEST_SHOWN:
        return text
    return hashlib.sha256(text.encode()).hexdigest()[:SHOWN_DIGITS]


def row_name(row: str, variant: str) -> str:
    """Return the name of a row with its variant, as it stands in paths.

    >>> row_name("mlee", ""), row_name("mlee", "lr=0.001")
    ('mlee', 'mlee@lr=0.001')
    """
    return f"{row}{VARIANT_MARK}{variant}" if variant else row


def is_variant(name: str) -> bool:
    """Tell whether `row_name` made a name from a row and a variant.

    >>> is_variant("mlee"), is_variant("mlee@lr=0.001")
    (False, True)
    """
    return VARIANT_MARK in name


def stage_place(results: str | Path, corpus: str, row: str, variant: str, train_set: str, seed: int, fold: int) -> Path:
    """Return the folder of a stage below the folder of all results."""
    return Path(results, corpus, row_name(row, variant), train_set, f"seed{seed}", f"fold{fold}")


def above_rows(folder: Path) -> Path | None:
    """Return the folder of the results of the corpus, from the folder of a stage in it; None where it cannot be one."""
    parents = folder.parents
    return parents[3] if len(parents) > 3 else None


def prediction_columns(emotions: Sequence[str], prefix: str = POSTERIOR) -> list[str]:
    """Return the columns of predictions.csv with the probabilities of each emotion.

    Parameters
    ----------
    emotions : K codes
    prefix : `POSTERIOR`, or `EXISTENCE_PROBABILITY` in the file of a stage that knows existence

    >>> prediction_columns(["neu", "hap"])
    ['p_neu', 'p_hap']
    """
    return [prefix + emotion for emotion in emotions]


def folders_below(results: str | Path, holding: str = SUMMARY) -> list["StageFolder"]:
    """Return the folders of stages below a folder, sorted: all finished stages, or with `IDENTITY` all that were begun."""
    found = sorted(Path(results).rglob(f"{SAVE}/{holding}"))
    return [StageFolder(path.parents[1]) for path in found if not is_hidden(path, Path(results))]


@dataclass(frozen=True)
class StageFolder:
    """The folder of one stage: where each file lies, and how it is written and read.

    Attributes
    ----------
    path : the folder
    """

    path: Path

    @property
    def predictions(self) -> Path:
        return self.path / PREDICTIONS

    @property
    def annotators(self) -> Path:
        """The file that `write_annotators` writes."""
        return self.path / ANNOTATORS

    @property
    def scores(self) -> Path:
        return self.path / SCORES

    @property
    def hyperparams(self) -> Path:
        return self.path / HYPERPARAMS

    @property
    def train_log(self) -> Path:
        """Losses of each epoch."""
        return self.path / TRAIN_LOG

    @property
    def tensorboard(self) -> Path:
        """The folder of the same losses for TensorBoard."""
        return self.path / TENSORBOARD

    @property
    def run_log(self) -> Path:
        """The output of the process of a sweep, with warnings and tracebacks."""
        return self.path / RUN_LOG

    @property
    def model(self) -> Path:
        """The folder of the bundle."""
        return self.path / MODEL

    @property
    def config(self) -> Path:
        """The config.json of the bundle."""
        return self.model / CONFIG

    @property
    def bundle_scores(self) -> Path:
        """The scores.json of the bundle, a copy of `scores`."""
        return self.model / SCORES

    @property
    def save(self) -> Path:
        """The folder with checkpoints and notes. Nothing in it is ever published."""
        return self.path / SAVE

    @property
    def uses(self) -> Path:
        """The folder of the files that `note_use` writes."""
        return self.save / USED

    @property
    def embeddings(self) -> Path:
        """The folder in which embeddings of this stage's encoder are kept for the stages that freeze it."""
        return self.save / EMBEDDINGS

    @property
    def inner(self) -> Path:
        """The folder of the inner models: trained without some of the training speakers, and calibrated on them."""
        return self.save / INNER

    def inner_model(self, number: int) -> Path:
        """Return the file of the inner model for the group of speakers with a number, from 0."""
        return self.inner / f"group{number + 1}.safetensors"

    @property
    def summary(self) -> Path:
        return self.save / SUMMARY

    @property
    def identity(self) -> Path:
        return self.save / IDENTITY

    @property
    def digests(self) -> Path:
        return self.save / DIGESTS

    @property
    def checkpoints(self) -> list[Path]:
        """The folders of the checkpoints."""
        return list(self.save.glob(CHECKPOINTS))

    def remove_checkpoints(self) -> None:
        """Remove the checkpoints: of a training that is finished, or of one on other encoders."""
        for checkpoint in self.checkpoints:
            shutil.rmtree(checkpoint)

    @property
    def begun(self) -> bool:
        """Whether the folder holds anything that a training wrote."""
        return self.summary.is_file() or bool(self.checkpoints)

    @property
    def weights(self) -> str | None:
        """The sha256 of the weights of the model; None where there are none."""
        path = self.model / WEIGHTS
        return sha256_of(path) if path.is_file() else None

    @property
    def weights_size(self) -> int | None:
        """The bytes of the weights of the model; None where there are none."""
        path = self.model / WEIGHTS
        return path.stat().st_size if path.is_file() else None

    def write_summary(self, summary: Summary) -> None:
        """Write summary.json."""
        write_json(self.summary, asdict(summary))

    def read_summary(self) -> Summary:
        """Read summary.json. Files of earlier versions are read, too.

        Raises
        ------
        InputError
            if it is missing or damaged
        """
        remedy = "train the stage again"
        found = {**LATER, **read_json(self.summary, remedy)}
        if found[TARGET] is None:
            found |= self._target_noted_before()
        found = {field.name: found[field.name] for field in fields(Summary) if field.name in found}
        check_types(found, Summary, self.summary, remedy)
        return Summary(**found)

    def _target_noted_before(self) -> dict:
        target = self.read_identity().get(TARGET)
        return {TARGET: target, OUTPUT: OUTPUTS_BEFORE.get(target)}

    def write_identity(self, identity: Mapping) -> None:
        """Write identity.json: everything that decides the result of the stage."""
        write_json(self.identity, identity)

    def read_identity(self) -> dict:
        """Read identity.json. Raise an InputError if it is missing or damaged."""
        found = read_typed(self.identity, Identity, AGAIN)
        check_types({name: key for name, key in found.items() if name.startswith((REQUIRED, SOURCE))}, Keys, self.identity, AGAIN)
        return found

    def note_encoders(self, sha256s: Mapping[str, str | None]) -> None:
        """Write the sha256 of the weights of each encoder that the stage freezes, by the name of the required stage."""
        write_json(self.save / ENCODERS, sha256s)

    def noted_encoders(self) -> dict[str, str]:
        """Read what `note_encoders` wrote; {} where it wrote nothing."""
        path = self.save / ENCODERS
        return read_typed(path, dict[str, str | None], AGAIN) if path.is_file() else {}

    def note_use(self, use: str, ids: Iterable[str]) -> None:
        """Write the IDs of the utterances that were used in one way, for `mlee check-protocol`.

        Parameters
        ----------
        use : ``"training"`` (gradients), ``"z_norm"`` and ``"class_weights"`` (statistics), ``"selection"`` (of an epoch),
            ``"calibration"`` (of how sure the model may be)
        ids : of the utterances
        """
        with written_beside(self.used(use)) as beside:
            pd.Series(list(ids), name="ID").to_csv(beside, index=False, lineterminator="\n")

    @property
    def used_by_inner(self) -> Path:
        """The file that `note_inner` writes."""
        return self.uses / f"{INNER}.csv"

    def note_inner(self, rows: Iterable[tuple[int, str, str]]) -> None:
        """Write what the inner models used, for `mlee check-protocol`: values of `INNER_COLUMNS`, groups numbered from 1."""
        with written_beside(self.used_by_inner) as beside:
            pd.DataFrame(list(rows), columns=INNER_COLUMNS).to_csv(beside, index=False, lineterminator="\n")

    def used(self, use: str) -> Path:
        """Return the path of the file that `note_use` writes."""
        return self.uses / f"{choose(use, USES, 'use')}.csv"

    def note_data_folder(self, data_folder: Path) -> None:
        """Write the folder of the recordings, for `mlee check-protocol`. It is not in the summary, because the summary is published."""
        write_json(self.save / DATA_FOLDER, {"data_folder": str(data_folder.resolve())})

    def noted_data_folder(self) -> Path | None:
        """Read the folder of the recordings when the stage was trained; None if an earlier version trained the stage.

        Raises
        ------
        InputError
            if the file is damaged
        """
        path, remedy = self.save / DATA_FOLDER, "give --data_folder"
        if not path.is_file():
            return None
        return Path(read_typed(path, DataFolder, remedy)["data_folder"])

    def write_predictions(
        self,
        test: pd.DataFrame,
        emotions: Sequence[str],
        target: str,
        output: str,
        probabilities: np.ndarray,
        existence: np.ndarray | None = None,
        concentrations: np.ndarray | None = None,
    ) -> None:
        """Write predictions.csv: the probabilities for each test utterance, beside the votes of its annotators.

        Where there are several test sets, the column split tells to which one an utterance belongs.

        Parameters
        ----------
        test : rows of the test manifest, n
        emotions : K codes, in the order of the columns
        target, output : names, the same in each row
        probabilities : [n, K], posteriors or probabilities of existence, depending on the output
        existence : [n, K], probabilities of existence; None if the stage does not know them
        concentrations : [n], of the Dirichlet distributions whose means the probabilities are; None if the output has none
        """
        sets = [SPLIT] if test_sets_in(test) else []
        frame = test[["ID", "speaker", *sets, "dominant", *vote_columns_in(test), *existence_columns(emotions)]].copy()
        frame[TARGET], frame[OUTPUT] = target, output
        frame[prediction_columns(emotions)] = probabilities
        if existence is not None:
            frame[prediction_columns(emotions, EXISTENCE_PROBABILITY)] = existence
        if concentrations is not None:
            frame[CONCENTRATION] = concentrations
        with written_beside(self.predictions) as beside:
            frame.to_csv(beside, index=False, float_format=EXACT, lineterminator="\n")

    def write_annotators(self, votes: pd.DataFrame) -> None:
        """Write annotators.csv: for each vote of a learnt annotator for a test utterance, what the model says in their place.

        Parameters
        ----------
        votes : a row each: ID, annotator, label (what they said), answer (the emotion that the model says they say) and p, the probability
            that the model gives to the label
        """
        with written_beside(self.annotators) as beside:
            votes.to_csv(beside, index=False, float_format=EXACT, lineterminator="\n")

    def read_annotators(self) -> pd.DataFrame | None:
        """Read annotators.csv, all values as text; None for a stage that learns no annotators. Raise an InputError if it is damaged."""
        return read_text_table(self.annotators, ANNOTATOR_COLUMNS, AGAIN) if self.annotators.is_file() else None

    def note_annotators(self, names: Sequence[str]) -> None:
        """Write the number in the model of each learnt annotator: the model knows no names. `names` are in the order of their numbers."""
        write_json(self.save / ANNOTATOR_NAMES, {name: number for number, name in enumerate(names)})

    def read_existence(self, emotions: Sequence[str]) -> np.ndarray:
        """Read the probabilities of existence [n, K] from predictions.csv. Raise an InputError if the file is missing or damaged."""
        columns = prediction_columns(emotions, EXISTENCE_PROBABILITY)
        frame = read_text_table(self.predictions, columns, AGAIN)
        try:
            return frame[columns].to_numpy().astype(float)
        except ValueError as error:
            raise InputError(f"{self.predictions}: damaged ({error}): {AGAIN}") from error
