"""Train one stage: data in, checkpoints, bundle and predictions out."""

import logging
import sys
import time
from collections.abc import Callable, Iterable

import pandas as pd
import speechbrain as sb
import torch
from hyperpyyaml import load_hyperpyyaml
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from mlee_sb.files import write_text
from mlee_sb.models.bundle import check_describable
from mlee_sb.models.device import upload
from mlee_sb.models.emotion_model import EmotionModel
from mlee_sb.models.encoders.base import Encoder, check_members
from mlee_sb.training.augmentation import check_augmentation, set_masks, waveform_augmentation
from mlee_sb.training.brains import SECONDS, EmotionBrain, brain_of, parameter_groups
from mlee_sb.training.checkpoints import AtomicCheckpointer, EarlyStopping, RandomState
from mlee_sb.training.data import FixedDataset, WaveformDataset, make_loader
from mlee_sb.training.distributed import backend, on_main, processes
from mlee_sb.training.fixed_parts import FixedPart, fixed_parts, keep, kept, required_models
from mlee_sb.training.inputs import StageInputs, stage_inputs
from mlee_sb.training.memory import keep_freed_memory
from mlee_sb.training.settings import resolved_yaml
from mlee_sb.training.stage import Data, Stage
from mlee_sb.training.write_results import label_rules, presence_head, write_results

Loaders = dict[str, DataLoader]
AS_IT_IS = (1.0,)  # speeds for validation and test


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
    hparams, encoder, classifier = _built(stage, required)
    model = EmotionModel(encoder, classifier, stage.settings["emotions"], stage.target.output, presence_head(required.values()))
    parts = fixed_parts(stage, encoder, required)
    on_main(_begin, stage, inputs, model, parts, device, say)

    checkpointer = AtomicCheckpointer(stage.files.save, allow_partial_load=False)
    latest = checkpointer.find_checkpoint()  # from a run that was stopped
    if latest:
        start -= latest.meta[SECONDS]
    loaders = _loaders(stage, inputs, encoder, parts)
    if not latest:  # a checkpoint holds the statistics; without one, every process computes them over the whole set
        batches = make_loader(loaders["train"].dataset, stage.settings["batch_size"], stage.settings["num_workers"])
        encoder.to(device).fit_statistics((upload(batch.inputs, device), batch.lengths) for batch in batches)
    brain = _brain(stage, hparams["opt_class"], encoder, classifier, inputs.class_weights, checkpointer, device, start, say)
    brain.train_sampler = loaders["train"].sampler  # otherwise every epoch would have the batches of the first one
    brain.fit(brain.epochs, loaders["train"], loaders["valid"], progressbar=sys.stderr.isatty())

    logits = {name: brain.predict(loaders[name]) for name in ("calibration", "test")}
    best = brain.restore_best()
    on_main(_finish, stage, inputs, model, required.values(), loaders, logits, best, start)


def check_encoder_of(stage: Stage) -> None:
    """Build the encoder of a stage without required stages, and check that it can be trained.

    Raises
    ------
    InputError
        if it lacks a member of contract 4, one of its parameter groups has no learning rate, or it cannot be trained with the
        augmentation that is asked for
    """
    with torch.random.fork_rng(devices=[]):
        _, encoder, classifier = _built(stage, {})
    parameter_groups(encoder, classifier, stage.settings)


def _built(stage: Stage, required: dict[str, EmotionModel]) -> tuple[dict, Encoder, nn.Module]:
    """Return the hparams with all modules built, the encoder (with the frozen encoders of required stages in it), and the classifier."""
    hparams = load_hyperpyyaml(resolved_yaml(stage.hparams, stage.overrides))
    encoder = hparams["encoder"]
    if required:
        encoder = encoder([part for model in required.values() for part in model.encoders])
    check_members(encoder)
    check_augmentation(stage.settings, None if required else encoder)
    set_masks(encoder, stage.settings)
    return hparams, encoder, hparams["classifier"](embedding_size=encoder.embedding_size, n_emotions=len(stage.settings["emotions"]))


