"""How much a server takes at most. The flags of `mlee serve` set it, and have the values that hold by default."""

from dataclasses import dataclass

BYTES = 1_000_000  # of a megabyte


@dataclass(frozen=True)
class Limits:
    """How much a server takes at most.

    Attributes
    ----------
    megabytes : size of a request, all its recordings together
    files : recordings in a request
    minutes : length of a recording
    at_once : answers that are computed at the same time; others wait for their turn
    connections : requests that are open at the same time; others are refused with status 503
    models : loaded models that are kept in memory; the one that was not asked for longest is dropped
    """

    megabytes: float
    files: int
    minutes: float
    at_once: int
    connections: int
    models: int

    @property
    def bytes(self) -> int:
        """The size of a request in bytes."""
        return round(self.megabytes * BYTES)

    @property
    def seconds(self) -> float:
        """The length of a recording in seconds."""
        return 60 * self.minutes
