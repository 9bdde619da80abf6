"""The same recording under two names: fingerprints of decoded samples."""

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import soundfile
from tqdm import tqdm

from mlee_sb.evaluation.protocol.findings import UNCHECKED, Finding, finding

BLOCK = 65536  # frames read at a time
WORKERS = 2  # one waits for the disk while the other computes


def fingerprint(path: Path) -> str:
    """A hash of the samples of a recording, mixed to one channel.

    Neither the name, the container (wav, flac), the word length that holds the samples nor the sample rate that the header claims
    changes it. A copy that was resampled, scaled, cut or compressed with loss has other samples, and is not found.

    Raises
    ------
    soundfile.SoundFileError
        if it cannot be decoded
    """
    digest = hashlib.blake2b(digest_size=16)
    with soundfile.SoundFile(path) as file:
        for block in file.blocks(BLOCK, dtype="float32", always_2d=True):  # [frames, channels]
            digest.update(block.mean(axis=1).tobytes())
    return digest.hexdigest()


def fingerprints(wavs: Iterable[str], data_folder: Path) -> tuple[dict[str, str], list[Finding]]:
    """Read each recording once, with a progress bar where a person can see it.

    Parameters
    ----------
    wavs : paths below `data_folder`
    data_folder : of the corpus

    Returns
    -------
    fingerprints : wav -> fingerprint
    findings : what could not be read
    """
    wavs = sorted(set(wavs))
    found, broken = {}, []
    with ThreadPoolExecutor(WORKERS) as pool:
        results: Iterator[str | None] = pool.map(lambda wav: _try(data_folder / wav), wavs)
        for wav, result in zip(wavs, tqdm(results, total=len(wavs), desc="comparing recordings", unit="file", disable=None), strict=True):
            if result is None:
                broken.append(wav)
            else:
                found[wav] = result
    if broken:
        what = "recordings that are missing or cannot be decoded, so they were not compared: is --data_folder the one that was prepared?"
        return found, [finding(UNCHECKED, "copy", data_folder, what, broken)]
    return found, []


def _try(path: Path) -> str | None:
    try:
        return fingerprint(path)
    except (soundfile.SoundFileError, OSError):
        return None
