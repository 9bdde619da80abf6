"""From a raw release to manifests: read, check, split by speaker, write as one folder (contract 1 in the design)."""

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from mlee_sb.corpora import manifest
from mlee_sb.corpora.audio_headers import Audio, check_below
from mlee_sb.corpora.base import OTHER, Corpus, Fold, Skipped, Utterance, final_fold
from mlee_sb.corpora.manifest import SPLITS
from mlee_sb.corpora.manifest_writer import MICROSECONDS, csv_lines, manifest_row, others_of, protocol_of, vote_lines, write_manifests
from mlee_sb.corpora.options import OpenCorpus, open_corpus
from mlee_sb.corpora.own_name import OPTION
from mlee_sb.corpora.prepare_report import report
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
    return _prepare(opened, output, emotions, min_votes, say, final)


def _prepare(
    opened: OpenCorpus,
    output: str | Path,
    emotions: Sequence[str] | None,
    min_votes: int,
    say: Callable[[str], None],
    final: int | None = None,
) -> dict:
    output, corpus = Path(output).resolve(), opened.corpus
    _refuse_what_is_not_ours(output)
    emotions = _targets(corpus, emotions, min_votes)

    items = list(corpus.utterances())
    _check_votes(corpus, items)
    utterances, audio, skipped = _usable(items, corpus.data_folder)
    speakers = sorted({utterance.speaker for utterance in utterances})
    folds = _checked_folds(corpus, speakers) if final is None else [final_fold(speakers, final)]
    utterances, skipped = _without_strangers(utterances, skipped, folds)

    others = others_of(corpus, emotions)
    rows = [manifest_row(utterance, audio[utterance.id].duration, emotions, others, min_votes) for utterance in utterances]
    lines = csv_lines(rows)
    fingerprints = [audio[utterance.id].fingerprint for utterance in utterances]
    votes = vote_lines(utterances)
    protocol = protocol_of(opened, emotions, min_votes, folds, rows, lines, fingerprints, votes, skipped)
    with written_beside(output) as folder:
        write_manifests(folder, protocol, utterances, lines, fingerprints, votes, skipped)
    report(corpus, protocol, items, [audio[utterance.id] for utterance in utterances], say)
    return protocol


def check_recordings(manifests: str | Path, data_folder: str | Path) -> None:
    """Check that the recordings in manifests can still be used, and are the ones that were prepared.

    Raises
    ------
    InputError
        if one is not; the message names the first
    """
    frame, fingerprints = manifest.read_utterances(manifests), manifest.read_fingerprints(manifests)["fingerprint"]
    wavs = frame["wav"].tolist()
    for wav, duration, fingerprint, found in zip(wavs, frame["duration"], fingerprints, check_below(data_folder, wavs), strict=True):
        wrong = found.reason
        if not wrong and round(found.duration, MICROSECONDS) != duration:
            wrong = f"{found.duration:.3f} s long, and {duration:.3f} s when it was prepared"
        if not wrong and found.fingerprint != fingerprint:
            wrong = f"not the recording that was prepared (fingerprint {found.fingerprint}, and {fingerprint} then)"
        if wrong:
            raise InputError(f"{data_folder}/{wav}: {wrong}: is --data_folder the one of {manifests}? If it is, {manifest.RUN_PREPARE}")


def prepare_once(
    opened: OpenCorpus,
    output: str | Path,
    emotions: Sequence[str] | None = None,
    min_votes: int = 1,
    say: Callable[[str], None] = print,
) -> dict:
    """Write manifests as `prepare` does, unless there are some at `output`: then check that the corpus still gives the same ones.

    So results never lose the manifests that they were trained on, and never mix with those of other data.

    Raises
    ------
    InputError
        as `prepare`; if the corpus gives other manifests now; or if the manifests beside `output` are of another corpus of the same name
    """
    output = Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    report_lines: list[str] = []
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as beside:
        new = Path(beside) / output.name
        now = _prepare(opened, new, emotions, min_votes, report_lines.append)
        _refuse_another_corpus(new, output.parent, opened)
        try:
            new.rename(output)  # fails on a full folder: of two runs at once, one is first
        except OSError:
            there = manifest.read_protocol(output)
            if there["hash"] != now["hash"]:
                raise InputError(_what_changed(output, new, opened, there, now)) from None
        else:
            for line in report_lines:
                say(line)
            say(f"written to {output}")
    return now


