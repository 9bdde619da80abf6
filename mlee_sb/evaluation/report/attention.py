"""Figure 3: for one utterance, where the hard, soft and MLEE encoders look, one above the other on one time axis."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import soundfile
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mlee_sb.evaluation.ambiguity import THIRDS, thirds, vote_entropy
from mlee_sb.evaluation.cells import Cells
from mlee_sb.evaluation.report.plots import COLOURS, DOTS, Plot, png_of
from mlee_sb.evaluation.results import StageResult

ENCODERS = {"dominant_hard": "hard", "dominant_soft": "soft", "mlee": "MLEE"}
"""The rows whose encoders the paper's figure shows, from top to bottom."""

WINDOW, SHIFT, HIGHEST = 0.040, 0.010, 4000  # seconds, seconds, Hz of the spectrogram: the paper's features


@dataclass(frozen=True)
class AttentionFigure:
    """What figure 3 shows of one utterance.

    Attributes
    ----------
    number : of the figure in the report, from 1
    ID : the utterance
    votes : emotion code -> votes, with "other"
    samples, rate : the recording [samples] as it is played, and its sample rate in Hz
    attention : name of the encoder -> middles of its steps in seconds, and weights that sum to 1, both [steps]
    """

    number: int
    ID: str
    votes: Mapping[str, int]
    samples: np.ndarray
    rate: int
    attention: Mapping[str, tuple[np.ndarray, np.ndarray]]

    @property
    def title(self) -> str:
        return f"{self.ID}: votes " + ", ".join(f"{emotion} {n}" for emotion, n in self.votes.items() if n)

    @property
    def sound_uri(self) -> str:
        """The recording as a WAV file in a data URI."""
        buffer = io.BytesIO()
        soundfile.write(buffer, self.samples, self.rate, format="WAV", subtype="PCM_16")
        return "data:audio/wav;base64," + base64.b64encode(buffer.getvalue()).decode()

    @cached_property
    def plot(self) -> Plot:
        """Waveform, spectrogram and the weights of each encoder."""
        figure = Figure(figsize=(9, 2.6 + 0.9 * len(self.attention)), dpi=DOTS, layout="constrained")
        heights = [1, 1.8, *[1] * len(self.attention)]
        axes = figure.subplots(len(heights), sharex=True, height_ratios=heights)
        self._draw_sound(axes[0], axes[1])
        for number, (ax, (name, (seconds, weights))) in enumerate(zip(axes[2:], self.attention.items(), strict=True)):
            ax.fill_between(seconds, weights, step="mid", color=COLOURS[number], alpha=0.35)
            ax.step(seconds, weights, where="mid", color=COLOURS[number], linewidth=1.2)
            ax.set(ylim=(0, None), ylabel=name, yticks=())
        axes[-1].set(xlabel="seconds", xlim=(0, len(self.samples) / self.rate))
        figure.suptitle(self.title, fontsize=10)
        alt = (
            f"Waveform and spectrogram of {self.ID}, and below on the same seconds the weights of the encoders {', '.join(self.attention)}."
        )
        return Plot(f"attention_{self.number}", self.title, alt, png_of(figure))

    def _draw_sound(self, waveform: Axes, spectrogram: Axes) -> None:
        waveform.plot(np.arange(len(self.samples)) / self.rate, self.samples, color="0.3", linewidth=0.5)
        waveform.set(ylabel="waveform", yticks=())
        window = min(round(WINDOW * self.rate), len(self.samples))
        overlap = max(0, window - round(SHIFT * self.rate))
        spectrogram.specgram(self.samples + 1e-6, NFFT=window, noverlap=overlap, Fs=self.rate, cmap="magma")
        spectrogram.set(ylabel="Hz", ylim=(0, min(HIGHEST, self.rate / 2)))


def stages_of_figure(cells: Cells, train_set: str) -> dict[str, dict[int, StageResult]]:
    """Return for each row of `ENCODERS` its stage of each fold; {} where a row is missing.

    A hard target has one stage for both train sets.
    """
    found = {}
    for row in ENCODERS:
        for cell in cells.cells:
            if cell.row == row and (cell.train_set == train_set or row == "dominant_hard"):
                found[row] = next(iter(cell.stages.values()))
    return found if len(found) == len(ENCODERS) else {}


def chosen_utterances(cells: Cells, train_set: str) -> list[str]:
    """Return the IDs of utterances to look at: for each emotion one of the most disputed third, with the highest entropy of the votes.

    Utterances come first about which the three encoders decide differently.
    """
    rows = {cell.row: cell for cell in cells.cells if cell.train_set == train_set or cell.row == "dominant_hard"}
    utterances = cells.utterances
    entropy = vote_entropy(utterances.votes)
    third, _ = thirds(entropy)
    decisions = np.stack([rows[row].any_seed.posterior.argmax(axis=1) for row in ENCODERS])
    differ = (decisions != decisions[0]).any(axis=0)
    chosen = []
    for k in range(len(utterances.emotions)):
        targets = utterances.votes[:, :-1]
        of_emotion = (targets.argmax(axis=1) == k) & (targets[:, k] > 0) & (third == len(THIRDS) - 1)
        candidates = np.flatnonzero(of_emotion & differ) if (of_emotion & differ).any() else np.flatnonzero(of_emotion)
        if len(candidates):
            chosen.append(str(min(utterances.ids[candidates], key=lambda ID: (-entropy[utterances.ids == ID][0], ID))))
    return chosen
