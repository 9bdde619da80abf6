"""Train one stage: data in, checkpoints, bundle and predictions out."""

import logging
import sys
import time
from collections.abc import Callable, Iterable

import pandas as pd
import speechbrain as sb
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from mlee_sb.calibration import CROSS, VALIDATION
from mlee_sb.files import write_text
from mlee_sb.models.bundle import check_describable
from mlee_sb.models.device import upload
from mlee_sb.models.emotion_model import EmotionModel
from mlee_sb.models.encoders.base import Encoder
from mlee_sb.training.annotator_answers import annotator_answers
from mlee_sb.training.augmentation import waveform_augmentation
from mlee_sb.training.brains import SECONDS, parameter_groups
from mlee_sb.training.build import AS_IT_IS, N_ANNOTATORS, built, make_brain, make_dataset
from mlee_sb.training.check_settings import TENSORBOARD, epochs_before_all
from mlee_sb.training.checkpoints import AtomicCheckpointer, EarlyStopping, RandomState
from mlee_sb.training.curriculum import first_epochs
from mlee_sb.training.data import make_loader
from mlee_sb.training.distributed import on_main, processes
from mlee_sb.training.epoch_log import EpochLog
from mlee_sb.training.fixed_parts import FixedPart, fixed_parts, required_models
from mlee_sb.training.fixed_values import keep
from mlee_sb.training.inputs import StageInputs, stage_inputs
from mlee_sb.training.memory import keep_freed_memory
from mlee_sb.training.out_of_fold import calibration_set, forget_inner_models
from mlee_sb.training.settings import resolved_yaml
from mlee_sb.training.stage import Stage
from mlee_sb.training.write_results import label_rules, presence_head, write_results

Loaders = dict[str, DataLoader]


def train_stage(stage: Stage, device: str, say: Callable[[str], None] = print) -> None:
    """Train a stage whose required stages are finished. A run that was killed is continued from its last checkpoint.

    All files that `mlee_sb.stage_folder` names are written to `stage.folder`, the summary as the last one.

    Parameters
    ----------
    stage : the stage to train
    device : a torch device, for example ``"cpu"`` or ``"cuda:0"``
    say : called with each line for a person
    """
    start = time.monotonic()
    keep_freed_memory()
    logging.getLogger("speechbrain").setLevel(logging.WARNING)
    inputs, required = stage_inputs(stage), required_models(stage)
    sb.utils.seed_everything(stage.random_seed)  # before the modules are built
    hparams, encoder, classifier = built(stage, [part for model in required.values() for part in model.encoders])
    model = EmotionModel(encoder, classifier, stage.settings["emotions"], stage.target.output, presence_head(required.values()))
    parts = fixed_parts(stage, encoder, required)
    on_main(_begin, stage, model, say)
    if stage.settings["calibration"] == CROSS and not parts:
        say(f"  calibration {CROSS} will train this stage {len(inputs.groups)} times more: --calibration {VALIDATION} leaves that out")
    wanted = [(inputs.train_split, stage.settings["speeds"]), (inputs.valid_split, AS_IT_IS), (inputs.test, AS_IT_IS)]
    keep(parts, wanted, stage.data, device, say)  # in every process: they share the work

    checkpointer = AtomicCheckpointer(stage.files.save, allow_partial_load=False)
    if dropped := on_main(checkpointer.drop_damaged):
        say(f"  {dropped[0]}: damaged: the training goes on from the epoch before it")
    latest = checkpointer.find_checkpoint()  # from a run that was stopped
    if latest:
        start -= latest.meta[SECONDS]
    loaders = _loaders(stage, inputs, encoder, parts)
    if not latest:  # a checkpoint holds the statistics; without one, every process computes them over the whole set
        on_main(forget_inner_models, stage)
        batches = make_loader(loaders["train"].dataset, stage.settings["batch_size"], stage.settings["num_workers"])
        encoder.to(device).fit_statistics((upload(batch.inputs, device), batch.lengths) for batch in batches)
    epochs = EarlyStopping(stage.settings["max_epochs"], stage.settings["patience"], epochs_before_all(stage.settings))
    learnt = {} if stage.requires else {"encoder": encoder}  # also where nothing learns: its statistics were fitted
    checkpointer.add_recoverables({**learnt, "classifier": classifier, "epochs": epochs, "random_state": RandomState()})
    log = EpochLog(stage.files.train_log, stage.files.tensorboard if stage.settings[TENSORBOARD] else None)
    training = {"epochs": epochs, "checkpointer": checkpointer, "start": start, "say": say, "log": log}
    brain = make_brain(stage, hparams["opt_class"], encoder, classifier, inputs.class_weights, device, **training)
    brain.train_sampler = loaders["train"].sampler  # otherwise every epoch would have the batches of the first one
    brain.fit(brain.epochs, loaders["train"], loaders["valid"], progressbar=sys.stderr.isatty())

    logits = {"test": inputs.no_labels(inputs.test)}  # [0, K] in a final fold, which tests nobody
    logits |= {name: brain.predict(loaders[name]) for name in ("calibration", "test") if len(loaders[name].dataset)}
    best = brain.restore_best()
    rows, logits["calibration"] = calibration_set(stage, inputs, logits["calibration"], best["epoch"], device, say)
    if inputs.annotators and N_ANNOTATORS in classifier.settings:  # others have no answer of each one
        on_main(_answer_annotators, stage, inputs, model, loaders, device)
    on_main(_finish, stage, inputs, model, required.values(), loaders, rows, logits, best, start)


