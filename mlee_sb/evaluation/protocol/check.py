"""The protocol check: does anything of a test set stand on the other side of a split? `mlee check-protocol` is its command.

It looks at the files that preparation and training leave, and trusts none of them to be as they were written.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from mlee_sb.corpora.manifest import read_protocol
from mlee_sb.errors import InputError
from mlee_sb.evaluation.protocol.findings import LEAK, UNCHECKED, CheckedProtocol, Finding, finding
from mlee_sb.evaluation.protocol.manifests import Manifests, check_manifests, read_raw
from mlee_sb.evaluation.protocol.recordings import fingerprints
from mlee_sb.evaluation.protocol.stages import check_stage, key_of
from mlee_sb.evaluation.results import IDENTITY, SUMMARY, StageResult, find_protocols, find_stages

MANIFESTS = "manifests"  # the folder below a corpus's results that training prepares them in
NO_DATA_FOLDER = "no --data_folder was given"  # and training with an earlier version did not note it


def check_protocol(
    results: str | Path,
    load_corpus: Callable[[str], type],
    manifests: Sequence[str | Path] = (),
    data_folder: str | Path | None = None,
) -> CheckedProtocol:
    """Look at all finished stages below `results`, and at the manifests that they were trained on.

    Parameters
    ----------
    results : a folder of results, or one below it
    load_corpus : name -> class of a corpus (`mlee_sb.corpora.base.load_corpus`), which knows the texts of its utterances
    manifests : folders of manifests that do not lie below the results
    data_folder : of the corpus, to compare the recordings; by default where training found them. Where they are not there, the outcome
        says so

    Raises
    ------
    InputError
        if there is no finished stage, `manifests` are not those of any, or a file is damaged
    """
    stages = find_stages(results)
    if data_folder is not None and not Path(data_folder).is_dir():
        raise InputError(f"{data_folder}: no such folder; give the one that the corpus was prepared from")
    found = {protocol_hash: read_raw(*place) for protocol_hash, place in _protocols(Path(results), stages, manifests).items()}
    findings = [
        *_unfinished(Path(results)),
        *_twice(stages),
        *_without_manifests(stages, found),
        *(one for each in found.values() for one in _of_manifests(each, load_corpus, _places(stages, each, data_folder))),
        *_of_stages(stages, found),
    ]
    return CheckedProtocol(len(stages), sum(len(each.folds) for each in found.values()), tuple(findings))


def _protocols(results: Path, stages: Iterable[StageResult], given: Sequence[str | Path]) -> dict[str, tuple[Path, dict]]:
    """Hash -> folder and protocol.json, of the protocols that stages were trained on."""
    hashes = {stage.protocol_hash for stage in stages}
    found = find_protocols(results)
    for stage in stages:
        above = stage.folder.resolve().parents  # seed, train set, row, corpus
        if stage.protocol_hash not in found and len(above) > 3:  # RESULTS may be the folder of a row
            found |= find_protocols(above[3] / MANIFESTS)
    for folder in given:
        protocol = read_protocol(folder)
        if protocol["hash"] not in hashes:
            raise InputError(
                f"{folder}: manifests of the protocol {protocol['hash']}, and the stages below {results} were trained on "
                f"{', '.join(sorted(hashes))}: give the manifests that training was given"
            )
        found[protocol["hash"]] = (Path(folder), protocol)
    return {protocol_hash: (folder, read_protocol(folder)) for protocol_hash, (folder, _) in found.items() if protocol_hash in hashes}


def _places(stages: Iterable[StageResult], manifests: Manifests, given: str | Path | None) -> list[Path]:
    """Where the recordings of manifests may lie: the folder that was given, or those that the stages were trained with."""
    if given is not None:
        return [Path(given)]
    noted = (stage.data_folder for stage in stages if stage.protocol_hash == manifests.protocol["hash"])
    return list(dict.fromkeys(place for place in noted if place))


def _of_manifests(manifests: Manifests, load_corpus: Callable[[str], type], places: Sequence[Path]) -> Iterator[Finding]:
    try:
        corpus = load_corpus(manifests.protocol["corpus"])
        text_of, by_design = corpus.text_of, corpus.texts_shared_by_design
    except InputError:  # a plug-in of another machine
        text_of, by_design = None, False
    recordings, data_folder = None, next((place for place in places if place.is_dir()), None)
    if data_folder:
        wavs = [wav for splits in manifests.folds.values() for frame in splits.values() for wav in frame["wav"]]
        recordings, of_recordings = fingerprints(wavs, data_folder, manifests.prepared_recordings())
        yield from of_recordings
    else:
        why = f"the recordings do not lie where training found them, in {places[0]}: give --data_folder" if places else NO_DATA_FOLDER
        yield finding(UNCHECKED, "copy", manifests.folder, f"{why}, so recordings were compared by name only")
    yield from check_manifests(manifests, text_of, by_design, recordings)


def _of_stages(stages: Iterable[StageResult], found: dict[str, Manifests]) -> Iterator[Finding]:
    by_key = {key_of(stage.identity): stage for stage in stages}
    for stage in stages:
        if stage.protocol_hash in found:
            yield from check_stage(stage, found[stage.protocol_hash], by_key)


def _without_manifests(stages: Iterable[StageResult], found: dict[str, Manifests]) -> Iterator[Finding]:
    for stage in stages:
        if stage.protocol_hash not in found:
            what = f"the manifests of its protocol ({stage.protocol_hash[:8]}) were not found: give them with --manifests"
            yield finding(UNCHECKED, "stage", stage.folder, what)


def _unfinished(results: Path) -> Iterator[Finding]:
    for path in sorted(results.rglob(str(IDENTITY))):
        if not (path.parents[1] / SUMMARY).is_file():
            yield finding(UNCHECKED, "stage", path.parents[1], "not finished")


def _twice(stages: Iterable[StageResult]) -> Iterator[Finding]:
    """Of stages that say they are the same, all but one are copies, and their utterances would be counted twice."""
    folders: dict[tuple, list[str]] = {}
    for stage in stages:
        name = (stage.corpus, stage.row, stage.train_set, stage.seed, stage.fold, stage.protocol_hash)
        folders.setdefault(name, []).append(str(stage.folder))
    for same in folders.values():
        if len(same) > 1:
            yield finding(LEAK, "stage", min(same), "folders that say they are the same stage", same)