def _begin(stage: Stage, inputs: StageInputs, model: EmotionModel, parts: list[FixedPart], device: str, say: Callable[[str], None]) -> None:
    """Write what the stage is, remove results that belong to older encoders, and compute the fixed parts."""
    files = stage.files
    files.save.mkdir(parents=True, exist_ok=True)
    check_describable(model, label_rules(stage), stage.data.protocol["demo"])  # refuse a model that cannot be saved before it is trained
    if why := stage.begin_on_its_encoders():
        say(f"  {why}")
    files.write_identity(stage.identity)
    files.note_data_folder(stage.data.data_folder)
    write_text(files.hyperparams, resolved_yaml(stage.hparams, stage.overrides))
    for split, speeds in ((inputs.train_split, stage.settings["speeds"]), (inputs.valid_split, AS_IT_IS), (inputs.test, AS_IT_IS)):
        keep(parts, split, stage.data, speeds, device)


def _finish(
    stage: Stage,
    inputs: StageInputs,
    model: EmotionModel,
    required: Iterable[EmotionModel],
    loaders: Loaders,
    logits: dict[str, Tensor],
    best: dict,
    start: float,
) -> None:
    """Note which utterances were used for what, and write the results. The notes come from the data that was really used."""
    ids = {name: loader.dataset.ids for name, loader in loaders.items()}
    used = {"class_weights": inputs.train["ID"], "training": ids["train"], "selection": ids["valid"], "calibration": ids["calibration"]}
    if not stage.requires:
        used["z_norm"] = ids["train"]
    for use, of_use in used.items():
        stage.files.note_use(use, of_use)
    write_results(stage, inputs, model, required, logits, best, seconds=time.monotonic() - start)


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
    for name, of_set in rows.items():
        dataset = _fixed(parts, stage.data, *of_set) if parts else _waveforms(stage.data, encoder, *of_set, augmentations.get(name))
        loaders[name] = make_loader(dataset, size, workers, seeds.get(name), processes())
    return loaders


def _waveforms(data: Data, encoder: Encoder, split: pd.DataFrame, rows: pd.DataFrame, labels: Tensor, speeds, augmentation) -> Dataset:
    return WaveformDataset(rows, data.data_folder, encoder, labels, speeds, augmentation)


def _fixed(parts: list[FixedPart], data: Data, split: pd.DataFrame, rows: pd.DataFrame, labels: Tensor, speeds) -> Dataset:
    """Return the fixed parts of some rows of a split. All rows of the split are on disk, because another stage may use other rows."""
    numbers = pd.Index(split["ID"]).get_indexer(rows["ID"])
    values = [of_speed[number] for of_speed in kept(parts, split, data, speeds) for number in numbers]
    return FixedDataset(values, labels, rows["ID"].tolist())


def _brain(
    stage: Stage,
    opt_class: Callable,
    encoder: Encoder,
    classifier: nn.Module,
    class_weights: Tensor,
    checkpointer: AtomicCheckpointer,
    device: str,
    start: float,
    say: Callable[[str], None],
) -> EmotionBrain:
    settings = stage.settings
    epochs = EarlyStopping(settings["max_epochs"], settings["patience"])
    run_opts = {"device": device, "distributed_backend": backend(device)}
    run_opts |= {name: settings[name] for name in ("precision", "max_grad_norm")}
    trained = {} if stage.requires else {"encoder": encoder}  # also where nothing learns: its statistics were fitted
    checkpointer.add_recoverables({**trained, "classifier": classifier, "epochs": epochs, "random_state": RandomState()})
    return brain_of(stage.target)(
        encoder=encoder,
        classifier=classifier,
        class_weights=class_weights,
        settings=settings,
        epochs=epochs,
        start=start,
        say=say,
        log_file=str(stage.files.train_log),
        opt_class=opt_class,
        checkpointer=checkpointer,
        run_opts=run_opts,
    )
