"""Syllables of no language: a sequence of segments, each with the position of the mouth."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Segment:
    """A piece of speech in which the mouth moves to one position.

    Attributes
    ----------
    seconds : how long it lasts at normal tempo
    formants : the first three resonances in Hz, of an average man
    level : dB against a vowel
    voiced : whether the vocal folds vibrate
    hiss : from 0 (none) to 1 (only hiss is heard, as in a fricative)
    hiss_hz : centre of the hiss
    stressed, nucleus : whether it is the vowel of a syllable, and of a stressed one
    pause : whether nothing is said
    """

    seconds: float
    formants: tuple[float, float, float]
    level: float = 0.0
    voiced: bool = True
    hiss: float = 0.0
    hiss_hz: float = 3000.0
    stressed: bool = False
    nucleus: bool = False
    pause: bool = False


VOWELS = (
    (270.0, 2290.0, 3010.0),
    (390.0, 1990.0, 2550.0),
    (530.0, 1840.0, 2480.0),
    (660.0, 1720.0, 2410.0),
    (730.0, 1090.0, 2440.0),
    (570.0, 840.0, 2410.0),
    (440.0, 1020.0, 2240.0),
    (300.0, 870.0, 2240.0),
    (500.0, 1500.0, 2500.0),
)
"""Hz; vowels of American men (Peterson and Barney 1952) and a schwa."""

SCHWA = VOWELS[-1]
SILENT = -60.0  # dB against a vowel

CONSONANTS = (
    (Segment(0.065, (250, 1100, 2200), -9.0),),  # m
    (Segment(0.060, (250, 1600, 2500), -9.0),),  # n
    (Segment(0.055, (360, 1300, 2700), -5.0),),  # l
    (Segment(0.055, (300, 2200, 2900), -6.0),),  # j
    (Segment(0.055, (300, 700, 2200), -6.0),),  # w
    (Segment(0.090, SCHWA, -12.0, False, 1.0, 6000.0),),  # s
    (Segment(0.090, SCHWA, -11.0, False, 1.0, 3200.0),),  # sh
    (Segment(0.075, SCHWA, -19.0, False, 1.0, 5000.0),),  # f
    (Segment(0.065, (300, 1500, 2500), -12.0, True, 0.5, 5500.0),),  # z
    (Segment(0.055, SCHWA, SILENT, False), Segment(0.015, SCHWA, -12.0, False, 1.0, 1200.0)),  # p
    (Segment(0.055, SCHWA, SILENT, False), Segment(0.020, SCHWA, -10.0, False, 1.0, 4200.0)),  # t
    (Segment(0.055, SCHWA, SILENT, False), Segment(0.025, SCHWA, -10.0, False, 1.0, 2200.0)),  # k
    (Segment(0.050, (200, 1000, 2200), -18.0), Segment(0.010, (300, 1000, 2200), -10.0)),  # b
    (Segment(0.050, (200, 1700, 2600), -18.0), Segment(0.010, (300, 1700, 2600), -10.0)),  # d
)
"""Nasals, approximants, fricatives and plosives (a closure, then a burst)."""

ONSET, CODA, DIPHTHONG, STRESS = 0.85, 0.25, 0.3, 0.4
"""Probability that a syllable opens with a consonant, closes with one, has two vowels; that it is stressed."""

VOWEL_SECONDS = (0.075, 0.135)
"""Shortest and longest vowel without stress, at normal tempo."""

STRESSED_LONGER = 1.35
STRESSED_LOUDER = 2.0  # dB
PHRASE_FINAL_LONGER = 1.5

PAUSE_SECONDS = (0.12, 0.30)
EDGE_SECONDS = (0.04, 0.10)
"""Silence between two phrases, and before the first and after the last one. Tempo does not change it."""

SYLLABLES_IN_A_PHRASE = (4, 9)


def draw_utterance(rng: np.random.Generator, seconds: float, tempo: float) -> list[Segment]:
    """Draw segments that last `seconds` together with the pauses at both ends, at `tempo` times the normal tempo."""
    before, after = rng.uniform(*EDGE_SECONDS, size=2)
    speech: list[Segment] = []
    target = seconds - before - after
    while (length := _length(speech)) < target:
        if speech:
            speech.append(_pause(rng.uniform(*PAUSE_SECONDS)))
        for syllable in _draw_phrase(rng, tempo):
            speech += syllable
            if _length(speech) >= target:
                break
    while speech[-1].pause:  # a pause that filled the rest of the time
        speech.pop()
    length = _length(speech)
    speech = [replace(segment, seconds=segment.seconds * target / length) for segment in speech]
    return [_pause(before), *speech, _pause(after)]


def _draw_phrase(rng: np.random.Generator, tempo: float) -> Iterator[list[Segment]]:
    count = int(rng.integers(*SYLLABLES_IN_A_PHRASE, endpoint=True))
    for i in range(count):
        longer = PHRASE_FINAL_LONGER if i == count - 1 else 1.0
        yield [replace(segment, seconds=segment.seconds * longer / tempo) for segment in _draw_syllable(rng)]


def _draw_syllable(rng: np.random.Generator) -> list[Segment]:
    onset, coda, diphthong, stressed = rng.random(4) < (ONSET, CODA, DIPHTHONG, STRESS)
    before, after = (CONSONANTS[i] for i in rng.integers(len(CONSONANTS), size=2))
    first, second = (VOWELS[i] for i in rng.integers(len(VOWELS), size=2))
    seconds = rng.uniform(*VOWEL_SECONDS) * (STRESSED_LONGER if stressed else 1.0)
    vowel = Segment(seconds, first, STRESSED_LOUDER if stressed else 0.0, stressed=bool(stressed), nucleus=True)
    if diphthong:
        half = replace(vowel, seconds=seconds / 2)
        vowels = [half, replace(half, formants=second, nucleus=False)]
    else:
        vowels = [vowel]
    return [*(before if onset else ()), *vowels, *(after if coda else ())]


def _pause(seconds: float) -> Segment:
    return Segment(float(seconds), SCHWA, SILENT, voiced=False, pause=True)


def _length(segments: list[Segment]) -> float:
    return sum(segment.seconds for segment in segments)
