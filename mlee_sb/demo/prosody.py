"""From emotions to prosody: how an utterance is said, as numbers that the voice follows."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass

import numpy as np

from mlee_sb.corpora.base import OTHER
from mlee_sb.demo.speakers import Speaker


@dataclass(frozen=True)
class Prosody:
    """How an utterance differs from the speaker's neutral voice.

    Attributes
    ----------
    pitch : semitones up
    pitch_range : size of the pitch movements, as a power of 2
    tempo : syllables a second, as a power of 2
    energy : dB
    tilt : dB an octave; positive is a harder, brighter voice
    breathiness : dB more noise in the voice
    smile : formants higher, in percent (spread lips make the tract shorter)
    jaw : first formant higher, in percent (an open mouth)
    final_pitch : semitones by which the pitch rises (or falls) on the last syllable
    roughness : semitones of jitter
    """

    pitch: float = 0.0
    pitch_range: float = 0.0
    tempo: float = 0.0
    energy: float = 0.0
    tilt: float = 0.0
    breathiness: float = 0.0
    smile: float = 0.0
    jaw: float = 0.0
    final_pitch: float = 0.0
    roughness: float = 0.0


NEUTRAL = Prosody(final_pitch=-2.0, roughness=0.10)

OF_EMOTION = {
    "neu": NEUTRAL,
    "hap": Prosody(4.0, 0.9, 0.10, 2.5, 1.0, 1.0, 7.0, 3.0, 2.0, 0.10),
    "sad": Prosody(-2.5, -0.9, -0.45, -6.0, -3.5, 7.0, -2.0, -6.0, -3.0, 0.20),
    "ang": Prosody(3.0, 0.4, 0.25, 8.0, 4.5, -4.0, -1.0, 14.0, -6.0, 0.45),
    "exc": Prosody(6.5, 1.2, 0.35, 6.0, 2.0, 0.0, 5.0, 8.0, 2.5, 0.15),
    "fru": Prosody(0.5, 0.1, -0.10, 3.0, 2.0, 1.0, -2.0, 5.0, -4.0, 0.30),
    "sur": Prosody(5.0, 1.4, -0.05, 2.0, 0.5, 3.0, 2.0, 8.0, 6.0, 0.10),
    OTHER: Prosody(-0.5, 0.2, -0.20, -2.0, -0.5, 3.0, 1.0, 0.0, 1.0, 0.15),
}
"""The effect of each emotion at full strength; directions as in the literature (Scherer 2003; Juslin and Laukka 2003)."""

VARIATION = Prosody(1.3, 0.35, 0.14, 2.0, 1.1, 2.0, 1.5, 3.0, 1.5, 0.04)
"""Standard deviation of variation that has nothing to do with emotion: words, emphasis, chance."""


def draw_prosody(rng: np.random.Generator, mixture: Mapping[str, float], speaker: Speaker) -> Prosody:
    """Draw the prosody of one utterance: that of the mixture, scaled by the expressiveness of the speaker, plus some variation."""
    felt = np.array(astuple(mean_prosody(mixture)))
    neutral = np.array(astuple(NEUTRAL))
    values = neutral + speaker.expressiveness * (felt - neutral) + rng.normal(0, astuple(VARIATION))
    return Prosody(*(float(value) for value in values))


def mean_prosody(mixture: Mapping[str, float]) -> Prosody:
    """Return the prosody of a mixture: the mean over its emotions, weighted by their shares.

    >>> mean_prosody({"neu": 0.5, "hap": 0.5}).pitch
    2.0
    """
    return Prosody(*(float(value) for value in sum(share * np.array(astuple(OF_EMOTION[code])) for code, share in mixture.items())))
