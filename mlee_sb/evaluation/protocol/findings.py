"""What the protocol check has to say: leaks, notes, and what it could not look at."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

LEAK, NOTE, UNCHECKED = "leak", "note", "unchecked"
SHOWN = 8  # values of a finding that are written out in a line; the JSON has all


@dataclass(frozen=True)
class Finding:
    """One thing that the check found.

    Attributes
    ----------
    severity : ``"leak"``; ``"note"`` (shared by the design of the corpus or of the protocol: no mistake, but results mean less for it);
        ``"unchecked"`` (could not be looked at, so that no leak found there means nothing)
    kind : what leaks: speaker, session, text, copy, recording, use, class_weights, z_norm, encoder, predictions, manifests, stage
    where : the file or folder
    what : in words
    values : the speakers, utterances, ... of which it is true, sorted
    """

    severity: str
    kind: str
    where: str
    what: str
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}{self._values()}\n    {self.where}"

    def _values(self) -> str:
        if not self.values:
            return ""
        more = f", ... ({len(self.values)} in all)" if len(self.values) > SHOWN else ""
        return f": {', '.join(self.values[:SHOWN])}{more}"


@dataclass(frozen=True)
class CheckedProtocol:
    """The outcome of a check: how many finished stages and folds were looked at, and what was found."""

    stages: int
    folds: int
    findings: tuple[Finding, ...]

    def of(self, severity: str) -> list[Finding]:
        """The findings of one severity."""
        return [finding for finding in self.findings if finding.severity == severity]

    @property
    def leaks(self) -> list[Finding]:
        return self.of(LEAK)

    def summary(self) -> str:
        """The counts, in a line. What was not looked at is never called clean."""
        counts = f"{len(self.leaks)} leaks, {len(self.of(NOTE))} notes, {len(self.of(UNCHECKED))} not checked"
        seen = f"{self.stages} stages and {self.folds} folds looked at: {counts}"
        if self.leaks:
            return seen
        return f"{seen}; no leak in what could be checked" if self.of(UNCHECKED) else f"{seen}; clean"

    def as_json(self) -> dict:
        """All of it, for a program to read."""
        lists = {severity: [asdict(finding) for finding in self.of(severity)] for severity in (LEAK, NOTE, UNCHECKED)}
        return {"stages": self.stages, "folds": self.folds, "leaks": lists[LEAK], "notes": lists[NOTE], "unchecked": lists[UNCHECKED]}


def finding(severity: str, kind: str, where, what: str, values: Iterable[str] = ()) -> Finding:
    """A `Finding` with its values sorted, each once."""
    return Finding(severity, kind, str(where), what, tuple(sorted(set(values))))


def in_lines(findings: Iterable[Finding]) -> list[str]:
    """Findings for a person; those that say the same of several places share an entry, with the first place in it.

    >>> in_lines([Finding(UNCHECKED, "use", place, "no used/") for place in ("fold1", "fold2")])
    ['use: no used/\\n    fold1 (and 1 more)']
    """
    places: dict[Finding, list[Finding]] = {}
    for one in findings:
        places.setdefault(Finding(one.severity, one.kind, "", one.what, one.values), []).append(one)
    return [f"{same[0]}{f' (and {len(same) - 1} more)' if len(same) > 1 else ''}" for same in places.values()]
