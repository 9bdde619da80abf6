"""Augmentation: masks on spectrograms, and level and noise of waveforms. It is for training only, and off in the paper's rows."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from speechbrain.augment.freq_domain import SpectrogramDrop
from torch import Tensor, nn

from mlee_sb.errors import InputError
from mlee_sb.models.device import upload
from mlee_sb.models.encoders.base import Encoder
from mlee_sb.models.encoders.feature_encoder import FeatureEncoder
from mlee_sb.models.waveforms import pad

EMBEDDING_DROPOUT = "embedding_dropout"
MASKS = ("time_mask_frames", "frequency_mask_bins")  # settings that switch masks on
OF_WAVEFORMS = ("gain_db", "noise_snr_db")  # settings that switch augmentation of waveforms on


class SpectrogramMasks(nn.Module):
    """Masks over time and frequency in the features of each utterance (SpecAugment, Park et al. 2019), drawn anew in every batch.

    Masked values become 0, which is the mean of speech after the z-norm. An utterance's time masks lie in its own frames and cover a
    half of them at most each, whatever the length of the batch. Random numbers are drawn on the CPU, so they do not depend on the device.

    Parameters
    ----------
    number : time masks, and frequency masks, of each utterance
    frames : longest time mask; 0 for none
    bins : widest frequency mask; 0 for none
    """

    def __init__(self, number: int, frames: int, bins: int):
        super().__init__()
        self.number, self.frames, self.bins = number, frames, bins

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Return features [batch, frames, bins] with masks; `lengths` are the valid frames [batch]."""
        times, _ = pad([self._kept(n, min(self.frames, n // 2)) for n in lengths.tolist()])  # [batch, frames]
        bins = torch.stack([self._kept(features.shape[2], min(self.bins, features.shape[2] // 2)) for _ in times])
        kept = (upload(part.to(features.dtype), features.device) for part in (times.unsqueeze(2), bins.unsqueeze(1)))
        return features * next(kept) * next(kept)

    def _kept(self, size: int, longest: int) -> Tensor:
        """Return for `size` frames or bins whether each is kept: 1, or 0 where a mask lies."""
        drop = SpectrogramDrop(0, longest + 1, self.number, self.number, dim=1)  # lengths up to `longest`: the upper end is left out
        return drop(torch.ones(1, size, 1)).flatten()


@dataclass
class WaveformAugmentation:
    """Changes the level of waveforms, and adds white noise to them, in another way in every epoch.

    What is drawn depends on seed, epoch and item alone. So a resumed run, several processes and workers that read ahead have the same
    waveforms. Before the first epoch nothing is changed: statistics of the training set are those of the recordings.

    Attributes
    ----------
    gain_db : each utterance is amplified by a number of dB from -`gain_db` to `gain_db`
    noise_snr_db : the noise is this many dB below the utterance (RMS of both); None for no noise
    seed : of the stage
    epoch : number of the epoch; None before the first one
    """

    gain_db: float
    noise_snr_db: float | None
    seed: int
    epoch: int | None = None

    def __call__(self, waveform: Tensor, item: int) -> Tensor:
        """Return the waveform [samples] of an item for this epoch."""
        if self.epoch is None:
            return waveform
        random = np.random.default_rng([self.seed, self.epoch, item])
        gain = 10 ** (random.uniform(-self.gain_db, self.gain_db) / 20)
        if self.noise_snr_db is not None:
            rms = float(waveform.double().square().mean().sqrt())
            noise = torch.from_numpy(random.standard_normal(len(waveform), dtype=np.float32))
            waveform = waveform + noise * (rms * 10 ** (-self.noise_snr_db / 20))
        return waveform * gain


def switched_on(settings: Mapping) -> dict:
    """Return the settings of masks and of waveforms that change training: name -> value; {} in the paper's rows."""
    masks = {name: settings[name] for name in MASKS if settings[name]}
    waveforms = {"gain_db": settings["gain_db"]} if settings["gain_db"] else {}
    waveforms |= {"noise_snr_db": settings["noise_snr_db"]} if settings["noise_snr_db"] is not None else {}
    return {**masks, **waveforms}


def waveform_augmentation(settings: Mapping, seed: int) -> WaveformAugmentation | None:
    """Return what the settings say about waveforms in training; None if they leave them as they are."""
    if not switched_on(settings).keys() & set(OF_WAVEFORMS):
        return None
    return WaveformAugmentation(settings["gain_db"], settings["noise_snr_db"], seed)


def set_masks(encoder: Encoder, settings: Mapping) -> None:
    """Let an encoder with features mask them in training, if the settings say so."""
    if switched_on(settings).keys() & set(MASKS):
        encoder.masks = SpectrogramMasks(settings["masks"], settings["time_mask_frames"], settings["frequency_mask_bins"])


def check_augmentation(settings: Mapping, encoder: Encoder | None) -> None:
    """Check that an encoder can be trained with the augmentation that the settings name.

    Parameters
    ----------
    settings : of the stage
    encoder : its encoder; None if it is made of the frozen encoders of required stages

    Raises
    ------
    InputError
        if masks are asked for and the encoder has no features, or augmentation of waveforms and it does not read them in every epoch
    """
    on = switched_on(settings)
    if encoder is None and on:
        name, stage = next(iter(on)), next(iter(settings["requires"]))
        raise InputError(
            f"{name} is {on[name]!r}: this stage trains on frozen encoders, whose embeddings are computed once and kept on disk: give it "
            f"to the stages that train them (--{stage}.{name} {on[name]!r}), or use {EMBEDDING_DROPOUT} here"
        )
    for name, value in on.items():
        kind = type(encoder).__name__
        if name in MASKS and not isinstance(encoder, FeatureEncoder):
            raise InputError(f"{name} is {value!r}: {kind} has no spectrogram to mask: use {EMBEDDING_DROPOUT}")
        if name in OF_WAVEFORMS and encoder.keeps_fixed:
            raise InputError(
                f"{name} is {value!r}: the fixed part of {kind} is computed once and kept on disk, so waveforms cannot be changed in every "
                f"epoch: use {EMBEDDING_DROPOUT}, or an encoder of which nothing is kept (pretrained: --learn_layers)"
            )
