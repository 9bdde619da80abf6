"""Options of a reader, as its class declares them, and options of every corpus: checked, and offered as flags of a command line.

>>> def options_like(data_folder, *, dialogs: Annotated[Literal["improvised", "all"], "which dialogs"] = "improvised"): ...
"""

import argparse
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from mlee_sb.corpora.base import KNOWN, Corpus, load_corpus
from mlee_sb.corpora.labels_file import read_labels
from mlee_sb.corpora.manifest.columns import GROUPINGS, SESSION, SPEAKER
from mlee_sb.corpora.manifest.identities import UNKNOWN
from mlee_sb.corpora.plugin_check import check_class, check_opened, opened
from mlee_sb.corpora.relabelled import Relabelled
from mlee_sb.errors import InputError, choose

AS_THE_CORPUS, GROUP, SPEAKERS, LABELS = "own", "group", "speakers", "labels"


@dataclass(frozen=True)
class Option:
    """An option of a reader: `kind` is str or int; `choices` are the values that it can have, () for any."""

    name: str
    kind: type
    default: str | int
    choices: tuple[str, ...]
    help: str


def corpus_options(corpus_class: type[Corpus]) -> dict[str, Option]:
    """Return the options of a corpus by name: the keyword-only parameters of the reader's ``__init__``, and those of every corpus.

    A reader that declares an option of every corpus itself does itself what it says.

    >>> from mlee_sb.corpora.base import load_corpus
    >>> list(corpus_options(load_corpus("crema_d")))
    ['division', 'group', 'speakers', 'labels']
    """
    own = own_options(corpus_class)
    return own | {name: option for name, option in _of_every_corpus(corpus_class).items() if name not in own}


def own_options(corpus_class: type[Corpus]) -> dict[str, Option]:
    """Return the options that a reader declares itself, by name. What cannot be a reader is refused (InputError)."""
    check_class(corpus_class)
    hints = get_type_hints(corpus_class.__init__, include_extras=True)
    parameters = inspect.signature(corpus_class).parameters.values()
    return {p.name: _option(p, hints.get(p.name, str)) for p in parameters if p.kind is p.KEYWORD_ONLY}


def _of_every_corpus(corpus_class: type[Corpus]) -> dict[str, Option]:
    groups = "what the folds keep together: own (as the corpus says, else speakers), speaker, session, or split (the corpus's own sets)"
    speakers = "unknown: an utterance without a speaker counts as one of a speaker of its session, or else of its recording"
    labels = "a CSV with the columns label,code: votes for a label count for the code (exc,hap counts excitement as happiness)"
    options = (
        Option(GROUP, str, AS_THE_CORPUS, (AS_THE_CORPUS, *GROUPINGS), groups),
        Option(SPEAKERS, str, corpus_class.speakers, (KNOWN, UNKNOWN), speakers),
        Option(LABELS, str, "", (), labels),
    )
    return {option.name: option for option in options}


def _option(parameter: inspect.Parameter, hint: Any) -> Option:
    hint, text = get_args(hint)[:2] if get_origin(hint) is Annotated else (hint, "")
    choices = get_args(hint) if get_origin(hint) is Literal else ()
    return Option(parameter.name, str if choices else hint, parameter.default, choices, text)


def all_options(corpus_class: type[Corpus], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all options of a reader: the values that were `given`, and the defaults of the others.

    Raises
    ------
    InputError
        for an option that the reader does not have, or a value that the option cannot have
    """
    options = corpus_options(corpus_class)
    for name, value in given.items():
        option = options[choose(name, options, f"option of the corpus {corpus_class.name}")]
        if option.choices:
            choose(value, option.choices, name)
        elif not isinstance(value, option.kind):
            raise InputError(f"{name} {value!r}: must be of type {option.kind.__name__}")
    return {name: option.default for name, option in options.items()} | dict(given)


@dataclass(frozen=True)
class OpenCorpus:
    """A corpus on disk, and how it is read.

    Attributes
    ----------
    reader : name of the reader
    options : of the reader, all of them
    corpus : the reader, at the data folder; it gives the corpus as the options say
    """

    reader: str
    options: dict[str, Any]
    corpus: Corpus

    @property
    def grouping(self) -> str:
        """The column whose values the folds keep together."""
        return self.corpus.grouping if self.options[GROUP] == AS_THE_CORPUS else self.options[GROUP]


def open_corpus(reader: str, data_folder: str | Path, given: Mapping[str, Any]) -> OpenCorpus:
    """Return the corpus in `data_folder`, read by an installed reader with the options that were given.

    Raises
    ------
    InputError
        if there is no such reader or option, or the reader does not find its corpus there
    """
    corpus_class = load_corpus(reader)
    options = all_options(corpus_class, given)
    own = own_options(corpus_class)
    corpus = opened(corpus_class, data_folder, {name: value for name, value in options.items() if name in own})
    if SPEAKERS not in own:
        corpus.speakers = options[SPEAKERS]
    found = OpenCorpus(reader, options, corpus)
    check_opened(corpus, found.grouping)
    _refuse_idle(found, own)
    if options[LABELS] and LABELS not in own:
        return replace(found, corpus=Relabelled(corpus, read_labels(options[LABELS])))
    return found


def _refuse_idle(opened: OpenCorpus, own: Mapping[str, Option]) -> None:
    """Refuse an option of folds that nothing reads, because the folds are made of something else than speakers."""
    corpus = opened.corpus
    of_sessions = opened.grouping == SESSION and type(corpus).session_folds is not Corpus.session_folds  # a reader's own may read them
    for name in () if opened.grouping == SPEAKER or of_sessions else corpus.fold_options:
        if opened.options[name] != own[name].default:
            raise InputError(
                f"--{name} {opened.options[name]}: it changes folds of {SPEAKER}s, and these are of {opened.grouping}s: leave it out, or "
                f"give --{GROUP} {SPEAKER}"
            )


def add_flags(parser: argparse.ArgumentParser, corpus_class: type[Corpus], only_given: bool = False) -> None:
    """Offer the options of a reader as flags, in a group of their own; `all_options` checks their values.

    If a flag of this name exists already, the name of the reader is put before it: ``--vote_table.folds``. See `given_options`.

    Parameters
    ----------
    parser : to which they are added
    corpus_class : the reader
    only_given : whether an option that was not typed is left out of what is parsed; otherwise it has its default there
    """
    options = corpus_options(corpus_class)
    if options:
        group = parser.add_argument_group(f"options of the corpus {corpus_class.name}")
        for option in options.values():
            values = "|".join(option.choices) or option.kind.__name__.upper()
            taken = f"--{option.name}" in parser._option_string_actions
            group.add_argument(
                f"--{corpus_class.name}.{option.name}" if taken else f"--{option.name}",
                type=option.kind,
                default=argparse.SUPPRESS if only_given else option.default,
                metavar=values,
                help=option.help if option.default == "" else f"{option.help} (default: {option.default})",
            )


def given_options(given: Mapping[str, Any], corpus_class: type[Corpus]) -> dict[str, Any]:
    """Return the options of a reader from parsed flags, with the defaults of those that have no flag."""
    options = corpus_options(corpus_class).items()
    return {name: given.get(f"{corpus_class.name}.{name}", given.get(name, option.default)) for name, option in options}
