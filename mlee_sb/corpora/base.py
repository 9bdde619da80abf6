"""The interface of a corpus: a reader implements it, and the rest of the package sees the corpus through it.

A reader is a subclass of `Corpus`, named by an entry point in the group ``mlee_sb.corpora``. It tells what the
release claims. `prepare` finds what is wrong with single files (missing, silent, duplicated, without votes, ...), for all readers.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlee_sb.corpora.manifest.columns import OTHER, SESSION, SPEAKER
from mlee_sb.errors import InputError
from mlee_sb.plugins import CORPORA, load_plugin, registered

KNOWN = "known"
"""Every utterance must have a speaker; where they are `UNKNOWN`, it may lack one."""

SMALLEST_NUMBER_OF_GROUPS = 3
"""Training, validation and test need a group of speakers each."""


@dataclass(frozen=True)
class Utterance:
    """One utterance and what its listeners heard.

    Attributes
    ----------
    id : unique in the corpus
    wav : path of the recording below the data folder, with ``/``
    speaker : who speaks, or "" where it is not known; splits are made of whole speakers
    session : the recording session, or ""
    votes : code (of `Corpus.categories`) -> number of annotators who voted for it; absent means none
    n_annotators : number of annotators who voted; one of them may vote for several emotions
    dominant : code of the dominant emotion by the corpus's own rule, or "" where there is none
    annotations : (annotator, code), one a vote; empty where the corpus does not name its annotators
    start, end : seconds in the recording where a piece of it begins and ends; None for the beginning and the end of the recording
    script : name of the text that is spoken, "" for free speech or where it is not known
    split : where the corpus itself divides its utterances: ``train``, ``valid`` or a test set (``test``, ``test1``, ...; see
        `own_split`), or the name of the fold that tests it; otherwise ""
    """

    id: str
    wav: str
    speaker: str
    session: str
    votes: Mapping[str, int]
    n_annotators: int
    dominant: str = ""
    annotations: tuple[tuple[str, str], ...] = ()
    start: float | None = None
    end: float | None = None
    script: str = ""
    split: str = ""


@dataclass(frozen=True)
class Skipped:
    """A part of the release that is not used, and the reason. `id` or `wav` may be "".

    The text before the first colon of `reason` is its kind; the report counts by kind.
    """

    id: str
    wav: str
    reason: str


@dataclass(frozen=True)
class Fold:
    """The groups of each split in fold `number` (from 1) of a cross-validation. A final fold (`final_fold`) tests nobody.

    A group is a speaker; or a session, or a set of the corpus's own division, where the folds keep these together.
    """

    number: int
    train: tuple[str, ...]
    valid: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class Check:
    """A count that was found in a release, and the count that was published for it."""

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
    categories : everything that a vote can be for: `emotions`, and `OTHER` unless no listener could give this answer. Manifests count
        the votes for each of them
    default_emotions : the targets where no others are asked for
    dominant_rule : one sentence on what makes an emotion dominant
    fold_options : names of the options that change the folds and nothing else
    grouping : the column whose values the folds keep together, where nothing else is asked for: ``speaker``, ``session``, or ``split``
        for the corpus's own division
    speakers : `KNOWN`, or `UNKNOWN` if utterances may lack a speaker: such an utterance counts as one of a speaker of its session, or
        else of its recording
    dominant_is_plurality : whether an utterance's dominant emotion is `plurality` of its votes
    demo : whether the speech is generated; then everything that is made from it says DEMO
    texts_shared_by_design : whether all speakers speak the same few texts. Then no split by speaker can keep a text out of training:
        `mlee check-protocol` notes this, and does not call it a leak
    """

    name: str = ""
    emotions: tuple[str, ...] = ()
    default_emotions: tuple[str, ...] = ()
    dominant_rule: str = ""
    fold_options: tuple[str, ...] = ()
    grouping: str = SPEAKER
    speakers: str = KNOWN
    dominant_is_plurality: bool = False
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
        """Yield everything in the release: each utterance, and each part that is left out, with the reason."""
        raise NotImplementedError

    def folds(self, speakers: Sequence[str]) -> list[Fold]:
        """Split `speakers` (sorted, each with usable utterances) into folds. A speaker in no fold is left out of the manifests."""
        raise NotImplementedError

    def session_folds(self, sessions: Sequence[str]) -> list[Fold]:
        """Split `sessions` (sorted, each with usable utterances) into folds, where sessions are kept together.

        Each session is left out once. [choice] The next one validates.
        """
        return grouped_folds(sessions, len(sessions), SESSION)

    def remarks(self) -> list[str]:
        """Return what a person must know of how the corpus was read, a sentence each. Called after `utterances`."""
        return []

    def checks(self, items: Sequence[Utterance | Skipped]) -> list[Check]:
        """Return counts of what `utterances` gave, each beside the published one; none where nothing was published."""
        return []

    @staticmethod
    def text_of(utterance: str) -> str | None:
        """Return the name of the text that an utterance speaks, by its ID: "" for free speech, None where it is not known."""
        return None


