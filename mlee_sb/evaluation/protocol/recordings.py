"""Find the same recording under two names, by fingerprints of decoded samples, and replaced recordings, by fingerprints of files."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from mlee_sb.audio.faults import NoRecording
from mlee_sb.audio.reading import opened
from mlee_sb.evaluation.protocol.findings import LEAK, UNCHECKED, Finding, finding
from mlee_sb.files import sha256_of

BLOCK = 65536  # frames read at a time
WORKERS = 2  # one waits for the disk while the other computes


def fingerprint(path: Path) -> str:
    """Return a hash of the samples of a recording, mixed to one channel.

    It does not depend on the name, the container (wav, flac), the word length of the samples or the sample rate in the header. A copy
    that was resampled, scaled, cut or compressed with loss has other samples, and is not found.

    Raises
    ------
    NoRecording
        if it cannot be decoded
    """
    digest = hashlib.blake2b(digest_size=16)
    with opened(path) as recording:
        for block in recording.blocks(size=BLOCK):  # [frames, channels]
            digest.update(block.mean(axis=1).tobytes())
    return digest.hexdigest()


def fingerprints(wavs: Iterable[str], data_folder: Path, prepared: Mapping[str, str]) -> tuple[dict[str, str], list[Finding]]:
    """Read each recording and compute its fingerprints, with a progress bar on a terminal.

    Parameters
    ----------
    wavs : paths below `data_folder`
    data_folder : of the corpus
    prepared : wav -> fingerprint of the file, as far as fingerprints.csv tells them

    Returns
    -------
    fingerprints : wav -> fingerprint of its samples
    findings : what could not be read, and which files are not those that were prepared
    """
    wavs = sorted(set(wavs))
    found, broken, replaced = {}, [], []
    with ThreadPoolExecutor(WORKERS) as pool:
        results: Iterator[tuple[str, str] | None] = pool.map(lambda wav: _try(data_folder / wav), wavs)
        for wav, result in zip(wavs, tqdm(results, total=len(wavs), desc="comparing recordings", unit="file", disable=None), strict=True):
            if result is None:
                broken.append(wav)
                continue
            found[wav], file = result
            if prepared.get(wav, file) != file:
                replaced.append(wav)
    what = {
        LEAK: ("recording", "recordings that are not those that were prepared", replaced),
        UNCHECKED: ("copy", "recordings that are missing or cannot be decoded, so they were not compared", broken),
    }
    ask = "is --data_folder the one that was prepared?"
    return found, [
        finding(severity, kind, data_folder, f"{words}: {ask}", names) for severity, (kind, words, names) in what.items() if names
    ]


def _try(path: Path) -> tuple[str, str] | None:
    """Return the fingerprints of the samples of a recording and of its file; None where it cannot be decoded."""
    try:
        return fingerprint(path), sha256_of(path)
    except (NoRecording, OSError):
        return None
