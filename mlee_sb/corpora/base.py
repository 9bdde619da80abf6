"""What a corpus is: the interface that a reader implements and through which the rest of the package sees it.

A reader is a subclass of `Corpus`, named by an entry point in the group ``mlee_sb.corpora``. It says what the release
claims; what is wrong with single files (missing, silent, twice there, without votes, ...) is found by `prepare` for all.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlee_sb.errors import InputError
from mlee_sb.plugins import CORPORA, load_plugin, registered

OTHER = "oth"
"""The code of a vote for no emotion that the corpus has a name for ("Other")."""

SMALLEST_NUMBER_OF_GROUPS = 3
"""Training, validation and test need a group of speakers each."""


@dataclass(frozen=True)
class Utterance:
    """One utterance and what its listeners heard.

    Attributes
    ----------
    id : unique in the corpus
    wav : path of the recording below the data folder, with ``/``
    speaker : who speaks; splits are made of whole speakers
    session : the recording session, or ""
    votes : code (of `Corpus.categories`) -> number of annotators who voted for it; absent means none
    n_annotators : number of annotators who voted; one of them may vote for several emotions
    dominant : code of the dominant emotion by the corpus's own rule, or "" where there is none
    annotations : (annotator, code), one a vote; empty where the corpus does not name its annotators
    """

    id: str
    wav: str
    speaker: str
    session: str
    votes: Mapping[str, int]
    n_annotators: int
    dominant: str = ""
    annotations: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Skipped:
    """Something in the release that is not used, and why. Either of `id` and `wav` may be "".

    What stands before the first colon of `reason` is its kind, by which the report counts.
    """

    id: str
    wav: str
    reason: str


@dataclass(frozen=True)
class Fold:
    """Fold `number` (from 1) of a cross-validation, as the speakers of each split."""

    number: int
    train: tuple[str, ...]
    valid: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class Check:
    """A count that was found in a release, beside the one that was published for it."""

    what: str
    found: str
    published: str

    @property
    def differs(self) -> bool:
        return self.found != self.published


class Corpus:
    """A release on disk. Subclasses set the attributes and implement `utterances` and `folds`.

    Options of a corpus are keyword-only parameters of ``__init__`` with a default and an annotation
    ``Annotated[type, "what it does"]``; the command lines offer them as flags (see `mlee_sb.corpora.options`).

    Attributes
    ----------
    name : what the corpus is called in paths, reports and on cards: the name of the entry point, unless the reader reads corpora that
        have names of their own and sets it to what `mlee_sb.corpora.own_name` returns
    emotions : codes that a vote can name, `OTHER` not among them
    categories : all that a vote can be for: `emotions`, and `OTHER` unless a subclass says that no listener could answer so.
        Manifests count the votes for each of them
    default_emotions : the targets if none are asked for
    dominant_rule : one sentence on what makes an emotion dominant
    demo : whether the speech is made up, so that everything made from it must say DEMO
    texts_shared_by_design : whether all speakers were given the same few texts to speak. No split by speaker can then keep a text out
        of training, so `mlee check-protocol` makes a note of it, where it else calls a text in training and test a leak
    """

    name: str = ""
    emotions: tuple[str, ...] = ()
    default_emotions: tuple[str, ...] = ()
    dominant_rule: str = ""
    demo: bool = False
    texts_shared_by_design: bool = False

    def __init__(self, data_folder: str | Path):
        self.data_folder = Path(data_folder)
        if not self.data_folder.is_dir():
            raise InputError(f"{self.data_folder}: no such folder; the data folder must be the one that holds the {self.name} release")

    @property
    def categories(self) -> tuple[str, ...]:
        return (*self.emotions, OTHER)

    def utterances(self) -> Iterator[Utterance | Skipped]:
        """Read the release: everything in it, as an utterance or as what is left out and why."""
        raise NotImplementedError

    def folds(self, speakers: Sequence[str]) -> list[Fold]:
        """Split `speakers` (sorted, each with usable utterances); a speaker in no fold is left out of the manifests."""
        raise NotImplementedError

    def checks(self, items: Sequence[Utterance | Skipped]) -> list[Check]:
        """Counts over all that `utterances` gave, beside the published ones; none where nothing was published."""
        return []

    @staticmethod
    def text_of(utterance: str) -> str | None:
        """The text that the utterance with this ID was given: a name for it, "" where it is free speech, None where nobody knows."""
        return None


def plurality(votes: Mapping[str, int]) -> str:
    """The one code with the most votes, or "" on a tie and where there are no votes.

    >>> plurality({"neu": 5, "hap": 3}), plurality({"neu": 4, "hap": 4}), plurality({"neu": 0})
    ('neu', '', '')
    """
    most = max(votes.values(), default=0)
    winners = [code for code, count in votes.items() if count == most]
    return winners[0] if most > 0 and len(winners) == 1 else ""


def grouped_folds(speakers: Iterable[str], n_groups: int) -> list[Fold]:
    """Folds over groups of speakers: the i-th speaker in sorted order (from 1) belongs to group i mod `n_groups`.

    Fold k tests group k and, [choice], validates on group k+1 (the last fold on the first group); the others train. Where there are
    no more speakers than groups, each speaker is a group: leave-one-speaker-out.

    Raises
    ------
    InputError
        for fewer than three speakers or groups

    >>> grouped_folds("abcde", 3)[0]
    Fold(number=1, train=('c',), valid=('b', 'e'), test=('a', 'd'))
    """
    speakers = sorted(speakers)
    if len(speakers) < SMALLEST_NUMBER_OF_GROUPS:
        found = ", ".join(speakers) or "none"
        raise InputError(f"training, validation and test need a speaker each, but the usable utterances are of {len(speakers)} ({found})")
    if n_groups < SMALLEST_NUMBER_OF_GROUPS:
        raise InputError(f"folds: {n_groups} is too few: training, validation and test need at least {SMALLEST_NUMBER_OF_GROUPS}")
    n_groups = min(n_groups, len(speakers))
    groups = [tuple(speakers[first::n_groups]) for first in range(n_groups)]
    folds = []
    for k in range(n_groups):
        test, valid = groups[k], groups[(k + 1) % n_groups]
        held_out = {*test, *valid}
        folds.append(Fold(k + 1, tuple(s for s in speakers if s not in held_out), valid, test))
    return folds


def corpus_names() -> list[str]:
    """Return the names of the installed readers, sorted."""
    return list(registered(CORPORA))


def load_corpus(name: str) -> type[Corpus]:
    """Return the reader that is installed as `name`.

    Raises
    ------
    InputError
        if there is no such reader (the message names the nearest one), or its package cannot be imported

    >>> load_corpus("crema_d").name
    'crema_d'
    """
    return load_plugin(CORPORA, name, "corpus")
