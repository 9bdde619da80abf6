"""The report that `prepare` prints: counts that a person can check."""

from collections import Counter
from collections.abc import Callable, Sequence

from mlee_sb.audio.rates import MODEL_RATE
from mlee_sb.corpora.audio_headers import Audio
from mlee_sb.corpora.base import Check, Corpus, Skipped, Utterance
from mlee_sb.corpora.grouping import split_sessions
from mlee_sb.corpora.manifest import SESSION, SPEAKER, SPLIT, SPLITS, UNKNOWN_SPEAKERS, group_column, is_stand_in
from mlee_sb.corpora.manifest.identities import UNKNOWN
from mlee_sb.corpora.options import SPEAKERS
from mlee_sb.corpora.usable import NO_SPEAKER


def report(
    corpus: Corpus,
    protocol: dict,
    items: Sequence[Utterance | Skipped],
    utterances: Sequence[Utterance],
    audio: Sequence[Audio],
    say: Callable[[str], None],
) -> None:
    """Print what was found (`items`), what is used (`protocol`, `utterances`), and how the recordings will be converted (`audio`)."""
    if protocol["demo"]:
        say("DEMO: generated speech and simulated annotators; nothing here says anything about people")
    lines = [*_checks(corpus.checks(items)), *_counts(protocol), *corpus.remarks(), *_audio(audio), *_strangers(protocol, utterances)]
    for line in lines:
        say(line)


def _strangers(protocol: dict, utterances: Sequence[Utterance]) -> list[str]:
    """Say where a test utterance may be no stranger to the model: sessions on two sides, and speakers that nobody knows."""
    lines, column = [], group_column(protocol)
    unknown = sum(is_stand_in(utterance.speaker) for utterance in utterances)
    if unknown:
        lines.append(f"WARNING: {unknown} utterances are of unknown speakers. {UNKNOWN_SPEAKERS}")
    shared = split_sessions(protocol["folds"], column, utterances)
    if shared:
        fold, names = next(iter(shared.items()))
        lines.append(
            f"WARNING: {len(shared)} of {len(protocol['folds'])} folds have a session in training and in test (fold {fold}: "
            f"{', '.join(names)}): what was recorded together is known to the model, and scores may be too good. --group {SESSION} keeps "
            "sessions whole"
        )
    return lines


def _checks(checks: Sequence[Check]) -> list[str]:
    if not checks:
        return []
    width = max(len(check.what) for check in checks)
    lines = [f"{'in the release':{width}}  {'found':>8}  {'published':>9}"]
    for check in checks:
        lines.append(f"{check.what:{width}}  {check.found:>8}  {check.published:>9}{'  <-- DIFFERS' if check.differs else ''}")
    n = sum(check.differs for check in checks)
    if n:
        lines.append(f"!!! {n} OF {len(checks)} COUNTS DIFFER FROM THE PUBLISHED ONES: this release is not complete, or it is another one.")
        lines.append("!!! Scores on it cannot be compared with published scores.")
    else:
        lines.append(f"all {len(checks)} counts are as published")
    return lines


def _counts(protocol: dict) -> list[str]:
    counts, emotions = protocol["counts"], protocol["emotions"]
    total, min_votes = counts["utterances"], protocol["rules"]["min_votes"]
    n_folds = len(protocol["folds"])
    folds = f"{n_folds} fold{'s' * (n_folds > 1)}{_of(protocol)}"
    lines = [
        f"{protocol['corpus']}: {total} utterances of {counts['speakers']} speakers are used, in {folds}",
        "dominant emotion: " + ", ".join(f"{emotion} {n}" for emotion, n in counts["dominant"].items()),
        f"emotion exists ({min_votes} {'vote' if min_votes == 1 else 'votes'} or more): "
        + ", ".join(f"{emotion} {counts['exist'][emotion]} ({100 * counts['exist'][emotion] / total:.1f} %)" for emotion in emotions),
    ]
    if counts["skipped"]:
        lines.append(f"{sum(counts['skipped'].values())} are skipped, each with its reason in skipped.csv:")
        lines += [f"  {n:6} {kind}" for kind, n in sorted(counts["skipped"].items(), key=lambda item: -item[1])]
    if NO_SPEAKER in counts["skipped"]:
        lines.append(f"  (if nobody knows who speaks, --{SPEAKERS} {UNKNOWN} uses them)")
    return lines


def _of(protocol: dict) -> str:
    """Return in words what the folds are made of, where it is not speakers."""
    column, first = group_column(protocol), protocol["folds"][0]
    if column == SPLIT:
        sets = (f"{split}: {', '.join(first[split])}" for split in SPLITS)
        return f" of the corpus's own ({'; '.join(sets)})"
    return "" if column == SPEAKER else f" of whole {column}s"


def _audio(audio: Sequence[Audio]) -> list[str]:
    rates = Counter(one.sample_rate for one in audio if one.sample_rate != MODEL_RATE)
    channels = Counter(one.channels for one in audio if one.channels != 1)
    remarks = [one.remark for one in audio if one.remark]
    return [
        *(f"{len(remarks)} recordings hold other samples than they say, and all that is there is used: {first}" for first in remarks[:1]),
        *(f"{n} recordings are at {rate} Hz: they are resampled to {MODEL_RATE} Hz when read" for rate, n in sorted(rates.items())),
        *(f"{n} recordings have {number} channels: those with sound are averaged when read" for number, n in sorted(channels.items())),
    ]
