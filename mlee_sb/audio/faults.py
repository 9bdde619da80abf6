"""What is wrong with a recording: the error that says it, and samples that cannot be sound."""

import math

from mlee_sb.errors import InputError

LOUDEST = 64.0
"""Largest sample of a recording; full scale is 1. Floats may overshoot: resampling by a little, a mix of many by a factor of a few, a
field recorder of 32-bit floats by about 30 dB. This limit is 36 dB. Integers that were cast to floats are above it in all but very
quiet recordings: for 16-bit integers, a peak of 64 is -54 dB."""

LARGEST_INTEGER = 2.0**31  # the largest integer that people cast to floats

MISSING, UNREADABLE = "missing", "unreadable"


class NoRecording(InputError):
    """A recording cannot be used.

    Attributes
    ----------
    reason : why, without its name
    kind : `MISSING`, `UNREADABLE` (it is no recording that can be opened), or "" for one that can be opened and is not whole or no sound
    """

    def __init__(self, name: str, reason: str, kind: str = ""):
        super().__init__(f"{name}: {reason}")
        self.reason, self.kind = reason, kind


def why_no_sound(peak: float) -> str:
    """Say what is wrong with samples that no recording has, and what to do about it; "" if nothing is wrong.

    Parameters
    ----------
    peak : the largest magnitude of a sample; NaN where one of them is NaN

    >>> why_no_sound(1.5)
    ''
    >>> why_no_sound(float("nan"))
    'samples that are not finite (NaN or infinity): write it again without them'
    >>> why_no_sound(32767.0)
    'samples beyond full scale: up to 32767, and 64 is the most; integers that were cast to floats? divide 16-bit ones by 32768'
    """
    if not math.isfinite(peak):
        return "samples that are not finite (NaN or infinity): write it again without them"
    if peak <= LOUDEST:
        return ""
    may_be_cast = peak <= LARGEST_INTEGER
    remedy = "integers that were cast to floats? divide 16-bit ones by 32768" if may_be_cast else "full scale is 1: write it again"
    return f"samples beyond full scale: up to {peak:.6g}, and {LOUDEST:g} is the most; {remedy}"
