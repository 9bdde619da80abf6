"""Formats whose header tells how many bytes of samples follow: what is done where that is not so."""

from collections.abc import Callable
from dataclasses import dataclass

from mlee_sb.audio.layout import AS_IT_IS, TOLERANCE, Content, Layout, missing_seconds

PADDING = 4096  # bytes of zeros after the samples that are none: some programs write whole blocks of a disk
MOST_ALIGNED = 8  # bytes to a multiple of which samples are padded, at most
STREAMED = "the header does not tell the number of samples, as in a stream: all are used"


@dataclass(frozen=True)
class Samples:
    """What a header says about samples.

    Attributes
    ----------
    at : the place of the first one
    promised : their bytes; None where the header does not tell, as that of a stream
    byte_rate : bytes of a second
    align : bytes of a frame
    head : makes the bytes before the samples, with another number of bytes of samples
    is_more : whether what follows the promised samples is no samples but something else that belongs to the format, by its place
    """

    at: int
    promised: int | None
    byte_rate: float
    align: int
    head: Callable[[int], bytes]
    is_more: Callable[[int], bool] = lambda end: False


def settled(content: Content, samples: Samples) -> Layout:
    """Return how samples are to be read that may be fewer or more than their header says."""
    present = len(content) - samples.at
    if samples.promised is None:
        return with_size(content, samples, present, STREAMED)
    if samples.promised > present:
        seconds = (samples.promised - present) / samples.byte_rate
        cut = missing_seconds(seconds, f"{samples.promised} bytes of samples", present)
        return Layout(cut=cut) if cut else with_size(content, samples, present, "")
    end, rest = samples.at + samples.promised, present - samples.promised
    if rest / samples.byte_rate <= TOLERANCE or samples.is_more(end) or (rest < PADDING and not any(content[end:])):
        return AS_IT_IS
    told = f"the header promises {samples.promised / samples.byte_rate:.3f} s, and samples go on for {rest / samples.byte_rate:.3f} s"
    return with_size(content, samples, present, f"{told}: all are used")


def with_size(content: Content, samples: Samples, size: int, remark: str) -> Layout:
    """Return the layout with another number of bytes of samples in the header; part of a frame at the end is left out."""
    size -= size % samples.align
    return Layout(((samples.head(size), (samples.at, size)),), remark)


def second_recording(content: Content, samples: Samples) -> int | None:
    """Return the place of another recording of the same format that was written behind the promised samples; None where there is none."""
    if samples.promised is None:
        return None
    end = samples.at + samples.promised
    places = (end + padding for padding in range(MOST_ALIGNED))
    return next((place for place in places if content[place : place + 4] == content[:4]), None)
