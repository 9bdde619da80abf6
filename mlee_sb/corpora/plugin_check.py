"""What a corpus reader must have and give, checked before anything depends on it: an error names the class, the member and the page.

The page is docs/plugin_corpus.md. The checks run for every reader; those of other packages are the ones that need them. What the values
mean (votes for a category that nobody named, counts that are none, two spellings of a speaker) `mlee_sb.corpora.usable` checks.
"""

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NoReturn

from mlee_sb.corpora.base import KNOWN, OTHER, Corpus, Fold, Skipped, Utterance
from mlee_sb.corpora.codes import is_code
from mlee_sb.corpora.manifest.columns import GROUPINGS, SPEAKER, SPLITS
from mlee_sb.corpora.manifest.identities import UNKNOWN
from mlee_sb.errors import InputError

PAGE = "docs/plugin_corpus.md"
OPTION_TYPES = (str, int)
DATA_FOLDER = "data_folder"  # the attribute that the __init__ of `Corpus` sets


class ReaderFault(InputError):
    """A fault of the code of a reader, and not of its corpus."""


def check_class(reader: Any) -> None:
    """Check that what an entry point names can be a reader: a subclass of `Corpus` with the members that it cannot do without.

    Raises
    ------
    InputError
        if it is no such class, `utterances` is missing, or ``__init__`` cannot be called as readers are called
    """
    if not (isinstance(reader, type) and issubclass(reader, Corpus)):
        _refuse(reader, "it is no corpus: an entry point must name a subclass of mlee_sb.corpora.base.Corpus")
    if reader.utterances is Corpus.utterances:
        _refuse(reader, "has no utterances(): it must yield an Utterance for each recording, or a Skipped")
    for place, parameter in enumerate(inspect.signature(reader).parameters.values()):
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
            _refuse(reader, f"the option {parameter.name} of its __init__ has no default: every option needs one")
        if parameter.kind is parameter.KEYWORD_ONLY and not isinstance(parameter.default, OPTION_TYPES):
            _refuse(
                reader,
                f"the option {parameter.name} of its __init__ is {parameter.default!r} by default: options are text or whole numbers",
            )
        if place > 0 and parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            _refuse(reader, f"{parameter.name} of its __init__ must come after *: __init__(self, data_folder, *, {parameter.name}=...)")


def opened(reader: type[Corpus], data_folder: str | Path, options: Mapping[str, Any]) -> Corpus:
    """Return a reader at a data folder, with its options.

    Raises
    ------
    InputError
        if the reader does not find its corpus there, or its ``__init__`` does not call that of `Corpus`
    """
    try:
        corpus = reader(data_folder, **options)
    except AttributeError as error:
        if error.name != DATA_FOLDER:
            raise
        corpus = None
    if not hasattr(corpus, DATA_FOLDER):
        _refuse(reader, f"has no {DATA_FOLDER}: its __init__ must call super().__init__(data_folder) before all else")
    return corpus


def check_opened(corpus: Corpus, grouping: str) -> None:
    """Check the attributes of a reader that was made, before it reads anything.

    Parameters
    ----------
    corpus : the reader
    grouping : what the folds will be made of

    Raises
    ------
    InputError
        if an attribute is missing, of a wrong type, or contradicts another one; if folds of speakers are asked for and `folds` is missing
    """
    if not (isinstance(corpus.name, str) and corpus.name.strip()):
        _refuse(corpus, f"name is {corpus.name!r}: it must be what the corpus is called in paths and reports")
    _check_emotions(corpus)
    for member, allowed in (("grouping", GROUPINGS), ("speakers", (KNOWN, UNKNOWN))):
        if getattr(corpus, member) not in allowed:
            _refuse(corpus, f"{member} is {getattr(corpus, member)!r}: it must be {' or '.join(map(repr, allowed))}")
    if not isinstance(corpus.dominant_rule, str):
        _refuse(corpus, f"dominant_rule is {corpus.dominant_rule!r}: it must be text")
    _check_fold_options(corpus)
    if grouping == SPEAKER and _is_missing(corpus, Corpus.folds):
        remedy = "for example `def folds(self, speakers): return grouped_folds(speakers, 10)`"
        _refuse(corpus, f"has no folds(speakers): it must return a list of Fold, {remedy}; or --group takes folds of something else")


def _is_missing(corpus: Corpus, method: Callable) -> bool:
    return getattr(type(corpus), method.__name__) is method and method.__name__ not in vars(corpus)


def _check_emotions(corpus: Corpus) -> None:
    for member in ("emotions", "categories", "default_emotions"):
        codes = getattr(corpus, member)
        if isinstance(codes, str) or not (isinstance(codes, Sequence) and all(isinstance(code, str) for code in codes)):
            hint = f"; ({codes!r}) is no tuple, ({codes!r},) is one" if isinstance(codes, str) else ""
            _refuse(corpus, f"{member} is {codes!r}: it must be a tuple of codes{hint}")
        wrong = [code for code in codes if not is_code(code)]
        if wrong:
            _refuse(corpus, f"{member} has {wrong[0]!r}, which cannot be a code: letters and digits of any script, _ and - only")
        if OTHER in codes and member != "categories":
            _refuse(corpus, f"{member} has {OTHER!r}, the code of a vote for no emotion: leave it out; categories has it")
        if len(set(codes)) < len(codes):
            _refuse(corpus, f"{member} has a code twice: {', '.join(codes)}")
    if not corpus.emotions:
        _refuse(corpus, "has no emotions: a tuple of the codes that a vote can name")
    for member, whole in (("emotions", "categories"), ("default_emotions", "emotions")):
        for code in getattr(corpus, member):
            if code not in getattr(corpus, whole):
                _refuse(corpus, f"{member} has {code!r}, and {whole} has not: {', '.join(getattr(corpus, whole))}")


