"""From segments and prosody to a waveform, through the WORLD vocoder (Morise et al., IEICE Trans. 2016).

WORLD takes three tracks at 200 frames a second: f0, the spectral envelope, and the share of noise in it.
"""

import numpy as np

from mlee_sb.demo.phones import Segment
from mlee_sb.demo.prosody import Prosody
from mlee_sb.demo.speakers import Speaker
from mlee_sb.errors import InputError

SAMPLE_RATE = 16_000
FRAME_SECONDS = 0.005  # WORLD's usual frame period
FFT_SIZE = 512  # 32 ms: longer than the ringing of any formant and two periods of the lowest voice; 1024 takes twice the time
FREQUENCIES = np.arange(FFT_SIZE // 2 + 1) * SAMPLE_RATE / FFT_SIZE
OCTAVES = np.log2(np.maximum(FREQUENCIES, 100.0) / 1000.0)
"""Octaves above 1 kHz of each bin; under 100 Hz, where no formant is, the spectrum stays flat."""

HIGHER_FORMANTS = (3500.0, 4500.0, 5500.0)  # Hz, of an average man; they hardly move in speech
BANDWIDTHS = (70.0, 90.0, 130.0, 180.0, 250.0, 350.0)  # Hz

SOURCE_TILT = -5.0
"""dB per octave: -12 from the glottal pulse, +6 from the lips, +1 for the formants above those modelled."""

HISS_OCTAVES = 0.55
"""Width of the hiss of a fricative (standard deviation of its peak)."""

HISS_SHAPE_DB = 14.0
"""Level of a hiss, chosen so that a hiss and a vowel with `Segment.level` 0 sound about equally loud."""

APERIODICITY_AT_1K = -22.0
APERIODICITY_SLOPE = 6.0
"""Noise relative to the whole in dB at 1 kHz, and its slope in dB per octave: a voice is harmonic below and noisy above."""

APERIODICITY_LIMITS = (-60.0, -0.5)  # dB

FORMANT_GLIDE = 0.045
LEVEL_GLIDE = 0.018
PITCH_GLIDE = 0.050
"""Seconds in which formants, level and pitch move from one segment to the next."""

DECLINATION = 3.0  # semitones that the pitch sinks in a phrase
ACCENT = (2.2, 0.8)  # semitones of a stressed syllable: mean, standard deviation
ACCENT_SECONDS = 0.07  # standard deviation of the hump
FINAL_SECONDS = 0.30  # how long the last movement of the pitch takes
SEMITONES_IN_AN_OCTAVE = 12.0
PITCH_LIMITS_HZ = (65.0, 520.0)  # the lowest creak and a scream

LEVEL_DBFS = -27.0  # root mean square of a neutral utterance
PEAK = 0.89  # of full scale (-1 dB): louder utterances are turned down
ROOM_NOISE_DBFS = -72.0  # of the recording: no pause is digital silence


def import_vocoder():
    """Import and return pyworld. If it is not installed, the InputError says how to install it."""
    try:
        import pyworld
    except ImportError as error:
        raise InputError('the demo release needs the WORLD vocoder (pyworld): pip install "mlee_sb[demo]"') from error
    return pyworld


def speak(rng: np.random.Generator, speaker: Speaker, prosody: Prosody, segments: list[Segment]) -> np.ndarray:
    """Return `segments` as they sound: 16-bit samples at 16 kHz, [samples] int16."""
    pyworld = import_vocoder()
    index = _segment_of_frame(segments)  # [frames]
    pitch = _pitch(rng, speaker, prosody, segments, index)
    envelope = _envelope(speaker, prosody, segments, index)
    noise = _aperiodicity(speaker, prosody, segments, index)
    wave = pyworld.synthesize(pitch, envelope, noise, SAMPLE_RATE, FRAME_SECONDS * 1000)
    wave = wave[: round(sum(segment.seconds for segment in segments) * SAMPLE_RATE)]
    wave = wave * (_amplitude(LEVEL_DBFS + speaker.level + prosody.energy) / np.sqrt(np.mean(wave**2)))
    wave = wave + rng.normal(0, _amplitude(ROOM_NOISE_DBFS), len(wave))
    wave *= min(1.0, PEAK / np.abs(wave).max())
    return np.rint(wave * np.iinfo(np.int16).max).astype(np.int16)


def _segment_of_frame(segments: list[Segment]) -> np.ndarray:
    """Return the number of the segment of each frame, [frames]; one frame more than needed, so that WORLD ends after the last segment."""
    ends = np.cumsum([segment.seconds for segment in segments])
    frames = np.arange(int(np.ceil(ends[-1] / FRAME_SECONDS)) + 2)
    return np.searchsorted(ends, frames * FRAME_SECONDS, side="right").clip(max=len(segments) - 1)


def _pitch(rng: np.random.Generator, speaker: Speaker, prosody: Prosody, segments: list[Segment], index: np.ndarray) -> np.ndarray:
    """Return f0 in Hz, [frames]; 0 in unvoiced frames."""
    size = speaker.pitch_range * 2**prosody.pitch_range
    times = np.arange(len(index)) * FRAME_SECONDS
    ends = np.cumsum([segment.seconds for segment in segments])
    semitones = np.full(len(index), prosody.pitch)
    for start, end in _phrases(segments, ends):
        place = (times - start) / (end - start)
        inside = (place >= 0) & (place < 1)
        semitones[inside] += size * DECLINATION * (0.5 - place[inside])
    for segment, end in zip(segments, ends, strict=True):
        if segment.nucleus and segment.stressed:
            height = size * rng.normal(*ACCENT)
            semitones += height * np.exp(-0.5 * ((times - (end - segment.seconds / 2)) / ACCENT_SECONDS) ** 2)
    last = ends[-2]  # the last segment is silence
    semitones += prosody.final_pitch * ((times - (last - FINAL_SECONDS)) / FINAL_SECONDS).clip(0, 1)
    semitones = _smooth(semitones, PITCH_GLIDE) + max(prosody.roughness, 0.0) * rng.normal(size=len(index))
    hz = (speaker.pitch_hz * 2 ** (semitones / SEMITONES_IN_AN_OCTAVE)).clip(*PITCH_LIMITS_HZ)
    return np.where(np.array([segment.voiced for segment in segments])[index], hz, 0.0)


def _phrases(segments: list[Segment], ends: np.ndarray) -> list[tuple[float, float]]:
    """Return start and end, in seconds, of the speech between each two pauses."""
    pauses = [i for i, segment in enumerate(segments) if segment.pause]
    return [(ends[a], ends[b] - segments[b].seconds) for a, b in zip(pauses, pauses[1:], strict=False)]


def _envelope(speaker: Speaker, prosody: Prosody, segments: list[Segment], index: np.ndarray) -> np.ndarray:
    """Return the power of the spectral envelope, [frames, bins]."""
    moving = np.array([segment.formants for segment in segments])[index]  # [frames, 3]
    formants = np.concatenate([moving, np.broadcast_to(HIGHER_FORMANTS, (len(index), len(HIGHER_FORMANTS)))], axis=1)
    formants = _smooth(formants, FORMANT_GLIDE) * speaker.tract * (1 + prosody.smile / 100)
    formants[:, 0] *= 1 + prosody.jaw / 100
    mouth = _resonances(formants) + (SOURCE_TILT + speaker.tilt + prosody.tilt) * OCTAVES  # dB, [frames, bins]
    hiss_hz = np.array([segment.hiss_hz for segment in segments])[index] * speaker.tract
    distance = (OCTAVES - np.log2(hiss_hz / 1000.0)[:, None]) / HISS_OCTAVES
    hissing = HISS_SHAPE_DB - 0.5 * distance**2 * 10 * np.log10(np.e) + (speaker.tilt + prosody.tilt) * OCTAVES
    hiss = _smooth(np.array([segment.hiss for segment in segments])[index], LEVEL_GLIDE)[:, None]
    level = _smooth(np.array([segment.level for segment in segments])[index], LEVEL_GLIDE)[:, None]
    return 10 ** ((level + (1 - hiss) * mouth + hiss * hissing) / 10)


def _resonances(formants: np.ndarray) -> np.ndarray:
    """Return the cascade of `formants` ([frames, n], in Hz) in dB, [frames, bins]: 0 dB at 0 Hz, a peak at each formant."""
    power = np.ones((len(formants), len(FREQUENCIES)))
    for centre, bandwidth in zip(formants.T, BANDWIDTHS, strict=True):
        centre, half = centre[:, None], bandwidth / 2
        # Poles at centre and -centre: power is (c^2+h^2)^2 / (((f-c)^2+h^2) ((f+c)^2+h^2)), multiplied out for speed.
        squares = centre**2 + half**2
        power *= squares**2 / ((FREQUENCIES**2 + squares) ** 2 - (2 * FREQUENCIES * centre) ** 2)
    return 10 * np.log10(power)


def _aperiodicity(speaker: Speaker, prosody: Prosody, segments: list[Segment], index: np.ndarray) -> np.ndarray:
    """Return the share of noise in the amplitude, 0 to 1, [frames, bins]."""
    breath = speaker.breathiness + prosody.breathiness
    voice = (APERIODICITY_AT_1K + breath + APERIODICITY_SLOPE * OCTAVES).clip(*APERIODICITY_LIMITS)  # dB, [bins]
    hiss = _smooth(np.array([segment.hiss for segment in segments])[index], LEVEL_GLIDE)[:, None]
    return _amplitude((1 - hiss) * voice + hiss * APERIODICITY_LIMITS[1])


def _smooth(track: np.ndarray, seconds: float) -> np.ndarray:
    """Return the mean over a Hann window of `seconds` around each frame, [frames] or [frames, n]; values at the ends are repeated."""
    half = max(1, round(seconds / FRAME_SECONDS / 2))
    window = np.hanning(2 * half + 3)[1:-1]
    padded = np.pad(track, [(half, half)] + [(0, 0)] * (track.ndim - 1), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, len(window), axis=0)  # [frames, (n,) window]
    return (windows * (window / window.sum())).sum(axis=-1)


def _amplitude(decibels):
    return 10 ** (decibels / 20)
