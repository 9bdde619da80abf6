"""Figure 3: for one utterance, where encoders look, one above the other on one time axis."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle

import numpy as np
import soundfile
from matplotlib.axes import Axes

from mlee_sb.evaluation.ambiguity import THIRDS, thirds
from mlee_sb.evaluation.cells import Cell, Cells
from mlee_sb.evaluation.report.style import COLOURS, LINE, SMALL, SOFT, Plot, new_figure, plot_of, style_for, wrapped
from mlee_sb.labels import vote_entropy

OF_THE_PAPER = {"dominant_hard": "hard", "dominant_soft": "soft", "mlee": "MLEE"}
"""Names that the paper's figure has for rows."""

TRAIN_SET = "all"  # of a row that has both
WINDOW, SHIFT, HIGHEST = 0.040, 0.010, 4000  # seconds, seconds, Hz of the spectrogram: the paper's features
NAME = 22  # columns of the name of an encoder beside its panel
POINTS = 800  # of the waveform: more than that nobody sees


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
        names = [wrapped(name, NAME) for name in self.attention]
        with style_for("".join(names)):
            panel = max(0.7, LINE * max((name.count("\n") + 1 for name in names), default=1) + 0.1)
            figure = new_figure(2.6 + panel * len(names))
            axes = figure.subplots(2 + len(names), sharex=True, height_ratios=[0.8, 1.4, *[panel] * len(names)])
            self._draw_sound(axes[0], axes[1])
            for ax, name, colour, (seconds, weights) in zip(axes[2:], names, cycle(COLOURS), self.attention.values(), strict=False):
                ax.fill_between(seconds, weights, step="mid", color=colour, alpha=0.35)
                ax.step(seconds, weights, where="mid", color=colour, linewidth=1.2)
                ax.set(ylim=(0, None), yticks=())
                _name(ax, name)
            axes[-1].set(xlim=(0, len(self.samples) / self.rate))
            axes[-1].set_xlabel("seconds", fontsize=SMALL)
            axes[-1].tick_params(axis="x", labelsize=SMALL - 1)
            alt = f"Waveform and spectrogram of {self.ID}, and below on the same seconds the weights of: {', '.join(self.attention)}."
            return plot_of(f"attention_{self.number}", self.title, alt, figure)

    def _draw_sound(self, waveform: Axes, spectrogram: Axes) -> None:
        """Draw the waveform by its lowest and highest sample in each of `POINTS` pieces, and the spectrogram."""
        pieces = np.array_split(self.samples, min(POINTS, len(self.samples)))
        middles = (np.arange(len(pieces)) + 0.5) * len(self.samples) / len(pieces) / self.rate
        waveform.fill_between(middles, [piece.min() for piece in pieces], [piece.max() for piece in pieces], color=SOFT, linewidth=0.5)
        waveform.set(yticks=())
        _name(waveform, "waveform")
        window = min(round(WINDOW * self.rate), len(self.samples))
        overlap = max(0, window - round(SHIFT * self.rate))
        spectrogram.specgram(self.samples + 1e-6, NFFT=window, noverlap=overlap, Fs=self.rate, cmap="magma")
        spectrogram.set(ylim=(0, min(HIGHEST, self.rate / 2)))
        spectrogram.tick_params(labelsize=SMALL - 1)
        _name(spectrogram, "Hz")


def cells_of_figure(cells: Cells) -> list[Cell]:
    """Return the cells whose encoders figure 3 shows, one for each row, in the order of table 3.

    These are the rows that train an encoder of their own; a head only repeats the encoder that it froze. Where there are only heads, all
    of them are shown. Of a row that has both train sets it is the cell with `TRAIN_SET`.
    """
    own = [cell for cell in cells.cells if not cell.all_stages[0].required]
    by_row: dict[str, Cell] = {}
    for cell in own or cells.cells:
        if cell.row not in by_row or cell.train_set == TRAIN_SET:
            by_row[cell.row] = cell
    return list(by_row.values())


def chosen_utterances(cells: Cells, shown: list[Cell]) -> list[str]:
    """Return the IDs of utterances to look at: for each emotion one of the most disputed third, with the highest entropy of the votes.

    Utterances come first about which the cells that are shown decide differently.
    """
    utterances = cells.utterances
    entropy = vote_entropy(utterances.votes)
    third, _ = thirds(entropy)
    decisions = np.stack([cell.any_seed.posterior.argmax(axis=1) for cell in shown])
    differ = (decisions != decisions[0]).any(axis=0)
    chosen = []
    for k in range(len(utterances.emotions)):
        targets = utterances.votes[:, :-1]
        of_emotion = (targets.argmax(axis=1) == k) & (targets[:, k] > 0) & (third == len(THIRDS) - 1)
        candidates = np.flatnonzero(of_emotion & differ) if (of_emotion & differ).any() else np.flatnonzero(of_emotion)
        if len(candidates):
            chosen.append(str(min(utterances.ids[candidates], key=lambda ID: (-entropy[utterances.ids == ID][0], ID))))
    return chosen


def _name(ax: Axes, name: str) -> None:
    """Write a name beside a panel, so that names of neighbours never meet."""
    ax.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=SMALL)
