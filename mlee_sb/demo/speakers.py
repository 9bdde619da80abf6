"""The speakers: ten voices that are easy to tell apart, a woman and a man in each session."""

from dataclasses import dataclass

import numpy as np

FEMALE_PITCH = (172.0, 236.0)
MALE_PITCH = (92.0, 148.0)
"""Hz; mean f0 of the lowest and the highest voice."""

FEMALE_TRACT = (1.10, 1.22)
MALE_TRACT = (0.92, 1.04)
"""Formants relative to those of an average man: a shorter vocal tract makes all of them higher."""

PITCH_RANGE = (0.8, 1.25)
TEMPO = (0.88, 1.14)
TILT_DB_PER_OCTAVE = (-1.2, 1.2)
BREATHINESS_DB = (-3.0, 3.0)
LEVEL_DB = (-2.5, 2.5)
EXPRESSIVENESS = (1.1, 1.5)
"""Ranges over speakers. The first two are factors. `EXPRESSIVENESS` scales the effect of an emotion on the voice. It is above 1 because
no mixture is pure: an emotion that is half of a mixture must still be heard."""


@dataclass(frozen=True)
class Speaker:
    """A voice. `session` counts from 1, `sex` is "F" or "M"; the ranges above explain the other attributes."""

    session: int
    sex: str
    pitch_hz: float
    tract: float
    pitch_range: float
    tempo: float
    tilt: float
    breathiness: float
    level: float
    expressiveness: float

    @property
    def name(self) -> str:
        """The name as in IEMOCAP: ``Ses03M``."""
        return f"Ses{self.session:02d}{self.sex}"


def draw_speakers(rng: np.random.Generator, count: int) -> list[Speaker]:
    """Draw `count` speakers (an even number), session by session, the woman first.

    The values of each trait are spread evenly over its range and assigned at random, so no two voices are alike.

    >>> [speaker.name for speaker in draw_speakers(np.random.default_rng(0), 4)]
    ['Ses01F', 'Ses01M', 'Ses02F', 'Ses02M']
    """
    sessions = count // 2
    women, men = (_draw_traits(rng, sessions, pitch, tract) for pitch, tract in ((FEMALE_PITCH, FEMALE_TRACT), (MALE_PITCH, MALE_TRACT)))
    return [Speaker(session + 1, sex, *traits[session]) for session in range(sessions) for sex, traits in (("F", women), ("M", men))]


def _draw_traits(rng: np.random.Generator, count: int, pitch: tuple[float, float], tract: tuple[float, float]) -> list[list[float]]:
    ranges = (pitch, tract, PITCH_RANGE, TEMPO, TILT_DB_PER_OCTAVE, BREATHINESS_DB, LEVEL_DB, EXPRESSIVENESS)
    columns = [rng.permutation(np.linspace(low, high, count)) for low, high in ranges]
    return [[float(column[i]) for column in columns] for i in range(count)]
