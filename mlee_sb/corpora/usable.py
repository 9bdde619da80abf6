"""One check for all corpora: what of a release can be used, and what in it must be repaired first."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mlee_sb.corpora.audio_headers import Audio, check_below
from mlee_sb.corpora.base import OTHER, Corpus, Skipped, Utterance
from mlee_sb.corpora.manifest import MOST_VOTES, listed, near_equal, why_not_inside
from mlee_sb.errors import InputError

NO_SPEAKER = "no speaker"


def check_told(corpus: Corpus, items: Iterable[Utterance | Skipped]) -> None:
    """Refuse what no reader may tell: it would be miscounted, or a person counted as two.

    Raises
    ------
    InputError
        for votes for a category that the corpus does not name (no column would count them), counts that are none, annotations that are
        not the votes, and two spellings of one speaker, session, annotator or label
    """
    utterances = [item for item in items if isinstance(item, Utterance)]
    _check_codes(corpus, utterances)
    _check_counts(corpus, utterances)
    for what, names in _names(corpus, utterances).items():
        if groups := near_equal(names):
            raise InputError(
                f"{corpus.data_folder}: {what} is written in several ways, and would count as several: {listed(groups)}: "
                "write each in one way"
            )


def _names(corpus: Corpus, utterances: Sequence[Utterance]) -> dict[str, Iterable[str]]:
    return {
        "a speaker": {utterance.speaker for utterance in utterances},
        "a session": {utterance.session for utterance in utterances},
        "an annotator": {annotator for utterance in utterances for annotator, _ in utterance.annotations},
        "a label": corpus.categories,
    }


def _check_codes(corpus: Corpus, utterances: Iterable[Utterance]) -> None:
    votes, dominant = set(corpus.categories), {"", OTHER, *corpus.categories}
    for utterance in utterances:
        if not (votes.issuperset(utterance.votes) and utterance.dominant in dominant):
            code = next((code for code in utterance.votes if code not in votes), utterance.dominant)
            raise InputError(
                f"corpus {corpus.name}: {utterance.id!r} has the code {code!r}, and its categories are {', '.join(corpus.categories)}; "
                "its utterances() or its categories must be repaired"
            )
        if utterance.annotations and Counter(code for _, code in utterance.annotations) != Counter(utterance.votes):
            raise InputError(f"corpus {corpus.name}: {utterance.id!r} has other votes than annotations; its utterances() must be repaired")


def _check_counts(corpus: Corpus, utterances: Iterable[Utterance]) -> None:
    for utterance in utterances:
        for what, count in (*utterance.votes.items(), ("the number of annotators", utterance.n_annotators)):
            if not 0 <= count <= MOST_VOTES or count % 1:
                raise InputError(
                    f"{corpus.data_folder}: {utterance.id!r} has {count} for {what}: a whole number from 0 to {MOST_VOTES:,} counts votes; "
                    "repair the table of votes, or get the release again"
                )


def usable(
    items: Iterable[Utterance | Skipped], data_folder: Path, grouping: str
) -> tuple[list[Utterance], dict[str, Audio], list[Skipped]]:
    """Return the utterances that can be used (sorted by ID), their audio by ID, and what is skipped (in the order of the corpus).

    Raises
    ------
    InputError
        if no utterance can be used
    """
    skipped: list[Skipped] = []
    claimed: list[Utterance] = []
    ids: set[str] = set()
    pieces: dict[tuple, str] = {}  # piece -> ID
    for item in items:
        reason = item.reason if isinstance(item, Skipped) else _why_not(item, ids, pieces, grouping)
        if reason:
            skipped.append(Skipped(item.id, item.wav, reason))
        else:
            claimed.append(item)
            ids.add(item.id)
            pieces[piece_of(item)] = item.id
    found, audio = [], {}
    for utterance, checked in zip(claimed, check_below(data_folder, list(map(piece_of, claimed))), strict=True):
        if checked.reason:
            skipped.append(Skipped(utterance.id, utterance.wav, checked.reason))
        else:
            found.append(utterance)
            audio[utterance.id] = checked
    if not found:
        raise InputError(f"{data_folder}: no usable utterance in it ({len(skipped)} are skipped{first_reason(skipped)})")
    return sorted(found, key=lambda utterance: utterance.id), audio, skipped


def first_reason(skipped: Sequence[Skipped]) -> str:
    """Return in words why the first one is skipped, "" for none: an error must say it, because no skipped.csv is written then."""
    return f"; the first reason: {skipped[0].id}: {skipped[0].reason}" if skipped else ""


def piece_of(utterance: Utterance) -> tuple[str, float | None, float | None]:
    """Return the recording of an utterance, and where in it the utterance begins and ends."""
    return utterance.wav, utterance.start, utterance.end


def _why_not(utterance: Utterance, ids: set[str], pieces: dict[tuple, str], grouping: str) -> str:
    """Return why an utterance cannot be used, apart from its audio; "" if it can. `ids` and `pieces` are those in use already."""
    return next(filter(None, _reasons(utterance, ids, pieces, grouping)), "")


def _reasons(utterance: Utterance, ids: set[str], pieces: dict[tuple, str], grouping: str) -> Iterator[str]:
    if not utterance.id:
        yield "no ID"
    if utterance.id in ids:
        yield "duplicated ID: the first one is used"
    if piece_of(utterance) in pieces:
        yield f"duplicated wav: used as {pieces[piece_of(utterance)]}"
    if not utterance.speaker:
        yield NO_SPEAKER
    if not getattr(utterance, grouping):
        yield f"no {grouping}: the folds keep together what has one (--group {grouping})"
    if not any(utterance.votes.values()):
        yield "no votes"
    for code, count in utterance.votes.items():
        if count > utterance.n_annotators:
            yield f"more votes than annotators: {count} for {code}, of {utterance.n_annotators}"
    if not _is_utf8(utterance.wav):
        yield "wav whose name is no UTF-8, which no manifest can hold: rename the file"
    yield why_not_inside(utterance.wav)


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # a byte of the file name that Python could not decode
        return False
    return True
