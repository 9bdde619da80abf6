"""Write the folder of a demo release, in IEMOCAP's layout: whole or not at all, and only once."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

import numpy as np
import soundfile
from joblib import Parallel, cpu_count, delayed
from tqdm import tqdm

from mlee_sb.corpora.iemocap import DEMO_MARKER, EVALUATIONS, WAVS
from mlee_sb.demo.evaluation_file import evaluation_file
from mlee_sb.demo.phones import draw_utterance
from mlee_sb.demo.plan import Settings, Turn, plan_release
from mlee_sb.demo.voice import SAMPLE_RATE, import_vocoder, speak
from mlee_sb.errors import InputError
from mlee_sb.files import write_json, written_beside
from mlee_sb.workers import leave_with_the_starter

README = """DEMO: generated speech. No real person speaks or listens here.

This folder has the layout of IEMOCAP, but the voices are made by a vocoder, the words are of no language, and the
annotators are simulated: one of them, E4, hears anger in most utterances, so that a model of each annotator has something
to find. It is for trying out the software. Scores on it say nothing about people, nor about which method is better. It was
written by mlee_sb.demo.make_demo_release with the settings in DEMO.json.
"""

FEW = 60
"""Up to so many utterances, one process is faster than several: these take time to start."""


def make_demo_release(
    folder: str | Path, seed: int = 0, speakers: int = 10, utterances_per_speaker: int = 30, scripted_per_speaker: int = 3
) -> Path:
    """Write a demo release to `folder`, unless it is there already, and return `folder`.

    The same settings give the same bytes, whatever the number of processors.

    Parameters
    ----------
    folder : the folder to make; it must not exist, be empty, or hold a finished release of these settings
    seed : another seed gives other voices, emotions and listeners
    speakers : an even number, two a session
    utterances_per_speaker : improvised utterances of each
    scripted_per_speaker : utterances of each in scripted dialogs, which the reader leaves out by default

    Raises
    ------
    InputError
        if the folder holds anything else, a setting is out of its range, or the vocoder is not installed
    """
    settings = Settings(seed, speakers, utterances_per_speaker, scripted_per_speaker)
    settings.check()
    folder = Path(folder).resolve()
    if _is_there(folder, settings):
        return folder
    import_vocoder()  # before the first file, for its error to come at once
    with written_beside(folder) as beside:
        _write(beside, settings)
    return folder


def _is_there(folder: Path, settings: Settings) -> bool:
    """Tell whether `folder` holds a finished release of these settings. Refuse a folder that holds anything else."""
    if not folder.exists():
        return False
    if not folder.is_dir():
        raise InputError(f"{folder}: a file, not a folder; give a new folder for the demo release")
    if not any(folder.iterdir()):
        return False
    marker = folder / DEMO_MARKER
    if not marker.is_file():
        raise InputError(f"{folder}: holds something else than a demo release (no {DEMO_MARKER} in it); give a new folder")
    try:
        found = dict(json.loads(marker.read_text(encoding="utf-8"))["settings"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{marker}: cannot be read; remove {folder} or give a new folder") from error
    wanted = asdict(settings)
    if found != wanted:
        other = ", ".join(f"{name} {found.get(name)} (asked for: {value})" for name, value in wanted.items() if found.get(name) != value)
        raise InputError(f"{folder}: a demo release with other settings: {other}; remove it or give a new folder")
    return True


def _write(folder: Path, settings: Settings) -> None:
    turns = plan_release(settings)
    for dialog, of_dialog in groupby(turns, key=lambda turn: turn.dialog):
        of_dialog = list(of_dialog)
        session = folder / f"Session{of_dialog[0].speaker.session}"
        (session / WAVS / dialog).mkdir(parents=True)
        path = session / EVALUATIONS / f"{dialog}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(evaluation_file(of_dialog), encoding="latin-1", newline="\n")
    with tqdm(total=len(turns), desc="DEMO: generating speech", unit="utterance", disable=None) as bar:
        for turn, samples in zip(turns, _all_said(turns), strict=True):
            path = folder / f"Session{turn.speaker.session}" / WAVS / turn.dialog / f"{turn.id}.wav"
            soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16")
            bar.update()
    (folder / "README.txt").write_text(README, encoding="utf-8", newline="\n")
    write_json(folder / DEMO_MARKER, {"demo": True, "settings": asdict(settings)})


def say(turn: Turn) -> np.ndarray:
    """Return the samples of a turn, [samples] int16. They depend on the turn only, not on earlier turns."""
    rng = np.random.default_rng(turn.voice_seed)
    segments = draw_utterance(rng, turn.seconds, turn.speaker.tempo * 2**turn.prosody.tempo)
    return speak(rng, turn.speaker, turn.prosody, segments)


def _all_said(turns: list[Turn]) -> Iterable[np.ndarray] | Iterator[np.ndarray]:
    jobs = 1 if len(turns) <= FEW else cpu_count()
    return Parallel(n_jobs=jobs, return_as="generator", initializer=leave_with_the_starter)(delayed(say)(turn) for turn in turns)