def plurality(votes: Mapping[str, int]) -> str:
    """Return the code with the most votes; "" on a tie, and where there are no votes.

    >>> plurality({"neu": 5, "hap": 3}), plurality({"neu": 4, "hap": 4}), plurality({"neu": 0})
    ('neu', '', '')
    """
    most = max(votes.values(), default=0)
    winners = [code for code, count in votes.items() if count == most]
    return winners[0] if most > 0 and len(winners) == 1 else ""


def grouped_folds(speakers: Iterable[str], n_groups: int, called: str = SPEAKER) -> list[Fold]:
    """Return folds over groups of speakers (or of sessions): the i-th one in sorted order (from 1) belongs to group i mod `n_groups`.

    Fold k tests group k and validates on group k+1 [choice] (the last fold on the first group); the other groups train. If there are
    no more speakers than groups, each speaker is a group: leave-one-speaker-out. `called` is what the error calls them.

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
        raise InputError(f"training, validation and test need a {called} each, but the usable utterances are of {len(speakers)} ({found})")
    if n_groups < SMALLEST_NUMBER_OF_GROUPS:
        raise InputError(f"folds: {n_groups} is too few: training, validation and test need at least {SMALLEST_NUMBER_OF_GROUPS}")
    n_groups = min(n_groups, len(speakers))
    return next_validates([tuple(speakers[first::n_groups]) for first in range(n_groups)], speakers)


def next_validates(groups: Sequence[tuple[str, ...]], everybody: Sequence[str]) -> list[Fold]:
    """Return a fold for each group: fold k tests group k and validates on group k+1 (the last fold on the first group).

    The others of `everybody` train, in the order in which they stand there.

    >>> next_validates([("a",), ("b",), ("c", "d")], "abcd")[0]
    Fold(number=1, train=('c', 'd'), valid=('b',), test=('a',))
    """
    folds = []
    for k, test in enumerate(groups):
        valid = groups[(k + 1) % len(groups)]
        held_out = {*test, *valid}
        folds.append(Fold(k + 1, tuple(one for one in everybody if one not in held_out), valid, test))
    return folds


def final_fold(speakers: Iterable[str], n_valid: int) -> Fold:
    """Return a fold without test speakers, for a model that is made for use. How good it is, a cross-validation before it tells.

    Parameters
    ----------
    speakers : all of them
    n_valid : number of speakers that validate, evenly spread over the sorted speakers [choice]; all others train

    Raises
    ------
    InputError
        if nobody would validate, or nobody train

    >>> final_fold("abcdef", 2)
    Fold(number=1, train=('b', 'c', 'e', 'f'), valid=('a', 'd'), test=())
    """
    speakers = sorted(speakers)
    if not 0 < n_valid < len(speakers):
        raise InputError(f"final: {n_valid} of {len(speakers)} usable speakers cannot validate: give 1 to {len(speakers) - 1}")
    valid = tuple(speakers[i * len(speakers) // n_valid] for i in range(n_valid))
    return Fold(1, tuple(speaker for speaker in speakers if speaker not in valid), valid, ())


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
