"""Where the samples of a recording lie in its bytes: what a header promises, and what is there."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

TOLERANCE = 0.010
"""Seconds by which a header may disagree with the bytes before anything is said or refused [choice]: sizes that are wrong by a header
of 44 bytes or by a byte are frequent, and nobody hears them."""

Content = bytes | memoryview  # or an mmap: what can be sliced and has a length
Part = bytes | tuple[int, int]  # bytes in place of others; or offset and length of bytes that stay as they are


@dataclass(frozen=True)
class Layout:
    """How the bytes of a recording are to be read.

    Attributes
    ----------
    links : recordings that follow one another, each as the parts that make it a file that libsndfile reads to its end; none where the
        file is one as it is
    remark : what a person is told where the header is wrong; "" if it is right
    cut : what is missing in a recording that was cut off; "" if it is whole
    """

    links: tuple[tuple[Part, ...], ...] = ()
    remark: str = ""
    cut: str = ""


AS_IT_IS = Layout()
JOINED = "several recordings joined in one file: all are read"


class Parts(io.RawIOBase):
    """A file for reading, made of parts of other bytes.

    Parameters
    ----------
    content : the bytes that parts are taken from
    parts : in their order
    """

    def __init__(self, content: Content, parts: Sequence[Part]):
        self._pieces = [(content, *part) if isinstance(part, tuple) else (part, 0, len(part)) for part in parts]
        self._size = sum(length for *_, length in self._pieces)
        self._at = 0

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that it has places."""
        return True

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Take another place for the next byte; return it."""
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence])
        return self._at

    def readinto(self, buffer) -> int:
        """Fill a buffer; return the number of bytes."""
        done, first = 0, 0
        for source, offset, length in self._pieces:
            if done < len(buffer) and first <= self._at < first + length:
                begin = offset + self._at - first
                n = min(first + length - self._at, len(buffer) - done)
                buffer[done : done + n] = source[begin : begin + n]
                done, self._at = done + n, self._at + n
            first += length
        return done


def missing_seconds(seconds: float, promised: object, present: object) -> str:
    """Return the words for a recording of which more than `TOLERANCE` is missing; "" for less.

    >>> missing_seconds(1.5, "64000 bytes of samples", "16000")
    'truncated: the header promises 64000 bytes of samples, the file has 16000 (1.500 s are missing): copy it again'
    >>> missing_seconds(0.001, "64000 bytes of samples", "63998")
    ''
    """
    if seconds <= TOLERANCE:
        return ""
    return f"truncated: the header promises {promised}, the file has {present} ({seconds:.3f} s are missing): copy it again"
