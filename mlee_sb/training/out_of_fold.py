"""Calibrate a stage on its training speakers, too: cross-conformal prediction over groups of speakers.

One fold has few validation speakers, and what they teach of the certainty of a model need not hold for others. So a stage with the setting
``calibration: cross`` is trained again for each group of its training speakers, without them. Such an inner model judges the speakers that
it did not hear, as the stage itself judges a stranger. The calibration is fitted on all these judgements, and on those of the stage itself
on its validation speakers.

Cross-conformal prediction: Vovk 2015 (Annals of Mathematics and Artificial Intelligence 74); CV+: Barber et al. 2021 (Annals of Statistics
49). Both ask every inner model about every new utterance, and prove a coverage. Here only the stage itself is asked, so that its bundle is
one model, and its thresholds come from the inner models. The stage has learnt from more speakers than they have, so the thresholds should
rather be too wide than too narrow; but that is measured, not proven.
"""

import gc
import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
import speechbrain as sb
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from mlee_sb.calibration import CROSS
from mlee_sb.files import json_text, sha256_of, written_beside
from mlee_sb.models.device import upload
from mlee_sb.models.encoders.base import Encoder, learning
from mlee_sb.training.augmentation import waveform_augmentation
from mlee_sb.training.brains import EmotionBrain
from mlee_sb.training.build import AS_IT_IS, built, make_brain, make_dataset
from mlee_sb.training.curriculum import first_epochs
from mlee_sb.training.data import Batch, FixedDataset, WaveformDataset, make_loader
from mlee_sb.training.distributed import ALONE, on_main, processes
from mlee_sb.training.fixed_parts import FixedPart, fixed_parts
from mlee_sb.training.fixed_values import keep
from mlee_sb.training.inputs import StageInputs, stage_inputs
from mlee_sb.training.stage import Stage

BATCH_SIZE = 64  # utterances that are embedded together; the embedding of an utterance does not depend on its batch
NOTED = "noted"  # the one entry of the header of a file, as JSON, because several would be written in an order that changes
KEY, HEARD = "key", "heard"  # in it: all that its inner model depends on, and the IDs that it was trained on


def calibration_set(
    stage: Stage, inputs: StageInputs, of_validation: Tensor, epochs: int, device: str, say: Callable[[str], None]
) -> tuple[pd.DataFrame, Tensor]:
    """Return the rows that a stage is calibrated on, and their logits [n, K]. With ``calibration: cross``, train what that needs.

    Parameters
    ----------
    stage, inputs : a stage whose training has ended, and its data
    of_validation : its own logits for all rows of the validation split
    epochs : the number of its best epoch
    device, say : as for `train_stage`
    """
    if stage.settings["calibration"] != CROSS:
        return inputs.valid_split, of_validation
    out_of_fold = InnerModels(stage, epochs, device, say, inputs).out_of_fold()
    return pd.concat([inputs.train_split, inputs.valid_split], ignore_index=True), torch.cat([out_of_fold, of_validation])


