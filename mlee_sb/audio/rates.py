"""Which sample rates can be resampled to which: the filter for two rates with a small common factor takes gigabytes."""

import math

LARGEST_FILTER = 1e7  # coefficients: 40 MB, and some 300 MB while they are computed
MODEL_RATE = 16_000
"""Hz of the models. Recordings at another rate are resampled when they are read."""


def steps(from_rate: int, to_rate: int) -> tuple[int, int]:
    """Return how many samples become how many others.

    >>> steps(44_100, 16_000)
    (441, 160)
    """
    common = math.gcd(from_rate, to_rate)
    return from_rate // common, to_rate // common


def why_not_resampled(from_rate: int, to_rate: int) -> str:
    """Return why one rate cannot be resampled to another, and what to do; "" if it can.

    >>> why_not_resampled(44_100, 16_000)
    ''
    >>> why_not_resampled(15_907, 16_000)
    '15907 Hz cannot be resampled to 16000 Hz in reasonable memory: convert it to 16000 Hz first'
    """
    if math.prod(steps(from_rate, to_rate)) <= LARGEST_FILTER:
        return ""
    return f"{from_rate} Hz cannot be resampled to {to_rate} Hz in reasonable memory: convert it to {to_rate} Hz first"
