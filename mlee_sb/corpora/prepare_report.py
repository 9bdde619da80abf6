"""The report that `prepare` prints: counts that a person can check."""

from collections import Counter
from collections.abc import Callable, Sequence

from mlee_sb.corpora.audio_headers import Audio
from mlee_sb.corpora.base import Check, Corpus, Skipped, Utterance

SAMPLE_RATE = 16_000
"""Hz of the models. Recordings at another rate are resampled when they are read."""


def report(
    corpus: Corpus, protocol: dict, items: Sequence[Utterance | Skipped], audio: Sequence[Audio], say: Callable[[str], None]
) -> None:
    """Print what was found (`items`), what is used (`protocol`), and how the recordings will be converted (`audio`)."""
    if protocol["demo"]:
        say("DEMO: generated speech and simulated annotators; nothing here says anything about people")
    for line in [*_checks(corpus.checks(items)), *_counts(protocol), *_audio(audio)]:
        say(line)


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
    lines = [
        f"{protocol['corpus']}: {total} utterances of {counts['speakers']} speakers are used, in {len(protocol['folds'])} folds",
        "dominant emotion: " + ", ".join(f"{emotion} {n}" for emotion, n in counts["dominant"].items()),
        f"emotion exists ({min_votes} {'vote' if min_votes == 1 else 'votes'} or more): "
        + ", ".join(f"{emotion} {counts['exist'][emotion]} ({100 * counts['exist'][emotion] / total:.1f} %)" for emotion in emotions),
    ]
    if counts["skipped"]:
        lines.append(f"{sum(counts['skipped'].values())} are skipped, each with its reason in skipped.csv:")
        lines += [f"  {n:6} {kind}" for kind, n in sorted(counts["skipped"].items(), key=lambda item: -item[1])]
    return lines


def _audio(audio: Sequence[Audio]) -> list[str]:
    rates = Counter(one.sample_rate for one in audio if one.sample_rate != SAMPLE_RATE)
    channels = Counter(one.channels for one in audio if one.channels != 1)
    return [
        *(f"{n} recordings are at {rate} Hz: they are resampled to {SAMPLE_RATE} Hz when read" for rate, n in sorted(rates.items())),
        *(f"{n} recordings have {number} channels: they are averaged when read" for number, n in sorted(channels.items())),
    ]
