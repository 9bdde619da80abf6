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
from torch.utils.data import DataLoader

from mlee_sb.calibration import Curve
from mlee_sb.files import write_json, write_text
from mlee_sb.models.bundle import describe_model, load_bundle, save_bundle
from mlee_sb.models.device import upload
from mlee_sb.models.pipeline import EmotionModel, FrozenEncoders, PresenceHead, UtteranceEncoder
from mlee_sb.training.brains import BRAINS, SECONDS, EmotionBrain, Precomputed
from mlee_sb.training.calibrate import calibrate
from mlee_sb.training.checkpoints import AtomicCheckpointer, EarlyStopping, RandomState
from mlee_sb.training.data import EmbeddingDataset, WaveformDataset, make_loader
from mlee_sb.training.distributed import backend, on_main, processes
from mlee_sb.training.embeddings import embeddings
from mlee_sb.training.inputs import StageInputs, stage_inputs
from mlee_sb.training.memory import keep_freed_memory
from mlee_sb.training.predictions import read_existence, write_predictions
from mlee_sb.training.settings import resolved_yaml
from mlee_sb.training.stage import SUMMARY, Stage
from mlee_sb.training.targets import TARGETS
from mlee_sb.training.used import note_data_folder, note_use

Loaders = dict[str, DataLoader]


def train_stage(stage: Stage, device: str, say: Callable[[str], None] = print) -> None:
    """Train a stage whose required stages are finished; go on where a killed run stopped.

    Writes to `stage.folder`: hyperparams.yaml, train_log.txt, save/ (in it used/, for `mlee check-protocol`), model/,
    predictions.csv, and last save/summary.json.

    Parameters
    ----------
    stage : what to train
    device : a torch device, for example ``"cpu"`` or ``"cuda:0"``
    say : called with lines for a person
    """
    start = time.monotonic()
    keep_freed_memory()
    logging.getLogger("speechbrain").setLevel(logging.WARNING)
    inputs = stage_inputs(stage)
    on_main(_begin, stage, say)

    sb.utils.seed_everything(stage.random_seed)  # before the modules are built
    with open(stage.hparams, encoding="utf-8") as file:
        hparams = load_hyperpyyaml(file, stage.overrides)
    checkpointer = AtomicCheckpointer(stage.save_folder, allow_partial_load=False)
    latest = checkpointer.find_checkpoint()  # of a run that was stopped
    if latest:
        start -= latest.meta[SECONDS]
    required = {name: load_bundle(part.model_folder).model for name, part in stage.requires.items()}
    if required:
        encoder, loaders = _frozen(stage, hparams, inputs, required, device)
    else:
        encoder, loaders = _learning(stage, hparams, inputs, device, resumes=latest is not None)
    emotions = stage.settings["emotions"]
    classifier = hparams["classifier"](embedding_size=encoder.embedding_size, n_emotions=len(emotions))
    presence = _presence_head(required.values())
    model = EmotionModel(encoder, classifier, emotions, TARGETS[stage.settings["target"]].output, presence)
    on_main(describe_model, model, _label_rules(stage), stage.data.protocol["demo"])  # what cannot be saved is refused before it is trained
    brain = _brain(stage, hparams, encoder, classifier, inputs, checkpointer, device, start, say)
    used = {"class_weights": inputs.train["ID"], "training": loaders["train"].dataset.ids, "selection": loaders["valid"].dataset.ids}
    used["calibration"] = loaders["calibration"].dataset.ids
    for use, ids in used.items():  # of what is trained on, not of what should be
        on_main(note_use, stage.save_folder, use, ids)
    on_main(note_data_folder, stage.save_folder, stage.data.data_folder)
    brain.train_sampler = loaders["train"].sampler  # else every epoch would have the batches of the first
    brain.fit(brain.epochs, loaders["train"], loaders["valid"], progressbar=sys.stderr.isatty())

    logits = {name: brain.predict(loaders[name]) for name in ("calibration", "test")}
    best = brain.restore_best()
    on_main(_write_results, stage, inputs, model, logits, _presence_curves(required.values()), best, start)


