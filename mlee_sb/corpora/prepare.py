"""From a raw release to manifests: read, check, split by speaker, write as one folder (contract 1 in the design)."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from mlee_sb.corpora import manifest
from mlee_sb.corpora.base import Corpus, Fold, Skipped, Utterance
from mlee_sb.corpora.grouping import make_folds, with_stand_ins, without_nobodies
from mlee_sb.corpora.manifest import SPLIT, SPLITS
from mlee_sb.corpora.manifest.identities import UNKNOWN
from mlee_sb.corpora.manifest_writer import csv_lines, manifest_row, others_of, protocol_of, vote_lines, write_manifests
from mlee_sb.corpora.options import OpenCorpus, open_corpus
from mlee_sb.corpora.plugin_check import ReaderFault, told
from mlee_sb.corpora.prepare_report import report
from mlee_sb.corpora.usable import check_told, first_reason, usable
from mlee_sb.errors import InputError, choose
from mlee_sb.files import written_beside

WHAT_WE_WRITE = re.compile(rf"({'|'.join(map(re.escape, manifest.FILES))}|fold\d+|fold\d+/({'|'.join(SPLITS)})\.csv)")


def prepare(
    reader: str,
    data_folder: str | Path,
    output: str | Path,
    emotions: Sequence[str] | None = None,
    min_votes: int = 1,
    say: Callable[[str], None] = print,
    final: int | None = None,
    **options,
) -> dict:
    """Write the manifests of a corpus to the folder `output`, whole or not at all, and return the protocol.

    Parameters
    ----------
    reader : name of an installed reader
    data_folder : folder that holds the release; wav paths are stored relative to it
    output : folder to write; manifests that stand there are replaced, anything else is refused
    emotions : codes of the target emotions; the corpus's default if None
    min_votes : number of votes from which an emotion exists in an utterance
    say : called with each line of the report
    final : prepare one fold without test speakers, in which so many speakers validate, instead of the folds of the corpus
    options : of the reader, for example ``dialogs="all"``

    Raises
    ------
    InputError
        if the corpus in `data_folder` cannot be prepared as the arguments say, `output` holds anything but manifests, or `final` is
        given together with an option that changes the folds
    """
    opened = open_corpus(reader, data_folder, options)
    of_folds = [name for name in opened.corpus.fold_options if name in options]
    if final is not None and of_folds:
        flag = of_folds[0]
        raise InputError(f"--final {final} --{flag} {options[flag]}: a final fold takes the place of all folds: leave one of the two out")
    if final is not None and opened.grouping == SPLIT:
        raise InputError(
            f"--final {final}: this corpus divides its utterances itself, and a final fold is made of speakers: --group speaker"
        )
    return prepare_opened(opened, output, emotions, min_votes, say, final)


def prepare_opened(
    opened: OpenCorpus,
    output: str | Path,
    emotions: Sequence[str] | None,
    min_votes: int,
    say: Callable[[str], None],
    final: int | None = None,
) -> dict:
    """Write the manifests of a corpus that was opened; parameters, errors and result as for `prepare`."""
    output, corpus = Path(output).resolve(), opened.corpus
    _refuse_what_is_not_ours(output)
    emotions = _targets(corpus, emotions, min_votes)

    items = without_nobodies(told(corpus))
    if corpus.speakers == UNKNOWN:
        items = with_stand_ins(items)
    check_told(corpus, items)
    utterances, audio, skipped = usable(items, corpus.data_folder, opened.grouping)
    folds = _folds(opened, utterances, skipped, final)
    utterances, skipped = _without_strangers(utterances, skipped, folds, opened.grouping)
    utterances = [_with_script(utterance, corpus) for utterance in utterances]

    others = others_of(corpus, emotions)
    rows = [manifest_row(utterance, audio[utterance.id].duration, emotions, others, min_votes) for utterance in utterances]
    lines = csv_lines(rows)
    fingerprints = [audio[utterance.id].fingerprint for utterance in utterances]
    votes = vote_lines(utterances)
    protocol = protocol_of(opened, emotions, min_votes, folds, rows, lines, fingerprints, votes, skipped)
    with written_beside(output) as folder:
        write_manifests(folder, protocol, utterances, lines, fingerprints, votes, skipped)
    report(corpus, protocol, items, utterances, [audio[utterance.id] for utterance in utterances], say)
    return protocol


def _folds(opened: OpenCorpus, utterances: Sequence[Utterance], skipped: Sequence[Skipped], final: int | None) -> list[Fold]:
    """Return the folds; where they cannot be made, say of which folder, and what is skipped: that may be why."""
    try:
        return make_folds(opened.corpus, opened.grouping, utterances, final)
    except ReaderFault:
        raise
    except InputError as error:
        raise InputError(f"{error} (in {opened.corpus.data_folder}, {len(skipped)} are skipped{first_reason(skipped)})") from error


def _refuse_what_is_not_ours(output: Path) -> None:
    """Refuse an `output` that holds anything but manifests: it will be replaced."""
    if not output.exists():
        return
    if not output.is_dir():
        raise InputError(f"{output}: a file, not a folder; give a new folder as --output")
    found = [*output.glob("*"), *output.glob("fold*/*")]
    foreign = [path for path in found if not WHAT_WE_WRITE.fullmatch(path.relative_to(output).as_posix())]
    if foreign:
        raise InputError(
            f"{output}: {foreign[0].relative_to(output)} in it is no manifest and would be lost; give a new folder as --output"
        )


def _targets(corpus: Corpus, emotions: Sequence[str] | None, min_votes: int) -> list[str]:
    if min_votes < 1:
        raise InputError(f"min_votes {min_votes}: an emotion exists from 1 vote on, or more")
    given = emotions if emotions is not None else corpus.default_emotions
    # A terminal may decompose letters, and the codes of a table are composed.
    emotions = [emotion if emotion in corpus.emotions else unicodedata.normalize("NFC", emotion) for emotion in given]
    for emotion in emotions:
        choose(emotion, corpus.emotions, f"emotion of the corpus {corpus.name}")
    twice = [emotion for emotion, n in Counter(emotions).items() if n > 1]
    if twice:
        raise InputError(f"emotions: {twice[0]!r} is there twice")
    if len(emotions) < 2:
        raise InputError(f"emotions: {', '.join(emotions) or 'none'}: at least two are needed (of: {', '.join(corpus.emotions)})")
    return emotions


def _with_script(utterance: Utterance, corpus: Corpus) -> Utterance:
    script = utterance.script or corpus.text_of(utterance.id)
    return replace(utterance, script=script) if script != utterance.script and script else utterance


def _without_strangers(
    utterances: list[Utterance], skipped: list[Skipped], folds: list[Fold], grouping: str
) -> tuple[list[Utterance], list[Skipped]]:
    known = {group for fold in folds for split in SPLITS for group in getattr(fold, split)}
    strangers = [
        Skipped(u.id, u.wav, f"in no fold: {grouping} {getattr(u, grouping)}") for u in utterances if getattr(u, grouping) not in known
    ]
    return [u for u in utterances if getattr(u, grouping) in known], [*skipped, *strangers]
