"""Who says what, when, in which dialog, and what the listeners make of it: the whole release before a sound is made."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from mlee_sb.demo.annotators import EVALUATORS, EVALUATORS_PER_UTTERANCE, Judgement, draw_biases, judge
from mlee_sb.demo.emotions import draw_mixture, intended_emotions
from mlee_sb.demo.prosody import Prosody, draw_prosody
from mlee_sb.demo.speakers import Speaker, draw_speakers
from mlee_sb.errors import InputError

GENERATOR = 2
"""Raised whenever the generator makes other bytes of the same settings: releases of another one are not reused."""

SECONDS = (1.15, 3.9)
"""Shortest and longest utterance; all lengths between are as likely."""

TURNS_IN_A_DIALOG = 8
"""Of each of the two speakers."""

GAP_SECONDS = (0.2, 1.2)
"""Between two turns; counts in the evaluation files only, where a turn has its place in the dialog."""

SPEAKERS = (4, 10)
"""Fewest (training needs speakers besides the two of the session that tests and validates) and most (five sessions)."""


@dataclass(frozen=True)
class Settings:
    """All that decides on the bytes of a release."""

    seed: int = 0
    speakers: int = 10
    utterances_per_speaker: int = 30
    scripted_per_speaker: int = 3
    generator: int = GENERATOR

    def check(self) -> None:
        """Raise `InputError` for settings of which no release can be made."""
        low, high = SPEAKERS
        if not low <= self.speakers <= high or self.speakers % 2:
            raise InputError(f"speakers {self.speakers}: must be even (two a session) and from {low} to {high}")
        if self.utterances_per_speaker < 1:
            raise InputError(f"utterances_per_speaker {self.utterances_per_speaker}: must be 1 or more")
        if self.scripted_per_speaker < 0:
            raise InputError(f"scripted_per_speaker {self.scripted_per_speaker}: must be 0 or more")
        if self.seed < 0:
            raise InputError(f"seed {self.seed}: must be 0 or more")


@dataclass(frozen=True)
class Turn:
    """An utterance to be: `start` is its place in the dialog and `seconds` its length; `voice_seed` is what it is made of."""

    id: str
    dialog: str
    speaker: Speaker
    start: float
    seconds: float
    mixture: Mapping[str, float]
    prosody: Prosody
    judgement: Judgement
    voice_seed: tuple[int, ...]


def plan_release(settings: Settings) -> list[Turn]:
    """Return all turns, in the order of the sessions and dialogs.

    >>> turns = plan_release(Settings(speakers=4, utterances_per_speaker=1, scripted_per_speaker=1))
    >>> [turn.id for turn in turns[:4]]
    ['Ses01F_impro01_F000', 'Ses01F_impro01_M000', 'Ses01F_script01_1_F000', 'Ses01F_script01_1_M000']
    """
    settings.check()
    rng = np.random.default_rng(settings.seed)
    speakers = draw_speakers(rng, settings.speakers)
    biases = draw_biases(rng)
    turns = []
    for woman, man in zip(speakers[::2], speakers[1::2], strict=True):
        pair = (woman, man)
        first = len(turns)
        for kind, count in (("impro", settings.utterances_per_speaker), ("script", settings.scripted_per_speaker)):
            intended = [intended_emotions(rng, count, speakers.index(speaker)) for speaker in pair]
            for dialog, turns_of_it in _dialogs(woman.session, kind, count):
                emotions = [[per_speaker[i] for per_speaker in intended] for i in turns_of_it]
                turns += _dialog(rng, dialog, pair, emotions, biases, (settings.seed, woman.session), len(turns) - first)
    return turns


def _dialogs(session: int, kind: str, count: int) -> Iterator[tuple[str, range]]:
    """Return the names of the dialogs for `count` turns of each speaker, with the turns. The woman and the man wear the markers in turn."""
    for number, start in enumerate(range(0, count, TURNS_IN_A_DIALOG)):
        part = "_1" if kind == "script" else ""
        yield f"Ses{session:02d}{'FM'[number % 2]}_{kind}{number // 2 + 1:02d}{part}", range(start, min(start + TURNS_IN_A_DIALOG, count))


def _dialog(
    rng: np.random.Generator,
    dialog: str,
    pair: tuple[Speaker, Speaker],
    emotions: list[list[str]],
    biases: Mapping[str, np.ndarray],
    seed: tuple[int, int],
    before: int,
) -> Iterator[Turn]:
    """Return the turns of a dialog, in which the speakers alternate. `before` is the number of earlier turns in the session."""
    evaluators = tuple(EVALUATORS[i] for i in sorted(rng.choice(len(EVALUATORS), EVALUATORS_PER_UTTERANCE, replace=False)))
    time = rng.uniform(*GAP_SECONDS)
    for number, of_turn in enumerate(emotions):
        for speaker, intended in zip(pair, of_turn, strict=True):
            mixture = draw_mixture(rng, intended)
            prosody = draw_prosody(rng, mixture, speaker)
            judgement = judge(rng, mixture, evaluators, biases, speaker.sex)
            seconds = float(rng.uniform(*SECONDS))
            turn = f"{dialog}_{speaker.sex}{number:03d}"
            yield Turn(turn, dialog, speaker, float(time), seconds, mixture, prosody, judgement, (*seed, before))
            before += 1
            time += seconds + rng.uniform(*GAP_SECONDS)