def _begin(stage: Stage, say: Callable[[str], None]) -> None:
    """Write what is trained; what stands on other encoders than those of today is cleared away."""
    stage.save_folder.mkdir(parents=True, exist_ok=True)
    if why := stage.begin_on_its_encoders():
        say(f"  {why}")
    write_json(stage.save_folder / "identity.json", stage.identity)
    write_text(stage.folder / "hyperparams.yaml", resolved_yaml(stage.hparams, stage.overrides))


def _write_results(
    stage: Stage,
    inputs: StageInputs,
    model: EmotionModel,
    logits: dict[str, Tensor],
    curves: list[Curve] | None,
    best: dict,
    start: float,
) -> None:
    emotions = stage.settings["emotions"]
    model.calibration = calibrate(logits["calibration"].numpy(), inputs.valid_split, emotions, model.output, curves)
    probabilities = model.log_probabilities(logits["test"]).exp().numpy()
    existence = probabilities if stage.settings["target"] == "existence" else _existence_of_required(stage)
    save_bundle(stage.model_folder, model, _label_rules(stage), stage.data.protocol["demo"])
    write_predictions(stage.folder / "predictions.csv", inputs.test, emotions, probabilities, existence)
    _write_summary(stage, best, inputs.class_weights.tolist(), seconds=time.monotonic() - start)


def _learning(stage: Stage, hparams: dict, inputs: StageInputs, device: str, resumes: bool) -> tuple[UtteranceEncoder, Loaders]:
    """The encoder that will learn, with its z-norm filled, and loaders of waveforms."""
    encoder: UtteranceEncoder = hparams["encoder"].to(device)
    folder, settings = stage.data.data_folder, stage.settings
    train = WaveformDataset(inputs.train, folder, encoder, inputs.train_targets, settings["speeds"])
    sets = {
        "valid": WaveformDataset(inputs.valid, folder, encoder, inputs.valid_targets),
        "calibration": WaveformDataset(inputs.valid_split, folder, encoder, inputs.no_targets(inputs.valid_split)),
        "test": WaveformDataset(inputs.test, folder, encoder, inputs.no_targets(inputs.test)),
    }
    if not resumes:  # a checkpoint brings the statistics with it; every process computes those of the whole set
        batches = make_loader(train, settings["batch_size"], settings["num_workers"])
        encoder.normalizer.fit(encoder.front_end(upload(batch.inputs, device), batch.lengths) for batch in batches)
        on_main(note_use, stage.save_folder, "z_norm", train.ids)
    return encoder, _loaders(stage, train, sets)


def _frozen(
    stage: Stage, hparams: dict, inputs: StageInputs, models: dict[str, EmotionModel], device: str
) -> tuple[FrozenEncoders, Loaders]:
    """The encoders of the required stages (`models`, by name) side by side, and loaders of their embeddings."""

    def embedded(split, speeds=(1.0,)):
        """[copies, n of the split, sum of the embedding sizes]: of all its rows, so that heads that can use others find them there."""
        parts = [on_main(_embeddings, stage, stage.requires[name], model, split, speeds, device) for name, model in models.items()]
        return torch.cat(parts, dim=-1).unflatten(0, (len(speeds), len(split)))

    def dataset(whole, split, frame, targets):
        """Some rows of a split."""
        rows = pd.Index(split["ID"]).get_indexer(frame["ID"])
        return EmbeddingDataset(whole[:, rows].flatten(0, 1), targets, frame["ID"].tolist())  # [copies * n, sum of the embedding sizes]

    train = dataset(embedded(inputs.train_split, stage.settings["speeds"]), inputs.train_split, inputs.train, inputs.train_targets)
    valid = embedded(inputs.valid_split)
    sets = {
        "valid": dataset(valid, inputs.valid_split, inputs.valid, inputs.valid_targets),
        "calibration": dataset(valid, inputs.valid_split, inputs.valid_split, inputs.no_targets(inputs.valid_split)),
        "test": dataset(embedded(inputs.test), inputs.test, inputs.test, inputs.no_targets(inputs.test)),
    }
    encoder = hparams["encoder"]([encoder for model in models.values() for encoder in model.encoders])
    return encoder, _loaders(stage, train, sets)


