"""IEMOCAP (Busso et al., Language Resources and Evaluation 2008), the full release as USC gives it.

Five sessions, a woman and a man in each; improvised and scripted dialogs; three external annotators to an utterance.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from mlee_sb.corpora.base import OTHER, Check, Corpus, Fold, Skipped, Utterance
from mlee_sb.corpora.partner_folds import WHO_VALIDATES, Validation, partner_folds
from mlee_sb.corpora.reasons import DAMAGED, UNKNOWN_LABEL, WITHOUT_ANNOTATION
from mlee_sb.errors import InputError

EVALUATIONS = "dialog/EmoEvaluation"
WAVS = "sentences/wav"

CODES = ("ang", "hap", "sad", "neu", "exc", "dis", "fru", "fea", "sur")
NO_AGREEMENT = "xxx"

LABELS = {
    "neutral": "neu",
    "neutral state": "neu",
    "happiness": "hap",
    "excited": "exc",
    "frustration": "fru",
    "sadness": "sad",
    "anger": "ang",
    "fear": "fea",
    "disgust": "dis",
    "surprise": "sur",
    "other": OTHER,
}
"""The names of the emotions in the lines of annotators, in lower case, and their codes."""

SUMMARY = re.compile(r"\[[^\]]*\]\t(?P<id>[^\t]+)\t(?P<code>[^\t]+)\t")
"""``[start - end]<TAB>utterance<TAB>code<TAB>[valence, arousal, dominance]``"""

CATEGORIES = re.compile(r"C-(?P<annotator>E\d+):(?P<labels>[^(]*)")
"""``C-E2:<TAB>Neutral; Anger;<TAB>(comment)``. E are external annotators; F and M are the actors' reports on themselves.
A comment may hold anything, and no label holds a bracket: the labels end where the comment opens."""

LIKE_AN_ANNOTATOR = re.compile(r"\s*C\s*-\s*E", re.IGNORECASE)
"""How a line of an external annotator begins, also a damaged one (``C-E2 Neutral;``): its vote must not be lost unseen."""

SPEAKER = re.compile(r"(?P<session>Ses\d+)[FM]_.*_(?P<sex>[FM])[X0-9]*\d+")
"""The end of the ID says who speaks. The letter at its start says who wore the markers in that dialog."""

SCRIPT = re.compile(r"_(script\d+_\d+)")
"""Ten actors, five sessions, the same scripts: Ses05M_script01_1b is a part of script01_1."""

DEMO_MARKER = "DEMO.json"
"""A file of demo releases, which have this layout but are not IEMOCAP."""

NOT_IMPROVISED = "not improvised: a scripted dialog (--dialogs all uses these)"

PUBLISHED = {
    "utterances": 10_039,
    "dialogs": 151,
    "utterances by session": {"Ses01": 1819, "Ses02": 1811, "Ses03": 2136, "Ses04": 2103, "Ses05": 2170},
    "improvised": 4784,
    "dominant": {"neu": 1099, "hap": 284, "sad": 608, "ang": 289},
    "dominant other": 2504,
    "dominant exc": 663,
    "existence": {
        "dominant set": {"neu": 58.2, "hap": 15.4, "sad": 30.5, "ang": 15.9},
        "all": {"neu": 45.2, "hap": 24.0, "sad": 19.8, "ang": 17.8},
    },
}
"""Counts in the release and, in percent, Table 1 of Ando et al. (2019): how many improvised utterances have an emotion."""


@dataclass
class Evaluation:
    """The part of an evaluation file on one utterance: the agreed code, and each annotator's labels as they are written.

    `damaged` are lines that begin as an annotator's and cannot be read, each with its place.
    """

    id: str
    code: str
    labels: list[tuple[str, str]] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


def read_evaluations(path: Path) -> Iterator[Evaluation]:
    """Yield the evaluations in the file of a dialog.

    The file mixes encodings; latin-1 can decode every byte. Lines end at LF only: comments hold the other characters at which
    Python would end a line.
    """
    current = None
    for number, line in enumerate(path.read_bytes().decode("latin-1").split("\n"), start=1):
        if line.startswith("["):
            if current:
                yield current
            summary = SUMMARY.match(line)
            current = Evaluation(summary["id"].strip(), summary["code"].strip()) if summary else None
        elif current and (categories := CATEGORIES.match(line)):
            labels = [label.strip() for label in categories["labels"].split(";") if label.strip()]
            current.labels += [(categories["annotator"], label) for label in labels]
            if not labels and "(" not in line:
                current.damaged.append(f"{path.name}, line {number}: {line.strip()!r}")
        elif current and LIKE_AN_ANNOTATOR.match(line):
            current.damaged.append(f"{path.name}, line {number}: {line.strip()!r}")
    if current:
        yield current


class Iemocap(Corpus):
    """The votes of the external annotators of IEMOCAP. Excited and happy stay two emotions.

    A demo release is recognised by its marker: its results say DEMO, and it is not compared with the published counts.
    """

    name = "iemocap"
    emotions = CODES
    default_emotions = ("neu", "hap", "sad", "ang")
    dominant_rule = "the code in the summary line of the evaluation file; none where it is xxx"
    fold_options = ("validation",)
    published: dict | None = PUBLISHED

    def __init__(
        self,
        data_folder: str | Path,
        *,
        dialogs: Annotated[Literal["improvised", "all"], "which dialogs to use; the paper uses the improvised ones"] = "improvised",
        validation: Annotated[Validation, WHO_VALIDATES] = "partner",
    ):
        super().__init__(data_folder)
        self.dialogs, self.validation = dialogs, validation
        if (self.data_folder / DEMO_MARKER).is_file():
            self.demo, self.published = True, None
        self.session_folders = sorted(self.data_folder.glob("Session[1-5]"))
        if not self.session_folders:
            raise InputError(f"{self.data_folder}: no Session1 to Session5 in it; the data folder must be the one that holds these")
        for folder in self.session_folders:
            for expected in (EVALUATIONS, WAVS):
                if not (folder / expected).is_dir():
                    raise InputError(f"{folder}: no {expected} in it; is the release unpacked to its end?")

    def utterances(self) -> Iterator[Utterance | Skipped]:
        """Yield every annotated utterance in the order of the files and, after those of each session, its wavs without annotation."""
        for session in self.session_folders:
            annotated = set()
            for path in _visible(session / EVALUATIONS, "*.txt"):
                folder = f"{session.name}/{WAVS}/{path.stem}"
                for evaluation in read_evaluations(path):
                    wav = f"{folder}/{evaluation.id}.wav"
                    annotated.add(wav)
                    yield self._item(evaluation, wav)
            for path in _visible(session / WAVS, "*/*.wav"):
                wav = path.relative_to(self.data_folder).as_posix()
                if wav not in annotated:
                    yield Skipped(path.stem, wav, WITHOUT_ANNOTATION)

    def folds(self, speakers: Sequence[str]) -> list[Fold]:
        """Leave one speaker out in each fold, in the order of `speakers`. The option ``validation`` says who validates [choice]."""
        return partner_folds(speakers, lambda speaker: speaker[:-1], self.validation, self.data_folder)

    @staticmethod
    def text_of(utterance: str) -> str | None:
        """Return the script of a scripted dialog, and "" for an improvised one.

        >>> Iemocap.text_of("Ses05M_script01_1b_F000"), Iemocap.text_of("Ses03M_impro05a_M000")
        ('script01_1', '')
        """
        script = SCRIPT.search(utterance)
        return script[1] if script else ""

    def checks(self, items: Sequence[Utterance | Skipped]) -> list[Check]:
        """Return the counts of the release and of Table 1 of the paper. In both, an emotion exists from one vote on."""
        if self.published is None:
            return []
        annotated = [item.id for item in items if not (isinstance(item, Skipped) and item.reason == WITHOUT_ANNOTATION)]
        improvised = [item for item in items if isinstance(item, Utterance) and _is_improvised(item.id)]
        return [*self._release_checks(annotated), *self._dominant_checks(improvised), *self._existence_checks(improvised)]

    def _item(self, evaluation: Evaluation, wav: str) -> Utterance | Skipped:
        speaker = SPEAKER.fullmatch(evaluation.id)
        unknown = [label for _, label in evaluation.labels if label.lower() not in LABELS]
        if not speaker:
            return Skipped(evaluation.id, wav, "no speaker: the end of the ID does not say who speaks")
        if self.dialogs == "improvised" and not _is_improvised(evaluation.id):
            return Skipped(evaluation.id, wav, NOT_IMPROVISED)
        if evaluation.damaged:
            return Skipped(evaluation.id, wav, f"{DAMAGED}: {evaluation.damaged[0]}")
        if unknown:
            return Skipped(evaluation.id, wav, f"{UNKNOWN_LABEL}: {unknown[0]!r}")
        if evaluation.code not in (*CODES, OTHER, NO_AGREEMENT):
            return Skipped(evaluation.id, wav, f"unknown code: {evaluation.code!r} in the summary line")
        # An annotator votes for an emotion or not: a label that is there twice is one vote.
        annotations = tuple(dict.fromkeys((annotator, LABELS[label.lower()]) for annotator, label in evaluation.labels))
        return Utterance(
            id=evaluation.id,
            wav=wav,
            speaker=speaker["session"] + speaker["sex"],
            session=speaker["session"],
            votes=Counter(code for _, code in annotations),
            n_annotators=len({annotator for annotator, _ in annotations}),
            dominant="" if evaluation.code == NO_AGREEMENT else evaluation.code,
            annotations=annotations,
        )

    def _release_checks(self, annotated: Sequence[str]) -> list[Check]:
        published = self.published
        sessions = Counter(utterance.split("_")[0][:-1] for utterance in annotated)
        dialogs = {utterance.rpartition("_")[0] for utterance in annotated}
        improvised = sum(map(_is_improvised, annotated))
        return [
            Check("utterances", str(len(annotated)), str(published["utterances"])),
            *(
                Check(f"  of session {session}", str(sessions[session]), str(count))
                for session, count in published["utterances by session"].items()
            ),
            Check("dialogs", str(len(dialogs)), str(published["dialogs"])),
            Check("improvised utterances", str(improvised), str(published["improvised"])),
        ]

    def _dominant_checks(self, improvised: Sequence[Utterance]) -> list[Check]:
        published = self.published
        found = Counter(utterance.dominant for utterance in improvised)
        other = len(improvised) - sum(found[code] for code in published["dominant"])
        return [
            *(Check(f"  dominant {code}", str(found[code]), str(count)) for code, count in published["dominant"].items()),
            Check("  dominant other or none", str(other), str(published["dominant other"])),
            Check("    of which exc", str(found["exc"]), str(published["dominant exc"])),
        ]

    def _existence_checks(self, improvised: Sequence[Utterance]) -> list[Check]:
        """Return Table 1: the share of the utterances, in percent, in which each emotion exists."""
        published = self.published
        sets = {"dominant set": [u for u in improvised if u.dominant in published["dominant"]], "all": improvised}
        checks = []
        for name, shares in published["existence"].items():
            for code, share in shares.items():
                present = sum(utterance.votes.get(code, 0) > 0 for utterance in sets[name])
                found = 100 * present / len(sets[name]) if sets[name] else 0.0
                checks.append(Check(f"  {code} exists, {name} (%)", f"{found:.1f}", f"{share:.1f}"))
        return checks


def _is_improvised(utterance: str) -> bool:
    return "_impro" in utterance


def _visible(folder: Path, pattern: str) -> list[Path]:
    """Return the sorted matches of `pattern`, without the ``._`` files that macOS writes beside the real ones."""
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))
