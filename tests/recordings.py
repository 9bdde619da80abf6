"""Recordings as bytes, whole and broken in the ways in which programs and copies break them."""

import io
import struct

import numpy as np
import soundfile

RATE = 16_000


def sound(seconds=1.0, seed=0, rate=RATE, channels=1):
    """Noise with a slope, so that no part of it is like another: [samples] or [samples, channels]."""
    n = round(seconds * rate)
    noise = np.random.default_rng(seed).uniform(-0.1, 0.1, (n, channels))
    ramp = np.linspace(-0.2, 0.2, n)[:, None]
    return (noise + ramp).astype(np.float32).squeeze()


def encoded(form="WAV", subtype=None, samples=None, rate=RATE):
    """Return samples as the bytes of a file."""
    file = io.BytesIO()
    soundfile.write(file, sound() if samples is None else samples, rate, format=form, subtype=subtype)
    return file.getvalue()


def patched(content, place, form, *values):
    """Return bytes with numbers written over them."""
    changed = bytearray(content)
    struct.pack_into(form, changed, place, *values)
    return bytes(changed)


def wav_with_size(size, content=None):
    """Return a wav of 1 s whose header gives another size of its samples."""
    content = encoded() if content is None else content
    assert content[36:40] == b"data"
    return patched(content, 40, "<I", size)


def mp3_frames(content):
    """Return the frames of an mp3 of libsndfile, the one that tells their number apart."""
    from mlee_sb.audio.mpeg import after_tag, frame_at

    at, found = after_tag(content, 0), []
    while frame := frame_at(content, at):
        found.append(content[at : at + frame.size])
        at += frame.size
    return found[0], found[1:]
