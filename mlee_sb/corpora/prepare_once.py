"""Manifests that stand already: results keep the ones that they were trained on, and the recordings are still those that were prepared."""

import errno
from collections.abc import Callable, Sequence
from pathlib import Path

from mlee_sb.corpora import manifest
from mlee_sb.corpora.audio_headers import check_below
from mlee_sb.corpora.manifest_writer import MICROSECONDS
from mlee_sb.corpora.options import OpenCorpus
from mlee_sb.corpora.own_name import OPTION
from mlee_sb.corpora.prepare import prepare_opened
from mlee_sb.errors import InputError
from mlee_sb.files import folder_beside, put_in_place, sync

NOT_EMPTY = (errno.ENOTEMPTY, errno.EEXIST)


def check_recordings(manifests: str | Path, data_folder: str | Path) -> None:
    """Check that the recordings in manifests can still be used, and are the ones that were prepared.

    Raises
    ------
    InputError
        if one is not; the message names the first
    """
    frame, fingerprints = manifest.read_utterances(manifests), manifest.read_fingerprints(manifests)["fingerprint"]
    pieces = manifest.pieces_of(frame)
    for (wav, *_), duration, fingerprint, found in zip(
        pieces, frame["duration"], fingerprints, check_below(data_folder, pieces), strict=True
    ):
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
    report_lines: list[str] = []
    with folder_beside(output) as beside:
        new = beside / output.name
        now = prepare_opened(opened, new, emotions, min_votes, report_lines.append)
        _refuse_another_corpus(new, output.parent, opened)
        try:
            new.rename(output)  # fails on a full folder: of two runs at once, one is first
        except OSError as error:
            if error.errno not in NOT_EMPTY:
                raise
            if damaged := _damaged_file(output, new, now):
                put_in_place(new, output)
                say(f"{damaged} was damaged: the manifests in {output} are written again")
            else:
                _refuse_another_protocol(output, new, opened, now)
        else:
            sync(output.parent, whole=False)
            for line in report_lines:
                say(line)
            say(f"written to {output}")
    return now


def _damaged_file(output: Path, new: Path, now: dict) -> Path | None:
    """Return a file of the manifests that stand at `output` which is not as it was written; None if there is none.

    Without a protocol it is not known what they were. They are damaged manifests of the same data if what is left of them says no other
    thing than the `new` ones.
    """
    try:
        there = manifest.read_protocol(output)
    except InputError as error:
        tables = (manifest.UTTERANCES, manifest.FINGERPRINTS)
        if all((new / name).read_bytes().startswith(_what_is_left(output / name)) for name in tables):
            return output / manifest.PROTOCOL
        raise InputError(
            f"{error}; or give a new folder with --results: the data have changed since these manifests were written"
        ) from error
    if there["hash"] != now["hash"]:
        return None
    if _is_cut(output / manifest.SKIPPED, new / manifest.SKIPPED) and there["counts"] == now["counts"]:
        return output / manifest.SKIPPED
    hashed = [path.relative_to(new) for path in sorted(new.rglob("*.csv")) if path.name != manifest.SKIPPED]
    return next((output / name for name in hashed if _what_is_left(output / name) != (new / name).read_bytes()), None)


def _is_cut(there: Path, new: Path) -> bool:
    """Tell whether a file holds only the beginning of the new one: other words in it may be of an earlier version."""
    left, whole = _what_is_left(there), new.read_bytes()
    return left != whole and whole.startswith(left)


def _what_is_left(path: Path) -> bytes:
    """Return the content of a file without the zeros that a power loss can leave in the place of its end; nothing if it is missing."""
    return path.read_bytes().rstrip(b"\0") if path.is_file() else b""


def _refuse_another_protocol(output: Path, new: Path, opened: OpenCorpus, now: dict) -> None:
    there = manifest.read_protocol(output)
    if there["hash"] != now["hash"]:
        raise InputError(_what_changed(output, new, opened, there, now))


def _refuse_another_corpus(new: Path, place: Path, opened: OpenCorpus) -> None:
    """Refuse an own corpus where results of another one lie: two corpora may come in folders of the same name.

    Manifests of one corpus share recordings, whatever emotions and options they were prepared with.
    """
    if OPTION not in opened.options:
        return
    recordings = set(manifest.read_fingerprints(new)["fingerprint"])
    for path in sorted(place.glob(f"[!.]*/{manifest.FINGERPRINTS}")):
        try:
            there = manifest.read_fingerprints(path.parent)["fingerprint"]
        except InputError:  # damaged: they tell nothing
            continue
        if recordings.isdisjoint(there):
            raise InputError(
                f"{opened.corpus.data_folder}: another corpus is called {opened.corpus.name} in {place.parent} (it has none of these "
                f"recordings): give this one another name with --{OPTION}, or give a new folder with --results"
            )


def _what_changed(output: Path, beside: Path, opened: OpenCorpus, there: dict, now: dict) -> str:
    if not (output / manifest.FINGERPRINTS).is_file() or manifest.VOTES_HASH not in there or manifest.GROUP not in there["rules"]:
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