def _check_fold_options(corpus: Corpus) -> None:
    if isinstance(corpus.fold_options, str):
        _refuse(corpus, f"fold_options is {corpus.fold_options!r}: it must be a tuple of names of options")
    for name in corpus.fold_options:
        if name not in inspect.signature(type(corpus)).parameters:
            _refuse(corpus, f"fold_options has {name!r}, and its __init__ has no such option")


def told(corpus: Corpus) -> list[Utterance | Skipped]:
    """Return all that a reader yields, if each of it is an `Utterance` or a `Skipped` with fields of the right types.

    Raises
    ------
    InputError
        for anything else; the message says which one of the items it is, and which field
    """
    found = corpus.utterances()
    if not isinstance(found, Iterable):
        _refuse(corpus, f"utterances() returned {found!r}: it must yield each Utterance, or return them in a list")
    items = list(found)
    for number, item in enumerate(items, start=1):
        if not isinstance(item, Utterance | Skipped):
            _refuse(corpus, f"utterances() gave {item!r:.100} as number {number}: it must give each as an Utterance or a Skipped")
    for kind, fields in ((Utterance, OF_UTTERANCE), (Skipped, OF_SKIPPED)):
        same = [item for item in items if isinstance(item, kind) and not _is_plain(item)]
        for field, (is_right, what) in fields.items():
            for item in same:
                if not is_right(getattr(item, field)):
                    _refuse(corpus, f"utterances() gave {item.id!r} with {field} {getattr(item, field)!r:.100}: it must be {what}")
    return items


def _is_plain(item: Utterance | Skipped) -> bool:
    """Tell at one look whether the fields of an utterance have exactly the usual types. Most of a corpus need no other look."""
    return (
        type(item) is Utterance
        and set(map(type, (item.id, item.wav, item.speaker, item.session, item.dominant, item.script, item.split))) == {str}
        and type(item.n_annotators) is int
        and type(item.votes) in (dict, Counter)
        and set(map(type, item.votes)) <= {str}
        and set(map(type, item.votes.values())) <= {int}
        and item.annotations == ()
        and item.start is item.end is None
    )


def told_folds(corpus: Corpus, folds: Any) -> list[Fold]:
    """Return the folds that a reader made, if they are a list of `Fold` with names of groups.

    Raises
    ------
    InputError
        if they are not
    """
    made = list(folds) if isinstance(folds, Iterable) else [folds]
    if not all(isinstance(fold, Fold) for fold in made):
        _refuse(corpus, f"folds() returned {made!r:.100}: it must return a list of Fold")
    for fold in made:
        for split in SPLITS:
            groups = getattr(fold, split)
            if isinstance(groups, str) or not (isinstance(groups, Sequence) and all(isinstance(group, str) for group in groups)):
                _refuse(corpus, f"folds() returned fold {fold.number!r} with {split} {groups!r:.100}: it must be a tuple of names")
    return made


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    # The first test is for speed: corpora have a hundred thousand utterances and more, and abstract classes are slow.
    return type(value) is int or (isinstance(value, Real) and not isinstance(value, bool))


def _are_votes(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_text, value)) and all(map(_is_number, value.values()))


def _are_annotations(value: Any) -> bool:
    is_list = isinstance(value, tuple) or (isinstance(value, Sequence) and not isinstance(value, str))
    return is_list and all(isinstance(one, tuple) and len(one) == 2 and all(map(_is_text, one)) for one in value)


def _is_time(value: Any) -> bool:
    return value is None or (_is_number(value) and value >= 0)


TEXT = (_is_text, "text (str)")
TIME = (_is_time, "a number of seconds, 0 or more, or None")
OF_UTTERANCE: dict[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(("id", "wav", "speaker", "session", "dominant", "script", "split"), TEXT),
    "votes": (_are_votes, "a dictionary, from codes to numbers of annotators"),
    "n_annotators": (lambda value: _is_number(value) and isinstance(value, Integral), "a whole number (int)"),
    "annotations": (_are_annotations, "a tuple of (annotator, code)"),
    **dict.fromkeys(("start", "end"), TIME),
}
OF_SKIPPED: dict[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(("id", "wav"), TEXT),
    "reason": (lambda value: isinstance(value, str) and bool(value.strip()), "text (str), and not empty"),
}


def _refuse(reader: Any, what: str) -> NoReturn:
    kind = reader if isinstance(reader, type) or not isinstance(reader, Corpus) else type(reader)
    name = f"{getattr(kind, '__module__', '?')}.{getattr(kind, '__qualname__', repr(kind))}"
    raise ReaderFault(f"corpus reader {name}: {what} (see {PAGE})")
