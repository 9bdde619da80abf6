"""The emotions in an utterance: a mixture that sums to 1, around the emotion that the speaker intends."""

from collections.abc import Mapping

import numpy as np

from mlee_sb.corpora.base import OTHER

EMOTIONS = ("neu", "hap", "sad", "ang", "exc", "fru", "sur", OTHER)
"""The parts of a mixture, in its order. The rarer ones of IEMOCAP (fea, dis) would hardly occur among 300 utterances."""

INTENDED = {"neu": 0.25, "hap": 0.08, "sad": 0.12, "ang": 0.10, "exc": 0.17, "fru": 0.20, "sur": 0.02, OTHER: 0.06}
"""How often each is intended. Together with the concentrations below and the noise of the listeners, this makes the shares of dominant
and existing emotions similar to those of IEMOCAP's improvised dialogs. But hap and ang are dominant somewhat more often than there (in
9 % instead of 6 % of the utterances), so that 300 utterances hold enough of them."""

NEIGHBOURS = {
    "neu": {"neu": 7.0, "fru": 1.2, "sad": 0.8, "hap": 0.7, "exc": 0.4, OTHER: 0.5},
    "hap": {"hap": 5.5, "exc": 1.8, "neu": 1.6, "sur": 0.2},
    "sad": {"sad": 7.5, "neu": 1.2, "fru": 0.8, OTHER: 0.3},
    "ang": {"ang": 7.0, "fru": 2.0, "neu": 0.5, OTHER: 0.2},
    "exc": {"exc": 5.0, "hap": 2.8, "neu": 1.2, "sur": 0.5},
    "fru": {"fru": 5.0, "ang": 1.3, "neu": 2.0, "sad": 0.8, OTHER: 0.4},
    "sur": {"sur": 5.0, "exc": 1.0, "hap": 0.5, "neu": 1.0},
    OTHER: {OTHER: 3.0, "neu": 2.0, "fru": 0.8, "sad": 0.5, "hap": 0.4},
}
"""Dirichlet concentrations of the mixture, by the intended emotion: emotions that people confuse appear together."""

FAINT = 0.1
"""Concentration of emotions that are no neighbours: very little of them, but never none."""

_GOLDEN = (5**0.5 - 1) / 2  # its multiples spread evenly over 0..1, so the shares of two speakers differ a little


def intended_emotions(rng: np.random.Generator, count: int, speaker: int) -> list[str]:
    """Return what a speaker intends in `count` utterances: shares as in `INTENDED`, in random order.

    The shares are fixed, not drawn: among the 30 utterances of a speaker, chance would sometimes leave out an emotion.

    >>> intentions = intended_emotions(np.random.default_rng(0), 100, speaker=0)
    >>> intentions.count("neu"), intentions.count("hap")
    (25, 8)
    """
    levels = (np.arange(count) + (speaker * _GOLDEN) % 1) / count
    codes = np.array(list(INTENDED))
    chosen = codes[np.searchsorted(np.cumsum(list(INTENDED.values())), levels, side="right").clip(max=len(codes) - 1)]
    return [str(code) for code in rng.permutation(chosen)]


def draw_mixture(rng: np.random.Generator, intended: str) -> dict[str, float]:
    """Draw a mixture in which `intended` is usually strong.

    >>> mixture = draw_mixture(np.random.default_rng(0), "sad")
    >>> round(sum(mixture.values()), 9), max(mixture, key=mixture.get)
    (1.0, 'sad')
    """
    neighbours = NEIGHBOURS[intended]
    return dict(zip(EMOTIONS, map(float, rng.dirichlet([neighbours.get(code, FAINT) for code in EMOTIONS])), strict=True))


def pure(emotion: str) -> Mapping[str, float]:
    """Return the mixture that holds `emotion` only.

    >>> pure("ang")["ang"], pure("ang")["sad"]
    (1.0, 0.0)
    """
    return {code: float(code == emotion) for code in EMOTIONS}