def _refuse_another_corpus(new: Path, place: Path, opened: OpenCorpus) -> None:
    """Refuse an own corpus where results of another one lie: two corpora may come in folders of the same name.

    Manifests of one corpus share recordings, whatever emotions and options they were prepared with.
    """
    if OPTION not in opened.options:
        return
    recordings = set(manifest.read_fingerprints(new)["fingerprint"])
    for path in sorted(place.glob(f"[!.]*/{manifest.FINGERPRINTS}")):
        if recordings.isdisjoint(manifest.read_fingerprints(path.parent)["fingerprint"]):
            raise InputError(
                f"{opened.corpus.data_folder}: another corpus is called {opened.corpus.name} in {place.parent} (it has none of these "
                f"recordings): give this one another name with --{OPTION}, or give a new folder with --results"
            )


def _what_changed(output: Path, beside: Path, opened: OpenCorpus, there: dict, now: dict) -> str:
    if not (output / manifest.FINGERPRINTS).is_file() or manifest.VOTES_HASH not in there:
        return f"{output}: its manifests were written by an earlier version of mlee_sb: give a new folder with --results"
    counts = [f"{found['counts']['utterances']} utterances of {found['counts']['speakers']} speakers" for found in (there, now)]
    another = f", or another --{OPTION} if this is another corpus" if OPTION in opened.options else ""
    return (
        f"{opened.corpus.data_folder}: the corpus has changed since the manifests in {output} were written (there {counts[0]}, "
        f"now {counts[1]}; hash there {there['hash'][:8]}, now {now['hash'][:8]}{_first_change(output, beside)}): "
        f"bring the old data back, or give a new folder with --results{another}"
    )


def _first_change(before: Path, after: Path) -> str:
    """Return in words the first utterance that changed, or whose recording changed; "" if only rules or folds differ, or some are gone."""
    protocols = [manifest.read_protocol(folder) for folder in (before, after)]
    if manifest.types_of(protocols[0]) != manifest.types_of(protocols[1]):
        return ""
    old, new = (manifest.read_table(folder / manifest.UTTERANCES, manifest.types_of(protocols[0])) for folder in (before, after))
    changed, words = manifest.changed_rows(new, old)
    if changed:
        return f"; {changed[0]!r}: {words} there"
    old, new = (manifest.read_fingerprints(folder).set_index("ID")["fingerprint"] for folder in (before, after))
    replaced = [id_ for id_, fingerprint in new.items() if old.get(id_) != fingerprint]
    return f"; {replaced[0]!r} has another recording" if replaced else ""


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
    emotions = list(emotions if emotions is not None else corpus.default_emotions)
    for emotion in emotions:
        choose(emotion, corpus.emotions, f"emotion of the corpus {corpus.name}")
    twice = [emotion for emotion, n in Counter(emotions).items() if n > 1]
    if twice:
        raise InputError(f"emotions: {twice[0]!r} is there twice")
    if len(emotions) < 2:
        raise InputError(f"emotions: {', '.join(emotions) or 'none'}: at least two are needed (of: {', '.join(corpus.emotions)})")
    return emotions


