"""Plan the whole release before any sound is made: who says what, when, in which dialog, and how listeners judge it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from mlee_sb.demo.annotators import EVALUATORS, EVALUATORS_PER_UTTERANCE, Judgement, draw_biases, judge
from mlee_sb.demo.emotions import draw_mixture, intended_emotions
from mlee_sb.demo.prosody import Prosody, draw_prosody
from mlee_sb.demo.speakers import Speaker, draw_speakers
from mlee_sb.errors import InputError

GENERATOR = 3
"""The version of the generator. Raise it when the same settings give other speech or votes: releases of another version are not reused."""

SECONDS = (1.15, 3.9)
"""Shortest and longest utterance; all lengths between are equally likely."""

TURNS_IN_A_DIALOG = 8
"""Of each of the two speakers."""

GAP_SECONDS = (0.2, 1.2)
"""Between two turns. It shows only in the evaluation files, which say when a turn begins."""

SPEAKERS = (4, 10)
"""Fewest and most. Training needs speakers besides the two of the session that tests and validates; the layout has five sessions."""


@dataclass(frozen=True)
class Settings:
    """Everything that decides the content of a release."""

    seed: int = 0
    speakers: int = 10
    utterances_per_speaker: int = 30
    scripted_per_speaker: int = 3
    generator: int = GENERATOR

    def check(self) -> None:
        """Raise an `InputError` for settings with which no release can be made."""
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
    """A planned utterance. `start` is its time in the dialog and `seconds` its length, both in seconds; `voice_seed` decides its sound."""

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
    """Yield the names of the dialogs for `count` turns of each speaker, with their turns. Woman and man wear the markers alternately."""
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
    """Yield the turns of a dialog; the speakers alternate. `before` turns of the session come before it."""
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