def forget_inner_models(stage: Stage) -> None:
    """Remove the inner models of an earlier training of a stage."""
    shutil.rmtree(stage.files.inner, ignore_errors=True)


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a split with their labels [n, K], and the speeds at which they are heard."""

    split: pd.DataFrame
    rows: pd.DataFrame
    labels: Tensor
    speeds: Sequence[float]


class InnerModels:
    """The models of a stage that were trained without a group of its training speakers, one for each group.

    They have the settings, the loss and the first weights of one another, and learn for as many epochs as the stage did: none is
    validated. Class weights and statistics are those of their own speakers. On frozen encoders, they stand on the inner encoders of the
    required stages for the same group. Each lies in a file below the folder of the stage, and is trained where this file is missing or of
    another training.

    Parameters
    ----------
    stage : a stage whose training has ended
    epochs : the number of its best epoch
    device, say : as for `train_stage`
    inputs : its data; None to read it when it is needed
    """

    def __init__(self, stage: Stage, epochs: int, device: str, say: Callable[[str], None], inputs: StageInputs | None = None):
        self.stage, self.epochs, self.device, self.say = stage, epochs, device, say
        self._inputs = inputs
        self.below = [InnerModels(part, part.files.read_summary().epochs, device, say) for part in stage.requires.values()]
        self._data: dict[Rows, FixedDataset | WaveformDataset] = {}
        self._heard: dict[int, list[str]] = {}  # IDs that the inner model for a group was trained on, of those that were used

    @cached_property
    def inputs(self) -> StageInputs:
        """The data of the stage."""
        return self._inputs or stage_inputs(self.stage)

    @cached_property
    def training_rows(self) -> Rows:
        """What the stage learns from."""
        return Rows(self.inputs.train_split, self.inputs.train, self.inputs.train_labels, self.stage.settings["speeds"])

    @cached_property
    def all_rows(self) -> Rows:
        """The utterances of all training speakers, also those that the stage cannot learn from."""
        split = self.inputs.train_split
        return Rows(split, split, self.inputs.no_labels(split), AS_IT_IS)

    @cached_property
    def _modules(self) -> tuple[dict, Encoder, nn.Module, list[FixedPart]]:
        """The hparams, the encoder and the classifier, built once, with first weights; and the fixed parts of the encoder."""
        for inner in self.below:
            inner.train_missing()  # before they are frozen
        sb.utils.seed_everything(self._seed("first weights"))
        hparams, encoder, classifier = built(self.stage, [part for inner in self.below for part in inner.encoder.parts])
        parts = [] if self.below else fixed_parts(self.stage, encoder, {})
        return hparams, encoder.to(self.device), classifier.to(self.device), parts

    @property
    def encoder(self) -> Encoder:
        """The encoder, with the weights of the group that was used last."""
        return self._modules[1]

    @cached_property
    def _first(self) -> dict[str, Tensor]:
        return self._weights()

    def out_of_fold(self) -> Tensor:
        """Return logits [n, K] for the rows of the training split, each from the inner model that did not hear its speaker.

        What each inner model was trained on and what it judged is noted, from the data that was really used.
        """
        split = self.inputs.train_split
        found, noted = self.all_rows.labels.clone(), []
        for number, group in enumerate(self.inputs.groups):
            self.use(number)
            items = split["speaker"].isin(group.speakers).to_numpy().nonzero()[0]
            told = Part(self._learnable(number, self.all_rows), items.tolist())
            found[items] = self._brain(number).predict(self._loader(told))
            for use, ids in (("training", self._all_heard(number)), ("calibration", told.ids)):
                noted += [(number + 1, use, id_) for id_ in ids]
        on_main(self.stage.files.note_inner, noted)
        return found

    def _all_heard(self, number: int) -> list[str]:
        """Return the IDs that the inner model for a group, which was used, or an inner encoder below it was trained on."""
        below = [id_ for inner in self.below for id_ in inner._all_heard(number)]
        return list(dict.fromkeys([*self._heard[number], *below]))

    def train_missing(self) -> None:
        """Train the inner models whose files are missing."""
        for number in range(len(self.inputs.groups)):
            self.use(number)

    def use(self, number: int) -> None:
        """Give encoder and classifier the weights of the inner model for a group; train it if its file is missing."""
        _ = self._modules  # building them trains all inner models below
        path, key = self.stage.files.inner_model(number), self._key(number)
        kept = on_main(_read, path, key)
        if kept is None:
            n, row, out = len(self.inputs.groups), self.stage.settings["row"], len(self.inputs.groups[number].speakers)
            self.say(f"  calibration {number + 1}/{n}: training {row} again without {out} of its speakers")
            kept = self._trained(number)
            on_main(_write, path, key, *kept)
        weights, self._heard[number] = kept
        self._set(weights)

    def embeddings(self, number: int, rows: Rows) -> list[Tensor]:
        """Return the embedding [embedding_size] of each row at each speed, by the inner encoder for a group."""
        data = self._learnable(number, rows)
        if self.below:
            return list(data.values)
        self.use(number)
        return _embedded(self.encoder, data, self.device)

    def _learnable(self, number: int, rows: Rows) -> FixedDataset | WaveformDataset:
        """Return what the learned part of the encoder takes, for all rows at each speed."""
        if self.below:
            embeddings = zip(*(inner.embeddings(number, rows) for inner in self.below), strict=True)
            return FixedDataset([torch.cat(of_item) for of_item in embeddings], rows.labels, rows.rows["ID"].tolist())
        if rows not in self._data:
            _, encoder, _, parts = self._modules
            keep(parts, [(rows.split, rows.speeds)], self.stage.data, self.device, self.say)
            settings = self.stage.settings
            augmentation = waveform_augmentation(settings, self.stage.random_seed) if rows is self.training_rows else None
            data = make_dataset(parts, self.stage.data, encoder, rows.split, rows.rows, rows.labels, rows.speeds, augmentation)
            self._data[rows] = data  # the same for all groups
        return self._data[rows]

    def _trained(self, number: int) -> tuple[dict[str, Tensor], list[str]]:
        """Train the inner model for a group. Return its weights, and the IDs that it was trained on."""
        _, encoder, _, _ = self._modules
        self._set(self._first)
        sb.utils.seed_everything(seed := self._seed(f"group {number}"))
        rest = self.inputs.groups[number].rest.nonzero()[0]
        settings = self.stage.settings
        n, copies = len(self.inputs.train), len(settings["speeds"])
        data = Part(self._learnable(number, self.training_rows), [int(copy * n + row) for copy in range(copies) for row in rest])
        if not self.below:
            if data.augmentation is not None:
                data.augmentation.epoch = None  # statistics are those of the recordings, also after the epochs of another group
            batches = self._loader(data, share=ALONE)  # every process computes them over the whole set
            encoder.fit_statistics((upload(batch.inputs, self.device), batch.lengths) for batch in batches)
        brain, loader = self._brain(number), self._loader(data, seed, joins=first_epochs(self.inputs.train.iloc[rest], settings, seed))
        brain.train_sampler = loader.sampler
        brain.fit(brain.epochs, loader, progressbar=False)
        del brain
        if processes() != ALONE:
            gc.collect()  # the next Brain wraps the same modules: what DDP hung on them must be gone
        return self._weights(), loader.dataset.ids

    def _brain(self, number: int) -> EmotionBrain:
        hparams, encoder, classifier, _ = self._modules
        weights = self.inputs.groups[number].class_weights
        epochs = range(1, self.epochs + 1)
        return make_brain(self.stage, hparams["opt_class"], encoder, classifier, weights, self.device, epochs=epochs)

    def _loader(
        self, data: Dataset, seed: int | None = None, share: tuple[int, int] | None = None, joins: Tensor | None = None
    ) -> DataLoader:
        settings = self.stage.settings
        return make_loader(data, settings["batch_size"], settings["num_workers"], seed, share or processes(), joins)

    def _seed(self, use: str) -> int:
        """Return a random seed of four bytes for one use: inner models do not draw the numbers of their stage, or of one another."""
        return int.from_bytes(hashlib.sha256(f"{self.stage.random_seed} {use}".encode()).digest()[:4], "big")

    def _key(self, number: int) -> str:
        """Return all that an inner model depends on."""
        below = [on_main(sha256_of, inner.stage.files.inner_model(number)) for inner in self.below]
        return json_text([self.stage.key, self.epochs, self.inputs.groups[number].speakers, below])

    def _weights(self) -> dict[str, Tensor]:
        """Return what learns, and what was computed from the training set. A part that never learns is the same in all stages."""
        _, encoder, classifier, _ = self._modules
        learns = {id(parameter) for parameter in learning(encoder)}
        never = {name for name, parameter in encoder.named_parameters() if id(parameter) not in learns}
        of_encoder = {} if self.below else {f"encoder.{name}": t for name, t in encoder.state_dict().items() if name not in never}
        of_classifier = {f"classifier.{name}": tensor for name, tensor in classifier.state_dict().items()}
        return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in (of_encoder | of_classifier).items()}

    def _set(self, weights: dict[str, Tensor]) -> None:
        _, encoder, classifier, _ = self._modules
        _ = self._first  # taken before anything else is loaded
        for name, module in {"encoder": encoder, "classifier": classifier}.items():
            own = {entry.removeprefix(f"{name}."): tensor for entry, tensor in weights.items() if entry.startswith(f"{name}.")}
            module.load_state_dict(own, strict=False)


class Part(Dataset):
    """Some items of a data set, with numbers of their own.

    Parameters
    ----------
    whole : the data set
    numbers : the numbers of the items in it
    """

    def __init__(self, whole: FixedDataset | WaveformDataset, numbers: list[int]):
        self.whole, self.numbers, self.augmentation = whole, numbers, whole.augmentation
        self.durations = [whole.durations[number] for number in numbers]

    @property
    def ids(self) -> list[str]:
        """The IDs of the items, each once: an utterance may be heard at several speeds."""
        return list(dict.fromkeys(self.whole.ids[number % len(self.whole.ids)] for number in self.numbers))

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, items: list[int]) -> Batch:
        batch = self.whole[[self.numbers[item] for item in items]]
        return Batch(batch.inputs, batch.lengths, batch.labels, torch.tensor(items))


@torch.no_grad()
def _embedded(encoder: Encoder, data: FixedDataset | WaveformDataset, device: str) -> list[Tensor]:
    """Return the embedding [embedding_size] of each item."""
    encoder.eval()
    found: list[Tensor] = [torch.empty(0)] * len(data)
    for batch in make_loader(data, BATCH_SIZE, num_workers=0):
        embeddings = encoder.learned(upload(batch.inputs, device), batch.lengths).float().cpu()
        for item, embedding in zip(batch.items.tolist(), embeddings, strict=True):
            found[item] = embedding
    return found


def _read(path: Path, key: str) -> tuple[dict[str, Tensor], list[str]] | None:
    """Read what `_write` wrote; None if the file is missing, damaged, or has another key."""
    try:
        with safe_open(path, framework="pt") as file:
            noted = json.loads((file.metadata() or {}).get(NOTED, "{}"))
            if noted.get(KEY) != key:
                return None
            return {name: file.get_tensor(name) for name in file.keys()}, noted[HEARD]  # noqa: SIM118, it is no dictionary
    except (SafetensorError, OSError):
        return None


def _write(path: Path, key: str, weights: dict[str, Tensor], heard: list[str]) -> None:
    with written_beside(path) as beside:
        # Not save_file: only the owner may read its files, and a group may work on one folder.
        beside.write_bytes(save(weights, metadata={NOTED: json_text({KEY: key, HEARD: heard})}))
