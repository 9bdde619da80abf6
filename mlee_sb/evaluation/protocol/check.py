"""Check the protocol: is anything of a test set on another side of a split? This is what the command `mlee check-protocol` does.

The check reads the files that preparation and training leave. It does not trust that they are as they were written.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from mlee_sb.corpora.manifest import read_protocol, reader_of
from mlee_sb.errors import InputError
from mlee_sb.evaluation.protocol.findings import LEAK, UNCHECKED, CheckedProtocol, Finding, finding
from mlee_sb.evaluation.protocol.manifests import Manifests, check_manifests, read_raw
from mlee_sb.evaluation.protocol.recordings import fingerprints
from mlee_sb.evaluation.protocol.stages import check_stage
from mlee_sb.evaluation.results import StageResult, by_key, find_protocols, find_stages, given_protocol, protocols_beside
from mlee_sb.stage_folder import IDENTITY, folders_below

NO_DATA_FOLDER = "no --data_folder was given"  # and training with an earlier version did not note it


def check_protocol(
    results: str | Path,
    load_corpus: Callable[[str], type],
    manifests: Sequence[str | Path] = (),
    data_folder: str | Path | None = None,
) -> CheckedProtocol:
    """Check all finished stages below a folder, and the manifests that they were trained on.

    Parameters
    ----------
    results : a folder of results, or one below it
    load_corpus : name -> reader of a corpus (`mlee_sb.corpora.base.load_corpus`), which knows the texts of its utterances
    manifests : folders of manifests that do not lie below the results
    data_folder : the folder of the corpus, to compare the recordings; by default the one in which training found them. If they are
        missing there, the outcome says so

    Raises
    ------
    InputError
        if there is no finished stage, no stage was trained on one of the `manifests`, or a file is damaged
    """
    stages = find_stages(results)
    if data_folder is not None and not Path(data_folder).is_dir():
        raise InputError(f"{data_folder}: no such folder; give the one that the corpus was prepared from")
    found = {protocol_hash: read_raw(*place) for protocol_hash, place in _protocols(Path(results), stages, manifests).items()}
    places = {protocol_hash: _place(stages, each, data_folder) for protocol_hash, each in found.items()}
    findings = [
        *_unfinished(Path(results)),
        *_twice(stages),
        *_without_manifests(stages, found),
        *(one for name, each in found.items() for one in _of_manifests(each, load_corpus, *places[name])),
        *_of_stages(stages, found),
    ]
    looked_in = dict.fromkeys(str(place) for place, _ in places.values() if place)
    return CheckedProtocol(len(stages), sum(len(each.folds) for each in found.values()), tuple(findings), tuple(looked_in))


def _protocols(results: Path, stages: Iterable[StageResult], given: Sequence[str | Path]) -> dict[str, tuple[Path, dict]]:
    """Return the protocols that stages were trained on: hash -> folder of the manifests, and protocol.json."""
    hashes = {stage.summary.protocol_hash for stage in stages}
    found = find_protocols(results)
    for stage in stages:
        if stage.summary.protocol_hash not in found:  # RESULTS may be the folder of a row
            found |= protocols_beside(stage)
    for folder in given:
        protocol = given_protocol(folder, stages, results)
        found[protocol["hash"]] = (Path(folder), protocol)
    return {protocol_hash: (folder, read_protocol(folder)) for protocol_hash, (folder, _) in found.items() if protocol_hash in hashes}


def _place(stages: Iterable[StageResult], manifests: Manifests, given: str | Path | None) -> tuple[Path | None, str]:
    """Return the folder in which to look for the recordings of manifests, or None and the reason why there is none.

    It is the folder that was given. Otherwise it is the first folder with any of the recordings among those that training noted.
    """
    if given is not None:
        return Path(given), ""
    noted = (stage.files.noted_data_folder() for stage in stages if stage.summary.protocol_hash == manifests.protocol["hash"])
    places, wavs = list(dict.fromkeys(place for place in noted if place)), manifests.utterances["wav"].tolist()
    for place in places:
        if any((place / wav).is_file() for wav in wavs):
            return place, ""
    why = f"the recordings are no longer where training found them, in {', '.join(map(str, places))}: give --data_folder"
    return None, why if places else NO_DATA_FOLDER


def _of_manifests(manifests: Manifests, load_corpus: Callable[[str], type], data_folder: Path | None, why_not: str) -> Iterator[Finding]:
    try:
        corpus = load_corpus(reader_of(manifests.protocol))
        text_of, by_design = corpus.text_of, corpus.texts_shared_by_design
    except InputError:  # a plug-in of another machine
        text_of, by_design = None, False
    recordings = None
    if data_folder:
        wavs = [wav for splits in manifests.folds.values() for frame in splits.values() for wav in frame["wav"]]
        recordings, of_recordings = fingerprints(wavs, data_folder, manifests.prepared_recordings())
        yield from of_recordings
    else:
        yield finding(UNCHECKED, "copy", manifests.folder, f"{why_not}, so recordings were compared by name only")
    yield from check_manifests(manifests, text_of, by_design, recordings)


def _of_stages(stages: Iterable[StageResult], found: dict[str, Manifests]) -> Iterator[Finding]:
    there = by_key(stages)
    for stage in stages:
        if stage.summary.protocol_hash in found:
            yield from check_stage(stage, found[stage.summary.protocol_hash], there)


def _without_manifests(stages: Iterable[StageResult], found: dict[str, Manifests]) -> Iterator[Finding]:
    for stage in stages:
        protocol_hash = stage.summary.protocol_hash
        if protocol_hash not in found:
            what = f"the manifests of its protocol ({protocol_hash[:8]}) were not found: give them with --manifests"
            yield finding(UNCHECKED, "stage", stage.folder, what)


def _unfinished(results: Path) -> Iterator[Finding]:
    for stage in folders_below(results, IDENTITY):
        if not stage.summary.is_file():
            yield finding(UNCHECKED, "stage", stage.path, "not finished")


def _twice(stages: Iterable[StageResult]) -> Iterator[Finding]:
    """Find copies: of stages with the same name all but one are copies, and their utterances would be counted twice.

    Variants of a row are other stages, and no copies.
    """
    folders: dict[tuple, list[str]] = {}
    for stage in stages:
        s = stage.summary
        name = (s.corpus, s.row, s.variant, s.train_set, s.seed, s.fold, s.protocol_hash)
        folders.setdefault(name, []).append(str(stage.folder))
    for same in folders.values():
        if len(same) > 1:
            yield finding(LEAK, "stage", min(same), "folders that say they are the same stage", same)