def _presence_head(models: Iterable[EmotionModel]) -> PresenceHead | None:
    """The head of the required stage that knows existence, for its encoder in its place among all."""
    number, start = 0, 0
    for model in models:
        if model.output == "sigmoid":
            return PresenceHead(model.classifier, number, start)
        number, start = number + len(model.encoders), start + model.encoder.embedding_size
    return None


def _presence_curves(models: Iterable[EmotionModel]) -> list[Curve] | None:
    return next((model.calibration.presence for model in models if model.output == "sigmoid" and model.calibration), None)


def _embeddings(stage: Stage, required: Stage, model: EmotionModel, frame, speeds, device: str) -> Tensor:
    folder = required.save_folder / "embeddings"
    return embeddings(
        folder, f"{required.key} {required.weights}", model, frame, stage.data.data_folder, speeds, device, sys.stderr.isatty()
    )


def _loaders(stage: Stage, train, others: dict) -> Loaders:
    size, workers = stage.settings["batch_size"], stage.settings["num_workers"]
    seeds = {"train": stage.random_seed}
    return {name: make_loader(data, size, workers, seeds.get(name), processes()) for name, data in {"train": train, **others}.items()}


def _brain(
    stage: Stage,
    hparams: dict,
    encoder: nn.Module,
    classifier: nn.Module,
    inputs: StageInputs,
    checkpointer: AtomicCheckpointer,
    device: str,
    start: float,
    say: Callable[[str], None],
) -> EmotionBrain:
    settings = stage.settings
    epochs = EarlyStopping(settings["max_epochs"], settings["patience"])
    learning = Precomputed() if stage.requires else encoder
    brain = BRAINS[settings["target"]](
        encoder=learning,
        classifier=classifier,
        class_weights=inputs.class_weights,
        loss_mean=settings["loss_mean"],
        epochs=epochs,
        start=start,
        say=say,
        log_file=str(stage.folder / "train_log.txt"),
        opt_class=hparams["opt_class"],
        checkpointer=checkpointer,
        run_opts={
            "device": device,
            "distributed_backend": backend(device),
            "precision": settings["precision"],
            "max_grad_norm": settings["max_grad_norm"],
        },
    )
    modules = {"classifier": classifier} if stage.requires else {"encoder": encoder, "classifier": classifier}
    checkpointer.add_recoverables({**modules, "epochs": epochs, "random_state": RandomState()})
    return brain


def _existence_of_required(stage: Stage):
    """Probabilities of existence [n, K] from the required stage that knows them: the same test set, the same rows."""
    for required in stage.requires.values():
        if required.settings["target"] == "existence":
            return read_existence(required.folder / "predictions.csv", required.settings["emotions"])
    return None


def _label_rules(stage: Stage) -> dict:
    names = ("target", "train_set", "min_votes", "alpha", "row", "fold", "seed")
    rules = {name: stage.settings[name] for name in names if name in stage.settings}
    return {**rules, "corpus": stage.data.protocol["corpus"]}


def _write_summary(stage: Stage, best: dict, class_weights: list, seconds: float) -> None:
    settings, protocol = stage.settings, stage.data.protocol
    write_json(
        stage.save_folder / SUMMARY,
        {
            "row": settings["row"],
            "train_set": settings["train_set"],
            "fold": settings["fold"],
            "seed": settings["seed"],
            "corpus": protocol["corpus"],
            "demo": protocol["demo"],
            "protocol_hash": protocol["hash"],
            "class_weights": class_weights,
            "losses": {"train": best["train"], "valid": best["valid"]},
            "epochs": best["epoch"],
            "seconds": round(seconds, 1),
        },
    )
