"""The front end: from a waveform to its log power spectrogram (paper, section 3.2)."""

import torch
from torch import Tensor, nn

from mlee_sb.errors import InputError
from mlee_sb.models.packed_frames import joined, separated
from mlee_sb.models.waveforms import at_level, check_level

BLOCK_FRAMES = 256  # frames that a CPU computes at one time: more do not fit in its cache, and take 1.5 times as long
LONGEST_DFT = 2**16  # points: a longer one is a mistake, and takes much memory for every frame


class LogPowerSpectrogram(nn.Module):
    """Log power spectrogram with the paper's frames. They are not centred: frame `t` starts at sample `t * shift`.

    Parameters
    ----------
    sample_rate : Hz of the waveforms
    window_ms, shift_ms : length of the Hamming window and its shift, in milliseconds
    dft_length : points of the DFT; the window is padded with zeros to this length (1600 points at 16 kHz: a grid of 10 Hz)
    max_frequency : Hz; bins from 0 up to this frequency, without the last one (4000: 400 bins)
    log_floor : added to the power before the logarithm, so that the value of digital silence is finite
    level_db : RMS in dB of full scale that each utterance is brought to first (`at_level`); None leaves it as it is
    """

    def __init__(
        self,
        sample_rate: int,
        window_ms: float,
        shift_ms: float,
        dft_length: int,
        max_frequency: float,
        log_floor: float,
        level_db: float | None = None,
    ):
        super().__init__()
        self.settings = {
            "sample_rate": sample_rate,
            "window_ms": window_ms,
            "shift_ms": shift_ms,
            "dft_length": dft_length,
            "max_frequency": max_frequency,
            "log_floor": log_floor,
            "level_db": level_db,
        }
        self.sample_rate = sample_rate
        self.window_samples = round(sample_rate * window_ms / 1000)
        self.shift_samples = round(sample_rate * shift_ms / 1000)
        self.dft_length = dft_length
        self.log_floor, self.level_db = log_floor, level_db
        self.n_features = round(max_frequency * dft_length / sample_rate)
        if not self.window_samples > 0 or not self.shift_samples > 0 or dft_length > LONGEST_DFT:
            given = f"window_ms {window_ms}, shift_ms {shift_ms}, dft_length {dft_length}"
            raise InputError(f"front end: {given}: the first two must be one sample or more, and dft_length at most {LONGEST_DFT}")
        if dft_length < self.window_samples or self.n_features > dft_length // 2 + 1:
            raise InputError(
                f"front end: dft_length {dft_length} must hold the window ({self.window_samples} samples) "
                f"and max_frequency {max_frequency} Hz must not be above half of sample_rate {sample_rate} Hz"
            )
        check_level(level_db)
        window = torch.hamming_window(self.window_samples, device="cpu")  # on the meta device it would take seconds, to import a compiler
        self.register_buffer("window", window, persistent=False)

    @property
    def min_samples(self) -> int:
        """The number of samples of the shortest waveform that has a frame."""
        return self.window_samples

    def n_frames(self, n_samples):
        """Return the number of frames for a number of samples (an integer, or a tensor of integers)."""
        return 1 + (n_samples - self.window_samples) // self.shift_samples

    def work(self, n_samples: int) -> tuple[int, int]:
        """Return numbers in memory and products for one utterance, as `mlee_sb.models.encoders.base.Encoder.work` does."""
        frames = self.n_frames(n_samples)
        block = min(frames, BLOCK_FRAMES) * self.dft_length
        return frames * (self.window_samples + self.n_features) + 2 * block, frames * self.dft_length * self.dft_length.bit_length()

    def frame_times(self, n_frames: int) -> Tensor:
        """Return the middle of each frame in seconds, [n_frames]."""
        return (torch.arange(n_frames) * self.shift_samples + self.window_samples / 2) / self.sample_rate

    def forward(self, waveforms: Tensor, n_samples: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the features of a padded batch.

        Parameters
        ----------
        waveforms : [batch, samples], padded at the end
        n_samples : [batch], integers on the CPU: samples of each utterance without its padding

        Returns
        -------
        features : [batch, frames, n_features]; frames past the end of an utterance are zeros
        n_frames : [batch], frames of each utterance without its padding

        Raises
        ------
        InputError
            if an utterance is shorter than one window

        >>> front_end = LogPowerSpectrogram(16000, window_ms=40, shift_ms=10, dft_length=1600, max_frequency=4000, log_floor=1e-8)
        >>> features, n_frames = front_end(torch.zeros(1, 72000), torch.tensor([72000]))
        >>> tuple(features.shape), n_frames.tolist()  # 4.5 s
        ((1, 447, 400), [447])
        """
        shortest = int(n_samples.min())
        if shortest < self.window_samples:
            raise InputError(
                f"an utterance of {shortest} samples ({1000 * shortest / self.sample_rate:.0f} ms) is shorter than one window "
                f"({1000 * self.window_samples / self.sample_rate:.0f} ms): leave it out"
            )
        frames = self.levelled(waveforms.float(), n_samples).unfold(
            -1, self.window_samples, self.shift_samples
        )  # [batch, frames, window], a view
        n_frames = self.n_frames(n_samples)
        lengths = n_frames.tolist()
        return separated(self._log_power(joined(frames, lengths)), lengths), n_frames

    def levelled(self, waveforms: Tensor, n_samples: Tensor) -> Tensor:
        """Return the waveforms [batch, samples] that the features are computed from: brought to `level_db`, if there is one."""
        return waveforms if self.level_db is None else at_level(waveforms, n_samples, self.level_db)

    def _log_power(self, frames: Tensor) -> Tensor:
        """Return the log power of each bin [n, n_features] for frames [n, window]."""
        found = []
        for block in frames.split(BLOCK_FRAMES if frames.device.type == "cpu" else len(frames)):
            spectrum = torch.fft.rfft(block * self.window, n=self.dft_length)[..., : self.n_features]
            found.append((spectrum.real.square() + spectrum.imag.square() + self.log_floor).log())
        return torch.cat(found)