def check_encoder_of(stage: Stage) -> None:
    """Build the encoder of a stage without required stages, and check that it can be trained.

    Raises
    ------
    InputError
        if it lacks a member of contract 4, one of its parameter groups has no learning rate, or it cannot be trained with the
        augmentation that is asked for
    """
    with torch.random.fork_rng(devices=[]):
        _, encoder, classifier = built(stage, [])
    parameter_groups(encoder, classifier, stage.settings)


def _begin(stage: Stage, model: EmotionModel, say: Callable[[str], None]) -> None:
    """Write what the stage is, and remove results that belong to older encoders."""
    files = stage.files
    files.save.mkdir(parents=True, exist_ok=True)
    check_describable(model, label_rules(stage), stage.data.protocol["demo"])  # refuse a model that cannot be saved before it is trained
    if why := stage.begin_on_its_encoders():
        say(f"  {why}")
    files.write_identity(stage.identity)
    files.note_data_folder(stage.data.data_folder)
    write_text(files.hyperparams, resolved_yaml(stage.hparams, stage.overrides))


def _answer_annotators(stage: Stage, inputs: StageInputs, model: EmotionModel, loaders: Loaders, device: str) -> None:
    """Write what the model says in the place of each annotator, and who they are."""
    stage.files.note_annotators(inputs.annotators)
    stage.files.write_annotators(annotator_answers(stage, inputs, model, loaders["test"].dataset, device))


def _finish(
    stage: Stage,
    inputs: StageInputs,
    model: EmotionModel,
    required: Iterable[EmotionModel],
    loaders: Loaders,
    calibration: pd.DataFrame,
    logits: dict[str, Tensor],
    best: dict,
    start: float,
) -> None:
    """Note which utterances were used for what, and write the results. The notes come from the data that was really used."""
    ids = {name: loader.dataset.ids for name, loader in loaders.items()}
    used = {"class_weights": inputs.train["ID"], "training": ids["train"], "selection": ids["valid"], "calibration": calibration["ID"]}
    if not stage.requires:
        used["z_norm"] = ids["train"]
    for use, of_use in used.items():
        stage.files.note_use(use, of_use)
    write_results(stage, inputs, model, required, calibration, logits, best, seconds=time.monotonic() - start)
    stage.files.remove_checkpoints()  # the bundle has the weights, and a finished stage is never trained on


def _loaders(stage: Stage, inputs: StageInputs, encoder: Encoder, parts: list[FixedPart]) -> Loaders:
    """Return loaders of waveforms, or of fixed parts on disk, by name: train, valid, calibration and test."""
    rows = {
        "train": (inputs.train_split, inputs.train, inputs.train_labels, stage.settings["speeds"]),
        "valid": (inputs.valid_split, inputs.valid, inputs.valid_labels, AS_IT_IS),
        "calibration": (inputs.valid_split, inputs.valid_split, inputs.no_labels(inputs.valid_split), AS_IT_IS),
        "test": (inputs.test, inputs.test, inputs.no_labels(inputs.test), AS_IT_IS),
    }
    size, workers, seeds = stage.settings["batch_size"], stage.settings["num_workers"], {"train": stage.random_seed}
    loaders, augmentations = {}, {"train": waveform_augmentation(stage.settings, stage.random_seed)}
    curricula = {"train": first_epochs(inputs.train, stage.settings, stage.random_seed)}
    for name, of_set in rows.items():
        dataset = make_dataset(parts, stage.data, encoder, *of_set, augmentation=augmentations.get(name))
        loaders[name] = make_loader(dataset, size, workers, seeds.get(name), processes(), curricula.get(name))
    return loaders
