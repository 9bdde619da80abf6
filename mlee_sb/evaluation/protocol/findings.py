"""What the protocol check finds: leaks, notes, and what it could not check."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

LEAK, NOTE, UNCHECKED = "leak", "note", "unchecked"
SHOWN = 8  # values of a finding that a line shows; the JSON has all


@dataclass(frozen=True)
class Finding:
    """One thing that the check found.

    Attributes
    ----------
    severity : ``"leak"``; ``"note"`` (something is shared by the design of the corpus or of the protocol: this is no mistake, but results
        mean less); ``"unchecked"`` (something could not be checked, so a leak may be there)
    kind : what leaks: speaker, session, text, copy, recording, use, class_weights, z_norm, encoder, predictions, manifests, stage
    where : the file or folder
    what : in words
    values : the speakers, utterances, ... that it is about, sorted
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
    """The outcome of a check: the numbers of checked stages and folds, what was found, and in which folders recordings were looked for."""

    stages: int
    folds: int
    findings: tuple[Finding, ...]
    data_folders: tuple[str, ...] = ()

    def of(self, severity: str) -> list[Finding]:
        """Return the findings of one severity."""
        return [finding for finding in self.findings if finding.severity == severity]

    @property
    def leaks(self) -> list[Finding]:
        return self.of(LEAK)

    def summary(self) -> str:
        """Return the counts in a line. What was not checked is never called clean."""
        counts = f"{len(self.leaks)} leaks, {len(self.of(NOTE))} notes, {len(self.of(UNCHECKED))} not checked"
        seen = f"{self.stages} stages and {self.folds} folds looked at: {counts}"
        if self.leaks:
            return seen
        return f"{seen}; no leak in what could be checked" if self.of(UNCHECKED) else f"{seen}; clean"

    def as_json(self) -> dict:
        """Return all of it, for a program to read."""
        lists = {severity: [asdict(finding) for finding in self.of(severity)] for severity in (LEAK, NOTE, UNCHECKED)}
        counts = {"stages": self.stages, "folds": self.folds, "data_folders": list(self.data_folders)}
        return {**counts, "leaks": lists[LEAK], "notes": lists[NOTE], "unchecked": lists[UNCHECKED]}


def finding(severity: str, kind: str, where, what: str, values: Iterable[str] = ()) -> Finding:
    """Return a `Finding` with its values sorted, each once."""
    return Finding(severity, kind, str(where), what, tuple(sorted(set(values))))


def in_lines(findings: Iterable[Finding]) -> list[str]:
    """Return findings for a person. Findings that say the same of several places share an entry, which shows the first place.

    >>> in_lines([Finding(UNCHECKED, "use", place, "no used/") for place in ("fold1", "fold2")])
    ['use: no used/\\n    fold1 (and 1 more)']
    """
    places: dict[Finding, list[Finding]] = {}
    for one in findings:
        places.setdefault(Finding(one.severity, one.kind, "", one.what, one.values), []).append(one)
    return [f"{same[0]}{f' (and {len(same) - 1} more)' if len(same) > 1 else ''}" for same in places.values()]
