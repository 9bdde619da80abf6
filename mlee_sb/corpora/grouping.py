"""Folds: three lists of utterances. What has one speaker, one session, or one set of the corpus's own division is kept together."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from mlee_sb.corpora.base import SMALLEST_NUMBER_OF_GROUPS, Corpus, Fold, Skipped, Utterance, final_fold, next_validates
from mlee_sb.corpora.manifest import is_stand_in, names_nobody, stand_in
from mlee_sb.corpora.manifest.columns import SESSION, SPEAKER, SPLIT, SPLITS, TEST, TRAIN, VALID
from mlee_sb.corpora.own_split import is_own_split
from mlee_sb.corpora.plugin_check import told_folds
from mlee_sb.errors import InputError

SHOWN = 5  # names that a message lists


def without_nobodies(items: Iterable[Utterance | Skipped]) -> list[Utterance | Skipped]:
    """Take the speaker off each utterance whose speaker is called `unknown` or the like: these are many people, and no speaker.

    >>> without_nobodies([Utterance("a1", "a.wav", "Unknown", "", {"neu": 1}, 1)])[0].speaker
    ''
    """
    items = list(items)
    nobody = set(filter(names_nobody, {item.speaker for item in items if isinstance(item, Utterance)}))
    return [replace(item, speaker="") if isinstance(item, Utterance) and item.speaker in nobody else item for item in items]


def with_stand_ins(items: Iterable[Utterance | Skipped]) -> list[Utterance | Skipped]:
    """Give each utterance without a speaker a stand-in: its session, or else its recording, as if one unknown person spoke there.

    >>> anyone = Utterance("a1", "wavs/a.wav", "", "", {"neu": 1}, 1)
    >>> with_stand_ins([anyone])[0].speaker, with_stand_ins([replace(anyone, session="Ses1")])[0].speaker
    ('unknown:wavs/a', 'unknown:Ses1')
    """
    return [_with_stand_in(item) if isinstance(item, Utterance) and not item.speaker else item for item in items]


def _with_stand_in(utterance: Utterance) -> Utterance:
    return replace(utterance, speaker=stand_in(utterance.session or str(PurePosixPath(utterance.wav).with_suffix(""))))


def make_folds(corpus: Corpus, grouping: str, utterances: Sequence[Utterance], final: int | None = None) -> list[Fold]:
    """Return the folds over usable utterances.

    Parameters
    ----------
    corpus : makes the folds over speakers or sessions
    grouping : the column whose values a fold lists: speaker, session or split
    utterances : all that can be used
    final : make one fold without test speakers, in which so many groups validate

    Raises
    ------
    InputError
        if a split of a fold would be empty, a speaker would be in two, or the folds of a plug-in are none
    """
    groups = sorted({getattr(utterance, grouping) for utterance in utterances})
    if final is not None:
        folds = [final_fold(groups, final)]
    else:
        make: dict[str, Callable[[Sequence[str]], list[Fold]]] = {SPEAKER: corpus.folds, SESSION: corpus.session_folds, SPLIT: own_folds}
        folds = told_folds(corpus, make[grouping](groups))
        _refuse_empty(folds, groups, grouping)
    _refuse_twice(corpus, folds)
    if grouping != SPEAKER:
        _refuse_shared_speakers(folds, grouping, utterances)
    return folds


def own_folds(sets: Sequence[str]) -> list[Fold]:
    """Return the folds of a corpus that divides its utterances itself.

    Parameters
    ----------
    sets : values of `Utterance.split`. Either ``train``, ``valid`` and test sets: that is one fold, and all test sets are tested. Or names
        of folds: each is tested by the fold of its name, and the next one validates [choice]

    Raises
    ------
    InputError
        if they are neither

    >>> own_folds(["test1", "test2", "train", "valid"])
    [Fold(number=1, train=('train',), valid=('valid',), test=('test1', 'test2'))]
    >>> own_folds(["1", "10", "2", "3"])[3]
    Fold(number=4, train=('2', '3'), valid=('1',), test=('10',))
    """
    named = [name for name in sets if is_own_split(name)]
    if not named:
        return _folds_of_folds(sorted(sets, key=_as_number))
    if len(named) < len(sets):
        strange = next(name for name in sets if name not in named)
        raise InputError(f"split {strange!r}: the other utterances are in {', '.join(named)}: give names of sets, or of folds, for all")
    test = tuple(name for name in sets if name not in (TRAIN, VALID))
    for name in (TRAIN, VALID):
        if name not in sets:
            found = f"split: no usable utterance is in {name} (there are: {', '.join(sets)})"
            remedy = f"put whole speakers of {TRAIN} into {VALID}" if name == VALID else "name the set to learn from"
            raise InputError(f"{found}: {remedy}, or leave the division out with --group {SPEAKER}")
    return [Fold(1, (TRAIN,), (VALID,), test)]


def _folds_of_folds(names: Sequence[str]) -> list[Fold]:
    if len(names) < SMALLEST_NUMBER_OF_GROUPS:
        found = f"{len(names)} ({', '.join(names)})"
        raise InputError(f"fold: training, validation and test need one each, and there are {found}: leave them out with --group {SPEAKER}")
    return next_validates([(name,) for name in names], names)


def _as_number(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdecimal() else (0, name)


def _refuse_empty(folds: Sequence[Fold], groups: Sequence[str], grouping: str) -> None:
    if not folds:
        raise InputError(f"no fold can be made of the {grouping}s {_words(groups)}")
    for fold in folds:
        for split in SPLITS:
            if not set(getattr(fold, split)) & set(groups):
                raise InputError(f"fold {fold.number}: no usable utterance in {split}; the usable {grouping}s are {', '.join(groups)}")


def _refuse_twice(corpus: Corpus, folds: Sequence[Fold]) -> None:
    for fold in folds:
        in_two = [group for group, n in Counter((*fold.train, *fold.valid, *fold.test)).items() if n > 1]
        if in_two:
            raise InputError(f"corpus {corpus.name}: fold {fold.number} has {in_two[0]!r} twice; its folds() must be repaired")


def _refuse_shared_speakers(folds: Sequence[Fold], grouping: str, utterances: Sequence[Utterance]) -> None:
    """Refuse a speaker on two sides: training never hears a speaker of its validation or test set.

    A stand-in for an unknown speaker may be on two sides where the corpus's own sets cut a session: that is warned of (`split_sessions`).
    """
    speakers = values_of([one for one in utterances if not is_stand_in(one.speaker)], grouping, SPEAKER)
    for fold in folds:
        for one, other in ((TRAIN, TEST), (VALID, TEST), (TRAIN, VALID)):
            shared = _shared(speakers, getattr(fold, one), getattr(fold, other))
            if shared:
                raise InputError(
                    f"fold {fold.number}, made of {grouping}s: {_words(shared)} spoke in {one} and in {other} (number of such speakers: "
                    f"{len(shared)}): a model must not know the voices that it is tested on: correct the table, or give --group {SPEAKER}"
                )


def split_sessions(folds: Sequence[dict], grouping: str, utterances: Sequence[Utterance]) -> dict[int, list[str]]:
    """Return for each fold of a protocol the sessions that it has in training and in test; only the folds that have some."""
    sessions = values_of(utterances, grouping, SESSION)
    shared = {fold["fold"]: _shared(sessions, fold["train"], fold["test"]) for fold in folds}
    return {number: names for number, names in shared.items() if names}


def values_of(utterances: Iterable[Utterance], grouping: str, column: str) -> dict[str, set[str]]:
    """Return the values (without "") that the utterances of each group have in a column."""
    found: dict[str, set[str]] = {}
    for utterance in utterances:
        found.setdefault(getattr(utterance, grouping), set()).add(getattr(utterance, column))
    return {group: values - {""} for group, values in found.items()}


def _shared(values: dict[str, set[str]], one: Iterable[str], other: Iterable[str]) -> list[str]:
    """Return the values that groups on two sides share, sorted."""
    sides = [set().union(*(values.get(group, set()) for group in groups)) for groups in (one, other)]
    return sorted(sides[0] & sides[1])


def _words(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
