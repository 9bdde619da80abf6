"""Build what a stage is trained with: its modules, its data sets and its Brain."""

import inspect
from collections.abc import Callable, Sequence

import pandas as pd
from hyperpyyaml import load_hyperpyyaml
from torch import Tensor, nn

from mlee_sb.models.encoders.base import Encoder, check_members
from mlee_sb.models.upstreams.find import remember
from mlee_sb.training.annotators import annotators_of
from mlee_sb.training.augmentation import WaveformAugmentation, check_augmentation, set_masks
from mlee_sb.training.brains import EmotionBrain, brain_of
from mlee_sb.training.check_settings import built_from
from mlee_sb.training.data import FixedDataset, WaveformDataset
from mlee_sb.training.distributed import backend
from mlee_sb.training.fixed_parts import FixedPart
from mlee_sb.training.fixed_values import kept
from mlee_sb.training.settings import resolved_yaml
from mlee_sb.training.stage import Data, Stage

N_ANNOTATORS = "n_annotators"  # argument of a classifier that needs their number
AS_IT_IS = (1.0,)  # speeds of utterances that are predicted


def built(stage: Stage, frozen: Sequence[Encoder]) -> tuple[dict, Encoder, nn.Module]:
    """Build the modules of a stage, with new weights.

    Parameters
    ----------
    stage : the stage
    frozen : the encoders that it freezes; [] for a stage with an encoder of its own

    Returns
    -------
    hparams, encoder, classifier
        the hparams with all their modules; the encoder, with the frozen encoders in it; the classifier

    Raises
    ------
    InputError
        if a class does not take its settings, the encoder lacks a member of contract 4, or it cannot be trained with the augmentation that
        is asked for; if the classifier needs annotators, as `annotators_of`
    """
    if stage.upstream is not None:
        remember(stage.upstream)  # in the process of a sweep: so it is not described again
    with built_from(stage.hparams):
        hparams = load_hyperpyyaml(resolved_yaml(stage.hparams, stage.overrides))
        encoder = hparams["encoder"]
        if frozen:
            encoder = encoder(frozen)
    check_members(encoder)
    check_augmentation(stage.settings, None if frozen else encoder)
    set_masks(encoder, stage.settings)
    with built_from(stage.hparams):
        sizes = {"embedding_size": encoder.embedding_size, "n_emotions": len(stage.settings["emotions"])}
        if N_ANNOTATORS in inspect.signature(hparams["classifier"]).parameters:
            sizes[N_ANNOTATORS] = len(annotators_of(stage))
        classifier = hparams["classifier"](**sizes)
    return hparams, encoder, classifier


def make_dataset(
    parts: Sequence[FixedPart],
    data: Data,
    encoder: Encoder,
    split: pd.DataFrame,
    rows: pd.DataFrame,
    labels: Tensor,
    speeds: Sequence[float],
    augmentation: WaveformAugmentation | None = None,
) -> FixedDataset | WaveformDataset:
    """Return what the learned part of an encoder takes, for some rows at each speed: fixed parts on disk, or waveforms.

    Parameters
    ----------
    parts : the fixed parts of the encoder, computed for the whole split; [] for waveforms
    data : the data of the stage
    encoder : the encoder
    split : all rows of the split. They are on disk together, because another stage may use other rows
    rows : the n rows of this set
    labels : [n, K]
    speeds : speed factors
    augmentation : of waveforms; None for none
    """
    if not parts:
        return WaveformDataset(rows, data.data_folder, encoder, labels, speeds, augmentation)
    ids = rows["ID"].tolist()
    return FixedDataset(kept(parts, split, data, speeds, ids), labels, ids)


def make_brain(
    stage: Stage, opt_class: Callable, encoder: Encoder, classifier: nn.Module, class_weights: Tensor, device: str, **training
) -> EmotionBrain:
    """Return the Brain for the target of a stage. `training` are the other arguments of `EmotionBrain`, ``epochs`` among them."""
    run_opts = {"device": device, "distributed_backend": backend(device)}
    run_opts |= {name: stage.settings[name] for name in ("precision", "max_grad_norm")}
    return brain_of(stage.target)(
        encoder=encoder,
        classifier=classifier,
        class_weights=class_weights,
        settings=stage.settings,
        opt_class=opt_class,
        run_opts=run_opts,
        **training,
    )