def _check_votes(corpus: Corpus, items: Iterable[Utterance | Skipped]) -> None:
    """Refuse votes for a category that the corpus does not name (no column would count them), and annotations that are not the votes."""
    votes, dominant = set(corpus.categories), {"", OTHER, *corpus.categories}
    for item in items:
        if isinstance(item, Utterance) and not (votes.issuperset(item.votes) and item.dominant in dominant):
            code = next((code for code in item.votes if code not in votes), item.dominant)
            raise InputError(
                f"corpus {corpus.name}: {item.id!r} has the code {code!r}, and its categories are {', '.join(corpus.categories)}; "
                "its utterances() or its categories must be repaired"
            )
        if isinstance(item, Utterance) and item.annotations and Counter(code for _, code in item.annotations) != Counter(item.votes):
            raise InputError(f"corpus {corpus.name}: {item.id!r} has other votes than annotations; its utterances() must be repaired")


def _usable(items: Iterable[Utterance | Skipped], data_folder: Path) -> tuple[list[Utterance], dict[str, Audio], list[Skipped]]:
    """Return the utterances that can be used (sorted by ID), their audio by ID, and what is skipped (in the order of the corpus)."""
    skipped: list[Skipped] = []
    claimed: list[Utterance] = []
    ids: set[str] = set()
    wavs: dict[str, str] = {}  # wav -> ID
    for item in items:
        reason = item.reason if isinstance(item, Skipped) else _why_not(item, ids, wavs)
        if reason:
            skipped.append(Skipped(item.id, item.wav, reason))
        else:
            claimed.append(item)
            ids.add(item.id)
            wavs[item.wav] = item.id
    usable, audio = [], {}
    for utterance, checked in zip(claimed, check_below(data_folder, [utterance.wav for utterance in claimed]), strict=True):
        if checked.reason:
            skipped.append(Skipped(utterance.id, utterance.wav, checked.reason))
        else:
            usable.append(utterance)
            audio[utterance.id] = checked
    if not usable:
        first = f"; the first reason: {skipped[0].id}: {skipped[0].reason}" if skipped else ""
        raise InputError(f"{data_folder}: no usable utterance in it ({len(skipped)} are skipped{first})")
    return sorted(usable, key=lambda utterance: utterance.id), audio, skipped


def _why_not(utterance: Utterance, ids: set[str], wavs: dict[str, str]) -> str:
    """Return why an utterance cannot be used, apart from its audio; "" if it can. `ids` and `wavs` (ID by wav) are those in use already."""
    if not utterance.id:
        return "no ID"
    if utterance.id in ids:
        return "duplicated ID: the first one is used"
    if utterance.wav in wavs:
        return f"duplicated wav: used as {wavs[utterance.wav]}"
    if not utterance.speaker:
        return "no speaker"
    if not any(utterance.votes.values()):
        return "no votes"
    for code, count in utterance.votes.items():
        if count > utterance.n_annotators:
            return f"more votes than annotators: {count} for {code}, of {utterance.n_annotators}"
    return manifest.why_not_inside(utterance.wav)


def _checked_folds(corpus: Corpus, speakers: list[str]) -> list[Fold]:
    """Return the folds of the corpus. Refuse a fold with an empty split, or with a speaker in two splits."""
    folds = corpus.folds(speakers)
    for fold in folds:
        for split in SPLITS:
            if not set(getattr(fold, split)) & set(speakers):
                raise InputError(f"fold {fold.number}: no usable utterance in {split}; the usable speakers are {', '.join(speakers)}")
        in_two = [speaker for speaker, n in Counter((*fold.train, *fold.valid, *fold.test)).items() if n > 1]
        if in_two:
            raise InputError(f"corpus {corpus.name}: fold {fold.number} has speaker {in_two[0]!r} twice; its folds() must be repaired")
    return folds


def _without_strangers(utterances: list[Utterance], skipped: list[Skipped], folds: list[Fold]) -> tuple[list[Utterance], list[Skipped]]:
    known = {speaker for fold in folds for split in SPLITS for speaker in getattr(fold, split)}
    strangers = [Skipped(u.id, u.wav, f"in no fold: speaker {u.speaker}") for u in utterances if u.speaker not in known]
    return [u for u in utterances if u.speaker in known], [*skipped, *strangers]
